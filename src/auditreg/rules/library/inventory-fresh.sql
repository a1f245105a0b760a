/*
title = "The registry was read often enough"
finding = "The registry was not read for too long"
severity = "medium"
scope = "ledger"
repair = "history"
looks_for = """
For each registry the longest time in the period, up to the moment judged, without a complete reading, compared with
the parameter `days`. Time before its first reading does not count. Whether somebody reviewed the inventory's entries
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
    where gap_from <= judged_at and coalesce(next_at, judged_at) >= period_start()
    qualify row_number() over (order by seconds desc, registry, gap_from) = 1
)
select p.subject,
       case when w.registry is null then 'not_evidenced' when w.seconds > a.days * 86400 then 'fail' else 'pass' end as status,
       case when w.registry is null then 'No complete reading covers the period'
            when w.seconds > a.days * 86400
            then 'Registry {registry} was not read completely from {gap_from} until {gap_until}, longer than {days} days'
            else 'No registry was without a complete reading for more than {days} days; the longest was {gap_days} days ({registry})' end as reason,
       case when w.registry is null then 'none' else 'observed' end as grade,
       w.registry, w.gap_from, w.gap_until, printf('%.1f', w.seconds / 86400) as gap_days, printf('%g', a.days) as days
from population_ledger p cross join asked a left join worst w on true
