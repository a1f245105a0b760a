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
with said as materialized (
    select subject, field, coalesce(value, candidates) as words, fix, is_absent(state) as absent, unnest(values_of(state, value, possible)) as value
    from field_evidence where field in ('exemption', 'exemption_by', 'exemption_until')
),
-- each combination of what may stand there at the moment
judged as (
    select e.subject, b.value as granted_by, u.value as granted_until,
           case when e.value is null or lower(trim(e.value)) in ('none', 'no') then 'none'
                when is_service(b.value) then 'service' when stated_until(u.value) < as_of() then 'ended'
                when b.value is null or u.value is null then 'incomplete'
                when stated_day(u.value) is null then 'unreadable' else 'granted' end as found
    from said e join said b on b.subject = e.subject and b.field = 'exemption_by'
    join said u on u.subject = e.subject and u.field = 'exemption_until'
    where e.field = 'exemption'
),
settled as (
    select subject, settle(found, ['none', 'granted']) as found,
           bool_and(granted_by is null) as by_nobody, bool_and(granted_until is null) as no_end
    from judged group by subject
),
shown as (
    select subject, max(words) filter (where field = 'exemption') as exemption, bool_or(absent and field = 'exemption') as none_of_its_own,
           coalesce(max(words) filter (where field = 'exemption_by'), 'nobody') as granted_by,
           coalesce(max(words) filter (where field = 'exemption_until'), 'no end') as granted_until,
           arg_min(fix, field) filter (where field <> 'exemption' and absent) as fix
    from said group by subject
)
select p.subject,
       case j.found when 'none' then 'not_applicable' when 'open' then 'undecided' when 'service' then 'fail' when 'ended' then 'fail'
            when 'granted' then 'pass' else 'not_evidenced' end as status,
       case j.found
            when 'none' then case when s.exemption is null then 'No exemption of {subject} is recorded'
                                  when s.none_of_its_own then 'No exemption of {subject} itself is recorded; there is: ''{exemption}'''
                                  else 'It is recorded that {subject} has no exemption: {exemption}' end
            when 'open' then 'What is recorded of an exemption of {subject} changed around this moment'
            when 'service' then 'The exemption of {subject} ({exemption}) was granted by {granted_by}, a service account'
            when 'ended' then 'The exemption of {subject} ({exemption}) ran out on {granted_until}'
            when 'incomplete' then 'The exemption of {subject} ({exemption}) is recorded without '
                 || concat_ws(' and ', case when j.by_nobody then 'who granted it' end, case when j.no_end then 'an end' end)
            when 'unreadable' then 'The end of the exemption of {subject} cannot be read: ''{granted_until}''; wanted: 2026-12-31'
            when 'unsound' then 'The exemption of {subject} ({exemption}) was granted by no person or body or has no end to come, whichever record holds: '
                 || '{granted_by}; {granted_until}'
            else '{subject} is exempt ({exemption}), granted by {granted_by} until {granted_until}' end as reason,
       case when s.exemption is null then 'none' else 'asserted' end as grade,
       case when j.found in ('incomplete', 'unreadable', 'unsound') then s.fix end as fix, s.exemption, s.granted_by, s.granted_until
from population_live_version p
join settled j on j.subject = p.subject join shown s on s.subject = p.subject
