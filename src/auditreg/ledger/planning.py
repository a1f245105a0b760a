"""How our own questions to a small ledger are planned.

Views build on each other, and for a registry of a few models DuckDB takes longer to improve a plan than to
follow it as it is written. What is answered is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SMALL_LOG = 2_000
"""Up to so many entries a ledger is small."""


def is_small(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether to plan a question takes longer than to answer it."""
    # Read to its end: an open result would hold up what is asked next.
    [(entries,)] = connection.execute("select count(*) from ledger.log").fetchall()
    return bool(entries <= SMALL_LOG)


def plan_plainly(connection: duckdb.DuckDBPyConnection) -> None:
    """Switch DuckDB's optimizer off for the rest of a connection."""
    connection.execute("pragma disable_optimizer")
