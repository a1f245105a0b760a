/*
title = "The version went live inside the release window"
severity = "medium"
scope = "promotion"
repair = "history"
looks_for = """
The moments between which each version went live, compared with the weekly window of the parameters
`days` (such as "Mon,Tue,Wed,Thu"), `from` and `until` (such as "09:00" and "16:00", local time of the
configured time zone; a window that ends before it begins runs past midnight). Without a window
the question does not arise."""
rationale = """
A change of prices on a Friday night meets nobody who could stop it. Firms that keep release
windows are asked to show that they kept to them."""
remediation = """
What happened cannot be changed; an emergency release needs its own record. Move stages and aliases
inside the window, or set the window that holds."""

[params]
days = ""
from = ""
until = ""
*/
with configured as (
    select trim(coalesce(getvariable('days')::VARCHAR, setting('promotion-in-window.days'), '')) as days,
           trim(coalesce(getvariable('from')::VARCHAR, setting('promotion-in-window.from'), '')) as begins,
           trim(coalesce(getvariable('until')::VARCHAR, setting('promotion-in-window.until'), '')) as ends,
           coalesce(setting('timezone'), 'UTC') as zone
),
day_name as (
    select day, name, number
    from (select distinct left(lower(trim(unnest(string_split(days, ',')))), 3) as day from configured)
    left join (values ('mon', 1), ('tue', 2), ('wed', 3), ('thu', 4), ('fri', 5), ('sat', 6),
                      ('sun', 7)) n(name, number) on n.name = day
),
rule_window as (
    select *, days <> '' or begins <> '' or ends <> '' as wanted,
           -- minutes of the local day
           case when begins = '' then 0
                when regexp_full_match(begins, '([01]?\d|2[0-3]):[0-5]\d')
                then split_part(begins, ':', 1)::INTEGER * 60 + split_part(begins, ':', 2)::INTEGER
           end as from_minute,
           case when ends = '' or ends = '24:00' then 1440
                when regexp_full_match(ends, '([01]?\d|2[0-3]):[0-5]\d')
                then split_part(ends, ':', 1)::INTEGER * 60 + split_part(ends, ':', 2)::INTEGER
           end as until_minute,
           days = '' or not exists (select 1 from day_name where number is null) as days_readable,
           concat_ws(' ', nullif(days, ''), nullif(begins || case when begins || ends = '' then '' else ' to ' end || ends, ''), zone) as words
    from configured
),
went_live as (
    select p.*, r.version_subject, r.live_via, r.live_not_before, r.live_not_after, r.actor,
           r.actor_from, r.grade, w.zone, w.words, w.wanted,
           w.days_readable and w.from_minute is not null and w.until_minute is not null as readable
    from population_promotion p join promotions r on r.subject = p.subject cross join rule_window w
),
-- the local days around each promotion that is bounded to less than nine days
around as (
    select distinct unnest(range(
        (timezone(zone, timezone('UTC', live_not_before)))::DATE::TIMESTAMP - interval 2 days,
        (timezone(zone, timezone('UTC', live_not_after)))::DATE::TIMESTAMP + interval 3 days,
        interval 1 day))::DATE as day
    from went_live
    where wanted and readable and live_not_after - live_not_before < interval 9 days
),
opening as (
    select timezone('UTC', timezone(w.zone, a.day + to_minutes(w.from_minute))) as opens,
           timezone('UTC', timezone(w.zone, a.day + to_minutes(
               case when w.until_minute <= w.from_minute then w.until_minute + 1440
                    else w.until_minute end))) as closes
    from around a cross join rule_window w
    where w.days = '' or isodow(a.day) in (select number from day_name)
),
edge as (
    select *, coalesce(opens > max(closes) over (order by opens, closes rows between
                                    unbounded preceding and 1 preceding), true) as new_run
    from opening
),
-- windows without those that follow each other seamlessly
open_time as (
    select min(opens) as opens, max(closes) as closes
    from (select *, sum(new_run::INTEGER) over (order by opens, closes) as run from edge)
    group by run
),
placed as (
    select w.*, o.opens, o.closes
    from went_live w asof left join open_time o on w.live_not_before < o.closes
),
judged as (
    select *,
           case when not wanted then 'no window'
                when not readable then 'unreadable'
                when live_not_before is null or live_not_after - live_not_before >= interval 9 days
                then 'open'
                when opens <= live_not_before and live_not_after < closes then 'inside'
                when opens is null or opens > live_not_after then 'outside'
                else 'open' end as found,
           case when date_trunc('minute', live_not_before) = date_trunc('minute', live_not_after)
                then 'on ' || strftime(timezone(zone, timezone('UTC', live_not_after)), '%a %Y-%m-%d %H:%M')
                else 'between ' || coalesce(strftime(timezone(zone, timezone('UTC', live_not_before)),
                                                     '%a %Y-%m-%d %H:%M'), '(unknown)')
                     || ' and ' || strftime(timezone(zone, timezone('UTC', live_not_after)), '%a %Y-%m-%d %H:%M')
           end || ' (' || zone || ')' as live_words
    from placed
)
select subject,
       case found when 'inside' then 'pass' when 'outside' then 'fail'
                  when 'no window' then 'not_applicable' else 'not_evidenced' end as status,
       case found
           when 'inside' then model || '/' || version || ' went live ' || live_words
                || ', inside the window ' || words
           when 'outside' then model || '/' || version || ' went live ' || live_words
                || ', outside the window ' || words || coalesce('; ' || left(actor, 80) || ' moved it', '')
           when 'no window' then 'No release window is configured ([rules.params."promotion-in-window"])'
           when 'unreadable' then 'The release window ''' || left(words, 120)
                || ''' cannot be read; wanted: days = "Mon,Tue", from = "09:00", until = "16:00"'
           else 'Whether ' || model || '/' || version || ' went live inside the window ' || words
                || ' cannot be told: it went live ' || live_words
       end as reason,
       case when found in ('no window', 'unreadable') then 'none' else grade end as grade,
       case when found = 'unreadable'
            then 'auditreg.toml: [rules.params."promotion-in-window"] days = "Mon,Tue,Wed,Thu", from = "09:00", until = "16:00"'
       end as fix,
       version_subject, live_via, live_not_before, live_not_after, actor as moved_by, actor_from,
       opens as window_opens, closes as window_closes
from judged
