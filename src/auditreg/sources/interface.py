"""What a source of registry state is, and the staging tables every source fills.

A source yields Arrow record batches for the tables below, always with these columns and types,
whatever the registry's own schema looks like; the ledger compares them with what it already
holds. `sources` never sees the ledger.

Text that is not valid Unicode is staged as `BYTES_MARK` + base64; text that happens to begin
with NUL and `$` is staged the same way, so the mark is unambiguous.
Moments are integer milliseconds since the epoch, UTC, as MLflow keeps them.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_MARK = "\x00$bytes:"
"""Prefix of staged text that was not valid Unicode; base64 of the bytes follows."""

DELETED = "Deleted_Internal"
"""The stage MLflow gives a version's tombstone."""

JOURNAL = "journal"
"""The staging table of what `auditreg-capture` wrote."""

NO_RUN_POINTED = "runs no version points to"
RUN_GONE = "runs that versions point to and that no longer exist"
NO_ARTIFACTS = {"artifacts": "none"}

TEXT, INT, REAL, BOOL = "string", "int64", "float64", "bool"

STAGING: dict[str, dict[str, str]] = {
    "registered_models": {
        "workspace": TEXT,
        "model": TEXT,
        "creation_time": INT,
        "last_updated_time": INT,
        "description": TEXT,
    },
    "registered_model_tags": {"workspace": TEXT, "model": TEXT, "key": TEXT, "value": TEXT},
    "model_versions": {
        "workspace": TEXT,
        "model": TEXT,
        "version": INT,
        "creation_time": INT,
        "last_updated_time": INT,
        "description": TEXT,
        "user_id": TEXT,
        "stage": TEXT,
        "source": TEXT,
        "run_id": TEXT,
        "run_link": TEXT,
        "status": TEXT,
        "status_message": TEXT,
        "storage_location": TEXT,
    },
    "model_version_tags": {
        "workspace": TEXT,
        "model": TEXT,
        "version": INT,
        "key": TEXT,
        "value": TEXT,
    },
    "aliases": {"workspace": TEXT, "model": TEXT, "alias": TEXT, "version": INT},
    "experiments": {
        "experiment_id": TEXT,
        "workspace": TEXT,
        "name": TEXT,
        "artifact_location": TEXT,
        "lifecycle_stage": TEXT,
        "creation_time": INT,
        "last_update_time": INT,
    },
    "runs": {
        "run_id": TEXT,
        "experiment_id": TEXT,
        "name": TEXT,
        "user_id": TEXT,
        "status": TEXT,
        "start_time": INT,
        "end_time": INT,
        "lifecycle_stage": TEXT,
        "deleted_time": INT,
        "artifact_uri": TEXT,
    },
    "run_params": {"run_id": TEXT, "key": TEXT, "value": TEXT},
    "run_metrics": {
        "run_id": TEXT,
        "key": TEXT,
        "value": REAL,
        "timestamp": INT,
        "step": INT,
    },
    "run_tags": {"run_id": TEXT, "key": TEXT, "value": TEXT},
    "run_datasets": {
        "run_id": TEXT,
        "name": TEXT,
        "digest": TEXT,
        "context": TEXT,
        "source_type": TEXT,
        "source": TEXT,
        "schema": TEXT,
        "profile": TEXT,
    },
    "logged_models": {
        "model_id": TEXT,
        "experiment_id": TEXT,
        "name": TEXT,
        "artifact_location": TEXT,
        "creation_time": INT,
        "last_updated_time": INT,
        "status": TEXT,
        "lifecycle_stage": TEXT,
        "model_type": TEXT,
        "source_run_id": TEXT,
        "status_message": TEXT,
    },
    "logged_model_params": {"model_id": TEXT, "key": TEXT, "value": TEXT},
    "logged_model_metrics": {
        "model_id": TEXT,
        "key": TEXT,
        "value": REAL,
        "timestamp": INT,
        "step": INT,
        "run_id": TEXT,
        "dataset_name": TEXT,
        "dataset_digest": TEXT,
    },
    "logged_model_tags": {"model_id": TEXT, "key": TEXT, "value": TEXT},
    "model_artifacts": {
        "workspace": TEXT,
        "model": TEXT,
        "version": INT,
        "location": TEXT,
        "state": TEXT,
        "problem": TEXT,
        "mlmodel_sha256": TEXT,
        "signature_inputs": TEXT,
        "signature_outputs": TEXT,
        "signature_params": TEXT,
        "flavors": TEXT,
        "requirements": TEXT,
        "python_version": TEXT,
        "mlflow_version": TEXT,
        "model_id": TEXT,
        "run_id": TEXT,
        "utc_time_created": TEXT,
        "model_size_bytes": INT,
        "input_example": TEXT,
        "files": TEXT,
        "serialization": TEXT,
        "pins": TEXT,
        "unpinned": INT,
        "files_size_bytes": INT,
        "manifest_sha256": TEXT,
        "model_uuid": TEXT,
        "marker": TEXT,
        "last_read_at": INT,
    },
    "principals": {
        "kind": TEXT,
        "workspace": TEXT,
        "principal": TEXT,
        "admin": BOOL,
        "description": TEXT,
    },
    "permissions": {
        "workspace": TEXT,
        "resource_type": TEXT,
        "resource": TEXT,
        "principal_kind": TEXT,
        "principal": TEXT,
        "permission": TEXT,
        "via": TEXT,
    },
    "journal": {
        "id": INT,
        "server_time": INT,
        "request": TEXT,
        "process": TEXT,
        "operation": TEXT,
        "table_name": TEXT,
        "workspace": TEXT,
        "name": TEXT,
        "version": INT,
        "item": TEXT,
        "model_created": INT,
        "before_row": TEXT,
        "after_row": TEXT,
        "actor": TEXT,
        "actor_from": TEXT,
        "claimed": TEXT,
        "path": TEXT,
        "method": TEXT,
        "client": TEXT,
    },
}
"""Column name to type for every staging table.

- `registered_model*`, `model_version*`, `aliases`: MLflow's rows; `workspace` is `default` where
  the registry has none. A deleted version (SQL only) has stage `Deleted_Internal`.
- `runs` and their children: the runs that a version or a logged model of a version points to
  (`run_id` or `source` `runs:/…` of a version, `source_run_id` of a logged model, a run whose
  32-digit id is the value of a version's tag). Deleted versions point nowhere.
- `experiments`: those of the runs above. `logged_models`: those a version's `source`
  (`models:/m-…`) points to, and those whose tag `mlflow.modelVersions` says that they were registered
  (SQL: also where the version it names is no longer there).
- `run_datasets.context` is the input tag `mlflow.data.context`. Metrics are the latest value of
  each key, non-finite ones as IEEE values.
- `model_artifacts`: one row per version whose artifacts were looked for. `state` is `read`,
  `no_mlmodel`, `unreadable` (the file is there and cannot be parsed), `unreachable` (no access),
  `not_looked_at`, or `unchanged` (looked at, and what `Reading.known_artifacts` was told still holds;
  the row says nothing else); `problem` says why in one line. `signature_*` hold MLmodel's JSON text
  or NULL; `flavors`, `requirements`, `files` JSON text (`files`: list of {path, size, sha256?});
  `serialization` the format each flavour saved in, JSON object by flavour; `pins` the lines of
  `requirements` that are pinned exactly, JSON list, `unpinned` how many are not. `files_size_bytes`
  is the sum over `files` where every one is listed with its size, `manifest_sha256` the SHA-256 of
  the text of `files` where every one is listed and hashed; `model_size_bytes` is MLmodel's claim.
  `marker` is equal as long as the files seem the same. `last_read_at` is NULL: the ledger fills it.
- `principals`: the accounts and roles of MLflow's basic-auth. `kind` is `user` or `role`; a role
  belongs to a `workspace`, a user to none (NULL). Passwords are never read, hashed or not.
- `permissions`: who may do what. `principal_kind` is `user`, `role` or `everyone`; `resource` is a
  model's name, an experiment's id, or `*`. `via` is `direct` (given to the user), `workspace`
  (given to the user for a whole workspace, by MLflow before roles), `role` (given to the role),
  `member` (the user has the role `resource`; `permission` is `MEMBER`), and for `everyone`
  `default` or `floor`: what holds where nothing was given, or whatever was given. Exactly one row
  is of `everyone`; its `permission` is NULL where it is not known: MLflow keeps it in a file.
- `journal`: what `auditreg-capture` wrote into the registry's database, as it stands there, in
  ascending `id`, each id once; without the rows told to `Reading.skip_journal`. `before_row` and
  `after_row` are JSON text nobody has parsed yet. It is a record of changes, no kind of state.
"""

