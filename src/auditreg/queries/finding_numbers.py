"""The numbers findings were given, and since when they are open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from auditreg.models import Numbers
from auditreg.queries.reader import Row, fetch_rows

if TYPE_CHECKING:
    import duckdb

FINDING_NUMBERS = "select key, number, since from findings order by number"
"""Every finding that was ever sealed; a rule and a subject keep their number for good."""


def finding_numbers(connection: duckdb.DuckDBPyConnection) -> Numbers:
    """Number and age of every finding by its key."""
    return numbers_of(fetch_rows(connection, FINDING_NUMBERS))


def numbers_of(rows: Iterable[Row]) -> Numbers:
    """The rows of `FINDING_NUMBERS` by key."""
    return {row["key"]: (row["number"], row["since"]) for row in rows}
