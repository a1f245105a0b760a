/*
title = "The approval was not changed after the version went live"
severity = "high"
scope = "live_in_period"
repair = "history"
looks_for = """
Changes and removals of the version's approval tags (approver, role, date, decision, conditions) after
it went live; between two times of being live a version may be approved anew. What stood there
before the first reading or before capture is not known, and is said to be so."""
rationale = """
MLflow keeps only a tag's last value. An approval rewritten after the fact looks as good as the
one that was given, and the one that was given is gone."""
remediation = """
Find out who changed it and why; the ledger keeps both values. Record a later approval under tags
of its own, or approve a new version."""
*/
with wanted as materialized (
    select distinct applies_to, tag from governance_fields
    where field in ('approver', 'approver_role', 'approval_date', 'approval_decision',
                    'approval_conditions')
),
-- the times each version was live, and whether another followed
spell as materialized (
    select r.version_subject as subject, r.live_not_before, r.live_not_after, r.ended_not_before,
           r.ended_not_after, lead(r.live_not_before) over versions as next_not_before,
           lead(r.seq) over versions is null as last_spell
    from promotions r
    where r.version_subject in (select subject from population_live_in_period)
    window versions as (partition by r.version_subject order by r.live_not_after, r.seq)
),
first_live as materialized (
    select subject, case when count(live_not_before) = count(*) then min(live_not_before) end as not_before,
           min(live_not_after) as not_after
    from spell group by subject
),
turn as materialized (
    select split_part(c.subject, ':', 1) as subject, c.subject as tag_subject, c.item, c.change,
           c.before, c.after, c.actor, c.grade, c.changed_not_before, c.changed_not_after, c.seq,
           row_number() over (partition by c.subject order by c.observed_at, c.seq) as number
    from changes c join wanted w
      on w.tag = c.item and w.applies_to = conventions_of(c.registry, c.workspace)
    where c.kind = 'model_version_tag'
),
placed as (
    select t.seq, any_value(t.subject) as subject, any_value(t.item) as item,
           any_value(t.before) as before, any_value(t.after) as after,
           any_value(t.actor) as actor, any_value(t.grade) as grade,
           any_value(t.changed_not_before) as changed_not_before,
           any_value(t.changed_not_after) as changed_not_after,
           coalesce(bool_or(t.changed_not_after <= f.not_before)
                 or bool_or(t.changed_not_before >= s.ended_not_after
                            and t.changed_not_after <= s.next_not_before), false) as allowed,
           coalesce(bool_or(t.changed_not_before >= s.live_not_after
                            and t.changed_not_after <= as_of()
                            and (s.last_spell or t.changed_not_after <= s.ended_not_before)),
                    false) as afterwards
    from turn t join first_live f on f.subject = t.subject join spell s on s.subject = t.subject
    where t.before is not null
    group by t.seq, t.tag_subject
),
moved as (
    select subject, count(*) filter (where afterwards and not allowed) as changes,
           count(*) filter (where not afterwards and not allowed) as possible,
           min_by({'item': item, 'before': before, 'after': after, 'actor': actor, 'grade': grade,
                   'not_before': changed_not_before, 'not_after': changed_not_after},
                  (not afterwards, changed_not_after, seq)) filter (where not allowed) as worst
    from placed group by subject
),
-- since when each approval tag is known, and whether it is known not to have been there before
known as (
    select t.subject, 'turn' as how, t.before is null as from_nothing,
           coalesce(l.shown_at, t.changed_not_before) as known_since,
           case when t.before is null then t.changed_not_before end as set_not_before,
           t.changed_not_after as set_not_after
    from turn t left join (
        select subject, min(observed_at) as shown_at from ledger.log
        where kind = 'model_version_tag'
          and subject in (select tag_subject from turn where number = 1 and before is not null)
        group by subject
    ) l on l.subject = t.tag_subject
    where t.number = 1
    union all
    select k.subject, 'state', k.grade = 'captured', k.not_after, k.not_before, k.not_after
    from model_version_tags k join wanted w on w.tag = k.key
    where k.subject || ':tag:' || k.key not in (select tag_subject from turn)
),
record as (
    select k.subject, count(*) as tags,
           count(*) filter (where coalesce(k.known_since <= f.not_before, false)
                               or k.from_nothing) as whole,
           count(*) filter (where coalesce(k.set_not_before >= f.not_after
                                        and not coalesce(k.set_not_after <= f.not_before, false),
                                        false)) as later,
           max(k.known_since) as known_since
    from known k join first_live f on f.subject = k.subject
    group by k.subject
),
judged as (
    select p.*, f.not_before as live_not_before, f.not_after as live_not_after, r.tags, r.later,
           r.known_since, coalesce(m.changes, 0) as changes, coalesce(m.possible, 0) as possible,
           m.worst,
           case when m.changes > 0 then 'changed'
                when m.possible > 0 then 'open'
                when r.subject is null then 'nothing'
                when r.later = r.tags then 'later'
                when r.whole < r.tags - r.later then 'unknown before'
                else 'unchanged' end as found,
           case when f.not_before = f.not_after
                then 'at ' || strftime(f.not_after, '%Y-%m-%d %H:%M:%S.%g') || ' UTC'
                when date_trunc('second', f.not_before) = date_trunc('second', f.not_after)
                then 'at ' || strftime(f.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(f.not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(f.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as live_words
    from population_live_in_period p
    left join first_live f on f.subject = p.subject
    left join moved m on m.subject = p.subject
    left join record r on r.subject = p.subject
),
worded as (
    select *, 'the tag ' || worst.item
           || case when worst.after is null then ' (''' || left(worst.before, 80) || ''') was removed'
                   else ' was changed from ''' || left(worst.before, 80) || ''' to '''
                        || left(worst.after, 80) || '''' end
           || case when worst.not_before = worst.not_after
                   then ' at ' || strftime(worst.not_after, '%Y-%m-%d %H:%M:%S.%g') || ' UTC'
                   when date_trunc('second', worst.not_before) = date_trunc('second', worst.not_after)
                   then ' at ' || strftime(worst.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                   else ' between ' || coalesce(strftime(worst.not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                        || ' and ' || strftime(worst.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC' end
           || coalesce(' by ' || left(worst.actor, 80), '') as change_words
    from judged
)
select subject,
       case found when 'unchanged' then 'pass' when 'changed' then 'fail'
                  when 'nothing' then 'not_applicable' when 'later' then 'not_applicable'
                  else 'not_evidenced' end as status,
       case found
           when 'unchanged' then 'No change of the approval of ' || model || '/' || version
                || ' was seen since it went live ' || live_words
           when 'changed' then 'After ' || model || '/' || version || ' went live ' || live_words || ' '
                || change_words
                || case when changes > 1 then ' (the first of ' || changes || ' such changes)' else '' end
           when 'open' then case when worst.not_after > as_of()
                then 'By this moment, ' || model || '/' || version || ' having gone live ' || live_words
                     || ', it may have happened that ' || change_words
                else 'Whether the approval of ' || model || '/' || version
                || ' was changed before or after it went live ' || live_words
                || ' cannot be told: ' || change_words end
           when 'unknown before' then model || '/' || version || ' went live ' || live_words
                || '; its approval is known since '
                || coalesce(strftime(known_since, '%Y-%m-%d %H:%M') || ' UTC', 'later') || ' only, and whether it was changed in between is not known'
           when 'later' then 'The approval of ' || model || '/' || version
                || ' was first recorded after it went live ' || live_words || ', and not changed since'
           else 'No approval of ' || model || '/' || version || ' is or was on record'
       end as reason,
       case when found = 'changed' then worst.grade
            when found in ('nothing', 'unknown before') then 'none' else 'observed' end as grade,
       live_not_before, live_not_after, changes as changes_after, worst.item as tag,
       worst.before as value_before, worst.after as value_after, worst.actor as changed_by,
       worst.not_before as changed_not_before, worst.not_after as changed_not_after, known_since
from worded
