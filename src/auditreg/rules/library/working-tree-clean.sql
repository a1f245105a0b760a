/*
title = "The code was committed"
severity = "medium"
scope = "live_version"
repair = "retrain"
looks_for = """
The tags `mlflow.source.git.dirty` and `mlflow.source.git.diff` on the training run or the
logged model. MLflow sets them only under its Git model versioning; an ordinary run records the
commit and nothing about uncommitted changes."""
rationale = """
A commit id proves nothing about code that was changed after it: the model cannot be made again
from the repository."""
remediation = """
Train from a clean checkout and let the job say so with the tag `mlflow.source.git.dirty`."""
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
marked as (
    select registry, run_id, model_id,
           max(lower(trim(value))) filter (where key <> 'mlflow.source.git.diff') as dirty,
           bool_or(key = 'mlflow.source.git.diff') as has_diff,
           count(distinct lower(trim(value))) filter (where key <> 'mlflow.source.git.diff') > 1 as open
    from (select registry, run_id, '' as model_id, key, value from run_tags
          union all select registry, '', model_id, key, value from logged_model_tags)
    where key in ('mlflow.source.git.dirty', 'mlflow.git.dirty', 'mlflow.source.git.diff')
      and trim(value) <> ''
    group by registry, run_id, model_id
),
joined as (
    select p.*, n.run_id, n.logged_model_id, r.run_id is not null as run_known,
           coalesce(a.dirty, b.dirty) as dirty,
           coalesce(a.has_diff, false) or coalesce(b.has_diff, false) as has_diff,
           coalesce(a.open, false) or coalesce(b.open, false)
               or coalesce(a.dirty <> b.dirty, false) as open
    from population_live_version p
    left join named n on n.subject = p.subject
    left join run r on r.registry = n.registry and r.run_id = n.run_id
    left join marked a on a.registry = n.registry and a.run_id = n.run_id and a.model_id = ''
    left join marked b on b.registry = n.registry and b.run_id = '' and b.model_id = n.logged_model_id
),
judged as (
    select *,
           case when open then 'uncertain'
                when dirty in ('true', '1', 'yes', 'dirty') or (dirty is null and has_diff) then 'dirty'
                when dirty in ('false', '0', 'no', 'clean') and has_diff then 'contradicted'
                when dirty in ('false', '0', 'no', 'clean') then 'clean'
                when dirty is not null then 'unreadable'
                when run_id is null then 'no run'
                when not run_known then 'run gone'
                else 'none' end as found
    from joined
)
select subject,
       case when found = 'clean' then 'pass' when found in ('dirty', 'contradicted') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'clean' then model || '/' || version
                || ' was trained from a working copy without uncommitted changes'
           when 'dirty' then model || '/' || version
                || ' was trained from a working copy with uncommitted changes; '
                || case when has_diff then 'the difference is recorded with it'
                        else 'what they were is not recorded' end
           when 'contradicted' then 'The working copy of ' || model || '/' || version
                || ' is recorded as clean, yet a difference is recorded with it'
           when 'uncertain' then 'The record says both that the working copy of ' || model || '/'
                || version || ' was clean and that it was not'
           when 'unreadable' then 'The record of the working copy of ' || model || '/' || version
                || ' is neither true nor false: ''' || left(dirty, 80) || ''''
           when 'no run' then 'The registry names no run for ' || model || '/' || version
                || ', so nothing is known of its working copy'
           when 'run gone' then 'Run ' || run_id || ' of ' || model || '/' || version
                || ' is not in the record, so nothing is known of its working copy'
           else 'Run ' || run_id || ' of ' || model || '/' || version
                || ' does not say whether its code had uncommitted changes; MLflow records the commit, not the changes'
       end as reason,
       case when found in ('clean', 'dirty', 'contradicted', 'uncertain', 'unreadable')
            then 'asserted' else 'none' end as grade,
       case when found in ('none', 'unreadable')
            then 'mlflow.set_tag("mlflow.source.git.dirty", "false")  # in the training job, from git status --porcelain'
       end as fix,
       run_id, logged_model_id, dirty, has_diff as difference_recorded
from judged
