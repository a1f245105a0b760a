/*
title = "The version leads back to its training run"
severity = "critical"
scope = "live_version"
repair = "retrain"
looks_for = """
The run that the version, or the logged model behind it, names; and that this run still exists."""
rationale = """
Data, code, parameters and metrics hang on the run. When it is deleted, nothing about how the
model in use was made can be shown any more."""
remediation = """
Restore a deleted run before `mlflow gc` removes it for good. A run removed for good cannot come
back: the next training makes one, as for a version registered without a run."""
*/
with named as (
    -- the training run a version names: its own, else that of its logged model
    select v.subject, v.registry, v.run_link, v.logged_model_id,
           coalesce(nullif(trim(v.run_id), ''), nullif(trim(l.source_run_id), '')) as run_id
    from (select subject, v.registry, max(v.run_id) as run_id, max(v.run_link) as run_link,
                 max(k.logged_model_id) as logged_model_id
          from model_versions v left join version_logged_models k using (subject)
          group by subject, v.registry) v
    left join (select registry, model_id, max(source_run_id) as source_run_id
               from logged_models group by registry, model_id) l
      on l.registry = v.registry and l.model_id = v.logged_model_id
),
run as (
    select registry, run_id, bool_and(deleted) as deleted,
           count(distinct deleted) > 1
               or (bool_or(certainty in ('uncertain', 'unknown')) and count(*) = 1) as open,
           bool_or(seq in (select seq from ledger.log where kind = 'run' and op = 'gone')) as gone,
           max(lifecycle_stage) as lifecycle_stage, max(user_id) as user_id, max(grade) as grade
    from runs group by registry, run_id
),
covered as (
    -- whether the last reading looked for runs: an earlier one knows nothing of later versions
    select registry,
           last(list_contains(string_split(replace(kinds, ' ', ''), ','), 'run')
                order by observed_at, seq) as runs_read
    from extractions
    where observed_at <= as_of()
    group by registry
),
judged as (
    select p.*, n.run_id, n.run_link, n.logged_model_id, r.lifecycle_stage, r.grade,
           case when n.run_id is null then 'unnamed'
                when r.run_id is not null and r.open then 'uncertain'
                when r.run_id is not null and not r.deleted then 'there'
                when r.run_id is not null and r.gone then 'removed'
                when r.run_id is not null then 'deleted'
                when nullif(trim(n.run_link), '') is not null then 'elsewhere'
                when c.runs_read then 'gone'
                else 'unread' end as found
    from population_live_version p
    left join named n on n.subject = p.subject
    left join run r on r.registry = n.registry and r.run_id = n.run_id
    left join covered c on c.registry = p.registry
)
select subject,
       case when found = 'there' then 'pass' when found in ('deleted', 'removed', 'gone') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'there' then model || '/' || version || ' was made by run ' || run_id
           when 'deleted' then 'Run ' || run_id || ', which made ' || model || '/' || version
                || ', is deleted'
           when 'removed' then 'Run ' || run_id || ', which made ' || model || '/' || version
                || ', was removed for good (mlflow gc); the ledger keeps what was read of it'
           when 'gone' then 'Run ' || run_id || ', which the registry names for ' || model || '/'
                || version || ', does not exist in the tracking store'
           when 'elsewhere' then 'The run of ' || model || '/' || version
                || ' is on another tracking server: ' || left(run_link, 200)
           when 'unread' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' was not read: the source does not show runs'
           when 'uncertain' then 'Whether run ' || run_id || ' of ' || model || '/' || version
                || ' was deleted by this moment is uncertain'
           else 'The registry names no run for ' || model || '/' || version
                || case when logged_model_id is not null
                        then ', and its logged model ' || logged_model_id || ' names none either'
                        else '' end
       end as reason,
       case when found in ('there', 'deleted', 'removed', 'gone') then coalesce(grade, 'observed')
            else 'none' end as grade,
       case when found = 'deleted' and lifecycle_stage = 'deleted'
            then 'client.restore_run(' || to_json(run_id)::VARCHAR || ')' end as fix,
       run_id, run_link, logged_model_id, found as run_state
from judged
