-- What readers want, over the state tables. Each block is made twice: as a view over the latest
-- state, where [name] is the table or view of that name, and as the macro <name>_as_of(ts), where
-- it is that macro. [ts] is the moment (NULL in the view), [known] what was recorded by then. What is
-- {once} is made once by the macro, whose plan would grow with each mention; a view pushes filters into it.
-- Around a rename both names are possible; a subject still has one row, under the later name.

-- block: prompt_models
-- which registered models are prompts; the view prompts says more. MLflow tags a prompt as it makes it: a model that
-- somebody tags later stays a model
select distinct t.model_subject
from [registered_model_tags] t join [registered_models] m on m.subject = t.model_subject
where t.key = 'mlflow.prompt.is_prompt' and lower(t.value) = 'true'
  -- the server writes the rows of one request a little after the creation time; a reading sees them together
  and coalesce(t.not_before <= m.created_at + case t.grade when 'captured' then interval 1 minute else interval 0 minute end, true)

-- block: live_versions
with named as (
    select v.subject, 'stage ' || v.stage as via, true as by_stage, v.certainty, v.candidate,
           v.not_before, v.not_after
    from [model_versions] v join live_names n
      on n.kind = 'stage' and n.name = v.stage
     and n.applies_to = conventions_of(v.registry, v.workspace)
    where not v.deleted
    union all
    select a.subject, 'alias ' || a.alias, false, a.certainty, a.candidate, a.not_before, a.not_after
    from [aliases] a join live_names n
      on n.kind = 'alias' and lower(n.name) = lower(a.alias)
     and n.applies_to = conventions_of(a.registry, a.workspace)
),
version as (
    select subject, model_subject, registry, max_by(workspace, (not_after, seq)) filter (where not deleted) as workspace,
           max_by(model, (not_after, seq)) filter (where not deleted) as model, version, count(*) as states
    from [model_versions]
    group by subject, model_subject, registry, version
    having not bool_and(deleted)
)
select v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version,
       string_agg(distinct via, ', ' order by via) as live_via,
       case when bool_or(certainty not in ('uncertain', 'unknown'))
            then max(certainty) filter (where certainty not in ('uncertain', 'unknown'))
            -- of two possible states both are live
            when any_value(v.states) > 1 and count(*) filter (where by_stage) = any_value(v.states) then 'seen_same'
            else 'uncertain' end as certainty,
       min(not_before) as live_not_before, min(not_after) as live_not_after
from named join version v using (subject)
where v.model_subject not in (select model_subject from [prompt_models])
group by v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version

-- block: version_identity
-- every version by its latest name, deleted ones too. MLflow takes the run from a version that it deletes
with kept as (
    select subject, arg_max(run_id, seq) as run_id
    from (select subject, seq, json_extract_string(entry, '$.body.run_id') as run_id from ledger.log
          where kind = 'model_version' and op = 'put' and subject in (select subject from [model_versions] where deleted)
            and ([known] is null or recorded_at <= [known]))
    where trim(run_id) not in ('', 'REDACTED-RUN-ID') group by subject
)
select subject, model_subject, registry, max_by(workspace, (not_after, v.seq)) as workspace,
       max_by(model, (not_after, v.seq)) as model, version,
       coalesce(any_value(k.run_id), max_by(v.run_id, (not_after, v.seq))) as run_id,
       max_by(run_link, (not_after, v.seq)) as run_link, max_by(source, (not_after, v.seq)) as source,
       max_by(logged_model_id, (not_after, v.seq)) as logged_model_id
from [model_versions] v left join kept k using (subject)
group by subject, model_subject, registry, version

-- block: model_identity
-- every registered model by its latest name, deleted ones too
select subject, registry, max_by(workspace, (not_after, seq)) as workspace, max_by(model, (not_after, seq)) as model
from [registered_models]
group by subject, registry

