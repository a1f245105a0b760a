/*
title = "The validation is still current"
finding = "The validation is overdue"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_version"
repair = "tag"
covered_by = "validation-recorded"
looks_for = """
The validation date plus the review cadence of the model's risk rating (`[review]` in auditreg.toml), and the dates
of the next review and of the end of validity where they come earlier: a later one, by more than `tolerance_days`, does
not prolong what the rating allows. A day counts to its end in the configured time zone."""
rationale = """
Models decay: portfolios, prices and behaviour move. A validation from before the last cycle says how the model
was, not how it is."""
remediation = """
Review the model and record the new validation and next review; where the review was done, record it."""

[params]
tolerance_days = 7
*/
with asked as (
    -- two years are 730 days or 731: a next review that far beyond the cadence is the firm's calendar, not a longer cadence
    select coalesce(getvariable('tolerance_days')::VARCHAR, setting('validation-current.tolerance_days'), '7')::DOUBLE as tolerance
),
-- a day recorded elsewhere than the validation counts until a validation comes after it
beside as (
    select v.subject, e.field, e.value, e.state in ('uncertain', 'ambiguous') as open
    from validation_verdicts v join field_evidence e on e.subject = v.subject and e.field in ('next_review', 'valid_until')
    where v.about = 'version' and e.state in ('recorded', 'ambiguous', 'uncertain')
      and coalesce(e.value is null or v.verdict <> 'holds' or stated_until(e.value) > v.validated_not_before, false)
),
due as (
    select v.* exclude (next_review, valid_until, next_review_ends, valid_until_ends), a.tolerance,
           coalesce(n.value, v.next_review) as next_review, stated_until(coalesce(n.value, v.next_review)) as next_review_ends,
           coalesce(u.value, v.valid_until) as valid_until, stated_until(coalesce(u.value, v.valid_until)) as valid_until_ends,
           coalesce(n.open and v.next_review is null or u.open and v.valid_until is null, false) as open,
           lower(trim(e.value)) as risk_rating, e.state in ('uncertain', 'ambiguous') as which_rating, e.candidates as ratings, k.days as cadence_days,
           local_to_utc((local_day(v.validated_not_before) + k.days + 1)::TIMESTAMP) as cadence_ends,
           coalesce(n.value, v.next_review) is not null and stated_until(coalesce(n.value, v.next_review)) is null
               or coalesce(u.value, v.valid_until) is not null and stated_until(coalesce(u.value, v.valid_until)) is null as unreadable
    from validation_verdicts v cross join asked a
    left join beside n on n.subject = v.subject and n.field = 'next_review'
    left join beside u on u.subject = v.subject and u.field = 'valid_until'
    left join field_evidence e on e.subject = v.subject and e.field = 'risk_rating'
    left join (select substr(name, 9) as rating, try_cast(value as INTEGER) as days, applies_to
               from settings where starts_with(name, 'cadence_')) k
      on k.rating = lower(trim(e.value)) and k.applies_to = conventions_of(v.registry, v.workspace)
    where v.about = 'version'
),
judged as (
    select *, least(cadence_ends, next_review_ends, valid_until_ends) as due,
           case when verdict = 'order cannot be told' then 'which'
                when next_review_ends < as_of() then 'review overdue'
                when valid_until_ends < as_of() then 'expired'
                when verdict in ('none', 'placeholder', 'date unreadable', 'dated in the future', 'pending', 'failed')
                  or stated is null then 'no validation' when open then 'which'
                when cadence_ends < as_of() then 'cadence overdue'
                when unreadable then 'unreadable' when which_rating then 'which rating'
                when next_review_ends > days_later(cadence_ends, tolerance) then 'too far'
                when coalesce(next_review_ends, valid_until_ends, cadence_ends) is not null then 'current'
                when risk_rating is null then 'no rating'
                else 'unknown rating' end as found
    from due
)
select p.subject,
       case j.found when 'current' then 'pass' when 'no validation' then 'not_applicable' when 'which' then 'undecided' when 'which rating' then 'undecided'
            when 'review overdue' then 'fail' when 'expired' then 'fail' when 'cadence overdue' then 'fail'
            when 'too far' then 'fail' when 'unreadable' then 'not_evidenced' else 'not_applicable' end as status,
       case j.found
            when 'current' then 'The validation of {subject} of {stated} holds until {due}'
            when 'no validation' then 'No validation of {subject} with a date and a result is recorded: see validation-recorded'
            when 'which' then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            when 'which rating' then 'The rating of {subject} changed around this moment ({ratings}), and how long its validation of {stated} holds depends on it'
            when 'review overdue' then 'The next review of {subject} was due on {next_review}'
            when 'expired' then '{subject} was valid until {valid_until}'
            when 'cadence overdue' then '{subject} was validated on {stated}, more than {cadence_days} days ago, the cadence for rating {risk_rating}'
            when 'too far' then 'The next review of {subject} is set for {next_review}, more than {cadence_days} days after its '
                 || 'validation of {stated}, the cadence for rating {risk_rating}'
            when 'unreadable' then 'A date of {subject} cannot be read: ''{next_review}{valid_until}''; wanted: 2026-08-12'
            when 'no rating' then '{subject} was validated on {stated}; nothing says how long that holds: see next-review-recorded'
            else '{subject} was validated on {stated}; its rating ''{risk_rating}'' has no review cadence: see next-review-recorded'
       end as reason,
       case when j.verdict = 'none' then 'none' else 'asserted' end as grade,
       case when j.found in ('unreadable', 'too far')
            then set_tag(p.model, p.version, first_tag('next_review', p.registry, p.workspace), 'date, as 2026-08-12 without brackets') end as fix,
       j.stated, j.validator, j.next_review, j.valid_until, j.risk_rating, j.ratings, j.cadence_days, j.due, case when j.due < as_of() then j.due end as condition_since
from population_live_version p
join judged j on j.subject = p.subject
