/*
title = "Versions that are out of use are kept, with date and reason"
finding = "A version that is out of use was not kept, or nothing says when and why it went"
severity = "medium"
scope = "retired_version"
repair = "tag"
reads = "history"
covered_by = "not-deleted-while-live"
looks_for = """
Versions that were live and are in use no more: that neither they nor their training runs were deleted before the day of
the field `retention_until`, and that `decommissioned_at` and `decommission_reason` say when and why they went out of
use. A day to come is none, nor is one that lies more than `days` before the version ceased to be live. A day recorded for
the model tells of a version only if it lies no more than `days` after that. Files in the model store are not looked for
here. What was deleted while it was live is told by `not-deleted-while-live`."""
rationale = """
Years after a price was given somebody asks which model gave it. A record has to last as long as questions may come."""
remediation = """
Archive versions instead of deleting them, and record when and why they were taken out of use and until when they are
kept. Restore a deleted run before `mlflow gc` removes it for good."""

[params]
days = 7
*/
with asked as (
    select coalesce(getvariable('days')::VARCHAR, setting('retired-version-kept.days'), '7')::DOUBLE as days
),
deletion as (
    select p.subject, case when v.subject is null then m.lo else v.lo end as lo, coalesce(v.hi, m.hi) as hi,
           case when v.subject is null then m.open when m.subject is null then v.open else v.open and m.open end as open
    from population_retired_version p
    left join (select subject, min(not_before) filter (where deleted) as lo, max(not_after) filter (where deleted) as hi, not bool_and(deleted) as open
               from model_versions group by subject having bool_or(deleted)) v on v.subject = p.subject
    left join (select subject, min(not_before) filter (where deleted) as lo, max(not_after) filter (where deleted) as hi, not bool_and(deleted) as open
               from registered_models group by subject having bool_or(deleted)) m on m.subject = split_part(p.subject, '/', 1)
    where v.subject is not null or m.subject is not null
),
spell as (
    select version_subject as subject, max(ended_not_before) as ended_not_before, max(ended_not_after) as ended_not_after, bool_or(ended_not_after is null) as open_end
    from promotions where version_subject in (select subject from population_retired_version) group by version_subject
),
-- what was said before a tag went with its version
told as materialized (
    select *, stated_until(kept_until) as kept_ends
    from (select subject, arg_max(value, (set_not_after, seq)) as kept_until from field_history
          where field = 'retention_until' and (until_not_after is null or ended_with_subject) group by subject)
),
said as (
    select subject, string_agg(field, ' and ' order by field) filter (where state not in ('recorded', 'ambiguous', 'uncertain')) as missing,
           bool_or(state = 'uncertain') as open, max(coalesce(value, candidates)) filter (where field = 'decommissioned_at') as decommissioned_at,
           max(coalesce(value, candidates)) filter (where field = 'decommission_reason') as decommission_reason,
           min(fix) filter (where state not in ('recorded', 'ambiguous', 'uncertain')) as fix
    from field_evidence where field in ('decommissioned_at', 'decommission_reason') and subject in (select subject from population_retired_version) group by subject
),
-- by each day that may stand there at the moment
day as (
    select e.subject, settle(case when e.value is null then 'unsaid' when stated_day(e.value) is null then 'unreadable'
                                  when days_later(stated_until(e.value), a.days) < s.ended_not_before then 'too early'
                                  when e.found_in = 'model tag' and stated_from(e.value) > days_later(s.ended_not_after, a.days) then 'of its model'
                                  when is_to_come(stated_from(e.value)) then 'to come' else 'told' end, ['told']) as found
    from (select subject, found_in, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'decommissioned_at') e
    join spell s on s.subject = e.subject cross join asked a
    group by e.subject
),
judged as (
    select p.*, s.ended_not_before, s.ended_not_after, t.run_id, w.missing, w.decommissioned_at, w.decommission_reason, w.fix,
           coalesce(k.kept_until, m.kept_until) as kept_until, case when k.subject is null then m.kept_ends else k.kept_ends end as due,
           d.lo as gone_not_before, d.hi as gone_not_after,
           case when d.open and coalesce(due > d.lo, true) then 'there or gone'
                when d.subject is not null and (s.open_end or d.lo = d.hi and s.ended_not_before = d.lo and s.ended_not_after = d.hi)
                then 'while live'
                when due <= d.lo then 'kept long enough' when due > d.hi then 'deleted too early'
                when d.subject is not null then case when due is null then 'deleted' else 'deleted around' end
                when t.run_state in ('deleted', 'removed') and coalesce(due >= as_of(), true) then case when due is null then 'run gone, no day' else 'run gone' end
                when w.missing is not null then 'unsaid' when y.found not in ('told', 'open') then y.found
                when w.open or y.found = 'open' then 'open' else 'kept' end as found
    from population_retired_version p
    join spell s on s.subject = p.subject left join deletion d on d.subject = p.subject
    left join told k on k.subject = p.subject left join told m on m.subject = split_part(p.subject, '/', 1)
    left join said w on w.subject = p.subject left join day y on y.subject = p.subject left join training t on t.subject = p.subject
)
select subject,
       case found when 'kept' then 'pass' when 'kept long enough' then 'pass' when 'deleted too early' then 'fail' when 'run gone' then 'fail'
            when 'too early' then 'fail' when 'to come' then 'fail'
            when 'open' then 'undecided' when 'there or gone' then 'undecided' when 'deleted around' then 'undecided'
            when 'while live' then 'not_applicable' else 'not_evidenced' end as status,
       case found
            when 'while live' then '{subject} was deleted {gone} while it was live: see not-deleted-while-live'
            when 'kept long enough' then '{subject} was to be kept until {kept_until} and was deleted {gone}'
            when 'deleted too early' then '{subject} is to be kept until {kept_until} and was deleted {gone}'
            when 'deleted around' then 'Whether {subject}, deleted {gone}, was kept until {kept_until} cannot be told'
            when 'there or gone' then 'Whether {subject}, deleted {gone}, was there at this moment cannot be told'
            when 'deleted' then '{subject} was deleted {gone}, and '
                 || case when kept_until is null then 'no day is recorded until which it had to be kept'
                         else 'until when it had to be kept cannot be read: ''{kept_until}''' end
            when 'run gone, no day' then 'Run {run_id}, which made {subject}, is deleted, and '
                 || case when kept_until is null then 'no day is recorded until which it had to be kept'
                         else 'until when it had to be kept cannot be read: ''{kept_until}''' end
            when 'run gone' then 'Run {run_id}, which made {subject}, is deleted; {subject} went out of use {ended}'
            when 'unsaid' then '{subject} went out of use {ended}, and nothing is recorded for {missing}'
            when 'too early' then '{subject} is recorded as out of use since {decommissioned_at}, and it ceased to be live {ended}'
            when 'to come' then '{subject} ceased to be live {ended}, and is recorded as out of use from {decommissioned_at}, after the moment judged'
            when 'of its model' then 'When {subject} went out of use is not recorded: it ceased to be live {ended}, and its model is recorded as out of use '
                 || 'from {decommissioned_at}'
            when 'unreadable' then 'The day on which {subject} went out of use cannot be read: ''{decommissioned_at}''; wanted: 2026-08-12'
            when 'unsound' then '{subject} ceased to be live {ended}, and no day of that is recorded that can be read and fits: {decommissioned_at}'
            when 'open' then 'Whether it is recorded when and why {subject} went out of use cannot be told'
            else '{subject} went out of use on {decommissioned_at}: {decommission_reason}' end as reason,
       case when found in ('kept', 'kept long enough') then 'asserted' when found in ('unsaid', 'open') then 'none' else 'observed' end as grade,
       case when found = 'unsaid' then fix when found in ('of its model', 'unreadable', 'unsound')
            then set_tag(model, version, first_tag('decommissioned_at', registry, workspace), 'date, as 2026-08-12') end as fix,
       ended_not_before, ended_not_after, gone_not_before, gone_not_after, kept_until, run_id, decommissioned_at, decommission_reason, missing
from judged
