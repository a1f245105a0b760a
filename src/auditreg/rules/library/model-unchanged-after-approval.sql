/*
title = "The model files did not change after the approval"
severity = "high"
scope = "live_version"
repair = "history"
looks_for = """
The SHA-256 of the version's MLmodel file, which holds the signature, in every reading since the
approval: since the approver's tag was set where the server recorded that, else since the date
stated, else since a reading first showed the tag. What changed before the files were first read is
not known, and is said to be so."""
rationale = """
A registry points at files; it does not guard them. Whoever can write to the store can put
another model where the approved one was, and nothing in MLflow changes."""
remediation = """
Find out who replaced the files. Register the changed model as a new version and have that one
approved; keep model stores write-once."""
*/
with best as (
    select subject, field, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field in ('approver', 'approval_date') and rank = 1 and found_in = 'version tag'
    group by subject, field
),
given as (select distinct subject, value from best where field = 'approval_date'),
split as (
    -- a day, or a day with a time; nothing else is read
    select subject, value,
           regexp_extract(trim(value),
               '^(\d\d\d\d-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?$',
               ['day', 'clock', 'zone']) as part
    from given
),
walled as (
    select subject, value, part.clock as clock, part.zone as zone, try_cast(part.day as DATE) as day,
           try_cast(part.day || ' ' || case length(part.clock) when 0 then '00:00:00'
                                            when 5 then part.clock || ':00'
                                            else part.clock end as TIMESTAMP) as wall
    from split
),
-- a day is the whole local day: from its first instant to the first of the next
moment as (
    select subject, value, day, wall is not null as readable,
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
tagged as (
    select b.subject, max(t.grade) as grade, min(t.not_before) as not_before,
           max(t.not_after) as not_after
    from best b join model_version_tags t on t.subject = b.subject and t.key = b.tag
    where b.field = 'approver'
    group by b.subject
),
approved as (
    select p.*, a.value as approver, d.value as approval_date, coalesce(a.candidates, d.candidates) as candidates,
           coalesce(a.open, false) or coalesce(d.open, false) as open,
           case when t.grade = 'captured' then 'recorded' when m.readable then 'stated'
                when t.subject is not null then 'seen' end as moment_is,
           case when t.grade = 'captured' or not coalesce(m.readable, false) then t.not_before
                else m.starts end as approved_not_before,
           case when t.grade = 'captured' or not coalesce(m.readable, false) then t.not_after
                else m.ends end as approved_not_after
    from population_live_version p
    left join best a on a.subject = p.subject and a.field = 'approver'
    left join best d on d.subject = p.subject and d.field = 'approval_date'
    left join moment m on m.subject = p.subject
    left join tagged t on t.subject = p.subject
),
turn as (
    select split_part(subject, ':', 1) as subject, before, after, grade, changed_not_before,
           changed_not_after, observed_at, seq,
           row_number() over turns as number,
           -- what was there before the files could not be read for a while
           last_value(case when after is null then before end ignore nulls) over earlier as lost,
           last_value(case when after is null then changed_not_before end ignore nulls)
               over earlier as lost_not_before
    from changes
    where kind = 'model_artifact' and item = 'MLmodel'
    window turns as (partition by subject order by observed_at, seq),
           earlier as (partition by subject order by observed_at, seq
                       rows between unbounded preceding and 1 preceding)
),
replaced as (
    select subject, coalesce(before, lost) as before, after, grade, seq,
           case when before is null then lost_not_before else changed_not_before end as not_before,
           changed_not_after as not_after
    from turn
    where after is not null and coalesce(before, lost) <> after
),
shown as (
    select split_part(subject, ':', 1) as subject, min(observed_at) as shown_at
    from ledger.log where kind = 'model_artifact' and op = 'put'
    group by all
),
artifact as (
    select subject, max(state) as state, max(mlmodel_sha256) as digest, max(grade) as grade,
           max(problem) as problem, max(not_after) as not_after, max(last_read_at) as last_read_at
    from model_artifacts group by subject
),
-- since when the content of MLmodel is known
known as (
    select p.subject, f.state, f.digest, f.problem, f.last_read_at,
           case when t.subject is not null and t.before is null then t.changed_not_after
                when t.subject is not null or f.digest is not null
                then coalesce(least(s.shown_at, f.not_after, t.changed_not_before), t.changed_not_after)
           end as known_since
    from population_live_version p
    left join artifact f on f.subject = p.subject
    left join turn t on t.subject = p.subject and t.number = 1
    left join shown s on s.subject = p.subject
),
moved as (
    select r.subject,
           count(*) filter (where r.not_before >= a.approved_not_after and r.not_after <= as_of())
               as changes,
           count(*) as possible,
           min_by({'before': r.before, 'after': r.after, 'not_before': r.not_before,
                   'not_after': r.not_after},
                  (not coalesce(r.not_before >= a.approved_not_after and r.not_after <= as_of(),
                                false), r.not_after, r.seq)) as first
    from replaced r join approved a on a.subject = r.subject
    where coalesce(r.not_after > a.approved_not_before, true)
    group by r.subject
),
judged as (
    select a.*, k.state, k.digest, k.problem, k.known_since, k.last_read_at, coalesce(m.changes, 0) as changes,
           m.first,
           case when a.open then 'uncertain'
                when moment_is is null then 'no approval'
                when m.changes > 0 then 'changed'
                when m.possible > 0 then 'open'
                when k.known_since is null then 'unread'
                when k.digest is null then 'lost'
                when k.known_since > a.approved_not_before or a.approved_not_before is null
                then 'unknown before'
                else 'unchanged' end as found,
           'the approval by ' || coalesce(left(approver, 80), 'somebody')
           || case moment_is
                   when 'recorded' then ', recorded ' || strftime(approved_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                   when 'stated' then ', dated ' || left(trim(approval_date), 40)
                   else ', first seen '
                        || case when date_trunc('minute', approved_not_before) = date_trunc('minute', approved_not_after)
                                then 'at '
                                else 'between ' || coalesce(strftime(approved_not_before, '%Y-%m-%d %H:%M'), '(unknown)')
                                     || ' and ' end
                        || strftime(approved_not_after, '%Y-%m-%d %H:%M') || ' UTC' end
           as approval_words
    from approved a
    left join known k on k.subject = a.subject
    left join moved m on m.subject = a.subject
),
worded as (
    select *, 'MLmodel of ' || model || '/' || version || ' was replaced '
           || case when date_trunc('second', first.not_before) = date_trunc('second', first.not_after) then 'at '
                   else 'between ' || coalesce(strftime(first.not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                        || ' and ' end
           || strftime(first.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC (SHA-256 '
           || left(first.before, 12) || '... before, ' || left(first.after, 12) || '... after)'
           as change_words
    from judged
)
select subject,
       case found when 'unchanged' then 'pass' when 'changed' then 'fail'
                  when 'no approval' then 'not_applicable' else 'not_evidenced' end as status,
       case found
           when 'unchanged' then 'MLmodel of ' || model || '/' || version
                || ' is what it was when read before ' || approval_words
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'changed' then change_words || ', after ' || approval_words
           when 'open' then case when first.not_after > as_of() then 'By this moment it may have happened: ' else '' end
                || change_words || case when first.not_before >= approved_not_after
                then ', after ' || approval_words else '; whether before or after ' || approval_words
                || ' cannot be told' end
           when 'unknown before' then 'The files of ' || model || '/' || version || ' were first read by '
                || strftime(known_since, '%Y-%m-%d %H:%M') || ' UTC, not before ' || approval_words
                || '; whether they changed in between is not known'
           when 'lost' then 'The files of ' || model || '/' || version || ' can no longer be read ('
                || coalesce(left(problem, 120), state, 'not looked at') || '), so whether they changed since '
                || approval_words || ' is not known'
           when 'unread' then 'The files of ' || model || '/' || version || ' were never read ('
                || coalesce(left(problem, 120), state, 'not looked at') || '), so whether they changed since '
                || approval_words || ' is not known'
           when 'uncertain' then 'The approval of ' || model || '/' || version
                || ' at this moment is uncertain: ' || left(candidates, 300)
           else 'No approval of ' || model || '/' || version
                || ' is on record that a change could come after'
       end as reason,
       case when found = 'changed' and moment_is = 'stated' then 'asserted'
            when found in ('changed', 'open') then 'observed'
            when found = 'unchanged' then case when moment_is = 'stated' then 'asserted' else 'observed' end
            else 'none' end as grade,
       approver, approval_date, moment_is as approval_moment, approved_not_before,
       approved_not_after, digest, first.before as digest_before, first.after as digest_after,
       first.not_before as changed_not_before, first.not_after as changed_not_after, known_since,
       last_read_at
from worded
