/*
title = "An exemption was granted by somebody and has not run out"
finding = "An exemption names nobody who could grant it, or no end, or has run out"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
Where the field `exemption` says that the model is exempt from rules of the firm: who granted it (`exemption_by`: a person
or a body of auditreg.toml, in office when it was recorded, no service account and none of the version's developers) and until
when (`exemption_until`, a day that has not passed). Words such as `none`, `no exemption` or `not exempt` say that there is none."""
rationale = """
An exemption without an end is a rule of its own, and one that nobody granted, or the developer, is none."""
remediation = """
Have the exemption granted again with an end, or drop the tag and follow the rules."""
*/
with said as materialized (
    select subject, field, coalesce(value, candidates) as words, fix, is_absent(state) as absent, unnest(values_of(state, value, possible)) as value,
           local_day(recorded_not_before) as first_day, local_day(recorded_not_after) as last_day
    from field_evidence where field in ('exemption', 'exemption_by', 'exemption_until')
),
-- who may have granted it: in office on the last day on which it can have been recorded, perhaps before, or on no such day
granter as (
    select b.subject, b.value as granted_by, is_service(b.value) as service, person_of(b.value) as person, b.first_day, b.last_day,
           in_office(b.value, b.last_day) as in_office, b.first_day is null or bool_or(a.account is not null) as perhaps_in_office,
           bool_or(lower(trim(d.developer)) = lower(trim(b.value)) or person_of(d.developer) = person_of(b.value)) as developer
    from said b left join developers d on d.subject = b.subject
    left join people a on a.account = lower(trim(b.value)) and coalesce(a.valid_from <= b.last_day, true) and coalesce(a.valid_until >= b.first_day, true)
    where b.field = 'exemption_by' group by b.subject, b.value, b.first_day, b.last_day
),
-- each combination of what may stand there at the moment
judged as (
    select e.subject, b.granted_by, u.value as granted_until,
           case when e.value is null or says_none(e.value, 'exemptions?|waivers?') 
                     or regexp_matches(bare_words(e.value), '^not (exempt(ed)?|granted|waived)$') then 'none'
                when b.service then 'service' when b.developer then 'developer' when stated_until(u.value) < as_of() then 'ended'
                when b.granted_by is null or u.value is null then 'incomplete'
                when stated_day(u.value) is null then 'unreadable' when b.person is null then 'stranger' when b.in_office then 'granted'
                when b.perhaps_in_office then 'perhaps' else 'not in office' end as found
    from said e join granter b on b.subject = e.subject
    join said u on u.subject = e.subject and u.field = 'exemption_until'
    where e.field = 'exemption'
),
settled as (
    select subject, settle(found, ['none', 'granted', 'perhaps']) as found,
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
       case j.found when 'none' then 'not_applicable' when 'open' then 'undecided' when 'perhaps' then 'undecided' when 'service' then 'fail'
            when 'developer' then 'fail' when 'ended' then 'fail'
            when 'granted' then 'pass' else 'not_evidenced' end as status,
       case j.found
            when 'none' then case when s.exemption is null then 'No exemption of {subject} is recorded'
                                  when s.none_of_its_own then 'No exemption of {subject} itself is recorded; there is: ''{exemption}'''
                                  else 'It is recorded that {subject} has no exemption: {exemption}' end
            when 'open' then 'What is recorded of an exemption of {subject} changed around this moment'
            when 'service' then 'The exemption of {subject} ({exemption}) was granted by {granted_by}, a service account'
            when 'developer' then 'The exemption of {subject} ({exemption}) was granted by {granted_by}, who developed it'
            when 'stranger' then 'The exemption of {subject} ({exemption}) was granted by {granted_by}, who is nobody listed in auditreg.toml'
            when 'not in office' then 'The exemption of {subject} ({exemption}) is recorded as granted by {granted_by}, who was not in office when it was recorded'
            when 'perhaps' then 'Whether {granted_by} was in office when the exemption of {subject} ({exemption}) was recorded cannot be told'
            when 'ended' then 'The exemption of {subject} ({exemption}) ran out on {granted_until}'
            when 'incomplete' then 'The exemption of {subject} ({exemption}) is recorded without '
                 || concat_ws(' and ', case when j.by_nobody then 'who granted it' end, case when j.no_end then 'an end' end)
            when 'unreadable' then 'The end of the exemption of {subject} cannot be read: ''{granted_until}''; wanted: 2026-12-31'
            when 'unsound' then 'The exemption of {subject} ({exemption}) was granted by no person or body or has no end to come, whichever record holds: '
                 || '{granted_by}; {granted_until}'
            else '{subject} is exempt ({exemption}), granted by {granted_by} until {granted_until}' end as reason,
       case when s.exemption is null then 'none' else 'asserted' end as grade,
       case when j.found in ('incomplete', 'unreadable', 'unsound') then s.fix when j.found = 'stranger' then list_person(s.granted_by) end as fix,
       s.exemption, s.granted_by, s.granted_until
from population_live_version p
join settled j on j.subject = p.subject join shown s on s.subject = p.subject
