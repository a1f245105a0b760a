/*
title = "Test data is recorded and differs from the training data"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
A data set with context `test`, `eval`, `evaluation`, `validation` or `holdout` logged with the
training run, or named by a metric of its logged model, whose digest (where there is none: name
and source) differs from every training data set's."""
rationale = """
A result measured on the data a model has learned says nothing about new business. MLflow's
digest covers the first 10,000 rows and the row count: equal digests all but prove equal data,
different ones do not prove that no row is in both."""
remediation = """
Log the hold-out data in the training job with context `test`, as a data set of its own."""
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
    select registry, run_id, name, digest, source,
           lower(trim(context)) in ('train', 'training') as training,
           lower(trim(context)) in ('test', 'testing', 'eval', 'evaluation', 'validation', 'holdout')
               as testing
    from run_datasets
    where certainty not in ('uncertain', 'unknown') and run_id in (select run_id from named)
    group by all
    union
    -- data sets that metrics of the logged model were computed on
    select m.registry, coalesce(l.source_run_id, ''), m.dataset_name, m.dataset_digest, null,
           false, true
    from logged_model_metrics m
    join (select registry, model_id, max(source_run_id) as source_run_id
          from logged_models group by registry, model_id) l
      on l.registry = m.registry and l.model_id = m.model_id
    where m.dataset_name is not null
      and not exists (select 1 from run_datasets d
                      where d.registry = m.registry and d.run_id = l.source_run_id
                        and d.name = m.dataset_name
                        and coalesce(d.digest, '') = coalesce(m.dataset_digest, ''))
),
pair as (
    select t.registry, t.run_id, t.name, t.digest,
           max(coalesce(t.digest = b.digest, t.name = b.name and t.source is not distinct from b.source)::INTEGER) as same
    from dataset t join dataset b
      on b.registry = t.registry and b.run_id = t.run_id and b.training
    where t.testing
    group by t.registry, t.run_id, t.name, t.digest
),
compared as (
    select registry, run_id, bool_or(same = 0) as distinct_found,
           string_agg(name || ' [' || coalesce(digest, 'no digest') || ']', ', ' order by name, digest)
               filter (where same = 0) as distinct_names,
           string_agg(name || ' [' || coalesce(digest, 'no digest') || ']', ', ' order by name, digest)
               filter (where same = 1) as same_names
    from pair group by registry, run_id
),
counted as (
    select registry, run_id, bool_or(training) as has_training, bool_or(testing) as has_test,
           string_agg(name, ', ' order by name) filter (where training) as training_names
    from (select distinct registry, run_id, name, training, testing from dataset) group by registry, run_id
),
judged as (
    select p.*, n.run_id, k.training_names, c.distinct_names, c.same_names, r.grade,
           case when n.run_id is null then 'no run'
                when r.run_id is null then 'run gone'
                when r.open then 'uncertain'
                when not coalesce(k.has_test, false) then 'no test'
                when not coalesce(k.has_training, false) then 'no training'
                when c.distinct_found then 'distinct'
                else 'same' end as found
    from population_live_version p
    left join named n on n.subject = p.subject
    left join run r on r.registry = n.registry and r.run_id = n.run_id
    left join counted k on k.registry = n.registry and k.run_id = n.run_id
    left join compared c on c.registry = n.registry and c.run_id = n.run_id
)
select subject,
       case found when 'distinct' then 'pass' when 'same' then 'fail'
                  else 'not_evidenced' end as status,
       case found
           when 'distinct' then model || '/' || version || ' was tested on '
                || left(distinct_names, 200) || ', trained on ' || left(training_names, 200)
                || '. MLflow''s digest covers the first 10,000 rows only, so this does not show '
                || 'that no row is in both'
           when 'same' then model || '/' || version || ' was tested on the data it was trained on: '
                || left(same_names, 300) || ' (MLflow''s digest covers the first 10,000 rows)'
           when 'no test' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' logged no test data set'
           when 'no training' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' logged test data, but no training data to compare it with'
           when 'uncertain' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' changed around this moment; what it logged by then is uncertain'
           when 'run gone' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' is not in the record, so its data sets are unknown'
           else 'The registry names no run for ' || model || '/' || version
                || ', so its test data is unknown'
       end as reason,
       case when found in ('distinct', 'same') then 'asserted' else 'none' end as grade,
       case when found in ('no test', 'no training')
            then 'mlflow.log_input(dataset, context="' || case found when 'no test' then 'test' else 'training' end
                 || '")  # in the training run' end as fix,
       run_id, training_names as training_data,
       concat_ws(', ', distinct_names, same_names) as test_data
from judged
