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
with compared as (
    select a.subject, a.certainty in ('uncertain', 'unknown') as unsure, a.candidate, a.grade, a.last_read_at, t.run_id, t.logged_model_id,
           nullif(trim(a.run_id), '') as file_run, nullif(trim(a.model_id), '') as file_model,
           case when not (coalesce(a.state = 'read', false) or a.last_read_at is not null) then 'not read'
                when file_run <> t.run_id or file_model <> t.logged_model_id then 'another'
                when file_run = t.run_id or file_model = t.logged_model_id then 'same' else 'nothing' end as found
    from model_artifacts a left join training t on t.subject = a.subject
),
-- by each state of the files that is possible at the moment; one that is perhaps not yet there leaves others open
artifact as (
    select subject, max(file_run) as file_run, max(file_model) as file_model, max(grade) as grade, max(last_read_at) as last_read_at,
           case when count(distinct found) > 1 or min(found) <> 'not read' and bool_and(unsure) and min(candidate) = max(candidate)
                then 'open' else min(found) end as found
    from compared group by subject
),
judged as (
    select p.subject, t.run_id, t.logged_model_id, a.file_run, a.file_model, a.grade, a.last_read_at, coalesce(a.found, 'not read') as found,
           concat_ws(' and ', case when a.file_run <> t.run_id then 'run {file_run}, the registry run {run_id}' end,
                     case when a.file_model <> t.logged_model_id then 'logged model {file_model}, the registry {logged_model_id}' end) as differing
    from population_live_version p
    left join artifact a on a.subject = p.subject left join training t on t.subject = p.subject
)
select subject,
       case found when 'open' then 'undecided' when 'another' then 'fail' when 'same' then 'pass' else 'not_applicable' end as status,
       case found
            when 'not read' then 'The files of {subject} were not read: see live-version-ready'
            when 'open' then 'What the files of {subject} named at this moment cannot be told'
            when 'another' then 'MLmodel of {subject} names ' || differing
            when 'same' then 'MLmodel of {subject} names what the registry names: '
                 || concat_ws(', ', case when file_run = run_id then 'run {run_id}' end,
                              case when file_model = logged_model_id then 'logged model {logged_model_id}' end)
            else 'MLmodel of {subject} and the registry name no run or logged model that could be compared' end as reason,
       case when found = 'not read' then 'none' else coalesce(grade, 'none') end as grade,
       run_id, file_run, logged_model_id, file_model, last_read_at
from judged
