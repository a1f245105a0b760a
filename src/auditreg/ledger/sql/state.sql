-- The typed state tables. Each block decodes the entries of one kind. {decoded} is the relation of
-- entries with their body as a struct: the last ones for the tables kept in the file, those of a
-- past moment for the macros <table>_as_of(ts). {common} are the columns every state table ends
-- with: seq, grade, certainty, candidate, not_before, not_after. What a body holds: bodies.json.

-- table: registered_models of registered_model
select subject, registry, workspace, model, body.description as description,
       ledger.moment(body.creation_time) as created_at,
       ledger.moment(body.last_updated_time) as last_updated_at,
       op = 'gone' as deleted, {common}
from {decoded}

-- table: registered_model_tags of registered_model_tag
select split_part(subject, ':', 1) as model_subject, registry, workspace, model,
       body.key as key, body.value as value, {common}
from {decoded} where op = 'put'

-- table: model_versions of model_version
select subject, split_part(subject, '/', 1) as model_subject, registry, workspace, model, version,
       body.description as description, body.stage as stage, body.run_id as run_id,
       body.source as source,
       nullif(regexp_extract(body.source, '^models:/(m-[0-9a-zA-Z]+)$', 1), '') as logged_model_id,
       body.user_id as user_id, body.status as status, body.status_message as status_message,
       body.run_link as run_link, body.storage_location as storage_location,
       ledger.moment(body.creation_time) as created_at,
       ledger.moment(body.last_updated_time) as last_updated_at,
       op = 'gone' or coalesce(body.stage = 'Deleted_Internal', false) as deleted, {common}
from {decoded}

-- table: model_version_tags of model_version_tag
select split_part(subject, ':', 1) as subject, split_part(subject, '/', 1) as model_subject,
       registry, workspace, model, version, body.key as key, body.value as value, {common}
from {decoded} where op = 'put'

-- table: aliases of alias
select split_part(subject, ':', 1) as model_subject, registry, workspace, model,
       body.alias as alias, version,
       split_part(subject, ':', 1) || '/' || version as subject, {common}
from {decoded} where op = 'put'

-- table: experiments of experiment
select subject, registry, workspace, body.experiment_id as experiment_id, body.name as name,
       body.artifact_location as artifact_location, body.lifecycle_stage as lifecycle_stage,
       ledger.moment(body.creation_time) as created_at,
       ledger.moment(body.last_update_time) as last_updated_at,
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: runs of run
select subject, registry, body.run_id as run_id, body.experiment_id as experiment_id,
       body.name as name, body.user_id as user_id, body.status as status,
       ledger.moment(body.start_time) as started_at,
       ledger.moment(body.end_time) as ended_at,
       body.lifecycle_stage as lifecycle_stage, body.artifact_uri as artifact_uri,
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: run_params of run
select subject as run_subject, registry, run_id, item.key as key, item.value as value, {common}
from (select *, body.run_id as run_id, unnest(body.params) as item
      from {decoded})

-- table: run_tags of run
select subject as run_subject, registry, run_id, item.key as key, item.value as value, {common}
from (select *, body.run_id as run_id, unnest(body.tags) as item
      from {decoded})

-- table: run_metrics of run
select subject as run_subject, registry, run_id, item.key as key, item.value as value,
       ledger.moment(item.timestamp) as recorded_at, item.step as step, {common}
from (select *, body.run_id as run_id, unnest(body.metrics) as item
      from {decoded})

-- table: run_datasets of run
select subject as run_subject, registry, run_id, item.name as name, item.digest as digest,
       item.context as context, item.source_type as source_type, item.source as source,
       item.schema as schema, item.profile as profile, {common}
from (select *, body.run_id as run_id, unnest(body.datasets) as item
      from {decoded})

-- table: logged_models of logged_model
select subject, registry, body.model_id as model_id, body.experiment_id as experiment_id,
       body.name as name, body.artifact_location as artifact_location,
       ledger.moment(body.creation_time) as created_at,
       ledger.moment(body.last_updated_time) as last_updated_at,
       body.status as status, body.lifecycle_stage as lifecycle_stage,
       body.model_type as model_type, body.source_run_id as source_run_id,
       body.status_message as status_message,
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: logged_model_params of logged_model
select subject as logged_model_subject, registry, model_id, item.key as key, item.value as value, {common}
from (select *, body.model_id as model_id, unnest(body.params) as item
      from {decoded})

-- table: logged_model_tags of logged_model
select subject as logged_model_subject, registry, model_id, item.key as key, item.value as value, {common}
from (select *, body.model_id as model_id, unnest(body.tags) as item
      from {decoded})

-- table: logged_model_metrics of logged_model
select subject as logged_model_subject, registry, model_id, item.key as key, item.value as value,
       ledger.moment(item.timestamp) as recorded_at, item.step as step,
       item.run_id as run_id, item.dataset_name as dataset_name,
       item.dataset_digest as dataset_digest, {common}
from (select *, body.model_id as model_id, unnest(body.metrics) as item
      from {decoded})

-- table: model_artifacts of model_artifact
select split_part(subject, ':', 1) as subject, split_part(subject, '/', 1) as model_subject,
       registry, workspace, model, version, body.location as location, body.state as state,
       body.problem as problem, body.mlmodel_sha256 as mlmodel_sha256,
       body.signature_inputs as signature_inputs, body.signature_outputs as signature_outputs,
       body.signature_params as signature_params, body.flavors as flavors,
       body.requirements as requirements, body.python_version as python_version,
       body.mlflow_version as mlflow_version, body.model_id as model_id, body.run_id as run_id,
       body.utc_time_created as utc_time_created, body.model_size_bytes as model_size_bytes,
       body.input_example as input_example, body.files as files,
       body.serialization as serialization, body.pins as pins, body.unpinned as unpinned,
       body.files_size_bytes as files_size_bytes, body.manifest_sha256 as manifest_sha256,
       body.model_uuid as model_uuid, body.marker as marker,
       ledger.moment(body.last_read_at) as last_read_at, {common}
from {decoded} where op = 'put'
