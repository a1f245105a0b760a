/*
title = "The version was not deleted while it was live"
finding = "The version was deleted while it was live"
severity = "critical"
scope = "live_in_period"
repair = "history"
looks_for = """
Versions live in the period that were deleted, alone or with their model: whether they were still live then. A reading in
between that shows the version there and not live any more settles it. Where only readings bound both, a version may have
been archived first, and that is said. The ledger keeps what was read of a deleted version."""
rationale = """
A deleted version leaves a row without content, or none. Of a model that was pricing at that moment nothing is left in the
registry to examine."""
remediation = """
Restore the version's files and record from the ledger and the model store, and find out how it came to be deleted. Take a
version out of use before deleting it, or archive it instead."""
*/
with gone as (
    select subject, bool_and(deleted) as surely, min(not_before) filter (where deleted) as not_before,
           max(not_after) filter (where deleted) as not_after, max(actor) filter (where deleted) as actor, max(grade) filter (where deleted) as grade
    from model_versions group by subject having bool_or(deleted)
    union all
    select subject, bool_and(deleted), min(not_before) filter (where deleted), max(not_after) filter (where deleted),
           max(actor) filter (where deleted), max(grade) filter (where deleted)
    from registered_models group by subject having bool_or(deleted)
),
deletion as (
    select p.subject, coalesce(v.surely, m.surely) as surely, m.subject is not null as with_model,
           case when v.subject is not null then v.not_before else m.not_before end as deleted_not_before,
           coalesce(v.not_after, m.not_after) as deleted_not_after, coalesce(v.actor, m.actor) as deleted_by, coalesce(v.grade, m.grade) as grade
    from population_live_in_period p
    left join gone v on v.subject = p.subject left join gone m on m.subject = split_part(p.subject, '/', 1)
    where v.subject is not null or m.subject is not null
),
-- two intervals that share a reading as bound follow each other: that reading shows the version not live, and there
beside as (
    select d.subject, max_by(r.live_via, (r.live_not_after, r.seq)) as live_via, max(r.ended_not_before) as ended_not_before,
           max(r.ended_not_after) as ended_not_after,
           bool_or(d.surely and coalesce(r.live_not_after <= d.deleted_not_before, false)
                   and (r.ended_not_after is null or coalesce(r.ended_not_before >= d.deleted_not_after, false))) as while_live,
           bool_or(coalesce(r.live_not_before < d.deleted_not_after, true)
                   and (r.ended_not_after is null or coalesce(r.ended_not_after > d.deleted_not_before, true))) as possibly
    from deletion d join promotions r on r.version_subject = d.subject group by d.subject
)
select p.subject,
       case when d.subject is null then 'pass' when b.while_live then 'fail' when b.possibly then 'undecided' else 'pass' end as status,
       case when d.subject is null then '{subject} has not been deleted'
            else '{subject} was deleted' || case when d.with_model then ' with its model' else '' end || ' {deleted}'
                 || case when d.deleted_by is null then '' else ' by {deleted_by}' end
                 || case when b.while_live then ' while it was live ({live_via})'
                         when b.possibly then '; whether it had been taken out of use first ({live_via}) cannot be told'
                         else ', after it had ceased to be live' end end as reason,
       case when d.subject is null then 'observed' else d.grade end as grade,
       b.live_via, b.ended_not_before, b.ended_not_after, d.deleted_not_before, d.deleted_not_after, d.deleted_by
from population_live_in_period p
left join deletion d on d.subject = p.subject
left join beside b on b.subject = p.subject
