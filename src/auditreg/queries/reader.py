"""Asks the ledger, and keeps every question for the report's own record of where it is from."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.queries.records import Interval, RecordedQuery

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]


class Reader:
    """Questions to a ledger at one moment.

    The moment is written into the SQL as a literal, so that what the report prints is exactly what
    was run and can be run again in any DuckDB shell.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
        self._connection = connection
        self.as_of = as_of
        self.queries: list[RecordedQuery] = []

    def rows(self, name: str, purpose: str, sql: str) -> list[Row]:
        """The rows of a question; `{t}` in it is the report's moment."""
        text = " ".join(sql.format(t=literal(self.as_of)).split())
        found = self.plain(text)
        self.queries.append(RecordedQuery(name, purpose, text, len(found)))
        return found

    def at(self, moment: datetime) -> Reader:
        """A reader of the same ledger at another moment, whose questions are not kept."""
        return Reader(self._connection, moment)

    def plain(self, sql: str) -> list[Row]:
        """Rows that need no place in the record of questions."""
        cursor = self._connection.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def has(self, table: str) -> bool:
        """Whether the ledger has a table or view of that name, and any row in it."""
        known = self._connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = 'main' and table_name = ?",
            [table],
        ).fetchone()
        return bool(known and known[0]) and bool(self.plain(f"select 1 from {table} limit 1"))  # noqa: S608 - a name of ours


def literal(at: datetime) -> str:
    """A moment as SQL."""
    return f"timestamp '{at:%Y-%m-%d %H:%M:%S.%f}'"


def interval(row: Row, prefix: str = "") -> Interval:
    """The interval of a row's `<prefix>not_before` and `<prefix>not_after`."""
    return Interval(row.get(f"{prefix}not_before"), row.get(f"{prefix}not_after"))


def decoded(text: object, default: Any = None) -> Any:
    """JSON text as a value; what is no JSON is the default, for the ledger takes in anything."""
    if not isinstance(text, str):
        return default if text is None else text
    try:
        return json.loads(text)
    except ValueError:
        return default


def texts(value: object) -> tuple[str, ...]:
    """A JSON list (or object) as sentences."""
    value = decoded(value, value)
    if isinstance(value, dict):
        return tuple(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return (str(value),) if value else ()
