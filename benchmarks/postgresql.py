"""A PostgreSQL of the benchmark's own, with the rows of a generated store in MLflow's schema."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import store

if TYPE_CHECKING:
    import pyarrow as pa

_CONSTRAINTS = """
    select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace and contype in ('f', 'p', 'u')
      and conrelid::regclass::text = any(%s)
    order by contype = 'f' desc
"""
_INDEXES = """
    select quote_ident(indexname), indexdef from pg_indexes
    where schemaname = 'public' and tablename = any(%s)
"""


class UnavailableError(RuntimeError):
    """This machine has no PostgreSQL, or no driver for it."""


@contextlib.contextmanager
def served(source: Path) -> Iterator[tuple[str, str]]:
    """The rows of a SQLite store in a PostgreSQL that ends with the block: (address, version).

    Raises:
        UnavailableError: as said.
    """
    try:
        import pytest  # the helper of the tests skips where something is missing

        from tests.servers.postgres import postgres
    except ImportError as error:
        raise UnavailableError(f"the packages of the tests are not installed: {error}") from error
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except (pytest.skip.Exception, pytest.fail.Exception) as error:
            raise UnavailableError(str(error)) from None
        address = server.database("benchmark")
        store.make_schema(address)
        _fill(source, address)
        version = server.execute("show server_version").split()[0]
        yield server.uri("benchmark", scheme="postgresql"), version


def _fill(source: Path, address: str) -> None:
    """Copy all rows, then make keys and indexes as MLflow has them: row by row takes minutes."""
    import adbc_driver_sqlite.dbapi as driver
    import psycopg2

    tables = list(store.TABLES)
    with (
        contextlib.closing(psycopg2.connect(address.replace("+psycopg2", ""))) as con,
        driver.connect(f"file:{source}?mode=ro") as rows,
    ):
        con.autocommit = True
        with con.cursor() as cursor:
            cursor.execute(_CONSTRAINTS, [tables])
            constraints = cursor.fetchall()
            for table, name, _ in constraints:
                cursor.execute(f"alter table {table} drop constraint {name} cascade")
            cursor.execute(_INDEXES, [tables])
            indexes = cursor.fetchall()
            for name, _ in indexes:
                cursor.execute(f"drop index {name}")
            for table in tables:
                cursor.execute(f"truncate {table}")
                _copy(rows, cursor, table)
            for table, name, definition in reversed(constraints):
                cursor.execute(f"alter table {table} add constraint {name} {definition}")
            for _, definition in indexes:
                cursor.execute(definition)
            cursor.execute("vacuum analyze")


def _copy(rows: Any, cursor: Any, table: str) -> None:
    """One table, as CSV: PostgreSQL reads each value as what its column is."""
    options = {"adbc.sqlite.query.batch_rows": "65536"}
    with rows.cursor(adbc_stmt_kwargs=options) as reading:
        reading.execute(f"select * from {table}")
        reader = reading.fetch_record_batch()
        columns = ", ".join(f'"{name}"' for name in reader.schema.names)
        cursor.copy_expert(f"copy {table} ({columns}) from stdin (format csv)", _Lines(reader))


class _Lines(io.RawIOBase):
    """Batches as a file of CSV; NULL is nothing, an empty text two quotes."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader, self._left = reader, b""

    def read(self, size: int = -1) -> bytes:
        """The next piece; empty at the end."""
        from pyarrow import csv

        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        while not self._left:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return b""
            piece = io.BytesIO()
            csv.write_csv(batch, piece, options)
            self._left = piece.getvalue()
        size = len(self._left) if size < 0 else size
        given, self._left = self._left[:size], self._left[size:]
        return given
