/*
title = "A developer is recorded"
finding = "No developer is recorded"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "vendor-file"
looks_for = """
The tags configured for the field `developer`, on the version, then on its registered model; else the user of
the training run. A service account trains, and develops nothing. Of a model that was bought the developer is
its vendor, which `vendor-file` asks for."""
rationale = """
Whoever validates or approves a model has to be somebody else than its developer. Without a developer on record
nobody can show that."""
remediation = """
Record the developer on the version, or on the registered model where one team develops all its versions."""
*/
select p.subject,
       case when is_absent(e.state) and t.from_vendor then 'not_applicable'
            when e.state = 'ambiguous' or is_absent(e.state) and t.origin = 'uncertain' then 'undecided'
            when e.state = 'recorded' and is_service(e.value) then 'not_evidenced' else field_status(e.state) end as status,
       case when is_absent(e.state) and t.from_vendor
            then '{subject} is from a vendor, who developed it: see vendor-file'
            when is_absent(e.state) and t.origin = 'uncertain'
            then 'No developer of {subject} is recorded, and whether it is from a vendor changed around this moment'
            when e.state = 'ambiguous' then 'The developer of {subject} changed around this moment: {candidates}'
            when e.state = 'recorded' and is_service(e.value)
            then 'The developer of {subject} is given as ''{developer}'', a service account, which develops nothing'
            else field_reason('developer', 'developer', e.state, e.nearest_tag) end as reason,
       coalesce(e.grade, 'none') as grade,
       case when e.state not in ('recorded', 'ambiguous') or is_service(e.value)
            then set_tag(p.model, p.version, first_tag('developer', p.registry, p.workspace), 'account of the developer') end as fix,
       coalesce(e.value, e.candidates) as developer, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_in_period p
join field_evidence e on e.subject = p.subject and e.field = 'developer'
left join training t on t.subject = p.subject
