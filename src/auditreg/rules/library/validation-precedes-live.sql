/*
title = "Validation came before the version went live"
finding = "The version went live before it was validated"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "validation-recorded"
looks_for = """
For each time a version became live in the period: the date of its validation (a day means the whole local day)
compared with the moments between which it went live. A validation without a date counts when it was itself on
record before. What was wrong with the validation then is told here where the record of today no longer shows it."""
rationale = """
A version that goes live before its validation is used before its limits are known."""
remediation = """
What happened cannot be changed. Record the validation before the version goes live."""
*/
with judged as (
    -- what is wrong with the record that stands today too is told by the rule that judges today
    select v.*, n.verdict <> 'order cannot be told' and n.validation is not distinct from v.validation as stands,
           case when v.verdict = 'failed' and v.written is distinct from 'after' then 'failed'
                when v.verdict = 'holds' and v.coverage = 'older' then case when stands then 'see coverage' when v.written = 'before' then 'older' else 'perhaps older' end
                when v.verdict in ('holds', 'after going live', 'order cannot be told') then v.verdict
                when stands then 'see record' when v.verdict = 'failed' then 'after going live' else v.verdict end as found
    from validation_verdicts v join validation_verdicts n on n.subject = v.version_subject
    where v.about = 'promotion'
)
select p.subject,
       case when v.found = 'holds' then 'pass' when v.found in ('order cannot be told', 'perhaps older') then 'undecided'
            when v.found in ('see record', 'see coverage') then 'not_applicable'
            when v.found in ('failed', 'older', 'after going live') then 'fail' else 'not_evidenced' end as status,
       case v.found
            when 'failed' then '{subject} went live {live}, and the validation recorded then had the result ''{result}'''
            when 'older' then '{subject} went live {live}, and the validation recorded then, of {stated}, is older than the version'
            when 'perhaps older' then '{subject} went live {live}; whether another validation than that of {stated}, older than it, was recorded cannot be told'
            when 'after going live' then '{subject} went live {live}, before its validation' || case when v.stated is null then ', recorded {recorded}' else ' of {stated}' end
            when 'order cannot be told' then case when v.validated_not_before >= v.live_not_after
                 then '{subject} went live {live}, and the validation that is recorded is of {stated}; whether another was recorded before and overwritten, no reading shows'
                 else 'Whether {subject} was validated' || case when v.stated is null then '' else ' ({stated})' end
                      || ' before it went live {live} cannot be told' end
            when 'see coverage' then 'The validation of {subject} that came before is older than the version: see validation-covers-version'
            when 'holds' then '{subject} was validated on {stated} by {validator}, before it went live {live}'
                 || case when v.written = 'after' then '; the validation was entered only after that, {recorded}' else '' end
            when 'see record' then 'No whole validation of {subject} was recorded before it went live {live}: see validation-recorded'
            when 'incomplete' then '{subject} went live {live}, and the validation recorded for that lacks '
                 || concat_ws(' and ', case when v.stated is null then 'a date' end, case when v.validator is null then 'a validator' end,
                              case when v.result is null then 'a result' end)
            when 'date unreadable' then '{subject} went live {live}, and the date of the validation recorded for that cannot be read: ''{stated}'''
            when 'pending' then '{subject} went live {live}, and the validation recorded for that had the result ''{result}'''
                 || case when decision_of(v.result) = 'unreadable' then ', which does not say whether it passed' else '' end
            when 'placeholder' then '{subject} went live {live}, and the validator recorded for that is ''{validator}'', which names no person'
            else '{subject} went live {live} without a validation on record' end as reason,
       case when v.verdict = 'none' then 'none' else 'asserted' end as grade,
       v.version_subject, v.live_via, v.live_not_before, v.live_not_after, v.live_not_after as condition_since, v.stated, v.validator, v.result,
       v.recorded_not_before, v.recorded_not_after, v.coverage
from population_promotion p
join judged v on v.subject = p.subject
