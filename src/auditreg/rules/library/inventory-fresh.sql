/*
title = "The registry was read often enough"
finding = "A registry was not read completely for too long"
severity = "medium"
scope = "ledger"
repair = "history"
reads = "history"
looks_for = """
For each registry the longest time without a complete reading that lasted into the period, up to the moment judged,
compared with the parameter `days`; a registry that was read, but never completely, is named. Time before its first
complete reading does not count. Whether somebody reviewed the inventory's entries
is asked by `rating-reassessed` and `validation-current`."""
rationale = """
An inventory is as old as its last reading. What happened and was undone between two readings nobody sees, unless the
server keeps a journal."""
remediation = """
Run the extraction by a timer, for example each night; `auditreg status` tells the last complete reading."""

[params]
days = 31
*/
with asked as (
    select coalesce(getvariable('days')::VARCHAR, setting('inventory-fresh.days'), '31')::DOUBLE as days
),
reading as (
    select registry, observed_at as gap_from, least(period_end(), as_of()) as judged_at,
           lead(observed_at) over (partition by registry order by observed_at) as next_at
    from (select distinct registry, observed_at from extractions where complete and observed_at <= as_of())
),
worst as (
    select registry, gap_from, least(coalesce(next_at, judged_at), judged_at) as gap_until,
           epoch(gap_until) - epoch(gap_from) as seconds
    from reading
    where gap_from <= judged_at and coalesce(next_at, judged_at) > period_start()
    qualify row_number() over (order by seconds desc, registry, gap_from) = 1
),
never as (
    select string_agg(registry, ', ' order by registry) as unread
    from (select registry from extractions where observed_at <= as_of() group by registry having not bool_or(complete))
)
select p.subject,
       case when w.seconds > a.days * 86400 then 'fail' when w.registry is null or n.unread is not null then 'not_evidenced' else 'pass' end as status,
       case when w.seconds > a.days * 86400
            then 'Registry {registry} was not read completely from {gap_from} until {gap_until}, longer than {days} days'
                 || case when n.unread is null then '' else '; never read completely by then: {unread}' end
            when n.unread is not null then 'Never read completely by the moment judged: registry {unread}'
            when w.registry is null then 'No complete reading covers the period'
            else 'No registry was without a complete reading for more than {days} days; the longest was {gap_days} days ({registry})' end as reason,
       case when w.registry is null or coalesce(w.seconds, 0) <= a.days * 86400 and n.unread is not null then 'none' else 'observed' end as grade,
       w.registry, w.gap_from, w.gap_until, printf('%.1f', w.seconds / 86400) as gap_days, printf('%g', a.days) as days, n.unread
from population_ledger p cross join asked a cross join never n left join worst w on true
