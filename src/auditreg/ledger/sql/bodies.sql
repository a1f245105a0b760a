-- The body of an entry, as JSON text, for the states of one kind in `todo` (seq, item, and place:
-- the row of the staging table). Each block selects seq and body. One concat for a text: a chain of ||
-- copies it at every step. No part may be NULL, which concat would leave out.

-- body: registered_model
select t.seq, concat('{"creation_time":', coalesce(s.creation_time::VARCHAR, 'null'),
    ',"last_updated_time":', coalesce(s.last_updated_time::VARCHAR, 'null'),
    ',"description":', encoded(s.description), '}') as body
from todo t join stage_registered_models s on s.rowid = t.place

-- body: registered_model_tag
select t.seq, concat('{"key":', encoded(s.key), ',"value":', encoded(s.value), '}') as body
from todo t join stage_registered_model_tags s on s.rowid = t.place

-- body: model_version
select t.seq, concat('{"creation_time":', coalesce(s.creation_time::VARCHAR, 'null'),
    ',"last_updated_time":', coalesce(s.last_updated_time::VARCHAR, 'null'),
    ',"description":', encoded(s.description),
    ',"user_id":', encoded(s.user_id), ',"stage":', encoded(s.stage),
    ',"source":', encoded(s.source), ',"run_id":', encoded(s.run_id),
    ',"run_link":', encoded(s.run_link), ',"status":', encoded(s.status),
    ',"status_message":', encoded(s.status_message),
    ',"storage_location":', encoded(s.storage_location), '}') as body
from todo t join stage_model_versions s on s.rowid = t.place

-- body: model_version_tag
select t.seq, concat('{"key":', encoded(s.key), ',"value":', encoded(s.value), '}') as body
from todo t join stage_model_version_tags s on s.rowid = t.place

-- body: alias
select seq, concat('{"alias":', encoded(item), '}') as body from todo

-- body: experiment
select t.seq, concat('{"experiment_id":', encoded(s.experiment_id), ',"name":', encoded(s.name),
    ',"artifact_location":', encoded(s.artifact_location),
    ',"lifecycle_stage":', encoded(s.lifecycle_stage),
    ',"creation_time":', coalesce(s.creation_time::VARCHAR, 'null'),
    ',"last_update_time":', coalesce(s.last_update_time::VARCHAR, 'null'), '}') as body
from todo t join stage_experiments s on s.rowid = t.place

-- body: run
with params as (
    select run_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', encoded(value), '}'))), ',') as items
    from stage_run_params where run_id in (select item from todo) group by run_id
),
metrics as (
    select run_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', number_json(value), ',"timestamp":', coalesce(timestamp::VARCHAR, 'null'), ',"step":', coalesce(step::VARCHAR, 'null'), '}'))), ',') as items
    from stage_run_metrics where run_id in (select item from todo) group by run_id
),
tags as (
    select run_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', encoded(value), '}'))), ',') as items
    from stage_run_tags where run_id in (select item from todo) group by run_id
),
datasets as (
    select run_id, array_to_string(list_sort(list(concat('{"name":', encoded(name), ',"digest":', encoded(digest), ',"context":', encoded(context), ',"source_type":', encoded(source_type), ',"source":', encoded(source), ',"schema":', encoded(schema), ',"profile":', encoded(profile), '}'))), ',') as items
    from stage_run_datasets where run_id in (select item from todo) group by run_id
)
select t.seq, concat('{"run_id":', encoded(s.run_id), ',"experiment_id":', encoded(s.experiment_id),
    ',"name":', encoded(s.name), ',"user_id":', encoded(s.user_id),
    ',"status":', encoded(s.status),
    ',"start_time":', coalesce(s.start_time::VARCHAR, 'null'),
    ',"end_time":', coalesce(s.end_time::VARCHAR, 'null'),
    ',"lifecycle_stage":', encoded(s.lifecycle_stage),
    ',"artifact_uri":', encoded(s.artifact_uri),
    ',"params":[', coalesce(params.items, ''), '],"metrics":[', coalesce(metrics.items, ''),
    '],"tags":[', coalesce(tags.items, ''), '],"datasets":[', coalesce(datasets.items, ''), ']}') as body
from todo t join stage_runs s on s.rowid = t.place
left join params on params.run_id = t.item left join metrics on metrics.run_id = t.item
left join tags on tags.run_id = t.item left join datasets on datasets.run_id = t.item

