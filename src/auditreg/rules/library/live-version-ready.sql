/*
title = "The live version is ready and its files can be read"
finding = "Nothing shows that the live version is ready and its files can be read"
severity = "high"
scope = "live_version"
repair = "registry"
looks_for = """
Status READY in the registry, and an MLmodel file that auditreg could read where the version's files are; the other files
are not opened. Files that could be read before and cannot be reached now, or that readings of the registry did not look
at since, are evidence for `unreachable_days` more; a store may be down for a night."""
rationale = """
A version that is named as live and cannot be loaded is not what is in use, or is about to fail; either way the inventory
is wrong."""
remediation = """
Repair or re-register the version, or move the live alias or stage to the version that is really used."""

[params]
unreachable_days = 7
*/
with asked as (
    select coalesce(getvariable('unreachable_days')::VARCHAR, setting('live-version-ready.unreachable_days'), '7')::DOUBLE as days
),
version as (
    select subject, max(status) as registry_status, max(status_message) as status_message, bool_and(deleted) as deleted,
           max(grade) as grade, count(distinct coalesce(status, '')) > 1 or count(distinct deleted) > 1 as open,
           string_agg(distinct coalesce(status, 'no status'), ' or ' order by coalesce(status, 'no status')) as candidates
    from model_versions group by subject
),
artifact as (
    select subject, max(state) as state, max(problem) as problem, max(location) as location, max(last_read_at) as last_read_at,
           count(distinct case when state = 'unreachable' and last_read_at is not null then 'read' else state end) > 1 as open
    from model_artifacts group by subject
),
looked as (select subject, max(last_read_at) as looked_at from file_knowledge group by subject),
reading as (select registry, max(observed_at) as read_at from extractions where complete and observed_at <= as_of() group by registry),
judged as (
    select p.subject, v.* exclude (subject, open), a.* exclude (subject, open), l.looked_at,
           case when v.deleted then 'deleted' when v.open or a.open then 'uncertain' when v.registry_status <> 'READY' then 'not ready'
                when a.state = 'no_mlmodel' then 'no file' when a.state = 'unreadable' then 'broken'
                when v.registry_status is null then 'no status'
                when a.state = 'read' then case when l.looked_at < r.read_at - to_seconds(k.days * 86400) then 'not since' else 'ready' end
                when a.last_read_at >= as_of() - to_seconds(k.days * 86400) then 'was ready'
                when a.state = 'unreachable' then 'unreachable' else 'unread' end as found
    from population_live_version p cross join asked k
    left join version v on v.subject = p.subject
    left join artifact a on a.subject = p.subject
    left join looked l on l.subject = p.subject left join reading r on r.registry = p.registry
)
select subject,
       case when found in ('ready', 'was ready') then 'pass' when found in ('deleted', 'not ready', 'no file', 'broken') then 'fail'
            when found = 'uncertain' then 'undecided' else 'not_evidenced' end as status,
       case found
            when 'ready' then '{subject} is READY and its MLmodel ' || case when looked_at < as_of() then 'could be read {looked_at}' else 'can be read' end
            when 'not since' then 'Readings of the registry did not look at the files of {subject} since {looked_at}'
            when 'was ready' then '{subject} is READY and its MLmodel could be read {last_read_at}; its files could not be reached since'
            when 'deleted' then '{subject} is in use and deleted'
            when 'not ready' then '{subject} is in use with registry status {registry_status}'
            when 'no file' then '{subject} is in use and its files hold no MLmodel'
            when 'broken' then '{subject} is in use and its MLmodel cannot be read'
            when 'unreachable' then 'The files of {subject} could not be reached'
                 || case when last_read_at is null then '' else ' since {last_read_at}' end
            when 'no status' then 'The registry gives no status for {subject}'
            when 'uncertain' then 'The state of {subject} at this moment cannot be told: {candidates}'
            else 'The files of {subject} were not looked at, so nothing shows that it can be loaded' end
            || case when found = 'not ready' and status_message <> '' then ': {status_message}'
                    when found in ('was ready', 'no file', 'broken', 'unreachable') and problem <> '' then ': {problem}' else '' end as reason,
       case when found in ('unread', 'not since', 'unreachable', 'no status') then 'none' else grade end as grade,
       case when found in ('unread', 'not since', 'unreachable') then 'auditreg extract  # where the artifact store can be read' end as fix,
       registry_status, status_message, coalesce(state, 'not_looked_at') as files, problem, location, candidates, last_read_at, looked_at
from judged
