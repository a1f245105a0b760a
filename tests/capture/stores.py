"""Real MLflow stores on SQLite with capture in this process, for the tests of capture's parts."""

from __future__ import annotations

import json
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import auditreg_capture
import pytest
from auditreg_capture import runtime

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MLflow's use of SQLAlchemy
    from mlflow.tracking._model_registry import utils as registry_utils

if TYPE_CHECKING:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

TABLES = (
    "registered_models",
    "model_versions",
    "registered_model_tags",
    "model_version_tags",
    "registered_model_aliases",
)
KEYS = ("workspace", "name", "version", "key", "alias")
CHANGES = ("insert", "update", "delete")
Row = dict[str, Any]


class Registry:
    """A store, its database, and what its journal says."""

    def __init__(self, path: Path, store: SqlAlchemyStore):
        self.path = path
        self.uri = f"sqlite:///{path}"
        self.store = store

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement behind MLflow's back."""
        with closing(sqlite3.connect(self.path, timeout=20)) as con, con:
            return con.execute(statement, values).fetchall()

    def journal(self, *operations: str) -> list[Row]:
        """Journal rows of these operations, the changes unless told otherwise."""
        with closing(sqlite3.connect(self.path, timeout=20)) as con:
            con.row_factory = sqlite3.Row
            rows = [dict(row) for row in con.execute("select * from auditreg_journal order by id")]
        for row in rows:
            for column in ("before_row", "after_row"):
                row[column] = None if row[column] is None else json.loads(row[column])
        return [row for row in rows if row["operation"] in (operations or CHANGES)]

    def changes(self) -> list[tuple[str, str, str, Any, Any]]:
        """Each change in brief: operation, table, name, version, item."""
        return [
            (row["operation"], row["table_name"], row["name"], row["version"], row["item"])
            for row in self.journal()
        ]

    def tables(self) -> dict[Any, Row]:
        """Every registry row by its key."""
        rows: dict[Any, Row] = {}
        with closing(sqlite3.connect(self.path, timeout=20)) as con:
            con.row_factory = sqlite3.Row
            for table in TABLES:
                for row in map(dict, con.execute(f"select * from {table}")):
                    rows[place(table, row)] = row
        return rows

    def replayed(self) -> dict[Any, Row]:
        """What the journal alone says the tables hold; fails where its rows do not fit each other."""
        held: dict[Any, Row] = {}
        for row in self.journal():
            before, after = row["before_row"], row["after_row"]
            if before is not None:
                assert held.pop(place(row["table_name"], before)) == before, row
            if after is not None:
                assert place(row["table_name"], after) not in held, row
                held[place(row["table_name"], after)] = after
        return held

    def agree(self) -> None:
        """The journal replayed gives the tables."""
        assert self.replayed() == self.tables()


def place(table: str, row: Row) -> Any:
    """What identifies a row; an alias's version does not."""
    keys = [k for k in KEYS if k in row and not (k == "version" and "alias" in row)]
    return (table, *(row[k] for k in keys))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from outside, and no capture left behind."""
    for name in ("", "_USER_HEADER", "_PROXIES", "_READERS"):
        monkeypatch.delenv(f"AUDITREG_CAPTURE{name}", raising=False)
    # MLflow's own check of its read-only sessions works only in its own tests.
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    yield
    auditreg_capture.uninstall()
    runtime.current.mode = "strict"


@pytest.fixture
def new_store(tmp_path: Path, empty_store: Path, quiet: None) -> Callable[..., Registry]:
    """Makes a store the way MLflow's client does, through capture's entry point."""

    def make(name: str = "mlflow.db") -> Registry:
        path = tmp_path / name
        if not path.exists():
            shutil.copy(empty_store, path)
        registry = registry_utils._get_store_registry()
        store = registry.get_store_builder(f"sqlite:///{path}")(store_uri=f"sqlite:///{path}")
        return Registry(path, store)

    return make


@pytest.fixture
def registry(new_store: Callable[..., Registry]) -> Registry:
    """A captured, empty registry."""
    return new_store()
