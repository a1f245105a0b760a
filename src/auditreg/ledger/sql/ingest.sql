-- From staging tables (stage_*) to what changed. Blocks run in order; $-names are parameters. What is in
-- braces follows from the declared kinds (kind_sql.py); identities and joins stand here.

-- macro: json of a staged text, which may be marked as bytes or as a secret
create or replace temp macro encoded(text) as
case when text is null or text = chr(0) || '$unseen' then 'null'
     when starts_with(text, chr(0) || '$secret:')
     then '{"$secret":{"key":' || to_json(split_part(text, ':', 2))
          || ',"hmac":' || to_json(split_part(text, ':', 3)) || '}}'
     when starts_with(text, chr(0) || '$bytes:')
     then '{"$bytes":' || to_json(substr(text, 9)) || '}'
     else to_json(text)::VARCHAR end;

-- macro: json of a number that JSON may not hold
create or replace temp macro number_json(number) as
case when number is null then 'null'
     when isnan(number) then '"NaN"'
     when isinf(number) then case when number > 0 then '"Infinity"' else '"-Infinity"' end
     else to_json(number)::VARCHAR end;

-- macro: a text for fingerprints, with NULL told from empty and secrets left out; its length stands
-- before it, so that no text passes for two
create or replace temp macro printed(text) as
case when text is null then chr(0)
     when starts_with(text, chr(0) || '$secret:') then chr(0) || '$secret'
     else length(text) || ':' || text end;

-- macro: a number for fingerprints
create or replace temp macro plain(number) as coalesce(number::VARCHAR, chr(0));

-- macro: the state in an entry's body, without what the server's journal said of its change
create or replace temp macro ledger_body(entry) as
case when contains(entry, ',"journal":{')
     then json_merge_patch(json_extract(entry, '$.body'), '{"journal":null}')::VARCHAR
     else json_extract(entry, '$.body')::VARCHAR end;

-- macro: a text as sources stage it: what begins like a mark is marked as bytes
create or replace temp macro staged(text) as
case when starts_with(text, chr(0) || '$') then chr(0) || '$bytes:' || to_base64(encode(text))
     else text end;

-- macro: a text of a body as sources stage it
create or replace temp macro staged_json(json) as
case when json_type(json) = 'VARCHAR' then staged(json ->> '$')
     when json_type(json) = 'OBJECT' then chr(0) || '$bytes:' || json_extract_string(json, '$."$bytes"')
     end;

-- macro: what decoding a body gives back for a staged text
create or replace temp macro decoded_text(text) as
case when starts_with(text, chr(0) || '$secret:') or starts_with(text, chr(0) || '$bytes:')
     then encoded(text) when text <> chr(0) || '$unseen' then text end;

-- macro: whether two fingerprints may be of one state: ? stands for what a source could not show
create or replace temp macro same_state(a, b) as
case when a is null or b is null then a is null and b is null
     else a = b or split_part(a, ':', 1) = split_part(b, ':', 1) and {same parts} end;

-- macro: whether secrets differ; hashed with another key nobody can tell
create or replace temp macro other_secrets(a, b) as
a is distinct from b and split_part(a, ':', 1) is not distinct from split_part(b, ':', 1);

-- macro: the keyed hash in a staged secret, else NULL
create or replace temp macro secret_of(text) as
case when starts_with(text, chr(0) || '$secret:') then substr(text, 10) end;

-- macro: a time in milliseconds, NULL where it is no time a calendar holds
create or replace temp macro moment(ms) as
case when ms between -62135596800000 and 253402300799999 then make_timestamp(ms * 1000) end;

-- table: names of models in this reading, with their creation times
create or replace temp table model_name as
select workspace, model, max(creation_time) as creation_time,
       moment(max(creation_time)) as created_at
from (select workspace, model, creation_time from stage_registered_models
      union all select workspace, model, null from stage_model_versions
      union all select workspace, model, null from stage_registered_model_tags
      union all select workspace, model, null from stage_aliases)
group by workspace, model;

-- table: identities known from the log
{known models};

-- table: the subject of each model of this reading
create or replace temp table model_id as
with {models of model_name}
select n.workspace, n.model, n.created_at,
       coalesce(i.subject,
                'm-' || left(sha256($registry || chr(31) || n.workspace || chr(31) || n.model
                                    || chr(31) || coalesce(n.creation_time::VARCHAR, '')), 16)
       ) as subject
from model_name n join identified i using (workspace, model);

