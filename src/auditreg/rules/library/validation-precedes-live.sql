/*
title = "Validation came before the version went live"
finding = "The version went live before it was validated"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "promotion"
repair = "history"
covered_by = "validation-recorded"
looks_for = """
For each time a version became live in the period: the date of its validation (a day means the whole local day)
compared with the moments between which it went live. A validation without a date counts when it was itself on
record before."""
rationale = """
A version that goes live before its validation is used before its limits are known."""
remediation = """
What happened cannot be changed. Record the validation before the version goes live."""
*/
select p.subject,
       case when v.verdict = 'after going live' then 'fail' when v.verdict = 'order cannot be told' then 'undecided'
            when v.verdict = 'holds' and v.coverage <> 'older' then 'pass' else 'not_applicable' end as status,
       case when v.verdict = 'after going live' then '{subject} went live {live}, before its validation'
                 || case when v.stated is null then ', recorded {recorded}' else ' of {stated}' end
            when v.verdict = 'order cannot be told' and v.validated_not_before >= v.live_not_after
            then '{subject} went live {live}, and the validation that is recorded is of {stated}; whether another was recorded '
                 || 'before and overwritten, no reading shows'
            when v.verdict = 'order cannot be told' then 'Whether {subject} was validated'
                 || case when v.stated is null then '' else ' ({stated})' end || ' before it went live {live} cannot be told'
            when v.verdict = 'holds' and v.coverage = 'older'
            then 'The validation of {subject} that came before is older than the version: see validation-covers-version'
            when v.verdict = 'holds' then '{subject} was validated on {stated} by {validator}, before it went live {live}'
            else 'No whole validation of {subject} was recorded before it went live {live}: see validation-recorded' end as reason,
       case when v.verdict = 'none' then 'none' else 'asserted' end as grade,
       v.version_subject, v.live_via, v.live_not_before, v.live_not_after, v.stated, v.validator, v.result,
       v.recorded_not_before, v.recorded_not_after, v.coverage
from population_promotion p
join validation_verdicts v on v.subject = p.subject
