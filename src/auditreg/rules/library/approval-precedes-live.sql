/*
title = "Approval came before the version went live"
finding = "The version went live before it was approved"
severity = "critical"
scope = "promotion"
repair = "history"
covered_by = "approver-recorded"
looks_for = """
For each time a version became live in the period: an approval of that version with a date (ISO 8601, as
2026-08-12 or 2026-08-12T14:30:00Z; a day means the whole local day), compared with the moments between
which it went live. An undated approval counts when it was itself on record before; so does one that
another system holds."""
rationale = """
An approval given after a model was put into use approved nothing. Where the record bounds the two moments
too loosely to order them, that is said and not decided."""
remediation = """
What happened cannot be changed; record the approval's date where it was given in time. Capture on the
MLflow server narrows the moment of going live to the millisecond."""
*/
select p.subject,
       case when v.verdict = 'rejected' and v.written is distinct from 'after' then 'fail'
            when not v.names_approver or v.verdict = 'contested' then 'not_applicable'
            when v.verdict = 'after going live' then 'fail'
            when v.verdict = 'order cannot be told' then 'undecided'
            when v.verdict = 'date unreadable' then 'not_evidenced'
            else 'pass' end as status,
       case case when v.names_approver or v.verdict = 'rejected' and v.written is distinct from 'after' then v.verdict end
            when 'rejected' then '{subject} went live {live}, and the approval decision recorded then was ''{decision}'''
            when 'after going live' then '{subject} went live {live}, before its approval by {approver}'
                 || case when v.stated is null then ', entered {recorded}' else ' of {stated}' end
            when 'order cannot be told' then case when v.decided_not_before >= v.live_not_after
                 then '{subject} went live {live}, and the approval by {approver} that is recorded is of {stated}; whether another '
                      || 'was recorded before and overwritten, no reading shows' else 'Whether {subject} was approved by {approver}'
                 || case when v.stated is null then ', entered {recorded},' else ' ({stated})' end
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
       v.version_subject, v.live_via, v.live_not_before, v.live_not_after, v.verdict, v.contested_by, v.approver,
       v.stated, v.decided_not_before, v.decided_not_after, v.recorded_not_before, v.recorded_not_after,
       v.decision, v.source, v.system, v.reference
from population_promotion p
join approval_verdicts v on v.subject = p.subject
