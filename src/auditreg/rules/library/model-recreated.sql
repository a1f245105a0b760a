/*
title = "The model was not deleted and created again"
severity = "critical"
scope = "registered_model"
repair = "history"
looks_for = """
An earlier registered model of the same name in the same registry and workspace that the ledger
saw and that is gone."""
rationale = """
A deleted model takes its versions, tags and numbers with it; a new one under its name starts at
version 1 and looks as if it had always been there."""
remediation = """
Nothing brings the old model back; explain what happened in the next report. Take the right to
delete registered models away from jobs and people who do not need it."""
*/
with known as (
    select subject, registry, workspace, model, min(created_at) as created_at, min(seq) as first_seq,
           bool_and(deleted) as deleted,
           min(not_before) filter (where deleted) as gone_not_before,
           max(not_after) filter (where deleted) as gone_not_after
    from registered_models
    group by subject, registry, workspace, model
),
earlier as (
    select p.subject, count(distinct k.subject) as times, max(k.created_at) as last_created_at,
           max(k.gone_not_after) as gone_by, max(o.created_at) as created_at,
           string_agg(distinct k.subject, ', ' order by k.subject) as subjects
    from population_registered_model p
    join known o on o.subject = p.subject and o.model = p.model
    join known k
      on k.registry = p.registry and k.workspace = p.workspace and k.model = p.model
     and k.subject <> p.subject and k.deleted
     and coalesce(k.created_at < o.created_at, k.first_seq < o.first_seq)
    group by p.subject
)
select p.subject,
       case when e.subject is null then 'pass' else 'fail' end as status,
       case when e.subject is null then 'One registered model is on record under the name ' || p.model
            else p.model || ' was deleted and created again: an earlier model of this name'
                 || coalesce(', created ' || strftime(e.last_created_at, '%Y-%m-%d %H:%M') || ' UTC,', '')
                 || ' was gone' || coalesce(' by ' || strftime(e.gone_by, '%Y-%m-%d %H:%M') || ' UTC', '')
                 || coalesce('; this one was created ' || strftime(e.created_at, '%Y-%m-%d %H:%M') || ' UTC', '')
       end as reason,
       'observed' as grade, null::VARCHAR as fix,
       coalesce(e.times, 0) as earlier_models, e.subjects as earlier_subjects,
       e.last_created_at as earlier_created_at, e.gone_by as earlier_gone_by
from population_registered_model p
left join earlier e on e.subject = p.subject