-- block: signatures
-- what is said of the inputs and outputs of a version: by its MLmodel file, and by the tag of the
-- run that older releases of MLflow 2 wrote it to when they logged the model; whoever may write to
-- the run may change that one. An entry of the tag is this version's by MLflow's id of the model, else by the
-- path below the run, else where the run logged only one
with logged as (
    select registry, run_id, certainty, candidate, not_before, not_after, seq,
           from_json(case when json_valid(value) then value end,
                     '[{"artifact_path":"VARCHAR","model_uuid":"VARCHAR",
                        "signature":{"inputs":"VARCHAR","outputs":"VARCHAR","params":"VARCHAR"}}]')
               as entries
    from [run_tags]
    where key = 'mlflow.log-model.history' and contains(value, '"signature"')
),
entry as (
    select * exclude (entries), len(entries) as entry_count,
           unnest(entries) as logged_entry, generate_subscripts(entries, 1) as place
    from logged where len(entries) > 0
),
matched as (
    select v.*, e.logged_entry, e.certainty, e.candidate, e.not_before, e.not_after, e.seq,
           row_number() over (
               partition by v.subject, e.candidate, e.seq
               order by coalesce(e.logged_entry.model_uuid = f.model_uuid, false) desc, e.place desc
           ) as choice
    from (
        select *, rtrim(coalesce(nullif(regexp_extract(source, '^runs:/[^/]+/(.+)$', 1), ''),
                                 nullif(split_part(source, run_id || '/artifacts/', 2), '')), '/')
                  as path
        from [version_identity] where run_id <> ''
    ) v
    join entry e on e.registry = v.registry and e.run_id = v.run_id
    left join (select subject, max(model_uuid) as model_uuid from [model_artifacts] group by subject) f
      on f.subject = v.subject
    where e.logged_entry.model_uuid = f.model_uuid
       or (e.logged_entry.model_uuid is null or f.model_uuid is null)
          and (rtrim(e.logged_entry.artifact_path, '/') = v.path or v.path is null and e.entry_count = 1)
)
select v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version,
       a.signature_inputs as inputs, a.signature_outputs as outputs, a.signature_params as params,
       'MLmodel' as found_in, 'signature' as tag, a.grade, a.certainty, a.candidate,
       a.not_before, a.not_after, a.seq
from [model_artifacts] a join [version_identity] v on v.subject = a.subject
where coalesce(a.signature_inputs, a.signature_outputs, a.signature_params) is not null
union all
select subject, model_subject, registry, workspace, model, version,
       logged_entry.signature.inputs, logged_entry.signature.outputs, logged_entry.signature.params,
       'run tag', 'mlflow.log-model.history', 'asserted', certainty, candidate,
       not_before, not_after, seq
from matched
where choice = 1
  and coalesce(logged_entry.signature.inputs, logged_entry.signature.outputs, logged_entry.signature.params) is not null

