/*
title = "A stable identifier of the model is recorded"
finding = "No stable identifier of the model is recorded"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `model_id`, on the version, then on its registered model; and that no other
registered model of the registry has the same identifier, compared without case."""
rationale = """
The name of a registered model can be changed and given again. An inventory needs a name for the model that
outlasts both."""
remediation = """
Set the model's identifier in the firm's inventory as a tag of the registered model, and no other's."""
*/
with bearer as (
    select registry, lower(trim(value)) as id, count(distinct model_subject) as models,
           string_agg(distinct model, ', ' order by model) as bearers
    from field_evidence
    where field = 'model_id' and state = 'recorded' and model_subject in (select subject from registered_models where not deleted)
    group by registry, lower(trim(value))
    having count(distinct model_subject) > 1
)
select p.subject,
       case when b.id is not null then 'fail' when e.state = 'ambiguous' then 'undecided'
            else field_status(e.state) end as status,
       case when e.state = 'ambiguous' then 'The model identifier of {subject} changed around this moment: {candidates}'
             when b.id is not null then 'The model identifier of {subject} is ''{model_id}'', and so is that of others: {bearers}'
            else field_reason('model identifier', 'model_id', e.state, e.nearest_tag) end as reason,
       coalesce(e.grade, 'none') as grade, case when b.id is not null or e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as model_id, e.found_in, e.tag, b.bearers, e.candidates, e.tags_looked_for,
       e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'model_id'
left join bearer b on b.registry = e.registry and b.id = lower(trim(e.value)) and e.state = 'recorded'
