/*
title = "An owner is recorded"
finding = "Nobody in office is recorded as owner"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `owner`, on the version, then on its registered model. A value such as
`TBD` names nobody, a service account cannot own a model, and a person of `[[people]]` owns none before
they come or after they have left."""
rationale = """
Somebody has to answer for a model in use: for its limits, its reviews and its retirement. A model whose
owner nobody can name is reviewed by nobody."""
remediation = """
Set the owner's tag on the registered model, so that it holds for every version. Where another tag already
says it, add that tag's name to the field `owner` in auditreg.toml."""
*/
select p.subject,
       case when e.state = 'ambiguous' then 'undecided'
            when e.state = 'recorded' and (is_service(e.value) or in_office(e.value, local_day(as_of())) = false) then 'fail'
            else field_status(e.state) end as status,
       case when e.state = 'ambiguous' then 'The owner of {subject} changed around this moment: {candidates}'
            when e.state = 'recorded' and is_service(e.value)
            then 'The owner of {subject} is given as ''{owner}'', a service account; an owner is a person or a team'
            when e.state = 'recorded' and in_office(e.value, local_day(as_of())) = false
            then 'The owner of {subject} is given as ''{owner}'', who is not in office '
                 || case when t.begins > local_day(as_of()) then 'yet' else 'any more' end || ' by auditreg.toml'
            else field_reason('owner', 'owner', e.state, e.nearest_tag) end as reason,
       coalesce(e.grade, 'none') as grade, case when e.state not in ('recorded', 'ambiguous') then e.fix end as fix,
       coalesce(e.value, e.candidates) as owner, e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'owner'
left join (select account, case when count(valid_from) = count(*) then min(valid_from) end as begins from people group by account) t
  on t.account = lower(trim(e.value))
