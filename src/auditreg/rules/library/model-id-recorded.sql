/*
title = "A stable identifier of the model is recorded"
finding = "No identifier of the model's own is recorded"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `model_id`, on the version, then on its registered model; and that no other
registered model of the registry has the same identifier, compared without case. Where it changed around the moment
judged, every value that is possible counts, of this model and of others."""
rationale = """
The name of a registered model can be changed and given again. An inventory needs a name for the model that
outlasts both."""
remediation = """
Set the model's identifier in the firm's inventory as a tag of the registered model, and no other's."""
*/
with said as materialized (select * from field_evidence where field = 'model_id'),
claim as materialized (
    -- each value that is possible; surely the subject's where no other is
    select *, min(coalesce(id, '')) over (partition by subject) = max(coalesce(id, '')) over (partition by subject) as sure
    from (select subject, registry, model_subject, model, version, lower(trim(unnest(values_of(state, value, possible)))) as id from said)
),
bearer as materialized (
    select registry, id, model_subject, max(model) as model, bool_or(sure) as sure
    from claim where id is not null and model_subject in (select subject from registered_models where not deleted)
      and (version is null or subject in (select subject from model_versions where not deleted))
    group by registry, id, model_subject
),
shared as (
    -- a few names are enough, those that surely have it first, beside that of the model itself
    select registry, id, count(*) as bearing, count(case when sure then 1 end) as surely,
           list(struct_pack(subject := model_subject, model := model) order by sure desc, model, model_subject)[1:4] as bearers
    from bearer group by registry, id
),
world as (
    select c.subject, s.surely - coalesce(b.sure, false)::INTEGER as sharing, s.bearing - (b.id is not null)::INTEGER as perhaps,
           case when c.id is null then 'none' when sharing > 0 then 'shared' when perhaps > 0 then 'perhaps shared' else 'own' end as found,
           case when sharing > 0 then sharing else perhaps end as others,
           array_to_string([o.model for o in s.bearers if o.subject <> c.model_subject][1:least(others, 3)], ', ')
               || case when others > 3 then ' and ' || (others - 3) || ' more' else '' end as bearers
    from claim c left join bearer b on b.registry = c.registry and b.id = c.id and b.model_subject = c.model_subject
    left join shared s on s.registry = c.registry and s.id = c.id
)
select p.subject,
       case when w.found in ('own', 'none') then field_status(e.state) when w.found = 'shared' then 'fail'
            when w.found = 'unsound' then 'not_evidenced' else 'undecided' end as status,
       case when w.found in ('own', 'none') or e.state = 'uncertain' and w.found = 'open'
            then field_reason('model identifier', 'model_id', e.state, e.nearest_tag)
            when w.found = 'shared' then 'The model identifier of {subject} is ''{model_id}'', and so is that of others: {bearers}'
            when w.found = 'unsound' then 'The model identifier of {subject} changed around this moment, and none that is possible is its own: {candidates}'
            else 'Whether the model identifier of {subject}, ''{model_id}'', is that of others too cannot be told: {bearers}' end as reason,
       coalesce(e.grade, 'none') as grade, case when w.found in ('shared', 'unsound') or e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as model_id, e.found_in, e.tag, w.bearers, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join said e on e.subject = p.subject
join (select subject, settle(found, ['own', 'perhaps shared']) as found, min(nullif(bearers, '')) as bearers from world group by subject) w on w.subject = p.subject