-- block: fields
with first_use as {once}(
    -- when a version went into use, as closely as the record bounds it
    select version_subject as subject, 'promotion' as found_in, 400 as place, live_via as tag, grade,
           live_not_before as lo, live_not_after as hi,
           case when [ts] is not null and live_not_after > [ts] then 'uncertain' else 'certain' end as certainty
    from [promotions]
    qualify row_number() over (partition by version_subject order by live_not_after, seq) = 1
    union all
    select version_subject, 'deployment', 410, min_by(system, (running_from, seq)), max(grade), min(running_from),
           min(running_from), 'certain'
    from [running] where version_subject is not null group by version_subject
),
-- how the server knows whom it names, by entry: also where a row of its journal stands in the log twice.
-- Of tags only, because a journal is long
named_by as (
    select l.seq, any_value(j.actor_from) as actor_from
    from ledger.log l join journal j on j.journal = l.source and j.id = l.journal
    where l.actor is not null
      and l.seq in (select seq from [model_version_tags] union all select seq from [registered_model_tags])
    group by l.seq
),
-- a tag is what somebody says; where the server vouches for who, it vouches for what one says of
-- oneself or of the body one speaks for. What a program calls itself, nobody vouches for
vouched as (
    select t.seq, k.actor_from,
           t.grade = 'captured' and is_vouched(k.actor_from) and coalesce(speaks_for(t.actor, t.value), false) as own_word
    from named_by k join (select seq, grade, actor, value from [model_version_tags]
                          union all
                          select seq, grade, actor, value from [registered_model_tags]) t using (seq)
),
-- the run of a version, or that of its logged model
made_by as materialized (
    select distinct v.subject, v.registry, coalesce(nullif(trim(v.run_id), ''), nullif(trim(l.source_run_id), '')) as run_id
    from [version_identity] v left join [version_logged_models] k on k.subject = v.subject
    left join (select registry, model_id, max(source_run_id) as source_run_id from [logged_models] group by registry, model_id) l
      on l.registry = v.registry and l.model_id = k.logged_model_id
),
field_value as (
    select t.subject, g.field, t.value, 'version tag' as found_in, t.key as tag, 100 + g.rank as place,
           t.grade, t.certainty, t.candidate, t.not_before, t.not_after, t.actor, t.seq
    from [model_version_tags] t join governance_fields g
      on g.tag = t.key and g.applies_to = conventions_of(t.registry, t.workspace)
    union all
    select t.model_subject, g.field, t.value, 'model tag', t.key, 300 + g.rank,
           t.grade, t.certainty, t.candidate, t.not_before, t.not_after, t.actor, t.seq
    from [registered_model_tags] t join governance_fields g
      on g.tag = t.key and g.applies_to = conventions_of(t.registry, t.workspace)
    union all
    select v.subject, g.field, t.value, 'model tag', t.key, 300 + g.rank,
           t.grade, t.certainty, t.candidate, t.not_before, t.not_after, t.actor, t.seq
    from [registered_model_tags] t join governance_fields g
      on g.tag = t.key and g.applies_to = conventions_of(t.registry, t.workspace)
    join [version_identity] v on v.model_subject = t.model_subject
    union all
    select subject, 'description', description, 'MLflow', 'version description', 200,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [model_versions] where trim(description, e' \t\r\n') <> ''
    union all
    select subject, 'description', description, 'MLflow', 'model description', 400,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [registered_models] where trim(description, e' \t\r\n') <> ''
    union all
    select v.subject, 'description', m.description, 'MLflow', 'model description', 400,
           m.grade, m.certainty, m.candidate, m.not_before, m.not_after, null as actor, null as seq
    from [registered_models] m join [version_identity] v on v.model_subject = m.subject
    where trim(m.description, e' \t\r\n') <> ''
    union all
    select subject, 'last_updated', strftime(last_updated_at, '%Y-%m-%dT%H:%M:%SZ'), 'MLflow',
           'last_updated_time', 400, grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [model_versions]
    union all
    select subject, 'lifecycle_status', stage, 'MLflow', 'stage', 400,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [model_versions] where stage <> 'None'
    union all
    select subject, 'deployed_at',
           case when date_trunc('second', lo) = date_trunc('second', hi) then strftime(hi, '%Y-%m-%dT%H:%M:%SZ')
                when lo is null then 'by ' || strftime(hi, '%Y-%m-%dT%H:%M:%SZ')
                else 'between ' || strftime(lo, '%Y-%m-%dT%H:%M:%SZ') || ' and ' || strftime(hi, '%Y-%m-%dT%H:%M:%SZ') end,
           found_in, tag, place, grade, certainty, 'only' as candidate, lo, hi, null as actor, null as seq
    from first_use
    union all
    select v.subject, 'developer', coalesce(t.value, r.user_id), 'run', 'mlflow.user', 400,
           'asserted', r.certainty, r.candidate, r.not_before, r.not_after, null as actor, null as seq
    from [runs] r join made_by v on v.registry = r.registry and v.run_id = r.run_id
    left join [run_tags] t on t.run_subject = r.subject and t.key = 'mlflow.user'
                          and t.candidate = r.candidate
    where coalesce(t.value, r.user_id, '') <> ''
    union all
    select v.subject, 'code_reference', t.value, 'run', t.key, 400,
           'asserted', t.certainty, t.candidate, t.not_before, t.not_after, null as actor, null as seq
    from [run_tags] t join made_by v on v.registry = t.registry and v.run_id = t.run_id
    where t.key in ('mlflow.source.git.commit', 'mlflow.git.commit')
    union all
    select v.subject, 'data_sources',
           string_agg(distinct d.name || ' (' || coalesce(d.context, 'no context') || ')', ', '
                      order by d.name || ' (' || coalesce(d.context, 'no context') || ')'),
           'run', 'data sets', 400, 'asserted', max(d.certainty), d.candidate,
           min(d.not_before), min(d.not_after), null as actor, null as seq
    from [run_datasets] d join made_by v on v.registry = d.registry and v.run_id = d.run_id
    group by v.subject, d.candidate
    union all
    select v.subject, 'performance',
           string_agg(m.key || '=' || format('{:.6g}', m.value), ', ' order by m.key),
           'run', 'metrics', 400, 'asserted', max(m.certainty), m.candidate,
           min(m.not_before), min(m.not_after), null as actor, null as seq
    from [run_metrics] m join made_by v on v.registry = m.registry and v.run_id = m.run_id
    group by v.subject, m.candidate
    union all
    select subject, 'inputs', inputs, found_in, tag, case found_in when 'MLmodel' then 400 else 410 end,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [signatures] where inputs is not null
    union all
    select subject, 'outputs', outputs, found_in, tag, case found_in when 'MLmodel' then 400 else 410 end,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [signatures] where outputs is not null
    union all
    select subject, 'methodology', array_to_string(json_keys(flavors), ', '), 'MLmodel', 'flavors',
           400, grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [model_artifacts] where json_valid(flavors)
    union all
    select subject, 'artifact_digest', mlmodel_sha256, 'MLmodel', 'sha256 of MLmodel', 400,
           grade, certainty, candidate, not_before, not_after, null as actor, null as seq
    from [model_artifacts] where mlmodel_sha256 is not null
),
ranked as (
    select *, dense_rank() over (partition by subject, field order by place) as rank
    from field_value where trim(value, e' \t\r\n') <> '' and {named}
),
named as (
    select subject, model_subject, registry, workspace, model, version from [version_identity]
    union all
    select subject, subject, registry, workspace, model, null from [model_identity]
)
select n.subject, n.model_subject, n.registry, n.workspace, n.model, n.version,
       f.field, f.value, f.found_in, f.tag,
       case when f.found_in not in ('version tag', 'model tag') then f.grade
            when k.own_word then 'captured' else 'asserted' end as grade,
       f.actor, k.actor_from,
       f.certainty, f.candidate, f.rank,
       f.not_before, f.not_after
