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
dated as (
    select e.*, stated_day(e.value) as last_day, local_day(v.created_at) + to_years(a.minimum_years) as earliest, a.minimum_years, v.created_at
    from field_evidence e cross join asked a
    left join (select subject, min(created_at) as created_at from model_versions group by subject) v on v.subject = e.subject
    where e.field = 'retention_until'
)
select p.subject,
       case when d.state = 'ambiguous' then 'undecided' when d.state <> 'recorded' then field_status(d.state)
            when d.last_day is null then 'not_evidenced' when stated_until(d.value) <= as_of() then 'fail'
            when d.last_day < d.earliest and d.minimum_years > 0 then 'fail' else 'pass' end as status,
       case when d.state = 'ambiguous' then 'Until when {subject} is kept changed around this moment: {candidates}'
            when d.state <> 'recorded' then field_reason('end of retention', 'retention_until', d.state, d.nearest_tag)
            when d.last_day is null then 'The day until which {subject} is kept cannot be read: ''{retention_until}''; wanted: 2036-12-31'
            when d.last_day < d.earliest and d.minimum_years > 0
            then '{subject} is kept until {retention_until}, less than {minimum_years} years after it was registered {version_created_at}'
            when stated_until(d.value) <= as_of() then '{subject} was to be kept until {retention_until}, and is still in use'
            else '{subject} is kept until {retention_until}' end as reason,
       coalesce(d.grade, 'none') as grade, case when d.state <> 'ambiguous' and (d.state <> 'recorded' or d.last_day is null) then d.fix end as fix,
       coalesce(d.value, d.candidates) as retention_until, d.minimum_years, d.created_at as version_created_at, d.found_in, d.tag,
       d.candidates, d.tags_looked_for, d.nearest_tag, d.nearest_value
from population_live_version p
join dated d on d.subject = p.subject
