/*
title = "The files name the run and the logged model of the registry"
finding = "The files name another run or logged model than the registry"
severity = "high"
scope = "live_version"
repair = "retrain"
covered_by = "live-version-ready"
looks_for = """
`run_id` and `model_id` in the MLmodel file of the version, beside the run and the logged model that the registry names for
it. Files that were not read are the matter of `live-version-ready`; what MLmodel does not name is not compared."""
rationale = """
A registry points at files. Where the files say that they come from another training, data and metrics on record are
those of another model."""
remediation = """
Find out which training made the files, and register them as the version they are."""
*/
with artifact as (
    select subject, max(nullif(trim(run_id), '')) as file_run, max(nullif(trim(model_id), '')) as file_model, max(grade) as grade,
           max(last_read_at) as last_read_at, bool_and(coalesce(state = 'read', false) or last_read_at is not null) as was_read,
           count(distinct coalesce(run_id, '') || ' ' || coalesce(model_id, '')) > 1 as open
    from model_artifacts group by subject
),
judged as (
    select p.subject, t.run_id, t.logged_model_id, a.* exclude (subject),
           concat_ws(' and ', case when a.file_run <> t.run_id then 'run {file_run}, the registry run {run_id}' end,
                     case when a.file_model <> t.logged_model_id then 'logged model {file_model}, the registry {logged_model_id}' end) as differing,
           a.file_run = t.run_id or a.file_model = t.logged_model_id as compared
    from population_live_version p
    left join artifact a on a.subject = p.subject left join training t on t.subject = p.subject
)
select subject,
       case when not coalesce(was_read, false) then 'not_applicable' when open then 'undecided' when differing <> '' then 'fail'
            when compared then 'pass' else 'not_applicable' end as status,
       case when not coalesce(was_read, false) then 'The files of {subject} were not read: see live-version-ready'
            when open then 'The files of {subject} changed around this moment'
            when differing <> '' then 'MLmodel of {subject} names ' || differing
            when compared then 'MLmodel of {subject} names what the registry names: '
                 || concat_ws(', ', case when file_run = run_id then 'run {run_id}' end,
                              case when file_model = logged_model_id then 'logged model {logged_model_id}' end)
            else 'MLmodel of {subject} and the registry name no run or logged model that could be compared' end as reason,
       case when not coalesce(was_read, false) then 'none' else coalesce(grade, 'none') end as grade,
       run_id, file_run, logged_model_id, file_model, last_read_at
from judged
