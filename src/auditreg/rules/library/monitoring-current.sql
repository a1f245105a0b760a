/*
title = "The monitoring is current"
finding = "The last monitoring is too old, or nothing says when it was"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
covered_by = "monitoring-recorded"
looks_for = """
The field `monitoring_date`, a day or a moment, no longer ago than the parameter `days`. A day counts to its end in the
configured time zone."""
rationale = """
A status says how the model did when somebody looked. An old one says nothing of today."""
remediation = """
Let the monitoring job set the date together with the status, as tags of the registered model."""

[params]
days = 100
*/
with asked as (
    select coalesce(getvariable('days')::VARCHAR, setting('monitoring-current.days'), '100')::DOUBLE as days
),
dated as (
    select e.*, s.state as status_state, s.value as monitoring_status, a.days, stated_from(e.value) as monitored_from,
           stated_until(e.value) as monitored_until
    from field_evidence e cross join asked a
    left join field_evidence s on s.subject = e.subject and s.field = 'monitoring_status'
    where e.field = 'monitoring_date'
),
judged as (
    select *, case when state in ('missing', 'placeholder') and status_state in ('missing', 'placeholder') then 'not monitored'
                   when state in ('missing', 'placeholder') then 'no date' when state in ('uncertain', 'ambiguous') then 'which'
                   when monitored_from is null then 'unreadable' when monitored_from > as_of() then 'to come'
                   when monitored_until + to_seconds(days * 86400) <= as_of() then 'old' else 'current' end as found
    from dated
)
select p.subject,
       case j.found when 'current' then 'pass' when 'old' then 'fail' when 'to come' then 'fail' when 'which' then 'undecided'
            when 'not monitored' then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'not monitored' then 'No monitoring of {subject} is recorded: see monitoring-recorded'
            when 'no date' then 'A monitoring status of {subject} is recorded, and not of when it is; looked for the tags {tags_looked_for}'
            when 'which' then 'When {subject} was last monitored changed around this moment: {candidates}'
            when 'unreadable' then 'The date of the monitoring of {subject} cannot be read: ''{monitoring_date}''; wanted: 2026-08-12'
            when 'to come' then 'The date of the monitoring of {subject} is {monitoring_date}, after the moment judged'
            when 'old' then '{subject} was last monitored on {monitoring_date}, more than {days} days ago'
            else '{subject} was last monitored on {monitoring_date}' end as reason,
       coalesce(j.grade, 'none') as grade,
       case when j.found in ('no date', 'unreadable') then set_tag(p.model, null, coalesce(j.tag, first_tag('monitoring_date', p.registry, p.workspace)),
                                                                   'date, as 2026-08-12 without brackets') end as fix,
       coalesce(j.value, j.candidates) as monitoring_date, j.monitoring_status, printf('%g', j.days) as days, j.candidates, j.tags_looked_for
from population_live_version p
join judged j on j.subject = p.subject
