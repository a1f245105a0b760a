/*
title = "The model was not deleted and created again without a recorded reason"
finding = "The model was deleted and created again, and no reason is recorded"
severity = "high"
scope = "registered_model"
repair = "tag"
reads = "history"
looks_for = """
An earlier registered model of the same name in the same registry and workspace that the ledger saw and that is gone; and
the field `recreation_reason` on the model that has the name now."""
rationale = """
A deleted model takes its versions, tags and numbers with it; a new one under its name starts at version 1 and looks as
if it had always been there."""
remediation = """
Nothing brings the old model back; the ledger keeps what was read of it. Record on the new model why that was done, and
take the right to delete registered models away from jobs and people who do not need it."""
*/
with known as (
    select subject, registry, workspace, model, min(created_at) as created_at, min(seq) as first_seq, bool_and(deleted) as deleted, bool_or(deleted) as perhaps_deleted,
           min(not_before) filter (where deleted) as gone_not_before, max(not_after) filter (where deleted) as gone_not_after
    from registered_models group by subject, registry, workspace, model
),
earlier as (
    select p.subject, count(distinct k.subject) as earlier_models, string_agg(distinct k.subject, ', ' order by k.subject) as earlier_subjects,
           max(k.created_at) as earlier_created_at, arg_max(k.gone_not_before, k.gone_not_after) as gone_not_before,
           max(k.gone_not_after) as gone_not_after, max(o.created_at) as created_at, bool_or(k.deleted) as surely
    from population_registered_model p
    join known o on o.subject = p.subject and o.model = p.model
    join known k on k.registry = p.registry and k.workspace = p.workspace and k.model = p.model and k.subject <> p.subject
                and k.perhaps_deleted and coalesce(k.created_at < o.created_at, k.first_seq < o.first_seq)
    group by p.subject
)
select p.subject,
       case when e.subject is null or r.state in ('recorded', 'ambiguous') then 'pass' when r.state = 'uncertain' or not e.surely then 'undecided' else 'fail' end as status,
       case when e.subject is null then 'One registered model is on record under the name {subject}'
            when not e.surely and coalesce(r.state, '') not in ('recorded', 'ambiguous')
            then 'Whether an earlier model named {subject}, created {earlier_created_at}, was gone at this moment cannot be told'
            else 'An earlier model named {subject}, created {earlier_created_at}, was gone {gone}; this one was created {created_at}: '
                 || case when r.state in ('recorded', 'ambiguous') then '{recreation_reason}' when r.state = 'uncertain' then 'whether a reason is recorded cannot be told'
                         else 'no reason is recorded' end end as reason,
       'observed' as grade, case when e.subject is not null and coalesce(r.state, '') not in ('recorded', 'ambiguous') then r.fix end as fix,
       coalesce(e.earlier_models, 0) as earlier_models, e.earlier_subjects, e.earlier_created_at, e.gone_not_before, e.gone_not_after,
       e.created_at, coalesce(r.value, r.candidates) as recreation_reason
from population_registered_model p
left join earlier e on e.subject = p.subject
left join field_evidence r on r.subject = p.subject and r.field = 'recreation_reason'
