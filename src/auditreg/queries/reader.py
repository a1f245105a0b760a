"""Puts questions to a ledger and gives the rows as dictionaries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.queries.records import Interval, RecordedQuery
from auditreg.sql import moment_literal

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

LAST_READING = (
    "qualify row_number() over (partition by registry order by observed_at desc, seq desc) = 1"
)
"""Keeps the last reading of each registry, by its own moment: a restored backup that is read today
does not stand for the reading of last night."""


def fetch_rows(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> list[Row]:
    """The rows of a query, a dictionary each; `parameters` are bound by name."""
    cursor = connection.execute(sql, dict(parameters) if parameters else None)
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def rows_by(rows: Iterable[Row], key: str) -> defaultdict[str, list[Row]]:
    """The rows by their value of a column."""
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def as_of(relation: str, at: datetime | None) -> str:
    """A state table, or the macro that gives it at a past moment."""
    return relation if at is None else f"{relation}_as_of({moment_literal(at)})"


class Reader:
    """Queries a ledger at one moment, and keeps each query for the report's list of sources.

    The moment is written into the SQL as a literal, so that what the report prints is exactly what
    was run and can be run again in any DuckDB shell.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
        self.connection = connection
        self.as_of = as_of
        self.queries: list[RecordedQuery] = []

    def rows(self, name: str, purpose: str, sql: str) -> list[Row]:
        """The rows of a query; `{t}` in it is the report's moment."""
        text = " ".join(sql.format(t=moment_literal(self.as_of)).split())
        rows = self.plain(text)
        self.queries.append(RecordedQuery(name, purpose, text, len(rows)))
        return rows

    def plain(self, sql: str) -> list[Row]:
        """Rows that need no place in the list of queries."""
        return fetch_rows(self.connection, sql)

    def has(self, table: str) -> bool:
        """Whether the ledger has a table or view of that name, and any row in it."""
        known = self.connection.execute(
            "select count(*) from information_schema.tables "
            "where table_schema = 'main' and table_name = ?",
            [table],
        ).fetchone()
        return bool(known and known[0]) and bool(self.plain(f"select 1 from {table} limit 1"))


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
