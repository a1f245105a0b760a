/*
title = "The approver did not put the version live"
severity = "high"
scope = "promotion"
repair = "history"
looks_for = """
The user the MLflow server recorded as having moved the stage or alias, compared as a person with
the approver on record at that moment; where none was, with the one recorded since. Needs capture on
the server; accounts are put together by `[[people]]` in auditreg.toml."""
rationale = """
Who approves a version and puts it to use alone needs nobody else for either. Two people are the
control; two accounts are not."""
remediation = """
What happened cannot be changed. Let another person or the release pipeline move stages and
aliases. Where accounts are unknown, add them to `[[people]]`."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approver-not-promoter.accept_model_tags'),
                    'false')::BOOLEAN as model_tags
),
wanted as materialized (
    select g.applies_to, g.field, g.tag, k.kind, g.rank + k.further as place
    from governance_fields g, accepting c,
         (values ('model_version_tag', 0), ('registered_model_tag', 1000)) k(kind, further)
    where g.field = 'approver'
      and (k.kind = 'model_version_tag' or c.model_tags)
),
turn as materialized (
    select c.subject as tag_subject, w.field, w.tag, w.place, c.before, c.after, c.actor, c.grade,
           c.changed_not_before, c.changed_not_after,
           row_number() over turns as number,
           lead(c.changed_not_before) over turns as until_not_before,
           lead(c.changed_not_after) over turns as until_not_after
    from changes c join wanted w
      on w.tag = c.item and w.kind = c.kind and w.applies_to = conventions_of(c.registry, c.workspace)
    window turns as (partition by c.subject, w.field order by c.observed_at, c.seq)
),
-- when a reading first showed what stood there before the first change
first_shown as (
    select subject, min(observed_at) as shown_at
    from ledger.log
    where kind in ('model_version_tag', 'registered_model_tag')
      and subject in (select tag_subject from turn where number = 1 and before is not null)
    group by subject
),
-- every value a tag had, with the bounds of when it was set and replaced
stood as (
    select tag_subject, field, tag, place, after as value, actor, grade,
           changed_not_before as set_not_before, changed_not_after as set_not_after,
           until_not_before, until_not_after
    from turn where after is not null
    union all
    select t.tag_subject, t.field, t.tag, t.place, t.before, null, 'observed', null,
           coalesce(least(s.shown_at, t.changed_not_before), t.changed_not_after),
           t.changed_not_before, t.changed_not_after
    from turn t left join first_shown s on s.subject = t.tag_subject
    where t.number = 1 and t.before is not null
    union all
    select k.subject, w.field, k.key, w.place, k.value, k.actor, k.grade, k.not_before, k.not_after,
           null, null
    from (
        select 'model_version_tag' as kind, subject || ':tag:' || key as subject, registry, workspace,
               key, value, actor, grade, not_before, not_after
        from model_version_tags
        union all
        select 'registered_model_tag', model_subject || ':tag:' || key, registry, workspace, key, value,
               actor, grade, not_before, not_after
        from registered_model_tags
    ) k join wanted w
      on w.tag = k.key and w.kind = k.kind and w.applies_to = conventions_of(k.registry, k.workspace)
    where k.subject not in (select tag_subject from turn)
),
owned as materialized (
    select *, split_part(tag_subject, ':', 1) as owner from stood where trim(value) <> ''
),
went_live as materialized (
    select p.*, r.version_subject, r.model_subject, r.live_via, r.live_not_before,
           r.live_not_after, r.actor, r.actor_from, r.grade
    from population_promotion p join promotions r on r.subject = p.subject
),
beside as (
    select p.subject, o.* exclude (owner),
           coalesce(o.set_not_after <= p.live_not_before, false) as set_before,
           coalesce(o.set_not_before >= p.live_not_after, false) as set_after,
           coalesce(o.until_not_after <= p.live_not_before, false) as replaced_before,
           o.until_not_after is null
               or coalesce(o.until_not_before >= p.live_not_after, false) as replaced_after
    from went_live p join owned o on o.owner = p.version_subject
    union all
    select p.subject, o.* exclude (owner),
           coalesce(o.set_not_after <= p.live_not_before, false),
           coalesce(o.set_not_before >= p.live_not_after, false),
           coalesce(o.until_not_after <= p.live_not_before, false),
           o.until_not_after is null
               or coalesce(o.until_not_before >= p.live_not_after, false)
    from went_live p join owned o on o.owner = p.model_subject
),
ranked as (
    select *, min(place) filter (where surely) over (partition by subject) as sure_place,
           bool_or(possibly) over (partition by subject) as stood_then
    from (
        select *, set_before and replaced_after and not replaced_before as surely,
               (set_before or not set_after) and not replaced_before as possibly
        from beside
    )
),
-- whoever may have been the approver then; of a version approved later, whoever was named later
candidate as materialized (
    select distinct subject, value, stood_then
    from ranked
    where case when stood_then then possibly and (sure_place is null or place <= sure_place)
               else set_after and not set_before end
),
spelling as materialized (
    select value, lower(trim(value)) as plain, person_of(value) as person,
           is_service(value) as service
    from (select value from candidate union select actor from went_live where actor is not null)
),
compared as (
    select p.*, a.person as actor_person, a.service as actor_service, c.stood_then,
           count(c.value) as approvers,
           count(c.value) filter (where s.plain = a.plain or s.person = a.person) as same,
           count(c.value) filter (where s.service) as services,
           count(c.value) filter (where s.person is null) as strangers,
           string_agg(c.value, ' or ' order by c.value) as approver,
           string_agg(c.value, ', ' order by c.value) filter (where s.person is null) as unknown
    from went_live p
    left join candidate c on c.subject = p.subject
    left join spelling s on s.value = c.value
    left join spelling a on a.value = p.actor
    group by all
),
judged as (
    select *,
           case when approvers > 0 and services = approvers then 'service'
                when approvers = 0 then 'no approver'
                when grade <> 'captured' then 'not captured'
                when actor is null then 'nobody'
                when same = approvers then 'same'
                when same > 0 or services > 0 then 'open'
                when actor_person is null then 'unknown promoter'
                when strangers > 0 then 'unknown approver'
                else 'other' end as found,
           case when date_trunc('second', live_not_before) = date_trunc('second', live_not_after)
                then 'at ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(live_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as live_words,
           case actor_from when 'program' then ', as the program that changed it said'
                else '' end as how,
           case when stood_then then 'approved by ' else 'approved later by ' end as approved
    from compared
)
select subject,
       case when found = 'other' then 'pass' when found in ('same', 'service') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'other' then left(actor, 80) || ' put ' || model || '/' || version || ' live ' || live_words
                || how || '; it was ' || approved || left(approver, 100)
           when 'same' then left(actor, 80) || ' put ' || model || '/' || version || ' live ' || live_words
                || how || ', and it was ' || approved || left(approver, 100)
                || case when lower(trim(actor)) = lower(trim(approver)) then ''
                        else ', the same person' end
           when 'service' then 'The approver of ' || model || '/' || version || ' is ''' || left(approver, 80)
                || ''', a service account, which never approves'
           when 'open' then left(actor, 80) || ' put ' || model || '/' || version || ' live ' || live_words
                || how || '; whose approval stood on it then cannot be told: ' || left(approver, 200)
           when 'unknown promoter' then '''' || left(actor, 80) || ''', who put ' || model || '/' || version
                || ' live ' || live_words || how || ', is no person listed in auditreg.toml; it was '
                || approved || left(approver, 100)
           when 'unknown approver' then left(actor, 80) || ' put ' || model || '/' || version || ' live '
                || live_words || how || '; its approver ''' || left(unknown, 100)
                || ''' is no person listed in auditreg.toml'
           when 'nobody' then 'The server recorded that ' || model || '/' || version || ' went live '
                || live_words || ', but not by whom: the request bore no authenticated user'
           when 'not captured' then 'Who put ' || model || '/' || version || ' live ' || live_words
                || ' is not recorded: no journal of the MLflow server holds that change'
           else 'No approver of ' || model || '/' || version || ' is on record to compare with '
                || case when actor is null then 'whoever' else left(actor, 80) || ', who' end
                || ' put it live ' || live_words
       end as reason,
       case when found in ('no approver', 'not captured') then 'none'
            when found = 'service' then 'asserted'
            when actor_from = 'program' then 'asserted' else grade end as grade,
       case when found in ('unknown promoter', 'unknown approver')
            then 'auditreg.toml: [[people]] id = "<person>", accounts = ['
                 || to_json(case found when 'unknown promoter' then actor else unknown end)::VARCHAR
                 || ']'
       end as fix,
       version_subject, live_via, live_not_before, live_not_after, actor as moved_by,
       actor_person as moved_by_person, actor_from, approver
from judged
