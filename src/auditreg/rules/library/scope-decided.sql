/*
title = "It is decided under which regimes the model falls"
finding = "Under which regimes the model falls, or why not, is not decided on record"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
For each regime of the parameter `regimes` (such as "E-23, AI Act") a decision in the field `regime_scope`, as in
`E-23: in; AI Act: out, no life or health insurance`. What is out needs a reason; words that decide neither, or both, are
no decision. Whether a decision is right is for the firm to show. Without the parameter the question does not arise."""
rationale = """
A text that does not apply needs no control, and one that does needs all of them. Which is the case somebody has to have
decided, model by model."""
remediation = """
Record on the registered model for each regime whether it applies, and why not where it does not."""

[params]
regimes = ""
*/
with asked as (
    select coalesce(getvariable('regimes')::VARCHAR, setting('scope-decided.regimes'), '') as regimes
),
regime as (
    select regime from (select trim(unnest(string_split(regimes, ','))) as regime from asked) where regime <> ''
),
-- part by part, also where a comma stands before the next regime; words like `in review` decide nothing
said as (
    select e.subject, lower(part.regime) as regime, lower(part.decision) as decision, part.why as why
    from (select e.subject, regexp_extract(
                     unnest(string_split_regex(regexp_replace(e.value, '[,;]\s*((?:' || n.names || ')\s*:)', ';\1', 'gi'), '[;\n]')),
                     '^\s*(.+?)\s*:\s*(?i:(in|out)(?:\s+(?:of\s+)?scope)?)\s*((?:[,.:(–—-]|\b(?:because|since|as|for|from|due)\b).*)?$',
                     ['regime', 'decision', 'why']) as part
          from field_evidence e cross join (select string_agg(regexp_escape(regime), '|') as names from regime) n
          where e.field = 'regime_scope' and e.state = 'recorded') e
),
decided as (
    select subject, regime, min(decision) as decision, min(decision) <> max(decision) as both,
           bool_or(regexp_matches(why, '\pL') and not is_placeholder(trim(why, ' ,:.-–—()'))
                   and not regexp_matches(lower(why), '^[ ,]*[^:,]+:\s*(in|out)\b')) as explained
    from said group by subject, regime
),
counted as (
    select e.subject, string_agg(r.regime, ', ' order by r.regime) filter (where d.decision is null or d.both) as undecided_regimes,
           string_agg(r.regime, ', ' order by r.regime) filter (where d.decision = 'out' and not d.explained) as unexplained,
           max(e.value) filter (where e.state = 'recorded') as regime_scope, max(e.candidates) as candidates,
           bool_or(e.state in ('uncertain', 'ambiguous')) as open, max(e.fix) as fix, max(e.grade) as grade
    from field_evidence e cross join regime r
    left join decided d on d.subject = e.subject and d.regime = lower(r.regime)
    where e.field = 'regime_scope' group by e.subject
)
select p.subject,
       case when c.subject is null then 'not_applicable' when c.open then 'undecided'
            when coalesce(c.undecided_regimes, c.unexplained) is not null then 'not_evidenced' else 'pass' end as status,
       case when c.subject is null then 'No regimes are configured ([rules.params."scope-decided"])'
            when c.open then 'What is decided on regimes for {subject} changed around this moment: {candidates}'
            when c.undecided_regimes is not null then 'Nothing on record decides whether {subject} falls under {undecided_regimes}'
                 || case when c.regime_scope is null then '' else '; recorded is: {regime_scope}' end
            when c.unexplained is not null then 'Why {subject} is out of {unexplained} is not recorded'
            else 'The regimes of {subject} are decided: {regime_scope}' end as reason,
       case when c.regime_scope is null then 'none' else coalesce(c.grade, 'none') end as grade,
       case when coalesce(c.undecided_regimes, c.unexplained) is not null and not c.open then c.fix end as fix,
       coalesce(c.regime_scope, c.candidates) as regime_scope, c.undecided_regimes, c.unexplained, c.candidates
from population_live_version p
left join counted c on c.subject = p.subject
