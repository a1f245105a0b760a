"""The staging tables: what every source fills, whatever the registry's own schema looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditreg.kinds.declaration import BOOL, INT, REAL, TEXT, Column, StagingTable
from auditreg.kinds.registry import KINDS

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: dict[str, StagingTable] = {
    table.name: table for kind in KINDS for table in (kind.table, *kind.items)
}
"""Every table of registry rows by its name."""

JOURNAL: dict[str, str] = {
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
}
"""Columns of the server's journal: a record of changes, no kind of row."""

STAGING: dict[str, dict[str, str]] = {
    **{
        name: {column.name: column.staged_type for column in table.columns}
        for name, table in TABLES.items()
    },
    "journal": JOURNAL,
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
    kind.name: (kind.table.name, *(table.name for table in kind.items)) for kind in KINDS
}
"""Which staging tables make up each kind of ledger entry; the first one holds its subjects."""


def _marked(attribute: str) -> dict[str, frozenset[str]]:
    """Table to the columns whose declaration has an attribute; tables without one are left out."""
    named = {
        name: frozenset(column.name for column in table.columns if getattr(column, attribute))
        for name, table in TABLES.items()
    }
    return {name: columns for name, columns in named.items() if columns}


EMPTY_IS_NULL = _marked("empty_is_null")
"""Columns whose empty text is staged as NULL: MLflow's REST API does not tell the two apart, and
the same registry has to look the same through either source."""

ZERO_IS_NULL = _marked("zero_is_null")
"""Columns whose 0 MLflow's REST API leaves out, staged as NULL by every source."""

KEYS: dict[str, tuple[str, ...]] = {
    **{
        name: tuple(column.name for column in table.columns if column.identity)
        for name, table in TABLES.items()
        if any(column.identity for column in table.columns)
    },
    "journal": ("id",),
}
"""Columns a row cannot do without: they say which thing it is about."""


def columns_with_credentials(how: str) -> Iterator[tuple[str, Column]]:
    """Tables and columns that hold credentials `inside`, or as a whole `value`."""
    for name, table in TABLES.items():
        for column in table.columns:
            if column.credential == how:
                yield name, column


def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a staging table."""
    import pyarrow as pa

    types = {TEXT: pa.string(), INT: pa.int64(), REAL: pa.float64(), BOOL: pa.bool_()}
    return pa.schema([(name, types[kind]) for name, kind in STAGING[table].items()])
