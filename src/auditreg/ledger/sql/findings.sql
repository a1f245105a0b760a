-- Findings and waivers: the last entry of each; {log} as in events.sql. Then every entry of findings,
-- {body} being what their text is decoded as, and what asks it.
--
-- Entries of older builds name neither when a finding was first reported nor why it closed, and give as
-- `since` of a closed one when it closed. What their log tells takes the place of what they lack.

-- table: findings of finding
select body.number as number, 'F-' || body.number as id, body.key as key, body.rule as rule,
       body.subject as subject, body.severity as severity, registry, workspace, model, version,
       body.status as status, body.reason as reason, body.grade as grade,
       case when body.first_reported is not null or body.status <> 'closed'
            then make_timestamp(body.since * 1000) end as since,
       body.fix as fix, body.repair as repair,
       body.evidence as evidence, body.waiver as waiver,
       body.status in ('fail', 'not_evidenced') as open, recorded_at as last_checked_at, seq,
       make_timestamp(coalesce(body.first_reported,
                               (select min(epoch_ms(l.observed_at)) from ledger.log l
                                where l.kind = 'finding' and l.subject = e.subject)) * 1000) as first_reported,
       make_timestamp(body.condition_since * 1000) as condition_since,
       coalesce(body.carried, false) as carried,
       case when body.status not in ('fail', 'not_evidenced')
            then make_timestamp(coalesce(body.closed_at, case when body.status = 'closed' then body.since
                                                              else epoch_ms(observed_at) end) * 1000)
       end as closed_at,
       coalesce(body.closed_why, case body.status when 'waived' then 'accepted'
                                                  when 'predates_policy' then 'policy changed'
                                                  when 'error' then 'could not be judged'
                                                  when 'closed' then 'not recorded' end) as closed_why
from (select *, from_json(entry, '{body}').body as body from {log} where kind = 'finding') e

-- table: waivers of waiver
select body.rule as rule, body.scope as scope, body.status as status, body.reason as reason,
       body.approver as approver, body.ticket as ticket, body.expires as expires,
       body.owner as owner, body.due as due, body.judged as judged, seq,
       body.answered_by as answered_by, body.answered_on as answered_on
from (select *, from_json(entry, '{"body":{"rule":"VARCHAR","scope":"VARCHAR","status":"VARCHAR","reason":"VARCHAR","approver":"VARCHAR","ticket":"VARCHAR","expires":"DATE","owner":"VARCHAR","due":"DATE","judged":"VARCHAR","answered_by":"VARCHAR","answered_on":"DATE"}}').body as body
      from {log} where kind = 'waiver' and op = 'put')

-- view: finding_history
with entry as (
    select *, from_json(entry, '{body}').body as body from ledger.log
    where kind = 'finding' and entry is not null
),
state as (
    select body.number as number, 'F-' || body.number as id, body.key as key, body.rule as rule,
           body.subject as subject, body.severity as severity, registry, workspace, model, version,
           body.status as status, body.status in ('fail', 'not_evidenced') as open,
           body.reason as reason, body.grade as grade, body.fix as fix, body.repair as repair,
           body.evidence as evidence, body.waiver as waiver,
           make_timestamp(body.condition_since * 1000) as condition_since,
           make_timestamp(coalesce(body.first_reported,
                                   min(epoch_ms(observed_at)) over (partition by subject)) * 1000)
               as first_reported,
           make_timestamp(case when body.first_reported is null and body.status = 'closed'
                               then lag(body.since) over (partition by subject order by seq)
                               else body.since end * 1000) as since,
           coalesce(body.carried, false) as carried, body.closed_at as closed_ms, body.closed_why as why,
           observed_at as as_of, recorded_at, seq
    from entry
)
select number, id, key, rule, subject, severity, registry, workspace, model, version, status, open,
       reason, grade, fix, repair, evidence, waiver, condition_since, first_reported, since, carried,
       case when not open then coalesce(make_timestamp(closed_ms * 1000), as_of) end as closed_at,
       coalesce(why, case status when 'waived' then 'accepted' when 'predates_policy' then 'policy changed'
                                 when 'error' then 'could not be judged'
                                 when 'closed' then 'not recorded' end) as closed_why,
       as_of, recorded_at, seq
from state

-- macro: findings_as_of
-- findings as the checks of up to then had left them; with known_at, as far as it was recorded by that time
create macro findings_as_of(ts, known_at := null) as table
select * from finding_history
where as_of <= ts::TIMESTAMP and (known_at is null or recorded_at <= known_at::TIMESTAMP)
qualify row_number() over (partition by key order by as_of desc, seq desc) = 1

-- macro: finding_movement
-- what happened to findings after one moment and up to another, by severity: opening + new + reopened
-- + reclassified - repaired - accepted - rejected - out_of_scope - rule_changed - policy_changed
-- - cannot_be_told - not_judged - not_recorded = closing; with known_at, as far as it was recorded by that time
create macro finding_movement(opening_ts, closing_ts, known_at := null) as table
with step as (
    select severity, open, closed_why, as_of,
           lag(open) over states as was_open, lag(severity) over states as was_severity,
           lead(as_of) over states as next_at,
           coalesce(bool_or(open) over (partition by key order by as_of, seq
                                        rows between unbounded preceding and 1 preceding), false) as was_ever_open
    from finding_history
    where as_of <= closing_ts::TIMESTAMP and (known_at is null or recorded_at <= known_at::TIMESTAMP)
    window states as (partition by key order by as_of, seq)
),
moved as (
    select *, opening_ts is null or as_of > opening_ts::TIMESTAMP as within from step
),
counted as (
    select severity, open and not within and coalesce(next_at > opening_ts::TIMESTAMP, true) as opening,
           within and open and not coalesce(was_open, false) and not was_ever_open as new,
           within and open and not coalesce(was_open, false) and was_ever_open as reopened,
           case when within and open and was_open and severity <> was_severity then 1 else 0 end as moved_in,
           0 as moved_out, null as why, open and next_at is null as closing
    from moved
    union all
    select was_severity, false, false, false, 0,
           case when open and severity <> was_severity then 1 else 0 end,
           case when not open then closed_why end, false
    from moved where within and was_open
)
select s.severity, count(*) filter (where opening) as opening, count(*) filter (where new) as new,
       count(*) filter (where reopened) as reopened,
       coalesce(sum(moved_in) - sum(moved_out), 0)::BIGINT as reclassified,
       count(*) filter (where why = 'repaired') as repaired,
       count(*) filter (where why = 'accepted') as accepted,
       count(*) filter (where why = 'rejected') as rejected,
       count(*) filter (where why = 'no longer in scope') as out_of_scope,
       count(*) filter (where why = 'rule changed') as rule_changed,
       count(*) filter (where why = 'policy changed') as policy_changed,
       count(*) filter (where why = 'cannot be told') as cannot_be_told,
       count(*) filter (where why = 'could not be judged') as not_judged,
       count(*) filter (where why = 'not recorded') as not_recorded,
       count(*) filter (where closing) as closing
from (select unnest(['critical', 'high', 'medium', 'low']) as severity,
             unnest([0, 1, 2, 3]) as rank) s
left join counted c using (severity)
group by s.severity, s.rank
order by s.rank
