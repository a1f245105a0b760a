/*
title = "Capture had no gaps"
severity = "medium"
scope = "ledger"
repair = "history"
looks_for = """
Times in the period, longer than `minutes`, in which the registry may have changed without a row in
the server's journal: capture switched off, no server with capture running, the journal lost;
and changes the server itself reports as missed, however short. A server that was killed says
nothing; what changed then shows as uncaptured. Where the server never was under capture the
question does not arise: history is then what readings bound."""
rationale = """
A journal proves who changed what only for as long as it was kept. What happens in a gap has no
author and no exact time."""
remediation = """
Start every server with capture, and restart servers without leaving one running without it.
Record why capture was off; the readings before and after bound what changed then."""

[params]
minutes = 60
*/
with asked as (
    select coalesce(getvariable('minutes')::VARCHAR, setting('no-capture-gap.minutes'), '60')::DOUBLE as minutes
),
gap as (
    select g.*, greatest(g.gap_start, period_start()) as starts,
           least(coalesce(g.gap_end, as_of()), period_end(), as_of()) as ends
    from capture_gaps g
    where g.reason <> 'clock went back'
      and g.gap_start < least(period_end(), as_of())
      and coalesce(g.gap_end, as_of()) >= period_start()
),
measured as (
    select *, epoch(ends) - epoch(starts) as seconds
    from gap where ends >= starts
),
long as (
    select m.* from measured m cross join asked a
    where m.reason = 'changes missed' or m.seconds > a.minutes * 60
),
counted as (
    select count(*) as gaps, max_by({'reason': reason, 'detail': detail, 'registry': registry,
               'gap_start': gap_start, 'gap_end': gap_end, 'seconds': seconds},
               (reason = 'changes missed', seconds, gap_start, registry, reason)) as worst
    from long
),
capture as (
    select min(started_at) as began, count(*) as processes
    from captures where started_at < period_end()
),
-- registries that were read, but never under capture
outside as (
    select string_agg(distinct registry, ', ' order by registry) as registries
    from extractions
    where complete and observed_at <= as_of()
      and registry not in (select registry from captures where started_at < period_end())
),
judged as (
    select p.*, o.registries as uncaptured, c.began, c.processes, g.gaps, g.worst, a.minutes,
           (select count(*) from measured) as all_gaps,
           case when c.processes = 0 then 'no capture' when g.gaps > 0 then 'gaps'
                when o.registries is not null then 'partly' else 'whole' end as found,
           strftime(g.worst.gap_start, '%Y-%m-%d %H:%M') || ' to '
           || coalesce(strftime(g.worst.gap_end, '%Y-%m-%d %H:%M') || ' UTC', 'now') as gap_words
    from population_ledger p cross join asked a cross join capture c cross join counted g
         cross join outside o
)
select subject,
       case found when 'whole' then 'pass' when 'gaps' then 'fail' when 'partly' then 'not_evidenced'
                  else 'not_applicable' end as status,
       case found
           when 'no capture' then 'The MLflow server was not under capture by the end of the period: who changed what is not recorded, and when is known only as intervals between readings'
           when 'partly' then 'Never under capture: registry ' || left(uncaptured, 200)
                || '; who changed what there is not recorded'
           when 'whole' then 'Capture, begun on ' || strftime(began, '%Y-%m-%d %H:%M')
                || ' UTC, had no gap of more than ' || printf('%g', minutes) || ' minutes in the period'
                || case when all_gaps > 0 then ' (' || all_gaps || ' shorter)' else '' end
                || case when began > period_start() then '; before it began history is what readings bound' else '' end
           else case gaps when 1 then 'One gap' else gaps || ' gaps' end || ' in capture in the period, '
                || case when gaps = 1 then '' when worst.reason = 'changes missed' then 'among them '
                        else 'the longest ' end
                || gap_words || ' (' || worst.reason || coalesce(': ' || left(worst.detail, 160), '') || ')'
       end as reason,
       case found when 'no capture' then 'none' when 'partly' then 'none' when 'gaps' then 'captured' else 'observed' end as grade,
       began as capture_began, processes, coalesce(gaps, 0) as gaps, uncaptured as registries_without_capture, worst.reason as gap_reason,
       worst.registry as gap_registry, worst.gap_start as gap_start, worst.gap_end as gap_end,
       (worst.seconds / 60)::BIGINT as gap_minutes
from judged
