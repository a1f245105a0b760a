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
said as materialized (
    select subject, field, unnest(values_of(state, value, possible)) as value
    from field_evidence where field in ('monitoring_date', 'monitoring_status')
),
-- each combination of what may stand there at the moment, judged once: versions share them
combined as materialized (
    select d.subject, d.value as day, s.value as status
    from said d join said s on s.subject = d.subject and s.field = 'monitoring_status' where d.field = 'monitoring_date'
),
judged as materialized (
    select c.day, c.status, a.days,
           case when c.day is null and coalesce(says_not_done(c.status), true) then 'not monitored' when c.day is null then 'no date'
                when stated_from(c.day) is null then 'unreadable' when is_to_come(stated_from(c.day)) then 'to come'
                when days_later(stated_until(c.day), a.days) < as_of() then 'old' else 'current' end as found
    from (select distinct day, status from combined) c cross join asked a
),
settled as (
    select c.subject, any_value(j.days) as days, settle(j.found, ['current', 'not monitored']) as found
    from combined c join judged j on j.day is not distinct from c.day and j.status is not distinct from c.status
    group by c.subject
)
select p.subject,
       case j.found when 'current' then 'pass' when 'old' then 'fail' when 'to come' then 'fail' when 'open' then 'undecided'
            when 'not monitored' then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'not monitored' then 'No monitoring of {subject} is recorded: see monitoring-recorded'
            when 'no date' then 'A monitoring status of {subject} is recorded, and not of when it is; looked for the tags {tags_looked_for}'
            when 'open' then 'Whether and when {subject} was last monitored changed around this moment: {monitoring_date}'
            when 'unreadable' then 'The date of the monitoring of {subject} cannot be read: ''{monitoring_date}''; wanted: 2026-08-12'
            when 'to come' then 'The date of the monitoring of {subject} is {monitoring_date}, after the moment judged'
            when 'old' then '{subject} was last monitored on {monitoring_date}, more than {days} days ago'
            when 'unsound' then 'No date of the monitoring of {subject} is recorded that is not too old and can be read: {monitoring_date}'
            else '{subject} was last monitored on {monitoring_date}' end as reason,
       coalesce(e.grade, 'none') as grade,
       case when j.found in ('no date', 'unreadable')
            then set_tag(p.model, case when e.found_in = 'version tag' or is_of_version('monitoring_date') then p.version end,
                         coalesce(e.tag, first_tag('monitoring_date', p.registry, p.workspace)), 'date, as 2026-08-12 without brackets') end as fix,
       coalesce(e.value, e.candidates, 'no date') as monitoring_date, coalesce(s.value, s.candidates) as monitoring_status,
       printf('%g', j.days) as days, e.candidates, e.tags_looked_for
from population_live_version p
join settled j on j.subject = p.subject
join field_evidence e on e.subject = p.subject and e.field = 'monitoring_date'
left join field_evidence s on s.subject = p.subject and s.field = 'monitoring_status'
