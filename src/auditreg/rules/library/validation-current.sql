/*
title = "The validation is still current"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The dates of the next review and of the end of validity; where neither is recorded, the
validation date plus the review cadence of the model's risk rating (`[review]` in
auditreg.toml). A day counts to its end in the configured time zone."""
rationale = """
Models decay: portfolios, prices and behaviour move. A validation from before the last cycle
says how the model was, not how it is."""
remediation = """
Review the model and record the new validation and next review; where the review was done,
record it."""
*/
with best as (
    select subject, field, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade, min(not_before) as recorded_not_before,
           max(not_after) as recorded_not_after,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field in ('validation_date', 'next_review', 'valid_until', 'risk_rating') and rank = 1
    group by subject, field
),
given as (select subject, field, value from best where field <> 'risk_rating'),
split as (
    -- a day, or a day with a time; nothing else is read
    select subject, field, value,
           regexp_extract(trim(value),
               '^(\d\d\d\d-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?$',
               ['day', 'clock', 'zone']) as part
    from given
),
walled as (
    select subject, field, value, part.clock as clock, part.zone as zone, try_cast(part.day as DATE) as day,
           try_cast(part.day || ' ' || case length(part.clock) when 0 then '00:00:00'
                                            when 5 then part.clock || ':00'
                                            else part.clock end as TIMESTAMP) as wall
    from split
),
-- a day is the whole local day: from its first instant to the first of the next
moment as (
    select subject, field, value, day, wall is not null as readable,
           case when zone = 'Z' then wall
                when zone <> '' then wall - to_minutes((left(zone, 1) || '1')::INTEGER
                     * (substr(zone, 2, 2)::INTEGER * 60 + right(zone, 2)::INTEGER))
                else timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'), wall))
           end as starts,
           case when clock = ''
                then timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'),
                                              (day + 1)::TIMESTAMP))
                when zone = 'Z' then wall
                when zone <> '' then wall - to_minutes((left(zone, 1) || '1')::INTEGER
                     * (substr(zone, 2, 2)::INTEGER * 60 + right(zone, 2)::INTEGER))
                else timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'), wall))
           end as ends
    from walled
),
wide as (
    select b.subject,
           max(b.value) filter (where b.field = 'validation_date') as validation_date,
           max(b.value) filter (where b.field = 'next_review') as next_review,
           max(b.value) filter (where b.field = 'valid_until') as valid_until,
           max(lower(trim(b.value))) filter (where b.field = 'risk_rating') as risk_rating,
           max(m.day) filter (where b.field = 'validation_date') as validated,
           max(m.ends) filter (where b.field = 'next_review') as review_ends,
           max(m.ends) filter (where b.field = 'valid_until') as valid_ends,
           bool_or(b.open and b.field <> 'risk_rating') as dates_open,
           bool_or(b.open and b.field = 'risk_rating') as rating_open,
           string_agg(b.field || ': ' || b.candidates, '; ' order by b.field) filter (where b.open)
               as candidates,
           string_agg(replace(b.field, '_', ' ') || ' ''' || left(b.value, 80) || '''', ', ' order by b.field)
               filter (where not m.readable) as unreadable
    from best b
    left join moment m on m.subject = b.subject and m.field = b.field
    group by b.subject
),
cadence as (
    select substr(name, 9) as rating, try_cast(value as INTEGER) as days, applies_to
    from settings where starts_with(name, 'cadence_')
),
due as (
    select p.*, w.* exclude (subject), k.days,
           timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'),
                    (w.validated + k.days + 1)::TIMESTAMP)) as cadence_ends
    from population_live_version p
    left join wide w on w.subject = p.subject
    left join cadence k
      on k.rating = w.risk_rating and k.applies_to = conventions_of(p.registry, p.workspace)
),
judged as (
    select *,
           case when dates_open then 'uncertain'
                when review_ends <= as_of() then 'review overdue'
                when valid_ends <= as_of() then 'expired'
                when unreadable is not null then 'unreadable'
                when validation_date is null then 'never'
                when review_ends is not null or valid_ends is not null then 'current'
                when rating_open then 'uncertain'
                when risk_rating is null then 'no rating'
                when days is null then 'unknown rating'
                when cadence_ends <= as_of() then 'cadence overdue'
                else 'current by cadence' end as found
    from due
)
select subject,
       case when found in ('current', 'current by cadence') then 'pass'
            when found in ('review overdue', 'expired', 'cadence overdue') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'current' then 'The validation of ' || model || '/' || version || ' of '
                || trim(validation_date) || ' holds until '
                || trim(case when valid_ends < review_ends or review_ends is null
                             then valid_until else next_review end)
           when 'current by cadence' then 'The validation of ' || model || '/' || version || ' of '
                || trim(validation_date) || ' is within ' || days || ' days, the cadence for rating '
                || risk_rating
           when 'review overdue' then 'The next review of ' || model || '/' || version
                || ' was due on ' || trim(next_review)
           when 'expired' then model || '/' || version || ' was valid until ' || trim(valid_until)
           when 'cadence overdue' then model || '/' || version || ' was last validated on '
                || trim(validation_date) || ', more than ' || days
                || ' days ago, the cadence for rating ' || risk_rating
           when 'unreadable' then 'Dates of ' || model || '/' || version || ' cannot be read: '
                || unreadable || '; wanted: 2026-08-12'
           when 'never' then case when next_review is null and valid_until is null
                then 'No validation of ' || model || '/' || version || ' is recorded, and no next review'
                else 'A next review of ' || model || '/' || version
                     || ' is planned, but no validation is recorded' end
           when 'no rating' then model || '/' || version || ' was validated on ' || trim(validation_date)
                || '; neither a next review nor a risk rating says how long that holds'
           when 'unknown rating' then model || '/' || version || ' was validated on '
                || trim(validation_date) || '; its rating ''' || left(risk_rating, 80)
                || ''' has no review cadence, and no next review is recorded'
           else 'How long the validation of ' || model || '/' || version
                || ' holds is uncertain at this moment: ' || left(candidates, 300)
       end as reason,
       case when validation_date is null and next_review is null and valid_until is null then 'none'
            else 'asserted' end as grade,
       case when found in ('never', 'no rating', 'unknown rating', 'unreadable')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce((select arg_min(tag, rank) from governance_fields
                     where field = case found when 'never' then 'validation_date' else 'next_review' end
                       and applies_to = conventions_of(registry, workspace)),
                     'gov.validation.next_due'))::VARCHAR || ', "<2026-08-12>")' end as fix,
       validation_date, next_review, valid_until, risk_rating, days as cadence_days, candidates
from judged