from ranked f join named n using (subject) left join vouched k on k.seq = f.seq

-- block: inventory
with version as {once}(
    select subject, model_subject, registry, max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model, version,
           count(distinct coalesce(stage, '')) > 1
               or (count(*) = 1 and bool_or(certainty in ('uncertain', 'unknown'))) as stage_open,
           case when not stage_open then any_value(stage) end as stage,
           bool_and(deleted) as deleted,
           min(created_at) as version_created_at, max(last_updated_at) as last_updated_at,
           max_by(run_id, (not_after, seq)) as run_id, max_by(source, (not_after, seq)) as source,
           any_value(certainty) as certainty,
           count(distinct deleted) > 1 as deleted_open
    from [model_versions]
    group by subject, model_subject, registry, version
),
model as {once}(
    select subject as model_subject, registry, max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model,
           min(created_at) as model_created_at, max(last_updated_at) as last_updated_at,
           bool_and(deleted) as deleted, any_value(certainty) as certainty
    from [registered_models]
    group by subject, registry
),
alias as (
    select subject,
           string_agg(distinct alias, ', ' order by alias)
               filter (where certainty not in ('uncertain', 'unknown')) as aliases,
           bool_or(certainty in ('uncertain', 'unknown')) as open
    from [aliases]
    group by subject
),
subject as (
    select v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version, v.stage,
           v.deleted or coalesce(m.deleted, false) as deleted, v.version_created_at,
           m.model_created_at, v.last_updated_at, v.run_id, v.source, v.certainty,
           v.stage_open, v.deleted_open
    from version v left join model m using (model_subject)
    union all
    select model_subject, model_subject, registry, workspace, model, null, null, deleted, null,
           model_created_at, last_updated_at, null, null, certainty, false, false
    from model where model_subject not in (select model_subject from version)
),
best as (
    select subject, field, any_value(value) as value,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open
    from [fields]
    where rank = 1
    group by subject, field
),
wide as (
    select subject,
           {pivot},
           string_agg(field, ', ' order by field) filter (where open) as open_fields
    from best
    group by subject
)
select s.subject, s.model_subject, s.registry, s.workspace, s.model, s.version,
       case when p.model_subject is null then 'model' else 'prompt' end as kind,
       s.stage, a.aliases,
       coalesce(l.certainty not in ('uncertain', 'unknown'), false) as live,
       coalesce(l.certainty in ('uncertain', 'unknown'), false) as possibly_live,
       s.deleted, s.version_created_at, s.model_created_at, s.last_updated_at, s.run_id, s.source,
       {columns},
       nullif(concat_ws(', ',
                        case when s.stage_open then 'stage' end,
                        case when a.open then 'aliases' end,
                        case when s.deleted_open then 'deleted' end,
                        w.open_fields), '') as uncertain_fields,
       s.certainty
from subject s
left join alias a on a.subject = s.subject
left join [live_versions] l on l.subject = s.subject
left join [prompt_models] p on p.model_subject = s.model_subject
left join wide w on w.subject = s.subject

