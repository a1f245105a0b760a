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
scope as (
    select subject, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'regime_scope'
),
-- part by part, also where a comma stands before the next regime; words like `in review` decide nothing
said as (
    select subject, value, lower(regexp_extract(piece, '^\s*(.+?)\s*:', 1)) as regime, coalesce(nullif(lower(part.decision), ''), 'open') as decision, part.why as why
    from (select *, regexp_extract(piece, '^\s*.+?\s*:\s*(?i:(in|out)(?:\s+(?:of\s+)?scope)?)\s*((?:[,.:(–—-]|\b(?:because|since|as|for|from|due)\b).*)?$',
                                   ['decision', 'why']) as part
          from (select s.subject, s.value, unnest(string_split_regex(
                    regexp_replace(s.value, '[,;]\s*((?:' || n.names || ')\s*:)', ';\1', 'gi'), '[;\n]')) as piece
                from scope s cross join (select string_agg(regexp_escape(regime), '|') as names from regime) n))
),
decided as (
    select subject, value, regime, min(decision) as decision, min(decision) <> max(decision) as both,
           bool_or(regexp_matches(why, '\pL') and not is_placeholder(trim(why, ' ,:.-–—()'))
                   and not regexp_matches(lower(why), '^[ ,:.(–—-]*(reason )?(later|(is )?to (be|come|follow)\b[^,;]*)[ .)]*$')
                   and not regexp_matches(lower(why), '^[ ,]*[^:,]+:\s*(in|out)\b')) as explained
    from said group by subject, value, regime
),
-- of several records that are possible, each
judged as (
    select s.subject, s.value, string_agg(r.regime, ', ' order by r.regime) filter (where d.decision is null or d.both or d.decision = 'open') as undecided_regimes,
           string_agg(r.regime, ', ' order by r.regime) filter (where d.decision = 'out' and not d.explained) as unexplained
    from scope s cross join regime r
    left join decided d on d.subject = s.subject and d.value = s.value and d.regime = lower(r.regime)
    group by s.subject, s.value
),
counted as (
    select subject, max(undecided_regimes) as undecided_regimes, max(unexplained) as unexplained, count(*) > 1 as several,
           bool_and(coalesce(undecided_regimes, unexplained) is null) as each_decides,
           bool_or(coalesce(undecided_regimes, unexplained) is null) as one_decides
    from judged group by subject
)
select p.subject,
       case when c.subject is null then 'not_applicable' when c.each_decides then 'pass' when c.one_decides then 'undecided' else 'not_evidenced' end as status,
       case when c.subject is null then 'No regimes are configured ([rules.params."scope-decided"])'
            when c.each_decides then 'The regimes of {subject} are decided: {regime_scope}'
            when c.one_decides then 'What is decided on regimes for {subject} changed around this moment: {candidates}'
            when c.several then 'Whichever record of {subject} holds at this moment, it does not say of each regime that it applies, or why not: {candidates}'
            when c.undecided_regimes is not null then 'Nothing on record decides whether {subject} falls under {undecided_regimes}'
                 || case when e.state = 'recorded' then '; recorded is: {regime_scope}' else '' end
            else 'Why {subject} is out of {unexplained} is not recorded' end as reason,
       case when c.subject is null or is_absent(e.state) then 'none' else coalesce(e.grade, 'none') end as grade,
       case when not c.one_decides then e.fix end as fix,
       coalesce(e.value, e.candidates) as regime_scope, c.undecided_regimes, c.unexplained, e.candidates
from population_live_version p
left join counted c on c.subject = p.subject
left join field_evidence e on e.subject = p.subject and e.field = 'regime_scope'
