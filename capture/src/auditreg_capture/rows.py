"""MLflow's registry tables: which there are, what identifies a row, and its exact image."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import sqlalchemy as sa

from auditreg_capture import statements
from auditreg_capture.errors import CaptureError

Key = Tuple[Any, ...]
Image = Dict[str, Any]

# Parents first: the order in which rows are locked, the same in every transaction.
TABLES = (
    "registered_models",
    "model_versions",
    "registered_model_tags",
    "model_version_tags",
    "registered_model_aliases",
)
# Whose rows the database moves or removes along with a row of the table on the left.
CHILDREN: Dict[str, Tuple[str, ...]] = {
    "registered_models": TABLES[1:],
    "model_versions": ("model_version_tags",),
}
_KEYS = {
    "registered_models": ("workspace", "name"),
    "model_versions": ("workspace", "name", "version"),
    "registered_model_tags": ("workspace", "name", "key"),
    "model_version_tags": ("workspace", "name", "version", "key"),
    "registered_model_aliases": ("workspace", "name", "alias"),
}
_NEEDED = {
    "registered_models": {"name", "creation_time", "last_updated_time", "description"},
    "model_versions": {
        *("name", "version", "creation_time", "last_updated_time", "description", "user_id"),
        *("current_stage", "source", "run_id", "run_link", "status", "status_message"),
    },
    "registered_model_tags": {"name", "key", "value"},
    "model_version_tags": {"name", "version", "key", "value"},
    "registered_model_aliases": {"name", "alias", "version"},
}
# SQL Server takes 2100 parameters, older SQLite 999; four to a key at most.
CHUNK = 100


class RegistryTable:
    """One of MLflow's tables, with its key in one order for every release of MLflow."""

    def __init__(self, table: sa.Table) -> None:
        self.table = table
        self.name: str = table.name
        self.key = tuple(c for c in _KEYS[self.name] if c in table.primary_key.columns)
        self.columns = tuple(column.name for column in table.columns)
        # How many leading key columns a child shares with a row of this table.
        self.prefix = len(self.key)

    def key_of(self, image: Image) -> Key:
        """The row's key, from all its columns."""
        return tuple(image[column] for column in self.key)


@lru_cache(maxsize=1)
def registry_tables() -> Dict[str, RegistryTable]:
    """MLflow's registry tables, after making sure that they are those capture knows."""
    try:
        import mlflow.store.model_registry.dbmodels.models  # noqa: F401 (defines the tables)
        from mlflow.store.db.base_sql_model import Base
    except ImportError as error:
        raise CaptureError(
            f"MLflow's database models cannot be imported ({error}). auditreg-capture belongs into the "
            "environment of an MLflow server of version 2.9 or newer that has a SQL backend store."
        ) from error
    tables = {name: Base.metadata.tables[name] for name in TABLES if name in Base.metadata.tables}
    problems = list(_problems(tables, Base.metadata.tables.values()))
    if problems:
        raise CaptureError(
            "This MLflow's registry tables differ from those auditreg-capture knows: "
            + "; ".join(problems)
            + ". Nothing was changed. Install a newer auditreg-capture, go back to the MLflow release it "
            "worked with, or set AUDITREG_CAPTURE=off to run without capture."
        )
    return {name: RegistryTable(table) for name, table in tables.items()}


def parent_of(registry: RegistryTable) -> Optional[RegistryTable]:
    """The table whose row a row of this one belongs to most closely; None for models."""
    parents = [name for name, children in CHILDREN.items() if registry.name in children]
    return registry_tables()[parents[-1]] if parents else None


def _problems(tables: Dict[str, sa.Table], every: Iterable[sa.Table]) -> Iterator[str]:
    for name in TABLES:
        if name not in tables:
            yield f"there is no table {name}"
            continue
        columns = {column.name for column in tables[name].columns}
        if missing := sorted(_NEEDED[name] - columns):
            yield f"{name} has no column {', '.join(missing)}"
        key = {column.name for column in tables[name].primary_key.columns}
        known = set(_KEYS[name])
        if key not in (known, known - {"workspace"}):
            yield f"the primary key of {name} is ({', '.join(sorted(key))})"
    for table in every:
        if table.name in TABLES:
            continue
        for reference in table.foreign_keys:
            if reference.target_fullname.split(".")[0] in TABLES:
                yield f"{table.name} refers to {reference.target_fullname}"


