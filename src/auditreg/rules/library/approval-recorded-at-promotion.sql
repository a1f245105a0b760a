/*
title = "The approval was on record when the version went live"
finding = "The approval was entered after the version went live"
severity = "high"
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "approval-precedes-live"
looks_for = """
The approver's tag on the version at the moment it went live, from the history of the tag: when it was set,
changed and removed, as the server recorded it or as readings bound it. An approval that another system holds
with a date before needs no tag. `approval-precedes-live` judges the date people wrote; this rule judges when
they wrote it."""
rationale = """
A date can be written afterwards. That the approval itself stood in the registry before the version was used
shows that the control came first."""
remediation = """
What happened cannot be changed. Have approvals set before a version is moved, and the MLflow server under
capture, so that both moments are known to the millisecond; import approvals that were given elsewhere."""
*/
select p.subject,
       case when not v.names_approver or v.verdict in ('after going live', 'date unreadable') then 'not_applicable'
            when v.held or v.written = 'before' and v.stood then 'pass'
            when v.written = 'after' then 'fail'
            else 'undecided' end as status,
       case when v.verdict in ('after going live', 'rejected', 'date unreadable')
            then 'No approval of {subject} came before it went live {live}: see approval-precedes-live'
            when not v.names_approver then 'Nobody is recorded who could have approved {subject}: see approval-precedes-live'
            when v.held then 'When {subject} went live {live}, {system} held its approval by {approver}, given {decided}'
            when v.source = 'import' then 'Whether {system} held the approval of {subject} by {approver}, given {decided}, when it went live {live} cannot be told'
            when v.written = 'before' and v.stood then 'When {subject} went live {live}, its approval by {approver} was on record, entered {recorded}'
            when v.written = 'after' then '{subject} went live {live} without an approval on record; the one by {approver} was entered only {recorded}'
                 || case when v.entered_by is null then '' else ', by {entered_by}' end
            when v.written = 'before' then 'Whether the approval of {subject} by {approver}, entered {recorded} and overwritten or removed {gone}, '
                 || 'still stood when it went live {live} cannot be told'
            else 'Whether the approval of {subject} by {approver}, entered {recorded}, was on record when it went live {live} cannot be told'
       end as reason,
       case when v.written is null then 'none'
            when v.promotion_grade = 'captured' and v.grade = 'captured' then 'captured' else 'observed' end as grade,
       v.version_subject, v.live_via, v.live_not_before, v.live_not_after, v.live_not_after as condition_since, v.approver, v.source, v.system,
       v.decided_not_before, v.decided_not_after, v.recorded_not_before, v.recorded_not_after,
       v.until_not_before as gone_not_before, v.until_not_after as gone_not_after, v.entered_by
from population_promotion p
join (select *, until_not_after is null or coalesce(until_not_before >= live_not_after, false) as stood,
             source = 'import' and verdict in ('holds', 'contested', 'unidentified') as held
      from approval_verdicts) v on v.subject = p.subject