-- block: promotions
with state as (
    select t.subject as trigger, t.observed_at, t.place, t.seq, t.lo, t.hi, t.until_lo,
           case when t.op = 'put' and n.name is not null then t.subject end as live_subject,
           'stage ' || n.name as via
    from ledger.timeline('model_version', [known]) t
    join (select *, json_extract_string(entry, '$.body.stage') as stage,
                 conventions_of(registry, workspace) as conventions from ledger.log) l using (seq)
    left join live_names n
      on n.kind = 'stage' and n.name = l.stage and n.applies_to = l.conventions
    where t.op <> 'erased'
    union all
    select t.subject, t.observed_at, t.place, t.seq, t.lo, t.hi, t.until_lo,
           case when t.op = 'put' then split_part(t.subject, ':', 1) || '/' || l.version end,
           'alias ' || n.name
    from ledger.timeline('alias', [known]) t
    join ledger.log l using (seq)
    join live_names n
      on n.kind = 'alias' and lower(n.name) = lower(split_part(t.subject, ':alias:', 2))
     and n.applies_to = conventions_of(l.registry, l.workspace)
    where t.op <> 'erased'
),
turn as (
    select *,
           live_subject is distinct from lag(live_subject) over states
               or lag(seq) over states is null as turned
    from state
    window states as (partition by trigger order by observed_at, place, seq)
),
spell as (
    select live_subject, trigger, via, seq, place, lo, hi,
           lead(until_lo) over turns as end_lo, lead(hi) over turns as end_hi
    from turn where turned
    window turns as (partition by trigger order by observed_at, place, seq)
),
-- a stage or alias that ends when another begins goes on; one that begins again had ended in between
island as (
    select *,
           coalesce(hi > max(coalesce(end_hi, timestamp '9999-12-31')) over earlier
                    or hi = max(coalesce(end_hi, timestamp '9999-12-31')) over earlier
                       and trigger = max_by(trigger, coalesce(end_hi, timestamp '9999-12-31')) over earlier, true) as opens
    from spell where live_subject is not null
    window earlier as (partition by live_subject order by hi, seq
                       rows between unbounded preceding and 1 preceding)
),
numbered as (
    select *, sum(opens::int) over (partition by live_subject order by hi, seq) as island_number
    from island
),
whole as (
    select live_subject, min(seq) as seq, min_by(seq, (hi, place, seq)) as first_seq,
           string_agg(distinct via, ', ' order by via) filter ([ts] is null or lo is null or lo < [ts] or hi <= [ts]) as live_via,
           min(lo) as lo, min(hi) as hi,
           case when bool_and(end_hi is not null) then max(end_lo) end as end_lo,
           case when bool_and(end_hi is not null) then max(end_hi) end as end_hi
    from numbered
    group by live_subject, island_number
)
select w.live_subject || '+' || w.seq as subject, w.live_subject as version_subject,
       split_part(w.live_subject, '/', 1) as model_subject, l.registry, l.workspace, l.model,
       split_part(w.live_subject, '/', 2)::BIGINT as version, w.live_via,
       w.lo as live_not_before, w.hi as live_not_after,
       case when [ts] is null or w.end_lo < [ts] then w.end_lo end as ended_not_before,
       case when [ts] is null or w.end_lo < [ts] then w.end_hi end as ended_not_after,
       l.actor, json_extract_string(l.entry, '$.body.journal.actor_from') as actor_from, l.grade,
       w.seq
from whole w join ledger.log l on l.seq = w.first_seq
where ([ts] is null or w.lo is null or w.lo < [ts] or w.hi <= [ts])
  and split_part(w.live_subject, '/', 1) not in (select model_subject from [prompt_models])

-- block: captures
-- the processes that wrote the server's journal
select s.registry, s.journal, s.process,
       any_value(json_extract_string(s.start_info, '$.host')) as host,
       any_value(try_cast(json_extract_string(s.start_info, '$.pid') as BIGINT)) as pid,
       any_value(json_extract_string(s.start_info, '$.mode')) as mode,
       any_value(json_extract_string(s.start_info, '$.capture')) as capture_version,
       any_value(json_extract_string(s.start_info, '$.mlflow')) as mlflow_version,
       min(s.server_time) as started_at, max(r.last_seen_at) as last_seen_at,
       max(r.stopped_at) as stopped_at
from (select *, case when json_valid(info) then info end as start_info from journal) s
join (
    select registry, journal, process, max(server_time) as last_seen_at,
           max(server_time) filter (where operation = 'stop') as stopped_at
    from journal
    where ([ts] is null or server_time <= [ts]) and problem is null
    group by registry, journal, process
) r using (registry, journal, process)
where s.operation = 'start' and s.problem is null and ([ts] is null or s.server_time <= [ts])
group by s.registry, s.journal, s.process

-- block: capture_gaps
-- when the server may have changed its registry without a row in the journal
with row as (
    select * from journal
    where problem is null and ([ts] is null or server_time <= [ts])
),
ending as (
    select registry, journal, id, server_time, operation
    from row r
    where operation = 'off'
       or operation = 'stop' and not exists (
           select 1 from [captures] c
           where c.registry = r.registry and c.journal = r.journal
             and c.started_at <= r.server_time and c.process <> r.process
             and (c.stopped_at is null or c.stopped_at > r.server_time))
),
shown as (
    select registry, observed_at, journal, source,
           lag(journal) over readings as last_journal, lag(observed_at) over readings as last_at
    from (select registry, observed_at, source, complete, restored, seq,
                 'journal-' || left(journal, 12) as journal
          from extractions)
    where complete and ([ts] is null or observed_at <= [ts])
      and (journal is not null or source <> 'rest' and restored is distinct from true)
    window readings as (partition by registry order by observed_at, seq)
)
select e.registry, e.journal, e.server_time as gap_start, min(s.server_time) as gap_end,
       case e.operation when 'off' then 'switched off' else 'no server with capture' end as reason,
       case e.operation when 'off' then 'a server was started with AUDITREG_CAPTURE=off'
            else 'the last server process that kept the journal stopped' end as detail
