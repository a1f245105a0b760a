/*
title = "The code version is recorded"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
The tag `mlflow.source.git.commit` on the training run or the logged model, holding a commit id;
else a full commit id in the field `code_reference`."""
rationale = """
A model in use has to be reproducible from the code that made it. MLflow records the commit only
when the training script lies in a Git working copy and GitPython is installed, which is rarely
so in containers."""
remediation = """
Let the training job hand the commit to MLflow: set the tag from the variable your CI provides."""
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
commit as (
    select registry, run_id, max(value) as value, min(value) <> max(value) as open,
           case when min(value) <> max(value)
                then left(min(value), 64) || ' or ' || left(max(value), 64) end as candidates
    from run_tags
    where key in ('mlflow.source.git.commit', 'mlflow.git.commit') and trim(value) <> ''
    group by registry, run_id
),
model_commit as (
    select registry, model_id, max(value) as value
    from logged_model_tags
    where key = 'mlflow.source.git.commit' and trim(value) <> ''
    group by registry, model_id
),
reference as (
    select subject, max(value) as value, max(tag) as tag
    from fields
    where field = 'code_reference' and found_in <> 'run'
      and certainty not in ('uncertain', 'unknown')
    group by subject
),
judged as (
    select p.*, n.run_id, c.candidates, coalesce(c.value, m.value) as recorded, f.value as reference, f.tag,
           case when c.open then 'uncertain'
                when regexp_matches(lower(trim(coalesce(c.value, m.value))), '^[0-9a-f]{7,64}$') then 'recorded'
                when regexp_matches(lower(f.value), '(^|[^0-9a-f])[0-9a-f]{40}([^0-9a-f]|$)') then 'stated'
                when coalesce(c.value, m.value) is not null then 'no commit'
                when f.value is not null then 'reference'
                when n.run_id is null then 'no run'
                when r.run_id is null then 'run gone'
                else 'none' end as found
    from population_live_version p
    left join named n on n.subject = p.subject
    left join run r on r.registry = n.registry and r.run_id = n.run_id
    left join commit c on c.registry = n.registry and c.run_id = n.run_id
    left join model_commit m on m.registry = n.registry and m.model_id = n.logged_model_id
    left join reference f on f.subject = p.subject
)
select subject,
       case when found in ('recorded', 'stated') then 'pass' else 'not_evidenced' end as status,
       case found
           when 'recorded' then model || '/' || version || ' was trained from commit ' || recorded
           when 'stated' then 'The commit of ' || model || '/' || version || ' is stated in ' || tag
                || ': ' || left(reference, 200)
           when 'uncertain' then 'The commit of ' || model || '/' || version
                || ' at this moment is one of: ' || candidates
           when 'no commit' then 'The recorded commit of ' || model || '/' || version
                || ' is not a commit id: ''' || left(recorded, 80) || ''''
           when 'reference' then 'The code reference of ' || model || '/' || version || ' in ' || tag
                || ' names no full commit id: ''' || left(reference, 120) || ''''
           when 'no run' then 'The registry names no run for ' || model || '/' || version
                || ', and no tag names a commit'
           when 'run gone' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' is not in the record, and no tag names a commit'
           else 'Run ' || run_id || ' of ' || model || '/' || version
                || ' has no tag mlflow.source.git.commit'
       end as reason,
       case when found in ('recorded', 'stated', 'no commit', 'reference') then 'asserted'
            else 'none' end as grade,
       case when found not in ('recorded', 'stated', 'uncertain')
            then 'mlflow.set_tag("mlflow.source.git.commit", commit)  # in the training job, with GitPython or git in its image'
       end as fix,
       run_id, recorded as commit_id, reference as code_reference, candidates
from judged
