/*
title = "The approval was on record when the version went live"
severity = "high"
scope = "promotion"
repair = "history"
looks_for = """
The approver's tag on the version at the moment it went live, from the history of the tag: when it
was set, changed and removed, as the server recorded it or as readings bound it. A decision such as
`rejected` that stood there then contradicts. `approval-precedes-live` judges the date people wrote;
this rule judges when they wrote it."""
rationale = """
A date can be written afterwards. That the approval itself stood in the registry before the
version was used shows that the control came first."""
remediation = """
What happened cannot be changed. Have approvals set before a version is moved, and the MLflow
server under capture, so that both moments are known to the millisecond."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approval-recorded-at-promotion.accept_model_tags'),
                    'false')::BOOLEAN as model_tags
),
wanted as materialized (
    select g.applies_to, g.field, g.tag, k.kind, g.rank + k.further as place
    from governance_fields g, accepting c,
         (values ('model_version_tag', 0), ('registered_model_tag', 1000)) k(kind, further)
    where g.field in ('approver', 'approval_decision')
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
           r.live_not_after, r.actor as moved_by, r.grade as live_grade
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
held as materialized (
    select *, set_before and replaced_after and not replaced_before as surely,
           (set_before or not set_after) and not replaced_before as possibly
    from beside
),
ranked as (
    select *, min(place) filter (where surely) over (partition by subject, field) as sure_place
    from held
),
best as materialized (
    select subject, field, count(*) filter (where possibly) > 0 as possible,
           coalesce(bool_or(surely) and count(distinct value) filter (where possibly) = 1, false)
               as sure,
           coalesce(bool_or(surely), false) as something_sure,
           count(distinct value) filter (where possibly) as many,
           min_by({'value': value, 'grade': grade, 'actor': actor,
                   'set_not_before': set_not_before, 'set_not_after': set_not_after},
                  (place, not surely, set_not_after, value)) filter (where possibly) as first,
           string_agg(distinct value, ' or ' order by value) filter (where possibly) as candidates
    from ranked
    where sure_place is null or place <= sure_place
    group by subject, field
),
-- what was set afterwards, the earliest
late as (
    select subject, min_by({'value': value, 'grade': grade, 'actor': actor,
                            'set_not_before': set_not_before, 'set_not_after': set_not_after},
                           (set_not_after, place, value)) as first
    from held where field = 'approver' and set_after and not set_before
    group by subject
),
services as (
    select value, is_service(value) as service
    from (select distinct first.value as value from best where field = 'approver')
),
joined as (
    select p.*, a.first.value as approver, a.candidates, a.first.grade as approver_grade,
           a.first.actor as set_by,
           case when a.possible then a.first.set_not_before else l.first.set_not_before end
               as set_not_before,
           case when a.possible then a.first.set_not_after else l.first.set_not_after end
               as set_not_after,
           coalesce(a.sure, false) as sure, coalesce(a.possible, false) as possible,
           coalesce(a.something_sure, false) as something_sure, a.many,
           d.first.value as decision, coalesce(d.sure, true) as decision_sure, d.possible as decided,
           d.candidates as decisions,
           coalesce(lower(trim(d.first.value)) in ('rejected', 'reject', 'declined', 'denied', 'refused', 'withdrawn', 'revoked', 'not approved', 'no', 'false'), false) as rejected,
           coalesce(lower(trim(d.first.value)) in ('pending', 'requested', 'open', 'draft', 'in review', 'submitted', 'to be approved'), false) as pending,
           coalesce(s.service, false) as service,
           l.first.value as late_approver, l.first.actor as late_by,
           l.first.grade as late_grade
    from went_live p
    left join best a on a.subject = p.subject and a.field = 'approver'
    left join best d on d.subject = p.subject and d.field = 'approval_decision'
    left join late l on l.subject = p.subject
    left join services s on s.value = a.first.value
),
judged as (
    select *,
           case when decided and decision_sure and rejected then 'rejected'
                when not possible and late_approver is not null then 'late'
                when not possible then 'never'
                when not sure and (something_sure or many > 1) then 'which'
                when not sure then 'open'
                when decided and not decision_sure then 'open decision'
                when service then 'service'
                when regexp_matches(lower(trim(approver)),
                                    '^(tbd|tbc|todo|n/?a|none|null|nil|unknown|unassigned|pending|true|yes|ok|approved|x+|-+|\?+|\.+|<.*>)$')
                     then 'placeholder'
                when decided and pending then 'pending'
                else 'recorded' end as found,
           case when live_not_before = live_not_after
                then 'at ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S.%g') || ' UTC'
                when date_trunc('second', live_not_before) = date_trunc('second', live_not_after)
                then 'at ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(live_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as live_words,
           case when set_not_before = set_not_after
                then 'at ' || strftime(set_not_after, '%Y-%m-%d %H:%M:%S.%g') || ' UTC'
                when date_trunc('second', set_not_before) = date_trunc('second', set_not_after)
                then 'at ' || strftime(set_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(set_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(set_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as set_words
    from joined
)
select subject,
       case when found = 'recorded' then 'pass'
            when found in ('rejected', 'late', 'service') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'recorded' then 'When ' || model || '/' || version || ' went live ' || live_words
                || ' its approval by ' || left(approver, 100) || ' was on record, set ' || set_words
           when 'rejected' then 'When ' || model || '/' || version || ' went live ' || live_words
                || ' the approval decision on record was ''' || left(decision, 80) || ''''
           when 'late' then model || '/' || version || ' went live ' || live_words
                || ' without an approval on record; the approver ''' || left(late_approver, 80)
                || ''' was recorded only afterwards, ' || set_words
                || coalesce(', by ' || left(late_by, 80), '')
           when 'service' then 'When ' || model || '/' || version || ' went live ' || live_words
                || ' its approver on record was ''' || left(approver, 80)
                || ''', a service account; only a person can approve'
           when 'placeholder' then 'When ' || model || '/' || version || ' went live ' || live_words
                || ' its approver was given as ''' || left(approver, 80) || ''', which names nobody'
           when 'pending' then 'When ' || model || '/' || version || ' went live ' || live_words
                || ' the approval decision on record was ''' || left(decision, 80) || ''''
           when 'open decision' then 'Which approval decision stood on ' || model || '/' || version
                || ' when it went live ' || live_words || ' cannot be told: '
                || left(decisions, 200)
           when 'which' then 'Whose approval stood on ' || model || '/' || version
                || case when something_sure then '' else ', if any,' end || ' when it went live ' || live_words || ' cannot be told: ' || left(candidates, 200)
           when 'open' then 'Whether an approval of ' || model || '/' || version
                || ' was on record when it went live cannot be told: it went live ' || live_words
                || ', and the approver ''' || left(candidates, 200) || ''' was recorded ' || set_words
           else model || '/' || version || ' went live ' || live_words || ' (' || live_via
                || ') and no approver stood on it then'
       end as reason,
       case when found = 'never' then 'none'
            when live_grade = 'captured' and coalesce(approver_grade, late_grade) = 'captured'
            then 'captured' else 'observed' end as grade,
       version_subject, live_via, live_not_before, live_not_after, moved_by,
       coalesce(approver, late_approver) as approver, candidates,
       set_not_before, set_not_after, coalesce(set_by, late_by) as set_by, decision
from judged