from ending e left join (select * from row where operation = 'start') s
  on s.registry = e.registry and s.journal = e.journal and s.id > e.id
group by e.registry, e.journal, e.server_time, e.operation, e.id
union all
select registry, journal, coalesce(max(server_time) filter (where operation <> 'missed'),
                                   min(server_time)),
       max(server_time) filter (where operation = 'missed'), 'changes missed',
       any_value(info) filter (where operation = 'missed')
from (select *, count(*) filter (where operation = 'missed')
                over (partition by registry, journal, process order by id desc) as missed
      from row)
where missed > 0
group by registry, journal, process, missed
union all
select registry, last_journal, last_at,
       (select min(n.observed_at) from shown n
        where n.registry = s.registry and n.observed_at > s.observed_at and n.journal is not null),
       'journal gone', 'the database no longer holds the journal'
from shown s
where journal is null and last_journal is not null
union all
select s.registry, s.last_journal, s.last_at, min(r.server_time), 'journal gone',
       'the journal was made anew'
from shown s left join row r on r.registry = s.registry and r.journal <> s.last_journal
                            and r.server_time > s.last_at
where s.journal <> s.last_journal
group by s.registry, s.last_journal, s.last_at
union all
select registry, journal, server_time, highest, 'clock went back',
       'the server wrote a time before one it had written'
from (select registry, journal, server_time, id,
             max(server_time) over (partition by registry, journal, process order by id) as highest,
             lag(server_time) over (partition by registry, journal, process order by id) as previous
      from row)
where server_time < previous

