/*
title = "The training data is linked"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
A data set with context `training` logged with the training run."""
rationale = """
Which data a model learned from is the first question after any complaint, drift or data
incident; without a link it is answered from memory."""
remediation = """
Log the training data in the training job. A data set can be added to an old run with
MlflowClient.log_inputs; it then shows when it was added."""
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
           max(lifecycle_stage) as lifecycle_stage, max(user_id) as user_id, max(grade) as grade
    from runs group by registry, run_id
),
dataset as (
    select registry, run_id,
           count(*) filter (where lower(trim(context)) in ('train', 'training')) as training,
           count(*) as everything,
           string_agg(name || ' [' || coalesce(digest, 'no digest') || ']', ', ' order by name, digest)
               filter (where lower(trim(context)) in ('train', 'training')) as training_names,
           string_agg(name || ' (' || coalesce(nullif(trim(context), ''), 'no context') || ')', ', '
                      order by name, context) as names,
           max(grade) as grade
    from (select distinct registry, run_id, name, digest, context, grade from run_datasets
          where certainty not in ('uncertain', 'unknown')
            and run_id in (select run_id from named))
    group by registry, run_id
),
judged as (
    select p.*, n.run_id, d.training_names, d.names, d.training, d.grade,
           case when n.run_id is null then 'no run'
                when r.run_id is null then 'run gone'
                when r.open then 'uncertain'
                when d.training > 0 then 'linked'
                when d.everything > 0 then 'other context'
                else 'none' end as found
    from population_live_version p
    left join named n on n.subject = p.subject
    left join run r on r.registry = n.registry and r.run_id = n.run_id
    left join dataset d on d.registry = n.registry and d.run_id = n.run_id
)
select subject,
       case found when 'linked' then 'pass' else 'not_evidenced' end as status,
       case found
           when 'linked' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' logged its training data: ' || left(training_names, 300)
           when 'other context' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' logged data sets, none of them with context ''training'': ' || left(names, 300)
           when 'none' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' logged no data set'
           when 'uncertain' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' changed around this moment; what it logged by then is uncertain'
           when 'run gone' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' is not in the record, so its data sets are unknown'
           else 'The registry names no run for ' || model || '/' || version
                || ', so its training data is unknown'
       end as reason,
       case when found in ('linked', 'other context') then grade else 'none' end as grade,
       case when found in ('none', 'other context')
            then 'mlflow.log_input(dataset, context="training")  # in the training run' end as fix,
       run_id, training_names as training_data, names as data_sets
from judged
