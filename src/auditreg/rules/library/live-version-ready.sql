/*
title = "The live version is ready and its files can be read"
severity = "high"
scope = "live_version"
repair = "registry"
looks_for = """
Status READY in the registry, and an MLmodel file that auditreg could read where the version's
files are. Files that could be read before and cannot be reached now are evidence for
`unreachable_days` more; a store may be down for a night."""
rationale = """
A version that is named as live and cannot be loaded is not what is in use, or is about to fail;
either way the inventory is wrong."""
remediation = """
Repair or re-register the version, or move the live alias or stage to the version that is really
used."""

[params]
unreachable_days = 7
*/
with asked as (
    select coalesce(getvariable('unreachable_days')::VARCHAR,
                    setting('live-version-ready.unreachable_days'), '7')::DOUBLE as days
),
version as (
    select subject, max(status) as status, max(status_message) as status_message,
           bool_and(deleted) as deleted, max(grade) as grade,
           count(distinct coalesce(status, '')) > 1 or count(distinct deleted) > 1 as open,
           string_agg(distinct coalesce(status, 'no status'), ' or ' order by coalesce(status, 'no status'))
               as candidates
    from model_versions group by subject
),
artifact as (
    select subject, max(state) as state, max(problem) as problem, max(location) as location,
           max(last_read_at) as last_read_at,
           count(distinct case when state = 'unreachable' and last_read_at is not null then 'read'
                               else state end) > 1 as open
    from model_artifacts group by subject
),
judged as (
    select p.*, v.status as registry_status, v.status_message, v.grade, v.candidates,
           a.state, a.problem, a.location, a.last_read_at, k.days,
           case when v.subject is null then 'unread'
                when v.deleted then 'deleted'
                when v.open or a.open then 'uncertain'
                when v.status <> 'READY' then 'not ready'
                when a.state in ('no_mlmodel', 'unreadable') then 'broken'
                when v.status is null then 'no status'
                when a.state = 'read' then 'ready'
                when a.last_read_at >= as_of() - to_seconds(k.days * 86400) then 'was ready'
                when a.state = 'unreachable' then 'unreachable'
                else 'unread' end as found
    from population_live_version p cross join asked k
    left join version v on v.subject = p.subject
    left join artifact a on a.subject = p.subject
)
select subject,
       case when found in ('ready', 'was ready') then 'pass' when found in ('deleted', 'not ready', 'broken') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'ready' then model || '/' || version || ' is READY and its MLmodel can be read'
           when 'was ready' then model || '/' || version || ' is READY and its MLmodel could be read '
                || strftime(last_read_at, '%Y-%m-%d %H:%M') || ' UTC; its files could not be reached since'
                || coalesce(': ' || nullif(left(problem, 200), ''), '')
           when 'deleted' then model || '/' || version || ' is live and deleted'
           when 'not ready' then model || '/' || version || ' is live with registry status '
                || registry_status || coalesce(': ' || nullif(left(status_message, 200), ''), '')
           when 'broken' then model || '/' || version || ' is live and '
                || case state when 'no_mlmodel' then 'its files hold no MLmodel'
                              else 'its MLmodel cannot be read' end
                || coalesce(': ' || nullif(left(problem, 200), ''), '')
           when 'unreachable' then 'The files of ' || model || '/' || version || ' could not be reached'
                || coalesce(' since ' || strftime(last_read_at, '%Y-%m-%d %H:%M') || ' UTC', '')
                || coalesce(': ' || nullif(left(problem, 200), ''), '')
           when 'no status' then 'The registry gives no status for ' || model || '/' || version
           when 'uncertain' then 'The state of ' || model || '/' || version
                || ' at this moment is uncertain: ' || candidates
           else 'The files of ' || model || '/' || version
                || ' were not looked at, so nothing shows that it can be loaded'
       end as reason,
       case when found in ('unread', 'unreachable', 'no status') then 'none' else grade end as grade,
       case when found in ('unread', 'unreachable')
            then 'auditreg extract  # where the artifact store can be read' end as fix,
       registry_status, coalesce(state, 'not_looked_at') as files, location, candidates, last_read_at
from judged
