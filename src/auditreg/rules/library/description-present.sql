/*
title = "A description is present"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
A description of at least `minimum_length` characters: the version's own, its description tag,
or its registered model's."""
rationale = """
A reader who did not build the model has to learn from the inventory what it predicts, from what
and for whom."""
remediation = """
Describe the registered model once; describe a version where it differs."""

[params]
minimum_length = 20
*/
with minimum as (
    select coalesce(getvariable('minimum_length')::VARCHAR,
                    setting('description-present.minimum_length'), '20')::INTEGER as length
),
found as (
    select subject, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(left(value, 120) || ' (' || candidate || ')', ' or '
                      order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown')) as candidates
    from fields
    where field = 'description' and rank = 1
    group by subject
),
judged as (
    select p.*, f.value, f.found_in, f.tag, f.grade, f.candidates, m.length as minimum_length,
           case when f.subject is null then 'missing'
                when f.open then 'uncertain'
                when length(trim(f.value)) < m.length then 'short'
                else 'recorded' end as found
    from population_live_version p
    cross join minimum m
    left join found f on f.subject = p.subject
)
select subject,
       case found when 'recorded' then 'pass' else 'not_evidenced' end as status,
       case found
           when 'recorded' then model || '/' || version || ' is described in ' || length(trim(value))
                || ' characters (' || tag || ')'
           when 'uncertain' then 'The description of ' || model || '/' || version
                || ' at this moment is uncertain: ' || left(candidates, 300)
           when 'short' then 'The description of ' || model || '/' || version || ' (' || tag
                || ') has fewer than ' || minimum_length || ' characters: ''' || trim(value) || ''''
           else 'No description on ' || model || '/' || version || ' or on its model'
       end as reason,
       case when found = 'missing' then 'none' else grade end as grade,
       case when found <> 'recorded'
            then case when tag = 'version description'
                      then 'client.update_model_version(' || to_json(model)::VARCHAR || ', "'
                           || version || '", description="<what it predicts, for what, from what>")'
                      else 'client.update_registered_model(' || to_json(model)::VARCHAR
                           || ', description="<what it predicts, for what, from what>")' end
       end as fix,
       left(value, 200) as description, found_in, tag, candidates
from judged