-- table: the states known before this reading
-- in the order of the source: what readings later than this one saw does not count, what its
-- journal told does
create or replace temp table known as
select subject, kind, seq, op, fingerprint, secrets, workspace, model
from ledger.heads
where registry = $registry and not $late
  and subject not in (select subject from ledger.log where seq >= $base and subject is not null)
union all
select subject, last.kind, last.seq, last.op, last.fingerprint, last.secrets, last.workspace,
       last.model
from (
    select subject,
           max_by({'kind': kind, 'seq': seq, 'op': op, 'fingerprint': fingerprint,
                   'secrets': secrets, 'workspace': workspace, 'model': model},
                  (observed_at, place, seq)) as last
    from ledger.placed(null, null::TIMESTAMP)
    where registry = $registry and observed_at <= $observed_at
      and ($late or subject in (select subject from ledger.log
                                where seq >= $base and subject is not null))
    group by subject
);

-- update: what this source cannot show is what was last known of it
{hidden};

-- table: every state of this reading, with its fingerprint and the row it was staged in
create or replace temp table incoming (
    kind VARCHAR, subject VARCHAR, workspace VARCHAR, model VARCHAR, version BIGINT,
    created_at TIMESTAMP, changed_at TIMESTAMP, fingerprint VARCHAR, secrets VARCHAR, item VARCHAR,
    place BIGINT
);

-- kind: registered_model
insert into incoming
select 'registered_model', {subject of registered_model}, s.workspace, s.model, null, i.created_at,
       moment(s.last_updated_time),
       {fingerprint of registered_model},
       null, null, s.rowid
from stage_registered_models s join model_id i using (workspace, model);

-- kind: registered_model_tag
insert into incoming
select 'registered_model_tag', {subject of registered_model_tag}, s.workspace, s.model, null,
       i.created_at, null, {fingerprint of registered_model_tag}, secret_of(s.value), s.key, s.rowid
from stage_registered_model_tags s join model_id i using (workspace, model);

-- kind: model_version
insert into incoming
select 'model_version', {subject of model_version}, s.workspace, s.model, s.version,
       moment(s.creation_time), moment(s.last_updated_time),
       {fingerprint of model_version},
       null, null, s.rowid
from stage_model_versions s join model_id i using (workspace, model);

-- kind: model_version_tag
insert into incoming
select 'model_version_tag', {subject of model_version_tag}, s.workspace,
       s.model, s.version, coalesce(moment(v.creation_time), i.created_at), null,
       {fingerprint of model_version_tag}, secret_of(s.value), s.key, s.rowid
from stage_model_version_tags s join model_id i using (workspace, model)
left join stage_model_versions v using (workspace, model, version);

-- kind: alias
insert into incoming
select 'alias', {subject of alias}, s.workspace, s.model, s.version,
       coalesce(moment(v.creation_time), i.created_at), null, {fingerprint of alias}, null,
       s.alias, s.rowid
from stage_aliases s join model_id i using (workspace, model)
left join stage_model_versions v using (workspace, model, version);

-- kind: experiment
insert into incoming
select 'experiment', {subject of experiment}, workspace,
       null, null, moment(creation_time), null,
       {fingerprint of experiment},
       null, experiment_id, s.rowid
from stage_experiments s;

-- table: fingerprints of what belongs to a run
create or replace temp table run_child as
{items of run};

-- kind: run
insert into incoming
select 'run', {subject of run}, null, null, null,
       moment(s.start_time), null,
       {fingerprint of run},
       nullif(c.secrets, ''), s.run_id, s.rowid
from stage_runs s left join run_child c using (run_id);

-- kind: logged_model
insert into incoming
with child as ({items of logged_model})
select 'logged_model', {subject of logged_model}, null, null,
       null, moment(s.creation_time), null,
       {fingerprint of logged_model},
       nullif(c.secrets, ''), s.model_id, s.rowid
from stage_logged_models s left join child c using (model_id);

-- table: what the ledger holds of the model files of these versions
create or replace temp table held as
select s.rowid as place, a.*
from stage_model_artifacts s join model_id i using (workspace, model)
join model_artifacts a on a.subject = i.subject || '/' || s.version
where s.state <> 'not_looked_at' and a.registry = $registry;

-- update: files that could not be looked at are still said to be what they were when last read,
-- and when that was
update stage_model_artifacts s
set {carried from h},
    last_read_at = epoch_ms(coalesce(h.last_read_at, greatest(h.not_after, r.all_at,
        case when h.subject in (select subject from live_versions) then r.any_at end)))
