/*
title = "Until when the version is kept is recorded"
finding = "Until when the version is kept is not recorded, or too short"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
The field `retention_until`, a day that has not passed while the version is in use; at least `minimum_years` after the version was registered, where that parameter is
set. Which time applies, and from when it runs, the law says that governs the firm."""
rationale = """
What nobody has to keep until a day is deleted at the next clean-up, and the question comes years later."""
remediation = """
Record the day on the registered model, or on the version where it differs."""

[params]
minimum_years = 0
*/
with asked as (
    select coalesce(getvariable('minimum_years')::VARCHAR, setting('retention-recorded.minimum_years'), '0')::INTEGER as minimum_years
),
made as (select subject, min(created_at) as created_at from model_versions group by subject),
-- of several days that are possible, each
day as (
    select e.subject, min(found) as found, min(found) <> max(found) as several
    from (select e.subject, case when stated_day(e.value) is null then 'unreadable' when stated_until(e.value) < as_of() then 'passed'
                                 when stated_day(e.value) < local_day(v.created_at) + to_years(a.minimum_years) and a.minimum_years > 0 then 'short'
                                 else 'kept' end as found
          from (select subject, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'retention_until') e
          cross join asked a left join made v on v.subject = e.subject) e
    group by e.subject
),
dated as (
    select e.*, a.minimum_years, v.created_at,
           case when e.state not in ('recorded', 'ambiguous') then 'field' when d.several then 'which' else d.found end as found
    from field_evidence e cross join asked a join day d on d.subject = e.subject left join made v on v.subject = e.subject
    where e.field = 'retention_until'
)
select p.subject,
       case d.found when 'kept' then 'pass' when 'which' then 'undecided' when 'unreadable' then 'not_evidenced' when 'field' then field_status(d.state)
            else 'fail' end as status,
       case d.found
            when 'which' then 'Until when {subject} is kept changed around this moment: {candidates}'
            when 'unreadable' then 'The day until which {subject} is kept cannot be read: ''{retention_until}''; wanted: 2036-12-31'
            when 'passed' then '{subject} was to be kept until {retention_until}, and is still in use'
            when 'short' then '{subject} is kept until {retention_until}, less than {minimum_years} years after it was registered {version_created_at}'
            when 'kept' then '{subject} is kept until {retention_until}'
            else field_reason('end of retention', 'retention_until', d.state, d.nearest_tag) end as reason,
       coalesce(d.grade, 'none') as grade, case when d.found = 'unreadable' or d.state not in ('recorded', 'ambiguous') then d.fix end as fix,
       coalesce(d.value, d.candidates) as retention_until, d.minimum_years, d.created_at as version_created_at, d.found_in, d.tag,
       d.candidates, d.tags_looked_for, d.nearest_tag, d.nearest_value
from population_live_version p
join dated d on d.subject = p.subject
