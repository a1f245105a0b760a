/*
title = "The approval was not changed after the version went live"
finding = "The approval was changed after the version went live"
severity = "high"
scope = "live_in_period"
repair = "history"
reads = "history"
looks_for = """
Records of the version's approval (approver, role, date, decision, conditions) that were overwritten or removed
while it was live; between two times of being live a version may be approved anew. Its end may be moved, and
conditions may be dropped when they are met: `conditional-approval-current` asks for that. What goes because the
version or its model is deleted was not changed."""
rationale = """
MLflow keeps only a tag's last value. An approval rewritten after the fact looks as good as the one that was
given, and the one that was given is gone."""
remediation = """
Ask who changed it and why; the ledger keeps both values. Record a later approval under tags of its own, or
approve a new version."""
*/
with spell as (
    select version_subject as subject, live_not_before, live_not_after, ended_not_before, ended_not_after,
           lead(live_not_before) over spells as next_not_before, lead(seq) over spells is null as is_last
    from promotions
    window spells as (partition by version_subject order by live_not_after, seq)
),
record as materialized (
    select *, case when lead(recorded_not_after) over records <= until_not_after then lead(words) over records end as next_words,
           next_words is not null and lead(kept) over records is not distinct from kept
           and coalesce(lead(conditions) over records, conditions, '') = coalesce(conditions, '') as same
    from (select *, concat_ws(', ', approver, stated, decision, role, conditions) as words,
                 row(approver, stated, decision, role) as kept from approvals
          where source <> 'import')
    window records as (partition by subject order by coalesce(begun_not_after, recorded_not_after), seq)
),
-- an overwritten record beside each time the version was live; before the first, and between two, it may be
beside as (
    select r.subject, r.approval,
           bool_or(r.until_not_before >= s.live_not_after and r.until_not_after <= as_of()
                   and (s.is_last or r.until_not_after <= s.ended_not_before)) as after_live,
           bool_and(r.until_not_after <= s.live_not_before
                    or r.until_not_before >= s.ended_not_after and r.until_not_after <= s.next_not_before
                    or not s.is_last and r.until_not_before >= s.ended_not_after) as allowed
    from record r join spell s on s.subject = r.subject
    where r.until_not_after is not null and not r.same
    group by r.subject, r.approval
),
worst as (
    select r.subject, bool_or(b.after_live) as after_live, count(*) filter (where b.after_live) as changes,
           arg_min(r, (not b.after_live, r.until_not_after, r.seq)) as first
    from record r join beside b on b.approval = r.approval
    where b.allowed is distinct from true
    group by r.subject
),
live as (
    select subject, min(live_not_before) as live_not_before, min(live_not_after) as live_not_after
    from spell group by subject
),
known as (
    select subject, min(recorded_not_after) as known, bool_or(coalesce(recorded_not_before < live_not_after, true)) as before,
           bool_or(coalesce(recorded_not_after > live_not_before, true)
                   and coalesce(recorded_not_before < live_not_after, true)) as late
    from record r join live l using (subject) group by subject
)
select p.subject,
       case when w.after_live then 'fail' when w.subject is not null then 'undecided'
            when not coalesce(k.before, false) then 'not_applicable'
            when k.late then 'undecided' else 'pass' end as status,
       case when w.after_live then 'After {subject} went live {live}, its approval was '
                 || case when w.first.next_words is null then 'removed {changed}: ''{approval_before}'''
                         else 'changed {changed} from ''{approval_before}'' to ''{approval_after}''' end
                 || case when w.first.until_by is null then '' else ' by {changed_by}' end
                 || case when w.changes > 1 then ' (the first of {changes} such changes)' else '' end
            when w.subject is not null then 'Whether the approval of {subject} was changed ({changed}) before or after it went live {live} cannot be told'
            when not coalesce(k.before, false) then 'No approval stood in the tags of {subject} when it went live'
            when k.late then 'Whether the approval of {subject} was changed after it went live {live} cannot be told: it is known only since {known}'
            else 'No change of the approval of {subject} was seen since it went live {live}' end as reason,
       case when w.after_live then w.first.until_grade when k.before then 'observed' else 'none' end as grade,
       l.live_not_before, l.live_not_after, w.changes, w.first.words as approval_before,
       w.first.next_words as approval_after,
       w.first.until_by as changed_by, w.first.until_not_before as changed_not_before,
       w.first.until_not_after as changed_not_after,
       k.known
from population_live_in_period p
left join live l on l.subject = p.subject
left join worst w on w.subject = p.subject
left join known k on k.subject = p.subject
