/*
title = "Assumptions and limitations are recorded"
finding = "Assumptions or limitations are not recorded"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the fields `assumptions` and `limitations`, on the version, then on its registered model.
`none` is an answer."""
rationale = """
Outside its assumptions a model gives numbers all the same. Whoever uses it has to be able to read where they
end."""
remediation = """
Record both on the registered model in a sentence each, or where they stand."""
*/
with limits as (
    select subject, count(*) filter (where state = 'uncertain') as open,
           case count(*) filter (where absent) when 1 then min(field) filter (where absent) when 2 then 'assumptions and limitations' end as missing,
           nullif(concat_ws(', ', max(empty) filter (where field = 'assumptions'), max(empty) filter (where field = 'limitations')), '') as empty_words,
           max(coalesce(value, candidates)) filter (where field = 'assumptions') as assumptions,
           max(coalesce(value, candidates)) filter (where field = 'limitations') as limitations,
           min(fix) filter (where absent) as fix,
           nullif(concat_ws(', ', max(tags_looked_for) filter (where field = 'assumptions' and absent),
                            max(tags_looked_for) filter (where field = 'limitations' and absent)), '') as tags_looked_for
    from (select *, state not in ('recorded', 'ambiguous', 'uncertain') as absent,
                 case when state = 'placeholder' then field || ' (' || tag || ': ''' || value || ''')' end as empty
          from field_evidence where field in ('assumptions', 'limitations'))
    group by subject
)
select p.subject,
       case when l.missing is not null then 'not_evidenced' when l.open > 0 then 'undecided' else 'pass' end as status,
       case when l.missing is not null then 'No {missing} of {subject} are recorded; looked for the tags {tags_looked_for}'
                 || case when l.empty_words is null then '' else '; what stands there says nothing: {empty_words}' end
            when l.open > 0 then 'Whether assumptions and limitations of {subject} are recorded at this moment cannot be told'
            else 'Of {subject} assumptions are recorded ({assumptions}) and limitations ({limitations})' end as reason,
       case when l.missing is null then 'asserted' else 'none' end as grade, l.fix,
       l.assumptions, l.limitations, l.missing, l.empty_words, l.tags_looked_for
from population_live_version p
join limits l on l.subject = p.subject
