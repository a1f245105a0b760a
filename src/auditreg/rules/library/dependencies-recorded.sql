/*
title = "The dependencies are recorded"
finding = "No dependencies are recorded"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `dependencies`, on the version, then on its registered model. `none` is an
answer. Whether what they name is sound is asked by `dependencies-sound`."""
rationale = """
A fault in one model reaches those that take its output. Which those are has to be known before it happens."""
remediation = """
Record the models and systems whose output the model takes, separated by commas, as `motor-frequency` or
`motor-frequency/3`; `none` where there is none."""
*/
select p.subject, field_status(e.state) as status,
       field_reason('dependencies', 'dependencies', e.state, e.nearest_tag) as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as dependencies, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'dependencies'
