/*
title = "The approval was set by the approver"
severity = "high"
scope = "live_version"
repair = "history"
looks_for = """
The user the MLflow server recorded as having set the approver's tag, compared as a person with the
approver the tag names. Needs capture on the server; accounts are put together by `[[people]]` in
auditreg.toml. A service account that sets an approval contradicts, whomever it names."""
rationale = """
Anyone who may write a tag may write any name into it. An approval that somebody else recorded
is that person's word for it, and may be forged."""
remediation = """
Have the approver set the tag with an account of their own, or keep the approval where it was given
and refer to it. Where accounts are unknown, add them to `[[people]]`."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approval-set-by-approver.accept_model_tags'),
                    'false')::BOOLEAN as model_tags
),
approver as (
    select subject, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field = 'approver' and rank = 1
    group by subject
),
-- who set the tag that counts; a value that was there before capture has no author
written as (
    select a.subject, max(t.grade) as grade, max(t.actor) as actor, max(t.seq) as seq,
           max(t.not_after) as set_at
    from approver a join model_version_tags t on t.subject = a.subject and t.key = a.tag
    where a.found_in = 'version tag' and not a.open
    group by a.subject
    union all
    select a.subject, max(t.grade), max(t.actor), max(t.seq), max(t.not_after)
    from approver a
    join registered_model_tags t on t.model_subject = split_part(a.subject, '/', 1) and t.key = a.tag
    where a.found_in = 'model tag' and not a.open
    group by a.subject
),
-- every spelling once: whom it stands for
spelling as (
    select value, lower(trim(value)) as plain, person_of(value) as person,
           is_service(value) as service
    from (select value from approver union select actor from written where actor is not null)
),
compared as (
    select p.*, a.value as approver, a.found_in, a.tag, a.open, a.candidates, w.grade, w.set_at,
           w.actor, j.actor_from, j.claimed, j.request, s.person as approver_person,
           s.service as approver_service, t.person as actor_person, t.service as actor_service,
           s.plain = t.plain as same_spelling, s.person = t.person as same_person, c.model_tags
    from population_live_version p
    cross join accepting c
    left join approver a on a.subject = p.subject
    left join written w on w.subject = p.subject
    left join journal j on j.seq = w.seq and w.grade = 'captured'
    left join spelling s on s.value = a.value
    left join spelling t on t.value = w.actor
),
judged as (
    select *,
           case when approver is null then 'no approval'
                when open then 'uncertain'
                when found_in = 'model tag' and not model_tags then 'model only'
                when grade is distinct from 'captured' then 'not captured'
                when actor is null then 'nobody'
                when actor_service then 'service'
                when approver_service then 'service approver'
                when same_spelling or same_person then 'same'
                when actor_person is null then 'unknown actor'
                when approver_person is null then 'unknown approver'
                else 'other' end as found,
           case actor_from when 'program' then ', as the program that changed it said'
                else '' end as how
    from compared
)
select subject,
       case when found = 'same' then 'pass'
            when found in ('other', 'service', 'service approver') then 'fail'
            when found in ('no approval', 'model only') then 'not_applicable'
            else 'not_evidenced' end as status,
       case found
           when 'same' then 'The approver of ' || model || '/' || version || ', ' || left(approver, 80)
                || ', set the tag ' || tag || case when same_spelling then '' else ' as ' || left(actor, 80) end
                || how || ', on ' || strftime(set_at, '%Y-%m-%d %H:%M:%S') || ' UTC'
           when 'other' then 'The approver named on ' || model || '/' || version || ' is '
                || left(approver, 80) || ', but ' || left(actor, 80) || ' set the tag ' || tag || how
                || ', on ' || strftime(set_at, '%Y-%m-%d %H:%M:%S') || ' UTC'
           when 'service' then 'The service account ''' || left(actor, 80) || ''' recorded '
                || left(approver, 80) || ' as approver of ' || model || '/' || version || how || ', on '
                || strftime(set_at, '%Y-%m-%d %H:%M:%S') || ' UTC; a service account never approves'
           when 'service approver' then 'The approver named on ' || model || '/' || version || ' is '''
                || left(approver, 80) || ''', a service account, which never approves'
           when 'unknown actor' then 'The approver named on ' || model || '/' || version || ' is '
                || left(approver, 80) || '; ''' || left(actor, 80) || ''', who set the tag ' || tag
                || how || ', is no person listed in auditreg.toml'
           when 'unknown approver' then 'The approver ''' || left(approver, 80) || ''' of ' || model || '/'
                || version || ' is no person listed in auditreg.toml; ' || left(actor, 80)
                || ' set the tag ' || tag || how
           when 'nobody' then 'The server recorded when the tag ' || tag || ' of ' || model || '/' || version
                || ' was set, but not by whom: the request bore no authenticated user'
                || coalesce('; it claimed to be ''' || left(claimed, 80) || '''', '')
           when 'not captured' then 'Who named ' || left(approver, 80) || ' as approver of ' || model || '/'
                || version || ' is not recorded: no journal of the MLflow server holds that change'
           when 'uncertain' then 'The approver of ' || model || '/' || version
                || ' at this moment is uncertain: ' || left(candidates, 300)
           when 'model only' then 'The approver ''' || left(approver, 80) || ''' is recorded on model '
                || model || ' only: no approval of version ' || version || ' has an author to compare'
           else 'No approver is recorded on ' || model || '/' || version
                || ', so no record of an approval has an author to compare'
       end as reason,
       case when found in ('no approval', 'model only', 'uncertain', 'not captured') then 'none'
            when actor_from = 'program' then 'asserted' else 'captured' end as grade,
       case when found in ('unknown actor', 'unknown approver')
            then 'auditreg.toml: [[people]] id = "<person>", accounts = ['
                 || to_json(case found when 'unknown actor' then actor else approver end)::VARCHAR || ']'
       end as fix,
       approver, approver_person, tag, actor as set_by, actor_person as set_by_person, actor_from,
       claimed, case when grade = 'captured' then set_at end as set_at, request, candidates
from judged
