/*
title = "Approval came before the version went live"
finding = "The version went live before it was approved"
severity = "critical"
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "approver-recorded"
looks_for = """
For each time a version became live in the period: an approval of that version with a date (ISO 8601, as
2026-08-12 or 2026-08-12T14:30:00Z; a day means the whole local day), compared with the moments between
which it went live. An undated approval counts when it was itself on record before; so does one that
another system holds. What was wrong with the approval then is told here where the record of today no longer shows it."""
rationale = """
An approval given after a model was put into use approved nothing. Where the record bounds the two moments
too loosely to order them, that is said and not decided."""
remediation = """
What happened cannot be changed; record the approval's date where it was given in time. Capture on the
MLflow server narrows the moment of going live to the millisecond."""
*/
with judged as (
    -- what is wrong with the record that stands today too, or perhaps does, is told by the rule that judges today
    select v.*, n.verdict = 'order cannot be told' or n.approval is not distinct from v.approval as stands,
           case when v.verdict = 'rejected' and (v.written is distinct from 'after' or not stands) then 'rejected'
                when not v.names_approver and stands then 'nobody' when v.party_kind = 'service' then 'service account'
                when v.verdict = 'contested' and (case v.contested_by when 'approval-recorded-at-promotion' then true
                     when 'model-unchanged-after-approval' then stands and l.subject is not null else stands end) then 'contested'
                when v.verdict = 'contested' then v.contested_by else v.verdict end as found
    from approval_verdicts v join approval_verdicts n on n.subject = v.version_subject
    left join population_live_version l on l.subject = v.version_subject
    where v.about = 'promotion'
)
select p.subject,
       case when v.found in ('nobody', 'contested') then 'not_applicable' when v.found in ('holds', 'unidentified') then 'pass'
            when v.found = 'order cannot be told' then 'undecided'
            when v.found in ('date unreadable', 'placeholder', 'pending', 'on the model only', 'none') then 'not_evidenced'
            else 'fail' end as status,
       case v.found
            when 'rejected' then '{subject} went live {live}, and the '
                 || case when v.written = 'after' and v.source = 'import' then 'first approval decision on record, {decided} in {system},'
                         when v.written = 'after' then 'first approval decision recorded, {recorded},'
                         else 'approval decision recorded then' end || ' was ''{decision}'''
            when 'service account' then 'The approval of {subject} for going live {live} was by {approver}, a service account, which cannot approve'
            when 'approver-independent' then 'The approval of {subject} for going live {live} was by {approver}' || case v.party_kind
                      when 'body' then ', all of whose members' else ', who also' end || ' developed it ({developers})'
            when 'approval-set-by-approver' then '{entered_by} entered or changed the approval by {approver} with which {subject} went live {live}'
            when 'model-unchanged-after-approval' then 'The files of {subject} changed between its approval by {approver} and its going live {live}'
            when 'pending' then 'The approval decision recorded for {subject} for going live {live} was ''{decision}'''
                 || case when decision_of(v.decision) = 'unreadable' then ', which does not say whether it was approved' else '' end
            when 'placeholder' then '{subject} went live {live} with an approval on record that names nobody'
            when 'on the model only' then '{subject} went live {live} with an approval on record for the model only'
            when 'none' then '{subject} went live {live} without an approval on record'
            when 'after going live' then '{subject} went live {live}, before its approval by {approver}'
                 || case when v.source = 'import' then ', given {decided}, as {system} says'
                         when v.stated is null then ', entered {recorded}' else ' of {stated}' end
            when 'order cannot be told' then case when decision_of(v.decision) = 'rejected'
                 then 'Whether {subject} went live {live} before or after the approval decision ''{decision}'' was taken cannot be told'
                 when v.decided_not_before >= v.live_not_after
                 then '{subject} went live {live}, and the approval by {approver} that is recorded is of {stated}; whether another '
                      || 'was recorded before and overwritten, no reading shows' else 'Whether {subject} was approved by {approver}'
                 || case when v.source = 'import' then ', as {system} says, {decided},'
                         when v.stated is null then ', entered {recorded},' else ' ({stated})' end
                 || ' before it went live {live} cannot be told' end
            when 'date unreadable' then 'The approval date of {subject} cannot be read: ''{stated}''; wanted: 2026-08-12 or 2026-08-12T14:30:00Z'
            when 'holds' then '{subject} was approved by {approver}' || case when v.stated is not null then ' on {stated}'
                 when v.source = 'import' then ' {decided}, as {system} says,' else ', recorded {recorded},' end
                 || ' and went live {live}'
                 || case when v.written = 'after' and v.source <> 'import' then '; the approval was entered only after that' else '' end
            when 'contested' then 'The approval of {subject} by {approver} before it went live {live} is contested: see {contested_by}'
            when 'unidentified' then '{subject} was approved by ''{approver}'', nobody listed in auditreg.toml, and went live {live}'
            else 'Nobody is recorded who could have approved {subject} before it went live {live}: see approver-recorded'
       end as reason,
       case when v.approver is null then 'none' else 'asserted' end as grade,
       case when v.verdict = 'date unreadable'
            then set_tag(p.model, p.version, first_tag('approval_date', p.registry, p.workspace), '2026-08-12T14:30:00Z')
       end as fix,
       v.version_subject, v.live_via, v.live_not_before, v.live_not_after, v.live_not_after as condition_since, v.verdict, v.contested_by, v.approver,
       v.stated, v.decided_not_before, v.decided_not_after, v.recorded_not_before, v.recorded_not_after,
       v.decision, v.developers, v.entered_by, v.source, v.system, v.reference
from population_promotion p
join judged v on v.subject = p.subject