from held h cross join (
    select max(observed_at) as any_at,
           max(observed_at) filter (where json_extract_string(asked, '$.artifacts') = 'all') as all_at
    from extractions
    where registry = $registry and list_contains(string_split(kinds, ','), 'model_artifact')
) r
where s.rowid = h.place and s.state = 'unreachable' and not $late
  and h.state in ('read', 'unreachable') and h.mlmodel_sha256 is not null
  and s.location is not distinct from h.location;

-- update: digests stay as long as the list of the files does and nobody asked for new ones
update stage_model_artifacts s
set files = h.files, manifest_sha256 = h.manifest_sha256,
    marker = case when h.marker like '%+sha256' then s.marker || '+sha256' else s.marker end
from held h
where s.rowid = h.place and s.state = 'read' and not $late
  and s.mlmodel_sha256 = h.mlmodel_sha256 and s.marker not like '%+sha256'
  and contains(h.files, '"sha256":"')
  and regexp_replace(h.files, '"sha256":"[0-9a-f]{64}",', '', 'g') = s.files;

-- update: what is known of a version that has another model's name by now
update stage_model_artifacts s
set state = 'read', problem = a.problem, marker = a.marker, {carried from a}
from model_artifacts a
where s.state = 'unchanged' and a.registry = $registry and a.state = 'read'
  and a.workspace = s.workspace and a.model = s.model and a.version = s.version
  and s.rowid not in (select place from held);

-- kind: model_artifact
insert into incoming
select 'model_artifact', {subject of model_artifact}, s.workspace, s.model,
       s.version, coalesce(moment(v.creation_time), i.created_at), null,
       {fingerprint of model_artifact},
       null, null, s.rowid
from stage_model_artifacts s join model_id i using (workspace, model)
left join stage_model_versions v using (workspace, model, version)
where s.state not in ('not_looked_at', 'unchanged');

-- kind: principal
insert into incoming
select 'principal', {subject of principal},
       s.workspace, null, null, null, null,
       {fingerprint of principal}, null, s.principal, s.rowid
from stage_principals s;

-- kind: permission
-- for a model its name stands in the column model, so that its rights are found with it
insert into incoming
select 'permission', {subject of permission},
       s.workspace,
       case when s.resource_type in ('registered_model', 'prompt') and s.resource <> '*'
            then s.resource end,
       null, null, null, {fingerprint of permission}, null,
       s.principal, s.rowid
from stage_permissions s;

-- table: what is new or different
-- a secret hashed with another key is not a change; another name is: what a model holds has moved.
-- same_content: it says what a source before could not show, or that what it belongs to has another name
create or replace temp table changed as
select i.*, 'put' as op, k.seq as previous_seq,
       coalesce(k.op = 'put' and same_state(k.fingerprint, i.fingerprint)
                and not other_secrets(k.secrets, i.secrets), false) as same_content
from incoming i left join known k using (subject)
where k.subject is null or k.op <> 'put' or k.fingerprint is distinct from i.fingerprint
   or k.workspace is distinct from i.workspace or k.model is distinct from i.model
   or other_secrets(k.secrets, i.secrets);

-- table: what was there and is not any more
-- runs, LoggedModels, experiments and artifacts are read because something points to them: what
-- nothing points to any more is not gone; nor is a tombstone that this source cannot show
create or replace temp table vanished as
select k.subject, k.kind, k.seq as previous_seq
from known k
where k.op = 'put' and k.kind in (select unnest($covered))
  and k.subject not in (select subject from incoming)
  and ($shows_deleted or k.kind not in ('model_version', 'model_version_tag')
       or split_part(k.subject, ':', 1) not in (
           select subject from model_versions where stage = 'Deleted_Internal'))
  and (k.kind in ('registered_model', 'registered_model_tag', 'model_version',
                  'model_version_tag', 'alias', 'principal', 'permission')
       or k.kind = 'run' and k.subject in (
           select 'r-' || left(sha256($registry || chr(31) || run_id), 16)
           from stage_model_versions where run_id is not null)
       or k.kind = 'logged_model' and k.subject in (
           select 'l-' || left(sha256($registry || chr(31)
                  || regexp_extract(source, '^models:/(m-[0-9a-zA-Z]+)$', 1)), 16)
           from stage_model_versions where source is not null));
