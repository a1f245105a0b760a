-- The state tables of what a reading showed, straight from what it staged instead of from the entries
-- just written. Each block is one state table's {decoded}: entries with a body as the log gives it,
-- a row per item for tables of items. {rows} are the entries: what `decoded` takes, without entry,
-- and besides item and place: the row of the staging table. The SELECTs themselves: state.sql.

-- macro: what decoding a body gives back for a staged text
create or replace temp macro told(text) as
case when starts_with(text, chr(0) || '$secret:') or starts_with(text, chr(0) || '$bytes:')
     then encoded(text) else text end;

-- staged: model_versions of model_version
select r.* exclude (item, place), {'description': told(s.description), 'stage': told(s.stage), 'run_id': told(s.run_id),
             'source': told(s.source), 'user_id': told(s.user_id), 'status': told(s.status),
             'status_message': told(s.status_message), 'run_link': told(s.run_link),
             'storage_location': told(s.storage_location), 'creation_time': s.creation_time,
             'last_updated_time': s.last_updated_time} as body
from {rows} r join stage_model_versions s on s.rowid = r.place

-- staged: model_version_tags of model_version_tag
select r.* exclude (item, place), {'key': told(s.key), 'value': told(s.value)} as body
from {rows} r join stage_model_version_tags s on s.rowid = r.place

-- staged: runs of run
select r.* exclude (item, place), {'run_id': told(s.run_id), 'experiment_id': told(s.experiment_id), 'name': told(s.name),
             'user_id': told(s.user_id), 'status': told(s.status), 'start_time': s.start_time,
             'end_time': s.end_time, 'lifecycle_stage': told(s.lifecycle_stage),
             'artifact_uri': told(s.artifact_uri)} as body
from {rows} r join stage_runs s on s.rowid = r.place

-- staged: run_params of run
select r.* exclude (item, place), {'run_id': told(r.item), 'params': [{'key': told(s.key), 'value': told(s.value)}]} as body
from stage_run_params s join {rows} r on r.item = s.run_id

-- staged: run_tags of run
select r.* exclude (item, place), {'run_id': told(r.item), 'tags': [{'key': told(s.key), 'value': told(s.value)}]} as body
from stage_run_tags s join {rows} r on r.item = s.run_id

-- staged: run_metrics of run
select r.* exclude (item, place), {'run_id': told(r.item), 'metrics': [{'key': told(s.key), 'value': s.value,
             'timestamp': s.timestamp, 'step': s.step}]} as body
from stage_run_metrics s join {rows} r on r.item = s.run_id

-- staged: run_datasets of run
select r.* exclude (item, place), {'run_id': told(r.item), 'datasets': [{'name': told(s.name), 'digest': told(s.digest),
             'context': told(s.context), 'source_type': told(s.source_type),
             'source': told(s.source), 'schema': told(s.schema), 'profile': told(s.profile)}]} as body
from stage_run_datasets s join {rows} r on r.item = s.run_id
