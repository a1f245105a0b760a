/*
title = "The purpose is recorded"
finding = "No purpose is recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `purpose`, on the version, then on its registered model."""
rationale = """
Whether a model is fit for its use can only be judged against a stated use: the product, the
portfolio, the decision it supports."""
remediation = """
Set the tag on the registered model: product, portfolio and the decision the model supports, in
a sentence."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('purpose', 'purpose', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as purpose, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'purpose'
