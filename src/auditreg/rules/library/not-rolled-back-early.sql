/*
title = "The version was not rolled back soon after it went live"
severity = "medium"
scope = "promotion"
repair = "history"
looks_for = """
Versions that ceased to be live within `days` of going live while an older version of the model went
live, or stayed so, in their place within the same time. Replacement by a newer version, or by none,
is no rollback."""
rationale = """
A version that has to be taken back within days was let through by every control before it. What
it priced in between stands."""
remediation = """
Record why it was taken back and what it priced meanwhile, and what approval and validation did not
see."""

[params]
days = 7
*/
with asked as (
    select coalesce(getvariable('days')::VARCHAR, setting('not-rolled-back-early.days'), '7')::DOUBLE as days
),
went_live as (
    select p.*, r.version_subject, r.model_subject, r.live_via, r.live_not_before, r.live_not_after,
           r.ended_not_before, r.ended_not_after, r.grade, r.actor, a.days,
           to_seconds(a.days * 86400) as allowed
    from population_promotion p join promotions r on r.subject = p.subject cross join asked a
),
-- those that may have ended so soon
short as (
    select * from went_live
    where ended_not_after is not null
      and coalesce(ended_not_before, live_not_after) - live_not_after <= allowed
),
-- each other version that was live after it, and from when on
successor as (
    select s.subject, o.version < s.version as older, o.version, o.actor,
           greatest(o.live_not_after, s.ended_not_after) as live_by,
           coalesce(o.live_not_before >= s.live_not_before + s.allowed, false) as too_late,
           coalesce(o.live_not_after <= s.live_not_before + s.allowed, false) as in_time,
           o.ended_not_after is null or coalesce(o.ended_not_before >= s.ended_not_after, false) as surely
    from short s
    join promotions o on o.model_subject = s.model_subject and o.version <> s.version
    where o.ended_not_after is null or o.ended_not_after > s.ended_not_before
),
taken as (
    select subject, min(live_by) filter (where older and not too_late) as older_by,
           min(live_by) filter (where not older) as newer_by,
           min_by({'version': version, 'in_time': in_time, 'surely': surely, 'actor': actor},
                  (live_by, not in_time, -version)) filter (where older and not too_late) as back
    from successor group by subject
),
judged as (
    select w.*, t.back.version as replaced_by, t.back.actor as replaced_by_actor,
           case when s.subject is null or t.older_by is null or t.newer_by <= t.older_by
                then case when w.ended_not_after is null then 'still live'
                          when s.subject is not null then 'replaced' else 'lasted' end
                when t.back.in_time and t.back.surely
                 and w.ended_not_after - w.live_not_before <= w.allowed
                then 'rolled back'
                else 'open' end as found,
           case when date_trunc('second', w.live_not_before) = date_trunc('second', w.live_not_after)
                then 'at ' || strftime(w.live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(w.live_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(w.live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as live_words,
           case when date_trunc('second', w.ended_not_before) = date_trunc('second', w.ended_not_after)
                then 'at ' || strftime(w.ended_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(w.ended_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(w.ended_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as end_words
    from went_live w
    left join short s on s.subject = w.subject
    left join taken t on t.subject = w.subject
)
select subject,
       case found when 'rolled back' then 'fail' when 'open' then 'not_evidenced' else 'pass' end as status,
       case found
           when 'still live' then model || '/' || version || ' went live ' || live_words
                || ' and has not been taken back'
           when 'lasted' then model || '/' || version || ' went live ' || live_words || ' and ceased to be '
                || end_words || ', more than ' || printf('%g', days) || ' days later'
           when 'replaced' then model || '/' || version || ' went live ' || live_words
                || ' and ceased to be ' || end_words || '; no older version took its place'
           when 'rolled back' then model || '/' || version || ' went live ' || live_words
                || ' and was rolled back to version ' || replaced_by || ' ' || end_words
                || coalesce(', by ' || left(replaced_by_actor, 80), '')
           else model || '/' || version || ' went live ' || live_words || ' and ceased to be ' || end_words
                || ' with version ' || replaced_by || ' live after it; whether it was rolled back within '
                || printf('%g', days) || ' days cannot be told'
       end as reason,
       grade, version_subject, live_via, live_not_before, live_not_after, ended_not_before,
       ended_not_after, replaced_by
from judged