-- block: changes
-- what the declared kinds call an item: every stored column but last_updated_time, which moves with each of them;
-- a creation time tells when a row began only where the readings around it allow that.
-- MLflow gives a name to one model at a time: a deletion that nobody recorded was no later than the moment at
-- which another model is known to have had the name
with item(kind, item, path) as (values {items}),
moved as materialized (
    select t.seq, t.subject, split_part(split_part(t.subject, ':', 1), '/', 1) as model_subject, t.observed_at, t.place, t.lo, t.hi, t.previous_seq, t.created_at,
           p.seq is not null and p.op = 'gone' and p.journal is null as gone_before,
           p.source as previous_source, l.kind, l.registry, l.workspace, l.model, l.version, l.actor, l.grade, l.source,
           l.entry, p.entry as previous_entry,
           t.op = 'gone'
               or l.kind = 'model_version'
                  and json_extract_string(l.entry, '$.body.stage') = 'Deleted_Internal' as gone,
           p.entry is null or p.op = 'gone'
               or p.kind = 'model_version'
                  and json_extract_string(p.entry, '$.body.stage') = 'Deleted_Internal' as absent
    from ledger.timeline(null, [known]) t
    join ledger.log l on l.seq = t.seq
    left join ledger.log p on p.seq = t.previous_seq
    where (t.previous_seq is not null or t.valid_at is not null
           or t.previous_reading is not null
              and l.kind not in ('run', 'logged_model', 'model_artifact'))
      and ([ts] is null or t.lo is null or t.lo < [ts] or t.hi <= [ts])
),
succession as (
    select g.subject as model_subject, g.observed_at, min(n.hi) as named_at
    from moved g join moved n
      on n.kind = 'registered_model' and not n.gone and n.subject <> g.subject
     and n.registry = g.registry and n.workspace is not distinct from g.workspace
     and n.model = g.model and n.hi < g.hi and n.hi >= g.lo
    where g.kind = 'registered_model' and g.gone and g.grade = 'observed'
    group by g.subject, g.observed_at
),
bounded as (
    select m.* replace (least(m.hi, s.named_at) as hi)
    from moved m left join succession s
      on s.model_subject = m.model_subject and s.observed_at = m.observed_at
     and m.gone and m.grade = 'observed' and (m.lo is null or m.lo <= s.named_at)
),
-- the files beside MLmodel that differ, where both entries list files; file_changes says more
relisted as (
    select seq, json_extract_string(previous_entry, ['$.body.files', '$.body.files_size_bytes']) as old,
           json_extract_string(entry, ['$.body.files', '$.body.files_size_bytes']) as new
    from moved where kind = 'model_artifact' and not gone and not absent
),
listed as (
    select seq, old[2] is not null and new[2] is not null as whole, 'old' as side,
           unnest(from_json(old[1], '[{"path":"VARCHAR","size":"BIGINT","sha256":"VARCHAR"}]')) as file
    from relisted where old[1] <> new[1]
    union all
    select seq, old[2] is not null and new[2] is not null, 'new',
           unnest(from_json(new[1], '[{"path":"VARCHAR","size":"BIGINT","sha256":"VARCHAR"}]'))
    from relisted where old[1] <> new[1]
),
beside as (
    select seq, file.path as path, count(*) = 1 and bool_and(whole) as lone,
           any_value(file) filter (where side = 'old') as old, any_value(file) filter (where side = 'new') as new
    from listed where file.path <> 'MLmodel' group by seq, file.path
),
refiled as (
    select seq, a_few(list(path || ' ' || case when old is null then 'not there' when new.sha256 <> old.sha256 or new is null
                           then coalesce('SHA-256 ' || old.sha256, old.size || ' bytes') else old.size || ' bytes' end order by path)) as before,
           a_few(list(path || ' ' || case when new is null then 'not there' when new.sha256 <> old.sha256 or old is null
                      then coalesce('SHA-256 ' || new.sha256, new.size || ' bytes') else new.size || ' bytes' end order by path)) as after
    from beside where lone or old.sha256 <> new.sha256 or old.size <> new.size
    group by seq
),
compared as (
    select m.*, i.item as name,
           i.path = '$.op' and not m.gone and m.grade = 'observed' and m.kind <> 'principal'
               and m.created_at <= m.hi and (m.lo is null or m.created_at >= m.lo) as claim_holds,
           case when i.path = '$.op' then case when not m.absent then 'present' end
                when not m.absent then json_extract_string(m.previous_entry, i.path) end as before,
           case when i.path = '$.op' then case when not m.gone then 'present' end
                when not m.gone then json_extract_string(m.entry, i.path) end as after
    from bounded m join item i on i.kind = m.kind
    where i.path = '$.op'
       or m.kind not in ('registered_model', 'model_version', 'principal')
       or not m.gone and (not m.absent or i.item in ('stage', 'administrator'))
    union all
    select m.*, 'files', false, f.before, f.after from bounded m join refiled f using (seq)
),
reading as (
    select registry, observed_at, max(started_at) as started_at, max(journal) as journal
    from extractions
    where (complete or journal is not null) and ([known] is null or recorded_at <= [known])
    group by registry, observed_at
),
journal_reading as (select * from reading where journal is not null),
started as (
    select registry, journal as name, min(server_time) as first_at from journal
    where operation = 'start' group by registry, journal
),
-- a change that is no row of the journal, though it was kept before it and is read after it
with_journal as (
    select c.*,
           case when c.kind in ('registered_model', 'registered_model_tag', 'model_version',
                                'model_version_tag', 'alias')
                 and (b.journal = a.journal or b.journal is null and s.first_at <= b.started_at
                      or c.previous_source = s.name)
                then a.journal end as journal,
           a.observed_at > c.observed_at as blind
    from compared c
    asof left join reading b on b.registry = c.registry and c.observed_at > b.observed_at
    asof left join journal_reading a on a.registry = c.registry and c.observed_at <= a.observed_at
    left join started s on s.registry = c.registry
                       and s.name = 'journal-' || left(a.journal, 12)
)
select c.seq,
       case when c.claim_holds then c.created_at else c.lo end as changed_not_before,
       case when c.claim_holds then c.created_at else c.hi end as changed_not_after,
       c.observed_at, c.registry, c.workspace, c.model, c.version, c.subject, c.kind,
       case when c.kind in ('registered_model_tag', 'model_version_tag')
            then json_extract_string(c.entry, '$.body.key')
            when c.kind = 'alias' then json_extract_string(c.entry, '$.body.alias')
            when c.kind = 'principal'
            then case json_extract_string(c.entry, '$.body.kind') when 'role' then 'role'
                      else c.name end || ' ' || json_extract_string(c.entry, '$.body.principal')
            when c.kind = 'permission'
            then concat_ws(' ', case json_extract_string(c.entry, '$.body.principal_kind')
                                     when 'role' then 'role' end,
                           json_extract_string(c.entry, '$.body.principal'),
                           case when c.model is null
                                then 'on ' || json_extract_string(c.entry, '$.body.resource_type')
                                     || ' ' || json_extract_string(c.entry, '$.body.resource') end)
            else c.name end as item,
       case when c.before is null then 'added' when c.after is null then 'removed'
            else 'changed' end as change,
       case c.name when 'creation time'
            then strftime(ledger.moment(try_cast(c.before as BIGINT)), '%Y-%m-%dT%H:%M:%SZ')
            else c.before end as before,
       case c.name when 'creation time'
            then strftime(ledger.moment(try_cast(c.after as BIGINT)), '%Y-%m-%dT%H:%M:%SZ')
            else c.after end as after,
       c.actor,
       json_extract_string(c.entry, '$.body.journal.actor_from') as actor_from,
       json_extract_string(c.entry, '$.body.journal.request') as request, c.grade, c.source,
       c.grade = 'observed' and c.journal is not null
           and not (c.blind and c.gone) and not c.gone_before
           and not exists (
               select 1 from [capture_gaps] g
               where g.registry = c.registry and g.gap_start < c.hi
                 and coalesce(g.gap_end, timestamp '9999-12-31') > c.lo
                 and (g.reason in ('switched off', 'journal gone')
                      or g.reason = 'no server with capture'
                     and coalesce(g.gap_end, timestamp '9999-12-31')
                         > g.gap_start + interval 5 minutes)) as uncaptured
