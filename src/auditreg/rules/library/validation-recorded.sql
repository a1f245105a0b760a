/*
title = "A validation is recorded"
finding = "No validation is recorded"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_in_period"
repair = "tag"
looks_for = """
Date, validator and result of a validation (fields `validation_date`, `reviewer`, `validation_result`) that stand
together, on the version or on its model. A result such as `failed` contradicts, and a date after the moment that
is judged. A result is read strictly: words that leave a doubt whether it passed show no result.
docs/fields.md lists the words that are read, and `[decisions]` in auditreg.toml the firm's own."""
rationale = """
An independent look at a model before and during its use is the centre of model risk management; a date without a
result, or a result without a name, shows none."""
remediation = """
Record the three together when the validation ends. They may stand on the registered model where a validation
covers all its versions until the next."""
*/
select p.subject,
       case v.verdict when 'holds' then 'pass' when 'failed' then 'fail' when 'dated in the future' then 'fail'
            when 'order cannot be told' then 'undecided' else 'not_evidenced' end as status,
       case v.verdict
            when 'holds' then '{subject} was validated on {stated} by {validator}: {result}'
            when 'failed' then 'The recorded validation of {subject} has the result ''{result}'', and it was in use'
            when 'dated in the future' then 'The validation date of {subject} is {stated}, after the moment judged'
            when 'date unreadable' then 'The validation date of {subject} cannot be read: ''{stated}''; wanted: 2026-08-12'
            when 'order cannot be told' then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            when 'pending' then 'The recorded validation of {subject} has the result ''{result}'''
                 || case when v.words = 'unreadable' then ', which does not say whether it passed' else '' end
            when 'placeholder' then 'The validator of {subject} is given as ''{validator}'', which names no person'
            when 'incomplete' then 'The validation of {subject} is recorded without '
                 || concat_ws(' and ', case when v.stated is null then 'a date' end,
                              case when v.validator is null then 'a validator' end,
                              case when v.result is null then 'a result' end)
            else 'No validation of {subject} is recorded' end as reason,
       case when v.verdict = 'none' then 'none' else 'asserted' end as grade,
       case when v.words = 'unreadable'
            then set_tag(p.model, p.version, first_tag('validation_result', p.registry, p.workspace), 'passed, passed with findings, failed or pending')
            when v.verdict in ('holds', 'failed', 'pending', 'order cannot be told') then null
            when v.stated is null or v.verdict in ('date unreadable', 'dated in the future')
            then set_tag(p.model, p.version, first_tag('validation_date', p.registry, p.workspace), 'date, as 2026-08-12 without brackets')
            when v.validator is null or v.verdict = 'placeholder'
            then set_tag(p.model, p.version, first_tag('reviewer', p.registry, p.workspace), 'account of the validator')
            else set_tag(p.model, p.version, first_tag('validation_result', p.registry, p.workspace), 'result') end as fix,
       v.stated, v.validator, v.result, v.source
from population_live_in_period p
join (select *, case when verdict = 'pending' then decision_of(result) end as words from validation_verdicts) v on v.subject = p.subject
