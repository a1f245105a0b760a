/*
title = "The monitoring status is recorded"
finding = "No monitoring status is recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `monitoring_status`, on the version, then on its registered model. What is
monitored, and whether a status is earned, is for the firm to show; how old it is, is asked by `monitoring-current`."""
rationale = """
Portfolios drift away from the data a model learned. Whether somebody watches is part of the inventory."""
remediation = """
Let the monitoring job set the status and its date as tags of the registered model."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('monitoring status', 'monitoring_status', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as monitoring_status, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'monitoring_status'
