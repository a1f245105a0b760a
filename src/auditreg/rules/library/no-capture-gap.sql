/*
title = "Capture had no gaps"
finding = "Capture had gaps, or a registry was never under capture"
severity = "medium"
scope = "ledger"
repair = "history"
reads = "history"
looks_for = """
Times in the period, longer than `minutes`, in which the registry may have changed without a row in the server's journal:
capture switched off, no server with capture running, the journal lost; and changes the server itself reports as missed,
however short. A server that was killed says nothing; what changed then is no row of the journal. Where the server never
was under capture the question does not arise: history is then what readings bound."""
rationale = """
A journal shows who changed what only for as long as it was kept. What happens in a gap has no author and no exact time."""
remediation = """
Start every server with capture, and restart servers without leaving one running without it. Record why capture was off;
the readings before and after bound what changed then."""

[params]
minutes = 60
*/
with asked as (
    select coalesce(getvariable('minutes')::VARCHAR, setting('no-capture-gap.minutes'), '60')::DOUBLE as minutes
),
clipped as (
    select *, greatest(gap_start, period_start()) as starts, least(coalesce(gap_end, as_of()), period_end(), as_of()) as ends
    from capture_gaps where reason <> 'clock went back'
),
gap as (
    select c.*, epoch(ends) - epoch(starts) as seconds, c.reason = 'changes missed' or epoch(ends) - epoch(starts) > a.minutes * 60 as long
    from clipped c cross join asked a
    where c.ends >= c.starts and c.gap_start < least(period_end(), as_of())
),
worst as (
    select * from gap where long
    qualify row_number() over (order by reason = 'changes missed' desc, seconds desc, gap_start desc, registry desc) = 1
),
counted as (
    select (select count(*) from gap where long) as gaps, (select count(*) from gap where not long) as shorter,
           (select min(started_at) from captures where started_at < period_end()) as capture_began,
           -- registries that were read, completely or not, but never under capture
           (select string_agg(distinct registry, ', ' order by registry) from extractions
            where observed_at <= as_of() and registry not in (select registry from captures where started_at < period_end())) as uncaptured
)
select p.subject,
       case when c.capture_began is null then 'not_applicable' when c.gaps > 0 then 'fail' when c.uncaptured is not null then 'not_evidenced'
            else 'pass' end as status,
       case when c.capture_began is null
            then 'The MLflow server was not under capture by the end of the period: who changed what is not recorded, and when is known only as intervals between readings'
            when c.gaps > 0 then case c.gaps when 1 then 'One gap' else '{gaps} gaps' end || ' in capture in the period, '
                 || case when c.gaps = 1 then '' when w.reason = 'changes missed' then 'among them one ' else 'the longest ' end
                 || 'from {gap_start} ' || case when w.gap_end is null then 'on' else 'to {gap_end}' end
                 || ' ({gap_reason}' || case when w.detail is null then ')' else ': {gap_detail})' end
            when c.uncaptured is not null then 'Never under capture: registry {uncaptured}; who changed what there is not recorded'
            else 'Capture, begun {capture_began}, had no gap of more than {minutes} minutes in the period'
                 || case when c.shorter > 0 then ' ({shorter} shorter)' else '' end
                 || case when c.capture_began > period_start() then '; before it began history is what readings bound' else '' end end as reason,
       case when c.capture_began is null then 'none' when c.gaps > 0 then 'captured' when c.uncaptured is not null then 'none' else 'observed' end as grade,
       c.capture_began, c.gaps, c.shorter, printf('%g', a.minutes) as minutes, c.uncaptured, w.registry as gap_registry, w.reason as gap_reason,
       w.detail as gap_detail, w.gap_start, w.gap_end, (w.seconds / 60)::BIGINT as gap_minutes
from population_ledger p cross join asked a cross join counted c left join worst w on true
