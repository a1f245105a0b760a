/*
title = "An index of its documents is recorded"
finding = "No index of its documents is recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `documentation`, on the version, then on its registered model. Documents are not
opened: whether they are there, complete and current is for the firm to show."""
rationale = """
Method, data, tests and limits of a model are described in documents. The registry has to say where they are."""
remediation = """
Record on the registered model where its documents are kept, by name or address."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('index of documents', 'documentation', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as documentation, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'documentation'