from with_journal c
where c.before is distinct from c.after
  and not (c.name = 'stage' and c.before is null and c.after = 'None')
  -- a server's API shows no storage location: what one source lacks is no change
  and not (c.name = 'storage location' and (c.before is null or c.after is null))
  and not (c.name = 'administrator' and c.before is null and c.after = 'false')

-- block: population_registered_model
select subject, registry, max_by(workspace, (not_after, seq)) as workspace, max_by(model, (not_after, seq)) as model,
       null::BIGINT as version
from [registered_models]
where not deleted and subject not in (select model_subject from [prompt_models])
group by subject, registry

-- block: population_model_version
select subject, registry, max_by(workspace, (not_after, seq)) as workspace, max_by(model, (not_after, seq)) as model, version
from [model_versions]
where not deleted and model_subject not in (select model_subject from [prompt_models])
group by subject, registry, version

-- block: population_live_version
-- what is live by its name, and what an engine is stated to run; by the name it has there, if any
select subject, min_by(registry, place) as registry, min_by(workspace, place) as workspace,
       min_by(model, place) as model, min_by(version, place) as version
from (select subject, registry, workspace, model, version, (0, model) as place from [live_versions]
      union all
      select version_subject, registry, workspace, model, version, (1, model) from [running]
      where version_subject is not null and model_subject not in (select model_subject from [prompt_models]))
group by subject

-- block: population_promotion
-- by the name the model has at the moment, whatever it was called when the version went live
select p.subject, p.registry, coalesce(n.workspace, p.workspace) as workspace, coalesce(n.model, p.model) as model, p.version
from [promotions] p
left join [model_identity] n on n.subject = p.model_subject
where (live_not_after > period_start() or live_not_before >= period_start())
  and (live_not_before is null or live_not_before < period_end())

-- block: population_live_in_period
-- what was live at some moment of the period, or run by an engine, by the name the model has at the moment
select l.subject, max_by(l.registry, place) as registry,
       coalesce(any_value(n.workspace), max_by(l.workspace, place)) as workspace,
       coalesce(any_value(n.model), max_by(l.model, place)) as model, max_by(version, place) as version
from (select version_subject as subject, registry, workspace, model, version, (live_not_after, seq) as place
      from [promotions]
      where (live_not_before is null or live_not_before < period_end())
        and (ended_not_after is null or ended_not_after > period_start() or live_not_before >= period_start())
      union all
      select version_subject, registry, workspace, model, version, (running_from, seq)
      from [deployed_versions]
      where matches = 1 and running_from < period_end() and (running_until is null or running_until > period_start())
        and model_subject not in (select model_subject from [prompt_models])
      union all
      select subject, registry, workspace, model, version, (timestamp 'infinity', 0::BIGINT)
      from [population_live_version]) l
left join [model_identity] n on n.subject = split_part(l.subject, '/', 1)
group by l.subject

-- block: population_retired_version
-- what was live by its name and is in use no more, deleted or not
select version_subject as subject, any_value(p.registry) as registry,
       coalesce(any_value(n.workspace), max_by(p.workspace, (live_not_after, p.seq))) as workspace,
       coalesce(any_value(n.model), max_by(p.model, (live_not_after, p.seq))) as model, version
from [promotions] p
left join [model_identity] n on n.subject = p.model_subject
where version_subject not in (select subject from [population_live_version])
group by version_subject, version

-- block: population_ledger
select 'ledger' as subject, null::VARCHAR as registry, null::VARCHAR as workspace,
       null::VARCHAR as model, null::BIGINT as version

-- block: completeness
-- what the source of a reading said it holds, and what was read of it, table by table
select e.seq, e.registry, e.source, e.observed_at, e.complete, k.part,
       try_cast(json_extract_string(e.counts, '$."' || k.part || '"[0]') as BIGINT)
           as counted_by_source,
       try_cast(json_extract_string(e.counts, '$."' || k.part || '"[1]') as BIGINT) as read,
       try_cast(json_extract_string(e.counts, '$."' || k.part || '"[0]') as BIGINT)
           - try_cast(json_extract_string(e.counts, '$."' || k.part || '"[1]') as BIGINT)
           as difference
from extractions e, (select unnest(json_keys(e.counts)) as part) k
where ([ts] is null or e.observed_at <= [ts]) and ([known] is null or e.recorded_at <= [known])
