/*
title = "Overlays have a reason and an end"
finding = "An overlay has no reason or no end, or its end has passed"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
Where the field `overlays` names an adjustment of the model's output: the fields `overlay_reason` and `overlay_until`, a
day that has not passed. Where none is recorded, or words such as `none` or `no overlay`, the question does not arise; an overlay outside the model that
nobody recorded is not seen."""
rationale = """
An adjustment that is made by hand each quarter is part of the model, and nobody has validated it."""
remediation = """
Record why the overlay is applied and until when, or `none`. One that recurs belongs into the model."""
*/
with said as materialized (
    select subject, field, coalesce(value, candidates) as words, fix, is_absent(state) as absent, unnest(values_of(state, value, possible)) as value
    from field_evidence where field in ('overlays', 'overlay_reason', 'overlay_until')
),
-- each combination of what may stand there at the moment
world as (
    select o.subject, o.value as overlays, r.value as reason, u.value as until
    from said o join said r on r.subject = o.subject and r.field = 'overlay_reason'
    join said u on u.subject = o.subject and u.field = 'overlay_until'
    where o.field = 'overlays'
),
judged as (
    select *, case when overlays is null or says_none(overlays, '(manual )?(overlays?|adjustments?)') then 'none'
                   when stated_until(until) < as_of() then 'ended' when reason is null or until is null then 'incomplete'
                   when stated_day(until) is null then 'unreadable' else 'registered' end as found
    from world
),
settled as (
    select subject, settle(found, ['none', 'registered']) as found,
           bool_and(reason is null) as no_reason, bool_and(until is null) as no_end
    from judged group by subject
),
shown as (
    select subject, max(words) filter (where field = 'overlays') as overlays, bool_or(absent and field = 'overlays') as none_of_its_own,
           coalesce(max(words) filter (where field = 'overlay_reason'), 'no reason') as overlay_reason,
           coalesce(max(words) filter (where field = 'overlay_until'), 'no end') as overlay_until,
           min(fix) filter (where field <> 'overlays' and absent) as fix
    from said group by subject
)
select p.subject,
       case j.found when 'registered' then 'pass' when 'ended' then 'fail' when 'none' then 'not_applicable' when 'open' then 'undecided'
            else 'not_evidenced' end as status,
       case j.found
            when 'none' then case when s.overlays is null then 'No overlay of {subject} is recorded'
                                  when s.none_of_its_own then 'No overlay of {subject} itself is recorded; there is: ''{overlays}'''
                                  else 'It is recorded that {subject} has no overlay: {overlays}' end
            when 'open' then 'What is recorded of overlays of {subject} changed around this moment'
            when 'unreadable' then 'The end of the overlay of {subject} cannot be read: ''{overlay_until}''; wanted: 2026-12-31'
            when 'ended' then 'The overlay of {subject} ({overlays}) was to end on {overlay_until}'
            when 'registered' then 'The overlay of {subject} ({overlays}) is recorded until {overlay_until}: {overlay_reason}'
            when 'unsound' then 'The overlay of {subject} ({overlays}) has no reason or no end to come, whichever record holds at this moment: {overlay_reason}; {overlay_until}'
            else 'The overlay of {subject} ({overlays}) is recorded without '
                 || concat_ws(' and ', case when j.no_reason then 'a reason' end, case when j.no_end then 'an end' end) end as reason,
       case when j.found = 'none' then 'none' else 'asserted' end as grade,
       case when j.found in ('incomplete', 'unsound') then s.fix end as fix, s.overlays, s.overlay_reason, s.overlay_until
from population_live_version p
join settled j on j.subject = p.subject join shown s on s.subject = p.subject
