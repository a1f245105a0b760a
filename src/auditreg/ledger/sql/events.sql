-- Tables decoded from auditreg's own entries: extractions, checks, findings, waivers, reports,
-- policies. {log} is the relation of entries to decode (the whole log, or the new ones).

-- table: extractions of extraction
select seq, registry, body.source_kind as source, body.location as location,
       make_timestamp(body.started_at * 1000) as started_at, observed_at, recorded_at,
       body.mlflow_version as mlflow_version, body.schema_version as schema_version,
       body.kinds as kinds, body.complete as complete, body.doubts as doubts,
       body.counts as counts, body.left_out as left_out, body.cannot_show as cannot_show,
       body.appended as appended, body.passes as passes, body.tool_version as tool_version,
       body.policy as policy, body.tree_size as tree_size, body.root as root,
       body.journal as journal, body.journal_rows as journal_rows,
       body.journal_ranges as journal_ranges, body.restored as restored,
       body.clock_offset_ms as clock_offset_ms, body.asked as asked, body.gaps as gaps,
       body.tombstones as tombstones
from (select *, from_json(entry, '{"body":{"source_kind":"VARCHAR","location":"VARCHAR","started_at":"BIGINT","mlflow_version":"VARCHAR","schema_version":"VARCHAR","kinds":"VARCHAR","complete":"BOOLEAN","doubts":"VARCHAR","counts":"VARCHAR","left_out":"VARCHAR","cannot_show":"VARCHAR","appended":"BIGINT","passes":"BIGINT","tool_version":"VARCHAR","policy":"VARCHAR","tree_size":"BIGINT","root":"VARCHAR","journal":"VARCHAR","journal_rows":"BIGINT","journal_ranges":"VARCHAR","restored":"BOOLEAN","clock_offset_ms":"BIGINT","asked":"VARCHAR","gaps":"BIGINT","tombstones":"BIGINT"}}').body as body
      from {log} where kind = 'extraction')

-- table: checks of check
select seq, recorded_at, make_timestamp(body.as_of * 1000) as as_of,
       body.period_first as period_first, body.period_last as period_last,
       body.policy as policy, body.selection as selection, body.rules as rules,
       body.summary as summary, body.tool_version as tool_version,
       body.tree_size as tree_size, body.root as root
from (select *, from_json(entry, '{"body":{"as_of":"BIGINT","period_first":"DATE","period_last":"DATE","policy":"VARCHAR","selection":"VARCHAR","rules":"VARCHAR","summary":"VARCHAR","tool_version":"VARCHAR","tree_size":"BIGINT","root":"VARCHAR"}}').body as body
      from {log} where kind = 'check')

-- table: reports of report
select seq, recorded_at, body.period_first as period_first, body.period_last as period_last,
       make_timestamp(body.as_of * 1000) as as_of, body.template as template,
       body.draft as draft, body.files as files, body.policy as policy,
       body.tool_version as tool_version, body.tree_size as tree_size, body.root as root
from (select *, from_json(entry, '{"body":{"period_first":"DATE","period_last":"DATE","as_of":"BIGINT","template":"VARCHAR","draft":"BOOLEAN","files":"VARCHAR","policy":"VARCHAR","tool_version":"VARCHAR","tree_size":"BIGINT","root":"VARCHAR"}}').body as body
      from {log} where kind = 'report')

-- table: policies of policy
select seq, recorded_at, body.policy_kind as policy_kind, body.name as name,
       body.sha256 as sha256, body.text as text
from (select *, from_json(entry, '{"body":{"policy_kind":"VARCHAR","name":"VARCHAR","sha256":"VARCHAR","text":"VARCHAR"}}').body as body
      from {log} where kind = 'policy')

-- table: erasures of erased
select seq, recorded_at, body.erased_seq as erased_seq, body.leaf as leaf, body.reason as reason,
       body.value_hmac as value_hmac, body.key_id as key_id,
       ledger.moment(body.observed_at) as observed_at,
       ledger.moment(body.entry_recorded_at) as entry_recorded_at, body.same_subject as same_subject,
       ledger.moment(body.valid_at) as valid_at, body.journal as journal_row
from (select *, from_json(entry, '{"body":{"erased_seq":"BIGINT","leaf":"VARCHAR","reason":"VARCHAR","value_hmac":"VARCHAR","key_id":"VARCHAR","observed_at":"BIGINT","entry_recorded_at":"BIGINT","same_subject":"BIGINT","valid_at":"BIGINT","journal":"BIGINT"}}').body as body
      from {log} where kind = 'erased')

-- table: journal
-- what the server itself wrote down, row by row; kind is NULL for the server's starts and stops
select seq, registry, source as journal, journal as id,
       valid_at as server_time, body.journal.operation as operation,
       case when kind <> 'capture' then kind end as kind,
       case when kind <> 'capture' then subject end as subject, workspace, model, version,
       case when kind like '%tag' then split_part(subject, ':tag:', 2)
            when kind = 'alias' then split_part(subject, ':alias:', 2) end as item,
       actor, body.journal.actor_from as actor_from, body.journal.claimed as claimed,
       body.journal.path as path, body.journal.method as method, body.journal.client as client,
       body.journal.request as request, body.journal.process as process,
       body.journal.info as info, body.journal.problem as problem
from (select *, from_json(entry, '{"body":{"journal":{"operation":"VARCHAR","actor_from":"VARCHAR","claimed":"VARCHAR","path":"VARCHAR","method":"VARCHAR","client":"VARCHAR","request":"VARCHAR","process":"VARCHAR","info":"VARCHAR","problem":"VARCHAR","again":"BOOLEAN"}}}').body as body
      from {log} where source like 'journal-%')
where body.journal.again is distinct from true
