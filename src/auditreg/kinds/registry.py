"""The kinds of rows of a registry. What follows from them: `staging`, and `auditreg.ledger.kind_sql`.

The order of columns is part of the ledger's format: it is their order within a body and within a
fingerprint. So a new column goes to the end of its table.
"""

from __future__ import annotations

from typing import Any

from auditreg.kinds.declaration import (
    BOOL,
    HEADER,
    INT,
    MOMENT,
    PARENT,
    REAL,
    STAGED,
    TEXT,
    Column,
    Kind,
    StagingTable,
)


def _workspace() -> Column:
    return Column("workspace", place=HEADER, compared=False)


def _model() -> Column:
    return Column("model", place=HEADER, identity=True, compared=False, mlflow="name")


def _version() -> Column:
    return Column("version", INT, place=HEADER, identity=True, compared=False)


def _created(**more: Any) -> Column:
    return Column("creation_time", MOMENT, shown="created_at", **more)


def _updated(name: str = "last_updated_time", **more: Any) -> Column:
    return Column(name, MOMENT, shown="last_updated_at", **more)


def _tag() -> tuple[Column, ...]:
    """A tag that is a row of the registry: its key is part of its identity."""
    return (
        Column("key", identity=True, compared=False),
        Column("value", credential="value", item="tag"),
    )


def _pair() -> tuple[Column, ...]:
    """A parameter or tag that is an item of a run or LoggedModel."""
    return (Column("key", identity=True, printed="{s}.key"), Column("value", credential="value"))


def _metric(meaning: str = "") -> tuple[Column, ...]:
    return (
        Column("key", identity=True, printed="{s}.key"),
        Column("value", REAL, meaning),
        Column("timestamp", MOMENT, "Time the client gave the value, UTC", shown="recorded_at"),
        Column("step", INT),
    )


def _of(name: str) -> Column:
    return Column(name, place=PARENT, identity=True, compared=False)


def _file(name: str, kind: str = TEXT, meaning: str = "", **more: Any) -> Column:
    return Column(name, kind, meaning, carried=True, **more)