READS: dict[str, tuple[str, ...]] = {
    "registered_model": ("registered_models",),
    "registered_model_tag": ("registered_model_tags",),
    "model_version": ("model_versions",),
    "model_version_tag": ("model_version_tags",),
    "alias": ("aliases",),
    "experiment": ("experiments",),
    "run": ("runs", "run_params", "run_metrics", "run_tags", "run_datasets"),
    "logged_model": (
        "logged_models",
        "logged_model_params",
        "logged_model_metrics",
        "logged_model_tags",
    ),
    "model_artifact": ("model_artifacts",),
    "principal": ("principals",),
    "permission": ("permissions",),
}
"""Which staging tables make up each kind of ledger entry; the first one holds its subjects."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is: its kind, the MLflow behind it, what it cannot show.

    `location` never holds a password. `shows_deleted` is True where tombstones of deleted
    versions are visible. `hidden_columns` (`table.column` of `STAGING`) are always NULL from this
    source: that is no evidence that there is no value, and another source's value stands.
    `clock_offset_ms` is the source's clock minus this machine's, None where it cannot be told.
    """

    kind: str
    location: str
    mlflow_version: str | None
    schema_version: str | None
    shows_deleted: bool
    cannot_show: tuple[str, ...] = ()
    hidden_columns: tuple[str, ...] = ()
    clock_offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """What was asked for and what was read, compared with what the source itself says it holds.

    `counts` maps a staging table to (as the source counts it, as read); the first is None where the
    source gives no count of its own. Over REST it is what the pass before the last one listed: there
    is no other count. Of `model_artifacts` it counts versions: those whose files were to be read,
    and those whose files could be looked at. `asked` maps an option to its value ("runs": "linked").
    `left_out` maps a reason to a number ("runs no version points to": 120). `gaps` counts the version
    numbers below a model's highest that no version has, `tombstones` the deleted versions that are
    still shown. `passes` is how often the source was read until two readings agreed. `complete` is
    False when any doubt is left, and `doubts` says which.
    """

    counts: dict[str, tuple[int | None, int]]
    left_out: dict[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    passes: int = 1
    asked: dict[str, str] = field(default_factory=dict)
    gaps: int = 0
    tombstones: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing read is in doubt."""
        return not self.doubts


Progress = Callable[[str, int, int | None], None]
"""Called with (phase, done, total or None) while a source reads."""


class Reading(abc.ABC):
    """One consistent look at a registry, open for as long as it is read from.

    Use it as a context manager. `started_at` and `ended_at` are the source's moments of the
    snapshot in milliseconds UTC (equal for SQL; first and last request for REST). `journal` is
    the id of the journal that `auditreg-capture` keeps there, None where this source shows none.
    """

    info: SourceInfo
    started_at: int
    ended_at: int
    journal: str | None = None

    @abc.abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """The kinds of `READS` this reading covers completely."""

    @abc.abstractmethod
    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of one staging table of `STAGING`, in batches of its fixed schema."""

    @abc.abstractmethod
    def completeness(self) -> Completeness:
        """What was read; valid once every table has been consumed."""

    def skip_journal(self, sealed: Sequence[tuple[int, int]]) -> None:  # noqa: B027 (no journal)
        """Leave out of `table("journal")` the rows whose ids are in these inclusive ranges.

        Call it before the table is read; what it costs follows the rows that are left.
        """

    def known_artifacts(self, rows: Iterable[tuple[str, str, int, str]]) -> None:  # noqa: B027 (reading all again is right too)
        """Let versions that are not live, and whose files still are as known, be `unchanged`.

        Call it before `table("model_artifacts")` is read.

        Args:
            rows: workspace, model, version and the last `marker` of versions whose files could
                be read, each version once.
        """

    def journal_ranges(self) -> list[tuple[int, int]]:
        """The ids in the journal at the snapshot, skipped ones too, as inclusive ranges.

        Ascending; two ranges never touch. Rows of every operation count. Empty where this source
        shows no journal.
        """
        return []

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 (a source that holds nothing open need not say so)
        """End the snapshot and free what it holds."""


class Source(abc.ABC):
    """A place registry state can be read from."""

    @abc.abstractmethod
    def read(self, *, runs: str = "linked", progress: Progress | None = None) -> Reading:
        """Take one consistent look.

        Args:
            runs: `linked` for the runs versions point to, `all` for every run.
            progress: told about phases.

        Raises:
            SourceError: the registry cannot be reached, is not MLflow's, or contradicts itself.
        """


class ArtifactFiles(Protocol):
    """What a source needs of the reader of model files, which it does not otherwise know."""

    @property
    def options(self) -> dict[str, str]:
        """What was asked for, as `Completeness.asked` says it."""

    @property
    def counts(self) -> tuple[int, int]:
        """How many versions' files the last reading had to read, and how many it did."""

    @property
    def left_out(self) -> dict[str, int]:
        """What the last reading did not read, by reason, and how many versions that concerns."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Mistakes of a program that kept files from being read, which make a reading incomplete."""

    @property
    def cannot_show(self) -> tuple[str, ...]:
        """What a reading that was asked so cannot show."""

    def know(self, rows: Iterable[tuple[str, str, int, str]]) -> None:
        """See `Reading.known_artifacts`."""

    def versions_to_read(
        self,
        versions: Iterable[pa.RecordBatch],
        aliases: Iterable[pa.RecordBatch],
        model_tags: Iterable[pa.RecordBatch],
        places: Mapping[str, Any],
    ) -> Sequence[Any]:
        """The versions that are not deleted, with the place of their files.

        Args:
            versions: the staging table `model_versions`.
            aliases: the staging table `aliases`.
            model_tags: the staging table `registered_model_tags`, which tells what is a prompt.
            places: artifact location by logged model id and by run id.
        """

    def read(self, versions: Sequence[Any], progress: Progress) -> Iterator[pa.RecordBatch]:
        """The rows of `model_artifacts`, one per version of `versions_to_read`."""


def clock() -> int:
    """This machine's time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a staging table."""
    import pyarrow as pa

    kinds = {TEXT: pa.string(), INT: pa.int64(), REAL: pa.float64(), BOOL: pa.bool_()}
    return pa.schema([(name, kinds[kind]) for name, kind in STAGING[table].items()])
