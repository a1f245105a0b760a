"""The tables of cases, planned once.

Cases fill the same tables with other rows, and to plan a table takes longer than to fill it with a few rows.
So the tables stand empty in the connection, outside of the transactions that take back what a case builds,
and prepared statements fill them. A plan knows the variables as they were when it was made, and must not
rest on what the tables held then: the connection plans plainly.
"""
# ruff: noqa: S608 - the statements are those of a snapshot, with the names of the ledger's own tables

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_MAKES_TABLE = re.compile(r"create (?:or replace )?temp table (\w+) as ")
_PREPARED = "select name from duckdb_prepared_statements()"


def prepare(
    connection: duckdb.DuckDBPyConnection,
    statements: Sequence[str],
    every: Callable[[], Sequence[str]],
) -> dict[str, str]:
    """Prepare the statements that make a snapshot, as far as that was not done before.

    Args:
        connection: of `empty_ledger`, outside of a transaction.
        statements: in their order; those that set variables are executed.
        every: gives the statements that make everything. It is made first: were something made later,
            DuckDB would plan anew what was prepared before, at each execution.

    Returns:
        What is to be executed instead of each; nothing where all it does is done.
    """
    known = {name for (name,) in connection.execute(_PREPARED).fetchall()}
    if not known:
        whole = every()
        for statement in whole:
            connection.execute(statement)
        for empty in filter(None, map(_MAKES_TABLE.match, whole)):
            connection.execute(f"delete from temp.{empty[1]}")
    instead = dict.fromkeys(statements, "")
    for statement in statements:
        if statement.startswith("set variable"):
            connection.execute(statement)
            instead[statement] = statement
        elif made := _MAKES_TABLE.match(statement):
            name = "fill_" + hashlib.sha256(statement.encode()).hexdigest()
            if name not in known:
                select = statement[made.end() :]
                connection.execute(f"prepare {name} as insert into temp.{made[1]} {select}")
            instead[statement] = f"execute {name}"
    return instead