def _statement(name: str, columns: Tuple[str, ...], count: int, lock: bool) -> Any:
    registry = registry_tables()[name]
    conditions = [
        sa.and_(
            *(
                registry.table.c[column]
                == sa.bindparam(f"{column}_{n}", type_=registry.table.c[column].type)
                for column in columns
            )
        )
        for n in range(count)
    ]
    return locked(
        sa.select(*registry.table.columns).where(sa.or_(*conditions)), registry.table, lock
    )


def locked(statement: Any, table: sa.Table, lock: bool) -> Any:
    """The statement, reading the newest committed rows and keeping others from changing them."""
    if not lock:
        return statement
    return statement.with_for_update().with_hint(table, "WITH (UPDLOCK, ROWLOCK)", "mssql")


def read(
    connection: Any, registry: RegistryTable, keys: Sequence[Key], length: int, *, lock: bool
) -> List[Image]:
    """The rows whose first `length` key columns equal one of `keys`, all columns, as in the database."""
    columns = registry.key[:length]
    images: List[Image] = []
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        parameters = {
            f"{column}_{n}": value
            for n, key in enumerate(chunk)
            for column, value in zip(columns, key)  # noqa: B905 (Python 3.9)
        }
        shape = (registry.name, columns, len(chunk), lock)
        rows = statements.execute(connection, _statement, shape, parameters).fetchall()
        images += [dict(zip(registry.columns, row)) for row in rows]  # noqa: B905 (Python 3.9)
    return images


def _joined(count: int, lock: bool) -> Any:
    models, versions = (registry_tables()[name] for name in TABLES[:2])
    both = models.table.join(
        versions.table, sa.and_(*(models.table.c[c] == versions.table.c[c] for c in models.key))
    )
    # Named by number, since both tables have columns of the same names.
    columns = [*models.table.columns, *versions.table.columns]
    condition = sa.or_(
        *(
            sa.and_(
                *(
                    versions.table.c[c] == sa.bindparam(f"{c}_{n}", type_=versions.table.c[c].type)
                    for c in versions.key
                )
            )
            for n in range(count)
        )
    )
    labelled = [column.label(f"c{n}") for n, column in enumerate(columns)]
    statement = sa.select(*labelled).select_from(both).where(condition)
    return locked(locked(statement, models.table, lock), versions.table, lock)


def read_with_models(
    connection: Any, keys: Sequence[Key], *, lock: bool
) -> Tuple[List[Image], List[Image]]:
    """Versions and the models they belong to, in one go: nearly every change of a version changes both."""
    models, versions = (registry_tables()[name] for name in TABLES[:2])
    parameters = {
        f"{column}_{n}": value
        for n, key in enumerate(keys)
        for column, value in zip(versions.key, key)  # noqa: B905 (Python 3.9)
    }
    rows = statements.execute(connection, _joined, (len(keys), lock), parameters).fetchall()
    width = len(models.columns)
    return (
        [dict(zip(models.columns, row[:width])) for row in rows],  # noqa: B905 (Python 3.9)
        [dict(zip(versions.columns, row[width:])) for row in rows],  # noqa: B905 (Python 3.9)
    )


def match(
    registry: RegistryTable, keys: Sequence[Key], images: Iterable[Image]
) -> Dict[Key, Optional[Image]]:
    """Which row belongs to which key that was asked for.

    Where the database compares text without regard to case, a key finds a row that spells it otherwise.
    """
    by_key = {registry.key_of(image): image for image in images}
    matched: Dict[Key, Optional[Image]] = {}
    for key in keys:
        matched[key] = by_key.pop(key, None)
    if by_key:
        open_keys = [key for key, image in matched.items() if image is None]
        for other, image in by_key.items():
            for key in open_keys:
                if matched[key] is None and (_folded(key) == _folded(other) or len(open_keys) == 1):
                    matched[key] = image
                    break
            else:
                matched[other] = image
    return matched


def _folded(key: Key) -> Key:
    return tuple(part.casefold().rstrip() if isinstance(part, str) else part for part in key)
