/*
title = "The version was not deleted while it was live"
severity = "high"
scope = "live_in_period"
repair = "history"
looks_for = """
Versions live in the period that were deleted, alone or with their model: whether they were still live
then. Where only readings bound both, a version may have been archived first, and that is said."""
rationale = """
A deleted version leaves a row without content, or none. Of a model that was pricing at that
moment nothing is left to examine."""
remediation = """
Restore the version's files and record from the ledger and the model store, and find out who deleted
it and why. Take a version out of use before deleting it, or archive it instead."""
*/
with gone as (
    select subject, model_subject, bool_and(deleted) as surely,
           min(not_before) filter (where deleted) as not_before,
           max(not_after) filter (where deleted) as not_after,
           max(actor) filter (where deleted) as actor, max(grade) filter (where deleted) as grade
    from model_versions group by subject, model_subject
    having bool_or(deleted)
),
gone_model as (
    select subject, bool_and(deleted) as surely, min(not_before) filter (where deleted) as not_before,
           max(not_after) filter (where deleted) as not_after,
           max(actor) filter (where deleted) as actor, max(grade) filter (where deleted) as grade
    from registered_models group by subject
    having bool_or(deleted)
),
deletion as (
    select p.subject, coalesce(v.surely, m.surely) as surely,
           case when v.subject is not null then v.not_before else m.not_before end as not_before,
           coalesce(v.not_after, m.not_after) as not_after,
           coalesce(v.actor, m.actor) as actor, coalesce(v.grade, m.grade) as grade,
           case when m.subject is null then 'deleted' else 'deleted with its model' end as how
    from population_live_in_period p
    left join gone v on v.subject = p.subject
    left join gone_model m on m.subject = split_part(p.subject, '/', 1)
    where v.subject is not null or m.subject is not null
),
beside as (
    select d.subject,
           bool_or(d.surely and coalesce(r.live_not_after <= d.not_before, false)
                   and (r.ended_not_after is null
                        or coalesce(r.ended_not_before >= d.not_after, false))) as while_live,
           bool_or(coalesce(r.live_not_before < d.not_after, true)
                   and (r.ended_not_after is null
                        or coalesce(r.ended_not_after >= d.not_before, true))) as possibly,
           max_by(r.live_via, (r.live_not_after, r.seq)) as live_via,
           max(r.ended_not_after) as ended_not_after
    from deletion d join promotions r on r.version_subject = d.subject
    group by d.subject
),
judged as (
    select p.*, d.not_before, d.not_after, d.actor, d.grade, d.how, b.live_via, b.ended_not_after,
           case when d.subject is null then 'kept'
                when b.while_live then 'while live'
                when b.possibly then 'open'
                else 'after' end as found,
           case when date_trunc('second', d.not_before) = date_trunc('second', d.not_after)
                then 'at ' || strftime(d.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(d.not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(d.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end || coalesce(' by ' || left(d.actor, 80), '') as gone_words
    from population_live_in_period p
    left join deletion d on d.subject = p.subject
    left join beside b on b.subject = p.subject
)
select subject,
       case found when 'while live' then 'fail' when 'open' then 'not_evidenced' else 'pass' end as status,
       case found
           when 'kept' then model || '/' || version || ' has not been deleted'
           when 'after' then model || '/' || version || ' was ' || how || ' ' || gone_words
                || ', after it had ceased to be live'
           when 'while live' then model || '/' || version || ' was ' || how || ' ' || gone_words
                || ' while it was live (' || live_via || ')'
           else model || '/' || version || ' was live (' || live_via || ') and was ' || how || ' '
                || gone_words || '; whether it was taken out of use first cannot be told'
       end as reason,
       case when found = 'kept' then 'observed' else grade end as grade,
       live_via, ended_not_after as live_until, not_before as deleted_not_before,
       not_after as deleted_not_after, actor as deleted_by
from judged
