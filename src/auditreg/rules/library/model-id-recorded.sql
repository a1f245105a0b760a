/*
title = "A stable identifier of the model is recorded"
finding = "No identifier of the model's own is recorded"
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
    select registry, lower(trim(value)) as id, model_subject, max(model) as model
    from field_evidence
    where field = 'model_id' and state = 'recorded' and model_subject in (select subject from registered_models where not deleted)
      and (version is null or subject in (select subject from model_versions where not deleted))
    group by registry, lower(trim(value)), model_subject
),
shared as (
    -- a few names are enough, beside that of the model itself
    select registry, id, count(*) - 1 as others, list(struct_pack(subject := model_subject, model := model) order by model, model_subject)[1:4] as bearers
    from bearer group by registry, id having count(*) > 1
),
judged as (
    select e.*, p.subject as asked, s.others,
           array_to_string([b.model for b in s.bearers if b.subject <> e.model_subject][1:3], ', ')
               || case when s.others > 3 then ' and ' || (s.others - 3) || ' more' else '' end as bearers
    from population_live_version p
    join field_evidence e on e.subject = p.subject and e.field = 'model_id'
    left join shared s on s.registry = e.registry and s.id = lower(trim(e.value)) and e.state = 'recorded'
)
select asked as subject,
       case when others > 0 then 'fail' when state = 'ambiguous' then 'undecided' else field_status(state) end as status,
       case when state = 'ambiguous' then 'The model identifier of {subject} changed around this moment: {candidates}'
            when others > 0 then 'The model identifier of {subject} is ''{model_id}'', and so is that of others: {bearers}'
            else field_reason('model identifier', 'model_id', state, nearest_tag) end as reason,
       coalesce(grade, 'none') as grade, case when others > 0 or state not in ('recorded', 'ambiguous') then fix end as fix,
       coalesce(value, candidates) as model_id, found_in, tag, bearers, candidates, tags_looked_for, nearest_tag, nearest_value
from judged
