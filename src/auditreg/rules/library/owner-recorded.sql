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
-- of several owners that are possible, each
with owner as (
    select v.subject, bool_and(is_service(v.name)) as service, bool_or(is_service(v.name)) as perhaps_service,
           bool_and(coalesce(not in_office(v.name, judged_day()), false)) as out_of_office,
           bool_or(coalesce(not in_office(v.name, judged_day()), false)) as perhaps_out,
           bool_and(is_service(v.name) or coalesce(not in_office(v.name, judged_day()), false)) as neither, min(t.begins) as begins
    from (select subject, unnest(values_of(state, value, possible)) as name from field_evidence where field = 'owner') v
    left join (select account, case when count(valid_from) = count(*) then min(valid_from) end as begins from people group by account) t
      on t.account = lower(trim(v.name))
    group by v.subject
),
judged as (
    select p.subject as asked, e.*, o.begins,
           case when e.state not in ('recorded', 'ambiguous') then 'field' when o.service then 'service' when o.out_of_office then 'out'
                when o.neither then 'neither'
                when o.perhaps_service or o.perhaps_out then 'which' else 'field' end as found
    from population_live_version p
    join field_evidence e on e.subject = p.subject and e.field = 'owner'
    join owner o on o.subject = p.subject
)
select asked as subject,
       case when found in ('service', 'out', 'neither') then 'fail' when found = 'which' then 'undecided' else field_status(state) end as status,
       case found
            when 'which' then 'The owner of {subject} changed around this moment: {candidates}'
            when 'neither' then 'Whoever the owner of {subject} is at this moment, it is a service account or somebody not in office: {candidates}'
            when 'service' then 'The owner of {subject} is given as ''{owner}'', a service account; an owner is a person or a team'
            when 'out' then 'The owner of {subject} is given as ''{owner}'', who is not in office '
                 || case when begins > judged_day() then 'yet' else 'any more' end || ' by auditreg.toml'
            else field_reason('owner', 'owner', state, nearest_tag) end as reason,
       coalesce(grade, 'none') as grade, case when state not in ('recorded', 'ambiguous') then fix end as fix,
       coalesce(value, candidates) as owner, found_in, tag, candidates, tags_looked_for, nearest_tag, nearest_value
from judged
