/*
title = "The origin is recorded"
finding = "No origin is recorded"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `origin`, on the version, then on its registered model: developed in-house, or
from whom it was bought."""
rationale = """
Of a model that was bought the firm holds neither code nor data, and other questions are asked of its vendor."""
remediation = """
Record `in-house` or `vendor` on the registered model, and for a vendor the name."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('origin', 'origin', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as origin, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'origin'
