-- The typed state tables. Each block decodes the entries of one kind. {decoded} is the relation of
-- entries with their body as a struct: the last ones for the tables kept in the file, those of a
-- past moment for the macros <table>_as_of(ts). {common} are the columns every state table ends
-- with: seq, grade, certainty, candidate, not_before, not_after. {columns} are those that follow from the
-- declared kinds (kind_sql.py), up to one of them or all that are left; identities and what is worked out
-- stand here.

-- table: registered_models of registered_model
select subject, registry, workspace, model, {columns}, op = 'gone' as deleted, {common}
from {decoded}

-- table: registered_model_tags of registered_model_tag
select split_part(subject, ':', 1) as model_subject, registry, workspace, model,
       {columns}, {common}
from {decoded} where op = 'put'

-- table: model_versions of model_version
select subject, split_part(subject, '/', 1) as model_subject, registry, workspace, model, version,
       {columns until source},
       nullif(regexp_extract(body.source, '^models:/(m-[0-9a-zA-Z]+)$', 1), '') as logged_model_id,
       {columns},
       op = 'gone' or coalesce(body.stage = 'Deleted_Internal', false) as deleted, {common}
from {decoded}

-- table: model_version_tags of model_version_tag
select split_part(subject, ':', 1) as subject, split_part(subject, '/', 1) as model_subject,
       registry, workspace, model, version, {columns}, {common}
from {decoded} where op = 'put'

-- table: aliases of alias
select split_part(subject, ':', 1) as model_subject, registry, workspace, model,
       {columns}, version,
       split_part(subject, ':', 1) || '/' || version as subject, {common}
from {decoded} where op = 'put'

-- table: experiments of experiment
select subject, registry, workspace, {columns},
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: runs of run
select subject, registry, {columns},
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: run_params of run
select subject as run_subject, registry, run_id, {columns}, {common}
from (select *, body.run_id as run_id, unnest(body.params) as item
      from {decoded})

-- table: run_tags of run
select subject as run_subject, registry, run_id, {columns}, {common}
from (select *, body.run_id as run_id, unnest(body.tags) as item
      from {decoded})

-- table: run_metrics of run
select subject as run_subject, registry, run_id, {columns}, {common}
from (select *, body.run_id as run_id, unnest(body.metrics) as item
      from {decoded})

-- table: run_datasets of run
select subject as run_subject, registry, run_id, {columns}, {common}
from (select *, body.run_id as run_id, unnest(body.datasets) as item
      from {decoded})

-- table: logged_models of logged_model
select subject, registry, {columns},
       op = 'gone' or coalesce(body.lifecycle_stage = 'deleted', false) as deleted, {common}
from {decoded}

-- table: logged_model_params of logged_model
select subject as logged_model_subject, registry, model_id, {columns}, {common}
from (select *, body.model_id as model_id, unnest(body.params) as item
      from {decoded})

-- table: logged_model_tags of logged_model
select subject as logged_model_subject, registry, model_id, {columns}, {common}
from (select *, body.model_id as model_id, unnest(body.tags) as item
      from {decoded})

-- table: logged_model_metrics of logged_model
select subject as logged_model_subject, registry, model_id, {columns}, {common}
from (select *, body.model_id as model_id, unnest(body.metrics) as item
      from {decoded})

-- table: model_artifacts of model_artifact
select split_part(subject, ':', 1) as subject, split_part(subject, '/', 1) as model_subject,
       registry, workspace, model, version, {columns}, {common}
from {decoded} where op = 'put'

-- table: principals of principal
select subject, registry, workspace, {columns}, {common}
from {decoded} where op = 'put'

-- table: permissions of permission
select subject, registry, workspace, {columns}, {common}
from {decoded} where op = 'put'
