/*
title = "Overlays have a reason and an end"
finding = "An overlay has no reason or no end, or its end has passed"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
Where the field `overlays` names an adjustment of the model's output: the fields `overlay_reason` and `overlay_until`, a
day that has not passed. Where none is recorded, or `none`, the question does not arise; an overlay outside the model that
nobody recorded is not seen."""
rationale = """
An adjustment that is made by hand each quarter is part of the model, and nobody has validated it."""
remediation = """
Record why the overlay is applied and until when, or `none`. One that recurs belongs into the model."""
*/
with said as (
    select subject, max(state) filter (where field = 'overlays') as state,
           max(value) filter (where field = 'overlays' and state = 'recorded') as overlays,
           max(value) filter (where field = 'overlay_reason' and state = 'recorded') as overlay_reason,
           max(value) filter (where field = 'overlay_until' and state = 'recorded') as overlay_until,
           bool_or(state in ('uncertain', 'ambiguous')) as open,
           min(fix) filter (where field <> 'overlays' and state in ('missing', 'placeholder')) as fix
    from field_evidence where field in ('overlays', 'overlay_reason', 'overlay_until') group by subject
),
judged as (
    select s.*, case when s.state in ('missing', 'placeholder') or lower(trim(s.overlays)) in ('none', 'no', '0') then 'none'
                     when s.open then 'open' when s.overlay_reason is null and s.overlay_until is null then 'a reason and an end'
                     when s.overlay_reason is null then 'a reason' when s.overlay_until is null then 'an end'
                     when stated_day(s.overlay_until) is null then 'unreadable' when stated_until(s.overlay_until) <= as_of() then 'ended'
                     else 'registered' end as found
    from said s
)
select p.subject,
       case j.found when 'registered' then 'pass' when 'ended' then 'fail' when 'none' then 'not_applicable' when 'open' then 'undecided'
            else 'not_evidenced' end as status,
       case j.found
            when 'none' then case when j.overlays is null then 'No overlay of {subject} is recorded' else 'It is recorded that {subject} has no overlay: {overlays}' end
            when 'open' then 'What is recorded of overlays of {subject} changed around this moment'
            when 'unreadable' then 'The end of the overlay of {subject} cannot be read: ''{overlay_until}''; wanted: 2026-12-31'
            when 'ended' then 'The overlay of {subject} ({overlays}) was to end on {overlay_until}'
            when 'registered' then 'The overlay of {subject} ({overlays}) is recorded until {overlay_until}: {overlay_reason}'
            else 'The overlay of {subject} ({overlays}) is recorded without ' || j.found end as reason,
       case when j.found = 'none' then 'none' else 'asserted' end as grade,
       case when j.found in ('a reason', 'an end', 'a reason and an end') then j.fix end as fix, j.overlays, j.overlay_reason, j.overlay_until
from population_live_version p
join judged j on j.subject = p.subject
