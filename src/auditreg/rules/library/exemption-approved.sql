/*
title = "An exemption was granted by somebody and has not run out"
finding = "An exemption names nobody who granted it, or no end, or has run out"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
Where the field `exemption` says that the model is exempt from rules of the firm: who granted it (`exemption_by`: a person
or a body, no service account) and until when (`exemption_until`, a day that has not passed)."""
rationale = """
An exemption without an end is a rule of its own, and one that nobody granted is none."""
remediation = """
Have the exemption granted again with an end, or drop the tag and follow the rules."""
*/
with said as (
    select subject, max(state) filter (where field = 'exemption') as state,
           max(value) filter (where field = 'exemption') as exemption,
           max(value) filter (where field = 'exemption_by' and state = 'recorded') as granted_by,
           max(value) filter (where field = 'exemption_until' and state = 'recorded') as granted_until,
           bool_or(state in ('uncertain', 'ambiguous')) as open,
           arg_min(fix, field) filter (where field <> 'exemption' and state in ('missing', 'placeholder')) as fix
    from field_evidence where field in ('exemption', 'exemption_by', 'exemption_until') group by subject
)
select p.subject,
       case when s.state in ('missing', 'placeholder') or lower(trim(s.exemption)) in ('none', 'no') then 'not_applicable'
            when s.open then 'undecided' when is_service(s.granted_by) or stated_until(s.granted_until) <= as_of() then 'fail'
            when s.granted_by is null or stated_day(s.granted_until) is null then 'not_evidenced' else 'pass' end as status,
       case when s.state in ('missing', 'placeholder') or lower(trim(s.exemption)) in ('none', 'no') then 'No exemption of {subject} is recorded'
            when s.open then 'What is recorded of an exemption of {subject} changed around this moment'
            when is_service(s.granted_by) then 'The exemption of {subject} ({exemption}) was granted by {granted_by}, a service account'
            when stated_until(s.granted_until) <= as_of() then 'The exemption of {subject} ({exemption}) ran out on {granted_until}'
            when s.granted_by is null or s.granted_until is null then 'The exemption of {subject} ({exemption}) is recorded without '
                 || concat_ws(' and ', case when s.granted_by is null then 'who granted it' end, case when s.granted_until is null then 'an end' end)
            when stated_day(s.granted_until) is null then 'The end of the exemption of {subject} cannot be read: ''{granted_until}''; wanted: 2026-12-31'
            else '{subject} is exempt ({exemption}), granted by {granted_by} until {granted_until}' end as reason,
       case when s.exemption is null then 'none' else 'asserted' end as grade,
       case when s.state = 'recorded' then s.fix end as fix, s.exemption, s.granted_by, s.granted_until
from population_live_version p
join said s on s.subject = p.subject
