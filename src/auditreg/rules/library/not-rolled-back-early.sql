/*
title = "A version taken back soon after it went live has a reason on record"
finding = "A version was taken back soon after it went live, and no reason is recorded"
severity = "low"
scope = "promotion"
repair = "tag"
reads = "history"
looks_for = """
Versions that ceased to be live within `days` of going live while an older version of the model went live, or stayed so,
in their place within the same time; and their field `rollback_reason`. Replacement by a newer version, or by none, is
no rollback. To go back is what a contingency plan is for: what is asked is why."""
rationale = """
A version that is taken back within days had passed the controls before it. What it priced in between stands, and the
next release should know."""
remediation = """
Record on the version why it was taken back, and what it priced meanwhile."""

[params]
days = 7
*/
with asked as (
    select coalesce(getvariable('days')::VARCHAR, setting('not-rolled-back-early.days'), '7')::DOUBLE as days
),
went_live as (
    select r.*, a.days, to_seconds(a.days * 86400) as allowed,
           coalesce(r.ended_not_before, r.live_not_after) - r.live_not_after <= allowed and r.ended_not_after is not null as short
    from population_promotion p join promotions r on r.subject = p.subject cross join asked a
),
-- each other version that was live after it, and from when on
successor as (
    select s.subject, o.version < s.version as older, o.version, o.actor, greatest(o.live_not_after, s.ended_not_after) as live_by,
           coalesce(o.live_not_before >= s.live_not_before + s.allowed, false) as too_late,
           coalesce(o.live_not_after <= s.live_not_before + s.allowed, false) as in_time,
           o.ended_not_after is null or coalesce(o.ended_not_before >= s.ended_not_after, false) as surely
    from went_live s
    join promotions o on o.model_subject = s.model_subject and o.version <> s.version
    where s.short and (o.ended_not_after is null or o.ended_not_after > s.ended_not_before)
),
taken as (
    select subject, min(live_by) filter (where not older) as newer_by, min(live_by) filter (where older and not too_late) as older_by,
           arg_min(version, (live_by, not in_time, -version)) filter (where older and not too_late) as replaced_by,
           arg_min(actor, (live_by, not in_time, -version)) filter (where older and not too_late) as taken_back_by,
           arg_min(in_time and surely, (live_by, not in_time, -version)) filter (where older and not too_late) as certainly
    from successor group by subject
),
judged as (
    select w.*, t.replaced_by, t.taken_back_by, coalesce(e.value, e.candidates) as rollback_reason, e.fix as reason_fix, e.state,
           case when t.older_by is not null and (t.newer_by is null or t.newer_by > t.older_by)
                then case when t.certainly and w.ended_not_after - w.live_not_before <= w.allowed then 'rolled back' else 'open' end
                when w.ended_not_after is null then 'still live' when w.short then 'replaced' else 'lasted' end as found
    from went_live w left join taken t on t.subject = w.subject
    left join field_evidence e on e.subject = w.version_subject and e.field = 'rollback_reason'
)
select subject,
       case when found = 'open' then 'undecided' when found <> 'rolled back' then 'pass' else field_status(state) end as status,
       case found
            when 'still live' then '{subject} went live {live} and has not been taken back'
            when 'lasted' then '{subject} went live {live} and ceased to be {ended}, more than {days} days later'
            when 'replaced' then '{subject} went live {live} and ceased to be {ended}; no older version took its place'
            when 'open' then 'Whether {subject}, live {live}, was rolled back to version {replaced_by} within {days} days cannot be told; it ceased to be {ended}'
            else '{subject} went live {live} and was rolled back to version {replaced_by} {ended}'
                 || case when taken_back_by is null then '' else ' by {taken_back_by}' end
                 || case when state in ('recorded', 'ambiguous') then ': {rollback_reason}' when state = 'uncertain' then '; whether a reason is recorded cannot be told'
                         else '; no reason is recorded' end end as reason,
       grade, case when found = 'rolled back' and state not in ('recorded', 'ambiguous') then reason_fix end as fix,
       version_subject, live_via, live_not_before, live_not_after, ended_not_before, ended_not_after, ended_not_after as condition_since, replaced_by, taken_back_by,
       rollback_reason, printf('%g', days) as days
from judged
