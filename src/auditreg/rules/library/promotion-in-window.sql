/*
title = "The version went live inside the release window"
finding = "The version went live outside the release window"
severity = "medium"
scope = "promotion"
repair = "history"
reads = "history"
looks_for = """
The moments between which each version went live, compared with the weekly window of the parameters `days` (such as
"Mon,Tue,Wed,Thu"), `from` and `until` (such as "09:00" and "16:00", local time of the configured time zone; a window
that ends before it begins runs past midnight). A change whose class (`change_class`) is `emergency` may go live
outside, where somebody else than its developers approves it within `emergency_days`. Without a window the question does not arise."""
rationale = """
A change of prices on a Friday night meets nobody who could stop it. Firms that keep release windows are asked to show
that they kept to them, and what they did in an emergency."""
remediation = """
What happened cannot be changed. Record an emergency as such and have it approved; else move stages and aliases inside
the window, or set the window that holds."""

[params]
days = ""
from = ""
until = ""
emergency_days = 5
*/
with configured as (
    select trim(coalesce(getvariable('days')::VARCHAR, setting('promotion-in-window.days'), '')) as days,
           trim(coalesce(getvariable('from')::VARCHAR, setting('promotion-in-window.from'), '')) as begins,
           trim(coalesce(getvariable('until')::VARCHAR, setting('promotion-in-window.until'), '')) as ends,
           coalesce(getvariable('emergency_days')::VARCHAR, setting('promotion-in-window.emergency_days'), '5')::DOUBLE as emergency_days
),
rule_window as (
    select *, days || begins || ends <> '' as wanted,
           -- minutes of the local day
           case when begins = '' then 0 when regexp_full_match(begins, '([01]?\d|2[0-3]):[0-5]\d')
                then split_part(begins, ':', 1)::INTEGER * 60 + split_part(begins, ':', 2)::INTEGER end as from_minute,
           case when ends in ('', '24:00') then 1440 when regexp_full_match(ends, '([01]?\d|2[0-3]):[0-5]\d')
                then split_part(ends, ':', 1)::INTEGER * 60 + split_part(ends, ':', 2)::INTEGER end as until_minute,
           regexp_full_match(lower(replace(days, ' ', '')), '((mon|tue|wed|thu|fri|sat|sun)[a-z]*(,|$))*')
               and from_minute is not null and until_minute is not null as readable,
           concat_ws(' ', nullif(days, ''), nullif(begins || case when begins || ends = '' then '' else ' to ' end || ends, '')) as release_window
    from configured
),
went_live as (
    select r.subject, r.version_subject, r.live_via, r.live_not_before, r.live_not_after, r.actor, r.grade, w.* exclude (days, begins, ends),
           local_day(r.live_not_before) as first_day, local_day(r.live_not_after) as last_day,
           live_not_before is null or live_not_after - live_not_before >= interval 9 days as loose
    from promotions r cross join rule_window w
),
opening as (
    select local_to_utc(d.day + to_minutes(w.from_minute)) as opens,
           local_to_utc(d.day + to_minutes(w.until_minute + case when w.until_minute <= w.from_minute then 1440 else 0 end)) as closes
    from (select distinct unnest(range(first_day::TIMESTAMP - interval 2 days, last_day::TIMESTAMP + interval 3 days,
                                       interval 1 day)) as day
          from went_live where wanted and readable and not loose) d cross join rule_window w
    where w.days = '' or contains(lower(w.days), lower(strftime(d.day, '%a')))
),
-- windows that follow each other seamlessly are one
open_time as (
    select min(opens) as opens, max(closes) as closes
    from (select *, sum(new_run::INTEGER) over (order by opens, closes rows unbounded preceding) as run
          from (select *, coalesce(opens > max(closes) over (order by opens, closes rows between unbounded preceding
                                                             and 1 preceding), true) as new_run from opening))
    group by run
),
approved as (
    -- what a developer or a service account says of it is no approval; who entered it, and when, tell other rules
    select v.subject, min(coalesce(a.decided_not_before, a.recorded_not_after)) as approved_at
    from (select distinct version_subject as subject, unnest([version_subject, model_subject]) as owner from promotions) v
    join approvals a on a.subject = v.owner
    where a.standing in ('holds', 'unidentified') or a.standing = 'contested' and a.contested_by = 'approval-set-by-approver'
    group by v.subject
),
judged as (
    select w.*, o.opens, o.closes, lower(trim(e.value)) = 'emergency' as emergency, e.candidates,
           e.state in ('uncertain', 'ambiguous') as maybe_emergency, a.approved_at,
           w.live_not_after + to_seconds(w.emergency_days * 86400) as approval_due,
           concat_ws(' to ', strftime(w.first_day, '%a'), nullif(strftime(w.last_day, '%a'), strftime(w.first_day, '%a'))) as weekday,
           case when not w.wanted then 'no window' when not w.readable then 'unreadable' when w.loose then 'open'
                when o.opens <= w.live_not_before and w.live_not_after < o.closes then 'inside'
                when o.opens <= w.live_not_after then 'open' when a.approved_at <= approval_due and emergency then 'emergency'
                when emergency and approval_due > as_of() then 'emergency to approve'
                when maybe_emergency then 'which' else 'outside' end as found
    from went_live w asof left join open_time o on w.live_not_before < o.closes
    left join field_evidence e on e.subject = w.version_subject and e.field = 'change_class' and e.state in ('recorded', 'ambiguous', 'uncertain')
    left join approved a on a.subject = w.version_subject
)
select p.subject,
       case j.found when 'inside' then 'pass' when 'emergency' then 'pass' when 'outside' then 'fail' when 'no window' then 'not_applicable'
            when 'unreadable' then 'not_evidenced' else 'undecided' end as status,
       case j.found
            when 'inside' then '{subject} went live {live} ({weekday}), inside the window {release_window}'
            when 'emergency' then '{subject} went live {live} ({weekday}), outside the window {release_window}, as an emergency approved by {approval_due}'
            when 'emergency to approve' then '{subject} went live {live} ({weekday}) as an emergency, to be approved by {approval_due}'
            when 'outside' then '{subject} went live {live} ({weekday}), outside the window {release_window}'
                 || case when j.actor is null then '' else '; {moved_by} moved it' end
                 || case when j.emergency then '; it is recorded as an emergency, and no approval by {approval_due} is' else '' end
            when 'which' then '{subject} went live {live} ({weekday}), outside the window {release_window}; whether as an emergency cannot be told: {candidates}'
            when 'no window' then 'No release window is configured ([rules.params."promotion-in-window"])'
            when 'unreadable' then 'The release window ''{release_window}'' cannot be read; wanted: days = "Mon,Tue", from = "09:00", until = "16:00"'
            else 'Whether {subject} went live inside the window {release_window} cannot be told: it went live {live}' end as reason,
       case when j.found in ('no window', 'unreadable') then 'none' else j.grade end as grade,
       case when j.found = 'unreadable'
            then 'auditreg.toml: [rules.params."promotion-in-window"] days = "Mon,Tue,Wed,Thu", from = "09:00", until = "16:00"' end as fix,
       j.version_subject, j.live_via, j.live_not_before, j.live_not_after, j.live_not_after as condition_since, j.candidates, j.weekday, j.release_window, j.actor as moved_by,
       j.approval_due, j.approved_at, j.opens as window_opens, j.closes as window_closes
from population_promotion p
join judged j on j.subject = p.subject
