/*
title = "The version was not deleted while it was live"
finding = "The version was deleted while it was live"
severity = "critical"
scope = "live_in_period"
repair = "history"
reads = "history"
looks_for = """
Versions live in the period that were deleted, alone or with their model: whether they were still live then. A reading in
between that shows the version there and not live any more settles it. Where only readings bound both, a version may have
been archived first, and that is said. What an engine runs by the deployments imported counts as live, also where it runs
it since the deletion. The ledger keeps what was read of a deleted version."""
rationale = """
A deleted version leaves a row without content, or none. Of a model that was pricing at that moment nothing is left in the
registry to examine."""
remediation = """
Restore the version's files and record from the ledger and the model store, and find out how it came to be deleted. Take a
version out of use before deleting it, or archive it instead."""
*/
with gone as (
    select subject, bool_and(deleted) as surely, min(not_before) filter (where deleted) as not_before, max(not_after) filter (where deleted) as not_after,
           max(actor) filter (where deleted) as actor, max(grade) filter (where deleted) as grade
    from (from model_versions union all by name from registered_models)
    group by subject having bool_or(deleted)
),
deletion as (
    select p.subject, coalesce(v.surely, m.surely) as surely, m.subject is not null as with_model, coalesce(v.actor, m.actor) as deleted_by,
           case when v.subject is not null then v.not_before else m.not_before end as deleted_not_before,
           coalesce(v.not_after, m.not_after) as deleted_not_after, coalesce(v.grade, m.grade) as grade
    from population_live_in_period p left join gone v on v.subject = p.subject left join gone m on m.subject = split_part(p.subject, '/', 1)
    where coalesce(v.subject, m.subject) is not null
),
span as (
    select version_subject, live_via, live_not_before, live_not_after, ended_not_before, ended_not_after, seq, false as stated from promotions
    union all
    select version_subject, 'run by ' || system, running_from, running_from, running_until, running_until, seq, true from deployed_versions where matches = 1
),
-- two intervals that share a reading as bound follow each other: that reading shows the version not live, and there
beside as (
    select d.*, r.* exclude (version_subject),
           case when r.version_subject is null then 'never'
                when d.surely and r.live_not_after <= d.deleted_not_before and coalesce(r.ended_not_before >= d.deleted_not_after, r.ended_not_after is null) then 'while live'
                when d.surely and r.stated and r.live_not_before >= d.deleted_not_after then 'run since'
                when (r.stated or coalesce(r.live_not_before < d.deleted_not_after, true)) and coalesce(r.ended_not_after > d.deleted_not_before, true) then 'open'
                else 'before' end as found
    from deletion d left join span r on r.version_subject = d.subject
    qualify row_number() over (partition by d.subject order by list_position(['while live', 'run since', 'open', 'before', 'never'], found), live_not_after desc, seq desc) = 1
)
select p.subject,
       case when b.found in ('while live', 'run since') then 'fail' when b.found in ('open', 'never') then 'undecided' else 'pass' end as status,
       case when b.subject is null then '{subject} has not been deleted' else '{subject} was deleted' || case when b.with_model then ' with its model' else '' end
            || ' {deleted}' || case when b.deleted_by is null then '' else ' by {deleted_by}' end
            || case b.found when 'while live' then ' while it was ' || case when b.stated then '{live_via}' else 'live ({live_via})' end
                            when 'run since' then ' and was {live_via} after that' when 'never' then '; that it was in use is not on record'
                            when 'open' then '; whether it had been taken out of use first ({live_via}) cannot be told'
                            else ', after it had ceased to be ' || case when b.stated then '{live_via}' else 'live' end end end as reason,
       case when b.subject is null then 'observed' when b.stated then 'asserted' else b.grade end as grade,
       b.live_via, b.ended_not_before, b.ended_not_after, b.deleted_not_before, b.deleted_not_after, b.deleted_by
from population_live_in_period p left join beside b on b.subject = p.subject