-- body: logged_model
with params as (
    select model_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', encoded(value), '}'))), ',') as items
    from stage_logged_model_params where model_id in (select item from todo) group by model_id
),
tags as (
    select model_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', encoded(value), '}'))), ',') as items
    from stage_logged_model_tags where model_id in (select item from todo) group by model_id
),
metrics as (
    select model_id, array_to_string(list_sort(list(concat('{"key":', encoded(key), ',"value":', number_json(value), ',"timestamp":', coalesce(timestamp::VARCHAR, 'null'), ',"step":', coalesce(step::VARCHAR, 'null'), ',"run_id":', encoded(run_id), ',"dataset_name":', encoded(dataset_name), ',"dataset_digest":', encoded(dataset_digest), '}'))), ',') as items
    from stage_logged_model_metrics where model_id in (select item from todo) group by model_id
)
select t.seq, concat('{"model_id":', encoded(s.model_id), ',"experiment_id":', encoded(s.experiment_id),
    ',"name":', encoded(s.name), ',"artifact_location":', encoded(s.artifact_location),
    ',"creation_time":', coalesce(s.creation_time::VARCHAR, 'null'),
    ',"last_updated_time":', coalesce(s.last_updated_time::VARCHAR, 'null'),
    ',"status":', encoded(s.status), ',"lifecycle_stage":', encoded(s.lifecycle_stage),
    ',"model_type":', encoded(s.model_type), ',"source_run_id":', encoded(s.source_run_id),
    ',"status_message":', encoded(s.status_message),
    ',"params":[', coalesce(params.items, ''), '],"tags":[', coalesce(tags.items, ''),
    '],"metrics":[', coalesce(metrics.items, ''), ']}') as body
from todo t join stage_logged_models s on s.rowid = t.place
left join params on params.model_id = t.item left join tags on tags.model_id = t.item
left join metrics on metrics.model_id = t.item

-- body: model_artifact
select t.seq, concat('{"location":', encoded(s.location), ',"state":', encoded(s.state),
    ',"problem":', encoded(s.problem), ',"mlmodel_sha256":', encoded(s.mlmodel_sha256),
    ',"signature_inputs":', encoded(s.signature_inputs),
    ',"signature_outputs":', encoded(s.signature_outputs),
    ',"signature_params":', encoded(s.signature_params),
    ',"flavors":', encoded(s.flavors), ',"requirements":', encoded(s.requirements),
    ',"python_version":', encoded(s.python_version),
    ',"mlflow_version":', encoded(s.mlflow_version), ',"model_id":', encoded(s.model_id),
    ',"run_id":', encoded(s.run_id), ',"utc_time_created":', encoded(s.utc_time_created),
    ',"model_size_bytes":', coalesce(s.model_size_bytes::VARCHAR, 'null'),
    ',"input_example":', encoded(s.input_example), ',"files":', encoded(s.files),
    ',"serialization":', encoded(s.serialization), ',"pins":', encoded(s.pins),
    ',"unpinned":', coalesce(s.unpinned::VARCHAR, 'null'),
    ',"files_size_bytes":', coalesce(s.files_size_bytes::VARCHAR, 'null'),
    ',"manifest_sha256":', encoded(s.manifest_sha256),
    ',"model_uuid":', encoded(s.model_uuid), ',"marker":', encoded(s.marker),
    ',"last_read_at":', coalesce(s.last_read_at::VARCHAR, 'null'), '}') as body
from todo t join stage_model_artifacts s on s.rowid = t.place

-- body: principal
select t.seq, '{"kind":' || encoded(s.kind) || ',"principal":' || encoded(s.principal)
    || ',"admin":' || coalesce(s.admin::VARCHAR, 'null')
    || ',"description":' || encoded(s.description) || '}' as body
from todo t join stage_principals s on s.rowid = t.place

-- body: permission
select t.seq, '{"resource_type":' || encoded(s.resource_type) || ',"resource":' || encoded(s.resource)
    || ',"principal_kind":' || encoded(s.principal_kind) || ',"principal":' || encoded(s.principal)
    || ',"permission":' || encoded(s.permission) || ',"via":' || encoded(s.via) || '}' as body
from todo t join stage_permissions s on s.rowid = t.place
