"""A ledger on one open connection: many readings without a file to replace each time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditreg.ledger import definitions, state, store
from auditreg.ledger.ingest import IngestSummary, ingest
from auditreg.ledger.planning import is_small, plan_plainly
from auditreg.ledger.secrets import Key
from tests.ledger.reading import MemoryReading

if TYPE_CHECKING:
    import duckdb

KEY = Key("0123456789ab", b"k" * 32)


class Book:
    """An open ledger of a test."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con

    def take(self, reading: MemoryReading, **options: Any) -> IngestSummary:
        """Take a reading in, in a transaction of its own for speed."""
        given: dict[str, Any] = {"registry": "default", "key": KEY, "policies": (), **options}
        self.con.execute("begin")
        try:
            done = ingest(self.con, reading, **given)
        except BaseException:
            self.con.execute("rollback")
            raise
        self.con.execute("commit")
        return done

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query; of a small ledger it is planned as `Ledger.reader` has it planned."""
        [(improved,)] = self.con.execute("select current_setting('enable_optimizer')").fetchall()
        if not improved or not is_small(self.con):
            return self.con.execute(query, values).fetchall()
        plan_plainly(self.con)
        try:
            return self.con.execute(query, values).fetchall()
        finally:
            self.con.execute("pragma enable_optimizer")

    def log(self) -> list[tuple[Any, ...]]:
        """The log, every column."""
        return self.rows("from ledger.log order by seq")

    def tables(self) -> dict[str, list[str]]:
        """Every derived table, its rows as text (NaN is not itself) and in a fixed order."""
        return {
            table: sorted(repr(row) for row in self.rows(f"from {table}"))
            for table in ("ledger.heads", *definitions.derived_tables())
        }

    def rebuilt(self) -> dict[str, list[str]]:
        """What `tables` would be if they were derived anew."""
        self.con.execute("begin")
        try:
            state.clear(self.con)
            state.rebuild(self.con)
            return self.tables()
        finally:
            self.con.execute("rollback")


@contextmanager
def opened(empty: Path) -> Iterator[Book]:
    """A new open ledger, from the file of an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.duckdb"
        shutil.copyfile(empty, path)
        con = store.open_draft(path, new=False)
        try:
            con.execute("set threads = 1")
            yield Book(con)
        finally:
            con.close()
