/*
title = "The monitoring status is recorded"
finding = "No monitoring status is recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `monitoring_status`, on the version, then on its registered model. That it is not
monitored (`off`, `not monitored`, `planned`) is no status. What is monitored, and whether a status is earned, is for the firm
to show; how old it is, is asked by `monitoring-current`."""
rationale = """
Portfolios drift away from the data a model learned. Whether somebody watches is part of the inventory."""
remediation = """
Let the monitoring job set the status and its date as tags of the registered model."""
*/
with judged as (
    select e.subject, case when min(e.state) in ('recorded', 'ambiguous') then settle(case when says_not_done(e.one) then 'no' else 'yes' end, ['yes']) end as found
    from (select *, unnest(values_of(state, value, possible)) as one from field_evidence where field = 'monitoring_status') e group by e.subject
)
select p.subject, case j.found when 'no' then 'not_evidenced' when 'open' then 'undecided' else field_status(e.state) end as status,
       case j.found when 'no' then 'Of the monitoring of {subject} is recorded in {found_in} {tag}: ''{monitoring_status}'''
            when 'open' then 'Whether {subject} is monitored changed around this moment: {monitoring_status}'
            else field_reason('monitoring status', 'monitoring_status', e.state, e.nearest_tag) end as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') or j.found = 'no' then e.fix end as fix,
       coalesce(e.value, e.candidates) as monitoring_status, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
join field_evidence e on e.subject = p.subject and e.field = 'monitoring_status'