KINDS: tuple[Kind, ...] = (
    Kind(
        "registered_model",
        StagingTable(
            "registered_models",
            "Registered models, deleted ones included (prompts too: see the view prompts)",
            (
                Column("workspace", place=HEADER, item="workspace"),
                Column("model", place=HEADER, identity=True, mlflow="name", item="name"),
                _created(zero_is_null=True),
                _updated(zero_is_null=True),
                Column("description", empty_is_null=True, credential="inside", item="description"),
            ),
            shown_first=("description",),
        ),
        existence="model",
    ),
    Kind(
        "registered_model_tag",
        StagingTable(
            "registered_model_tags", "Tags of registered models", (_workspace(), _model(), *_tag())
        ),
        filter="tag",
    ),
    Kind(
        "model_version",
        StagingTable(
            "model_versions",
            "Versions of registered models, deleted ones included",
            (
                _workspace(),
                _model(),
                _version(),
                _created(zero_is_null=True, item="creation time"),
                _updated(zero_is_null=True),
                Column("description", empty_is_null=True, credential="inside", item="description"),
                Column("user_id", item="author"),
                Column("stage", mlflow="current_stage", item="stage"),
                Column(
                    "source",
                    TEXT,
                    "Location the version was registered from",
                    credential="inside",
                    item="source",
                ),
                Column("run_id", empty_is_null=True, item="run"),
                Column(
                    "run_link",
                    TEXT,
                    "Link to the run, where the client gave one",
                    empty_is_null=True,
                    credential="inside",
                    item="run link",
                ),
                Column(
                    "status",
                    TEXT,
                    "READY, PENDING_REGISTRATION or FAILED_REGISTRATION",
                    item="status",
                ),
                Column(
                    "status_message", empty_is_null=True, credential="inside", item="status message"
                ),
                Column(
                    "storage_location",
                    TEXT,
                    "Where the registry keeps the version's files",
                    optional=True,
                    credential="inside",
                    item="storage location",
                ),
            ),
            shown_first=(
                *("description", "stage", "run_id", "source", "user_id", "status"),
                *("status_message", "run_link", "storage_location"),
            ),
        ),
        existence="version",
    ),
    Kind(
        "model_version_tag",
        StagingTable(
            "model_version_tags", "Tags of versions", (_workspace(), _model(), _version(), *_tag())
        ),
        filter="tag",
    ),
    Kind(
        "alias",
        StagingTable(
            "aliases",
            "Aliases and the versions they point to",
            (
                _workspace(),
                _model(),
                Column("alias", TEXT, "Alias", identity=True, compared=False),
                Column("version", INT, place=HEADER, identity=True, item="alias"),
            ),
        ),
        filter="alias",
    ),
    Kind(
        "experiment",
        StagingTable(
            "experiments",
            "Experiments of the runs kept here",
            (
                Column("experiment_id", identity=True),
                _workspace(),
                Column("name", credential="inside"),
                Column("artifact_location", credential="inside"),
                Column("lifecycle_stage"),
                _created(compared=False, zero_is_null=True),
                _updated("last_update_time", zero_is_null=True),
            ),
        ),
    ),
    Kind(
        "run",
        StagingTable(
            "runs",
            "Training runs that versions point to",
            (
                Column("run_id", identity=True, compared=False),
                Column("experiment_id"),
                Column("name", empty_is_null=True, credential="inside"),
                Column("user_id"),
                Column("status"),
                Column(
                    "start_time",
                    MOMENT,
                    "Start of the run by the client's clock, UTC",
                    shown="started_at",
                ),
                Column(
                    "end_time",
                    MOMENT,
                    "End of the run by the client's clock, UTC",
                    shown="ended_at",
                    zero_is_null=True,
                ),
                Column("lifecycle_stage", item="run"),
                Column("deleted_time", MOMENT, place=STAGED, compared=False),
                Column(
                    "artifact_uri",
                    TEXT,
                    "Where the run's artifacts are",
                    empty_is_null=True,
                    credential="inside",
                ),
            ),
        ),
        items=(
            StagingTable(
                "run_params", "Parameters of runs", (_of("run_id"), *_pair()), items="params"
            ),
            StagingTable(
                "run_metrics",
                "Latest value of each metric of runs",
                (_of("run_id"), *_metric("Latest value; NaN and infinities as such")),
                items="metrics",
            ),
            StagingTable("run_tags", "Tags of runs", (_of("run_id"), *_pair()), items="tags"),
            StagingTable(
                "run_datasets",
                "Data sets logged as inputs of runs",
                (
                    _of("run_id"),
                    Column("name", identity=True, credential="inside"),
                    Column(
                        "digest",
                        TEXT,
                        "MLflow's digest: short, and over the first 10,000 rows only; not proof of "
                        "equality",
                        identity=True,
                    ),
                    Column("context", TEXT, "What the run used it for: training, test, validation"),
                    Column("source_type", TEXT, "Kind of source the data set was read from"),
                    Column(
                        "source",
                        TEXT,
                        "Where the data set was read from, as MLflow's JSON",
                        credential="inside",
                    ),
                    Column("schema", TEXT, "Columns, as MLflow's JSON", empty_is_null=True),
                    Column(
                        "profile",
                        TEXT,
                        "Row counts, as MLflow's JSON",
                        empty_is_null=True,
                        credential="inside",
                    ),
                ),
                items="datasets",
            ),
        ),
        in_body=("params", "metrics", "tags", "datasets"),
        in_fingerprint=("params", "tags", "metrics", "datasets"),
        filter="run",
    ),
    Kind(
        "logged_model",
        StagingTable(
            "logged_models",
            "LoggedModels that versions were registered from; which one of which version: "
            "version_logged_models",
            (
                Column("model_id", identity=True, compared=False),
                Column("experiment_id"),
                Column("name"),
                Column("artifact_location", credential="inside"),
                _created(),
                _updated(),
                Column("status"),
                Column("lifecycle_stage", item="logged model"),
                Column("model_type", TEXT, "Type the client gave", empty_is_null=True),
                Column("source_run_id", TEXT, "Run that logged it", empty_is_null=True),
                Column("status_message", empty_is_null=True, credential="inside"),
            ),
        ),
        items=(
            StagingTable(
                "logged_model_params",
                "Parameters of LoggedModels",
                (_of("model_id"), *_pair()),
                items="params",
            ),
            StagingTable(
                "logged_model_metrics",
                "Metrics of LoggedModels",
                (
                    _of("model_id"),
                    *_metric(),
                    Column("run_id", empty_is_null=True),
                    Column(
                        "dataset_name",
                        TEXT,
                        "Data set the metric was computed on",
                        empty_is_null=True,
                    ),
                    Column(
                        "dataset_digest",
                        TEXT,
                        "MLflow's digest of that data set",
                        empty_is_null=True,
                    ),
                ),
                items="metrics",
            ),
            StagingTable(
                "logged_model_tags",
                "Tags of LoggedModels",
                (_of("model_id"), *_pair()),
                items="tags",
            ),
        ),
        in_body=("params", "tags", "metrics"),
        in_fingerprint=("params", "tags", "metrics"),
        filter="logged model",
    ),
    Kind(
        "model_artifact",
        StagingTable(
            "model_artifacts",
            "What the MLmodel file of a version says, and whether it could be read",
            (
                _workspace(),
                Column("model", place=HEADER, compared=False),
                Column("version", INT, place=HEADER, compared=False),
                Column("location", TEXT, "Where the files were looked for", credential="inside"),
                Column(
                    "state",
                    TEXT,
                    "read, no_mlmodel, unreadable (it cannot be understood) or unreachable "
                    "(nobody could look)",
                    item="artifact",
                ),
                # Why something cannot be reached is said in other words each time: no change.
                Column(
                    "problem",
                    TEXT,
                    "Why it could not be read, or what was left out",
                    printed="printed(case when {s}.state <> 'unreachable' then {s}.problem end)",
                    credential="inside",
                ),
                _file("mlmodel_sha256", TEXT, "SHA-256 of the MLmodel file", item="MLmodel"),
                _file(
                    "signature_inputs",
                    TEXT,
                    "Inputs of the signature, as MLmodel's JSON; NULL where there are none",
                ),
                _file(
                    "signature_outputs",
                    TEXT,
                    "Outputs of the signature, as MLmodel's JSON; NULL where there are none",
                ),
                _file(
                    "signature_params",
                    TEXT,
                    "Inference parameters of the signature, as MLmodel's JSON",
                ),
                _file(
                    "flavors", TEXT, "Flavours and their settings, JSON object", credential="inside"
                ),
                _file(
                    "requirements",
                    TEXT,
                    "Requirements, JSON list of the lines",
                    credential="inside",
                ),
                _file("python_version", TEXT, "Python the model was saved with"),
                _file("mlflow_version", TEXT, "MLflow the model was saved with"),
                _file("model_id"),
                _file("run_id"),
                _file("utc_time_created", TEXT, "When the model was saved, as MLmodel says, UTC"),
                _file("model_size_bytes", INT, "Size of the model's files as MLmodel says, bytes"),
                _file(
                    "input_example",
                    TEXT,
                    "Input example the model was saved with, as MLmodel's JSON",
                    credential="inside",
                ),
                _file(
                    "files",
                    TEXT,
                    "Files of the model, JSON list of {path, size, sha256}; the last where they "
                    "were hashed",
                ),
                _file(
                    "serialization",
                    TEXT,
                    "Format each flavour saved the model in, JSON object: flavour to format",
                    credential="inside",
                ),
                _file(
                    "pins",
                    TEXT,
                    "Requirements pinned to one version, JSON list of the lines",
                    credential="inside",
                ),
                _file("unpinned", INT, "Requirements not pinned to one version"),
                _file(
                    "files_size_bytes",
                    INT,
                    "Size of the model's files as listed, bytes; NULL where not every one is listed",
                ),
                _file(
                    "manifest_sha256",
                    TEXT,
                    "SHA-256 of the text of files, where every one is listed and hashed",
                ),
                _file("model_uuid", TEXT, "MLflow 2's id of the saved model"),
                Column(
                    "marker",
                    TEXT,
                    "Equal as long as the files seem unchanged, without reading them",
                ),
                Column(
                    "last_read_at",
                    MOMENT,
                    "Last reading that could read what stands here, UTC; NULL where the last one "
                    "could",
                    compared=False,
                ),
            ),
        ),
        filter="artifact",
    ),
    Kind(
        "principal",
        StagingTable(
            "principals",
            "Accounts and roles of MLflow's basic-auth; passwords are never read",
            (
                Column("kind", TEXT, "user or role", identity=True, compared=False),
                _workspace(),
                Column(
                    "principal", TEXT, "Name of the account or role", identity=True, compared=False
                ),
                Column(
                    "admin",
                    BOOL,
                    "Whether the account is an administrator of the whole server; NULL for a role",
                    item="administrator",
                ),
                Column(
                    "description",
                    TEXT,
                    "Description of the role",
                    empty_is_null=True,
                    credential="inside",
                ),
            ),
        ),
        existence="account",
        filter="account",
    ),
    Kind(
        "permission",
        StagingTable(
            "permissions",
            "Who was given what: rights of accounts and roles, and who has which role",
            (
                _workspace(),
                Column(
                    "resource_type",
                    TEXT,
                    "What the right is for: registered_model, prompt, experiment, workspace, ...; "
                    "role where somebody has a role; * where it is for everything",
                    identity=True,
                    compared=False,
                ),
                Column(
                    "resource",
                    TEXT,
                    "Name or id of it; * for all of that type in the workspace",
                    identity=True,
                    compared=False,
                ),
                Column(
                    "principal_kind", TEXT, "user, role, or everyone", identity=True, compared=False
                ),
                Column(
                    "principal", TEXT, "Who holds it; * for everyone", identity=True, compared=False
                ),
                Column(
                    "permission",
                    TEXT,
                    "READ, USE, EDIT, MANAGE, DENY or NO_PERMISSIONS; MEMBER of a role; NULL where "
                    "it is not known what everyone may do",
                    item="right",
                ),
                Column(
                    "via",
                    TEXT,
                    "direct (given to the account), workspace (to the account, for a workspace, "
                    "before MLflow had roles), role (to the role), member (has the role), default or "
                    "floor (holds for everyone without being given: alone, or beside what was given)",
                ),
            ),
        ),
        filter="right",
    ),
)
