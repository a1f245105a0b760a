-- Findings and waivers: the last entry of each; {log} as in events.sql.

-- table: findings of finding
select body.number as number, 'F-' || body.number as id, body.key as key, body.rule as rule,
       body.subject as subject, body.severity as severity, registry, workspace, model, version,
       body.status as status, body.reason as reason, body.grade as grade,
       make_timestamp(body.since * 1000) as since, body.fix as fix, body.repair as repair,
       body.evidence as evidence, body.waiver as waiver,
       body.status in ('fail', 'not_evidenced') as open, recorded_at as last_checked_at, seq
from (select *, from_json(entry, '{"body":{"number":"BIGINT","key":"VARCHAR","rule":"VARCHAR","subject":"VARCHAR","severity":"VARCHAR","status":"VARCHAR","reason":"VARCHAR","grade":"VARCHAR","since":"BIGINT","fix":"VARCHAR","repair":"VARCHAR","evidence":"VARCHAR","waiver":"VARCHAR"}}').body as body
      from {log} where kind = 'finding')

-- table: waivers of waiver
select body.rule as rule, body.scope as scope, body.status as status, body.reason as reason,
       body.approver as approver, body.ticket as ticket, body.expires as expires,
       body.owner as owner, body.due as due, body.judged as judged, seq
from (select *, from_json(entry, '{"body":{"rule":"VARCHAR","scope":"VARCHAR","status":"VARCHAR","reason":"VARCHAR","approver":"VARCHAR","ticket":"VARCHAR","expires":"DATE","owner":"VARCHAR","due":"DATE","judged":"VARCHAR"}}').body as body
      from {log} where kind = 'waiver' and op = 'put')
