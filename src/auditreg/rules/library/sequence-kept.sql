/*
title = "The approval came after training and validation"
finding = "The approval came before the training ended or before the validation"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "approver-recorded"
looks_for = """
The date of the approval that stands, compared with the end of the training run and with the earliest validation that
covers the version. Where no end of a training is on record, an approval from before the version was registered leaves it
open. A day means the whole local day, and two records of one day are in order. That both came before the version went
live is asked by `approval-precedes-live` and `validation-precedes-live`."""
rationale = """
Who approves a model decides on what its validation found. An approval from before has seen neither."""
remediation = """
Have the version approved again, now that it is validated, and record the date."""
*/
with version as materialized (
    select m.subject, m.model_subject, m.trained_at, m.version_created_at, m.verdict = 'holds' as validated
    from validation_verdicts m join population_live_in_period p on p.subject = m.subject
),
-- what is older than the version was about another one
validated as (
    select v.subject, w.stated, w.validator, w.validated_not_before, w.recorded_not_before, w.recorded_not_after
    from version v join validations w on w.subject = v.subject
    where w.standing = 'holds' and w.validated_not_after > coalesce(v.trained_at, timestamp '0001-01-01')
    union all
    select v.subject, w.stated, w.validator, w.validated_not_before, w.recorded_not_before, w.recorded_not_after
    from version v join validations w on w.subject = v.model_subject and w.version is null
    where w.standing = 'holds' and w.validated_not_after > coalesce(v.trained_at, v.version_created_at, timestamp '0001-01-01')
),
first as (
    select * from validated
    qualify row_number() over (partition by subject order by validated_not_before, recorded_not_before, validator, stated) = 1
),
judged as (
    select a.*, v.trained_at, v.version_created_at, f.stated as validated, f.validator, v.validated as older,
           v.trained_at is null and coalesce(a.decided_not_after <= v.version_created_at, false) as early,
           case when not a.names_approver then 'no approver' when a.verdict = 'order cannot be told' then 'which'
                when a.decided_not_before is null then 'no date'
                when a.decided_not_after <= v.trained_at then 'before training'
                when f.subject is null and not early then 'no validation'
                when f.subject is null or f.validated_not_before < a.decided_not_after or f.validated_not_before = a.decided_not_before
                then case when early then 'before registration' else 'kept' end
                -- one that stood there before it may have been overwritten unread
                when f.recorded_not_after > as_of()
                  or not coalesce(f.recorded_not_before >= a.decided_not_after or f.recorded_not_after <= a.decided_not_before, false)
                then 'overwritten' else 'before validation' end as found
    from version v join approval_verdicts a on a.subject = v.subject
    left join first f on f.subject = v.subject
)
select p.subject,
       case j.found when 'kept' then 'pass' when 'which' then 'undecided' when 'overwritten' then 'undecided'
            when 'before registration' then 'undecided' when 'no date' then 'not_evidenced'
            when 'before training' then 'fail' when 'before validation' then 'fail' else 'not_applicable' end as status,
       case j.found
            when 'no approver' then 'Nobody is recorded who could have approved {subject}: see approver-recorded'
            when 'which' then 'The approver of {subject} changed around this moment; which one stands cannot be told'
            when 'no date' then 'The approval of {subject} by {approver} bears no date that can be read'
            when 'before training' then '{subject} was approved on {approved} by {approver}, before its training ended {trained_at}'
            when 'before registration' then '{subject} was approved on {approved} by {approver}, before it was registered, {version_created_at}; '
                 || 'when its training ended is not on record'
            when 'no validation' then 'No dated validation of {subject} is recorded that its approval could have come after'
                 || case when j.older then ': see validation-covers-version' else ': see validation-recorded' end
            when 'kept' then '{subject} was validated on {validated} by {validator} and approved on {approved} by {approver}'
            else '{subject} was approved on {approved} by {approver}, before '
                 || case j.found when 'overwritten' then 'the first validation on record, of {validated} by {validator}; '
                              || 'whether an earlier one was overwritten, no reading shows'
                         else 'it was first validated, on {validated} by {validator}' end end as reason,
       case when j.found in ('no approver', 'no date') then 'none' else 'asserted' end as grade,
       case when j.found = 'no date'
            then set_tag(p.model, p.version, first_tag('approval_date', p.registry, p.workspace), '2026-08-12T14:30:00Z') end as fix,
       j.approver, coalesce(j.stated, strftime(j.decided_not_before, '%Y-%m-%d')) as approved, j.trained_at, j.version_created_at, j.validated, j.validator
from population_live_in_period p
join judged j on j.subject = p.subject
