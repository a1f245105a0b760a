/*
title = "The approved uses are recorded"
finding = "No approved uses are recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `approved_uses`, on the version, then on its registered model. What a model
is for (`purpose`) is another question."""
rationale = """
An approval is for some uses and not for others. Where they are not written down, nobody can tell a use that
nobody approved."""
remediation = """
Record on the registered model for which products, decisions and users it was approved, and what is excluded."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('approved uses', 'approved_uses', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as approved_uses, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'approved_uses'
