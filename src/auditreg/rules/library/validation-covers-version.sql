/*
title = "The validation is of this version"
finding = "The validation is older than the version"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_in_period"
repair = "tag"
covered_by = "validation-recorded"
looks_for = """
The date of the validation compared with the end of the version's training run, and with the registration of the
version where the validation is recorded for its model. A day means the whole local day."""
rationale = """
A validation from before the model was trained has looked at another model."""
remediation = """
Validate the version that is in use and record it on that version."""
*/
select p.subject,
       case when v.verdict in ('none', 'incomplete', 'placeholder', 'date unreadable', 'dated in the future', 'pending', 'failed')
            then 'not_applicable'
            when v.verdict = 'order cannot be told' then 'undecided'
            when v.coverage = 'older' then 'fail' when v.coverage in ('covers', 'same day') then 'pass'
            else 'not_evidenced' end as status,
       case when v.verdict in ('none', 'incomplete', 'placeholder', 'date unreadable', 'dated in the future', 'pending', 'failed')
            then 'No validation of {subject} with a date and a result is recorded: see validation-recorded'
            when v.verdict = 'order cannot be told'
            then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            when v.coverage = 'older' and v.source = 'model tag'
            then 'The validation recorded for the model of {subject} ({stated}) is older than the version, registered {version_created_at}'
            when v.coverage = 'older' then 'The validation of {subject} ({stated}) is older than its training, which ended {trained_at}'
            when v.coverage = 'covers' then '{subject} was validated on {stated}, after it was made'
            when v.coverage = 'same day' then '{subject} was validated on {stated}, the day it was made'
            else 'When {subject} was made is not recorded, so whether its validation of {stated} covers it cannot be told' end as reason,
       case when v.verdict = 'none' then 'none' else 'asserted' end as grade,
       v.stated, v.validator, v.source, v.version_created_at, v.trained_at, v.coverage
from population_live_in_period p
join validation_verdicts v on v.subject = p.subject
