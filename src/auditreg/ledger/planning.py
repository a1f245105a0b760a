"""How DuckDB plans statements over few rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

FEW = 2_000
"""Up to so many rows it takes longer to optimize a statement, or to share it out, than to run it."""


def plan_for(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Run statements over few rows as they are written and in one thread; results are the same.

    What joins a list of tables with commas would multiply them: statements have to say `join`.

    Args:
        con: a connection to a ledger.
        rows: how many rows the statements to come are about.
    """
    if rows <= FEW:
        con.execute("pragma disable_optimizer; set threads = 1")
    else:
        con.execute("pragma enable_optimizer; reset threads")


@contextlib.contextmanager
def planned_for(con: duckdb.DuckDBPyConnection, rows: int) -> Iterator[None]:
    """`plan_for` in a block, after which the connection plans as before."""
    import duckdb

    [(threads,)] = con.execute("select current_setting('threads')").fetchall()
    plan_for(con, rows)
    try:
        yield
    finally:
        with contextlib.suppress(duckdb.Error):  # what failed in the block says more
            con.execute(f"pragma enable_optimizer; set threads = {threads}")
