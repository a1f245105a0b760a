/*
title = "The times on record fit together"
finding = "Times on record contradict each other"
severity = "medium"
scope = "live_version"
repair = "history"
looks_for = """
Of the version and its training run: not registered after the moment judged, not before its model, not changed before it
was registered; the run not begun after the version was registered, and not ended before it began. Clocks of servers and
jobs may differ by the parameter `minutes`. Times of the run are what the job's client said."""
rationale = """
Times that cannot be may come from a wrong clock, from rows written by hand or from a registry put together from others;
which it was is not established. Whatever rests on them has to be read with care."""
remediation = """
Find out which clock was wrong or where the row comes from, and record it. Have servers and jobs keep time by NTP."""

[params]
minutes = 5
*/
with asked as (
    select to_seconds(coalesce(getvariable('minutes')::VARCHAR, setting('timestamps-plausible.minutes'), '5')::DOUBLE * 60) as slack
),
version as (
    select subject, min(created_at) as version_created_at, max(last_updated_at) as last_updated_at, max(grade) as grade
    from model_versions group by subject
),
model as (select subject, min(created_at) as model_created_at from registered_models group by subject),
run as (
    select t.subject, t.run_id, min(r.started_at) as run_started_at, max(r.ended_at) as run_ended_at
    from training t join runs r on r.registry = t.registry and r.run_id = t.run_id group by t.subject, t.run_id
),
judged as (
    select p.subject, v.* exclude (subject), m.model_created_at, r.run_id, r.run_started_at, r.run_ended_at,
           concat_ws('; ', case when v.version_created_at > as_of() + k.slack then 'it was registered {version_created_at}, after the moment judged' end,
                     case when v.version_created_at < m.model_created_at - k.slack
                          then 'it was registered {version_created_at}, before its model, {model_created_at}' end,
                     case when v.last_updated_at < v.version_created_at - k.slack
                          then 'it was last changed {last_updated_at}, before it was registered, {version_created_at}' end,
                     case when r.run_started_at > v.version_created_at + k.slack
                          then 'run {run_id} began {run_started_at}, after the version was registered, {version_created_at}' end,
                     case when r.run_ended_at < r.run_started_at - k.slack
                          then 'run {run_id} ended {run_ended_at}, before it began, {run_started_at}' end) as contradictions
    from population_live_version p cross join asked k
    left join version v on v.subject = p.subject left join model m on m.subject = split_part(p.subject, '/', 1)
    left join run r on r.subject = p.subject
)
select subject, case when contradictions <> '' then 'fail'
                     when version_created_at is null and (run_started_at is null or run_ended_at is null) then 'not_applicable' else 'pass' end as status,
       case when contradictions <> '' then 'Times of {subject} contradict each other: ' || contradictions
            when version_created_at is null and (run_started_at is null or run_ended_at is null)
            then 'Of {subject} no two times are on record that could contradict each other'
            when version_created_at is null then 'The times of the run of {subject} fit together; when the version was registered is not on record'
            else 'The times of {subject} fit together; it was registered {version_created_at}'
                 || case when run_started_at is null then '' else ' from a run that began {run_started_at}' end end as reason,
       coalesce(grade, 'none') as grade, version_created_at, last_updated_at, model_created_at, run_id, run_started_at, run_ended_at
from judged
