"""Runs a user's SELECT on a ledger, read-only, and returns a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditreg.errors import UsageError
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    import duckdb

_NEEDS_CAST = re.compile(r"\bTIMESTAMP WITH TIME ZONE\b|\bTIME WITH TIME ZONE\b|\bINTERVAL\b")
"""Types that are fetched as a UTC moment or as DuckDB's text for them, also inside lists and structs."""


def lock_down(con: duckdb.DuckDBPyConnection) -> None:
    """Keep a statement of somebody else away from files, the network and settings.

    The session's time zone is UTC, as every moment of the ledger is, on every machine.
    """
    con.execute("set timezone = 'UTC'")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")


def single_select(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """The statement's text, refused unless it is a single one that only reads."""
    import duckdb

    statements = con.extract_statements(text)
    if len(statements) != 1 or not str(statements[0].type).endswith("SELECT"):
        raise UsageError(
            "query takes exactly one SELECT.",
            state="Nothing was run.",
            hint="Open the ledger with the duckdb shell, read-only, for anything else.",
        )
    query = str(statements[0].query).encode()
    ends = (at for at, _ in duckdb.tokenize(query.decode()) if query[at : at + 1] == b";")
    return query[: next(ends, None)].decode()


def select_table(con: duckdb.DuckDBPyConnection, statement: str) -> Table:
    """The rows of a SELECT, whatever the types of its columns."""
    cursor = con.execute(statement)
    columns = [str(column[0]) for column in cursor.description or ()]
    types = [str(column[1]) for column in cursor.description or ()]
    if any(_NEEDS_CAST.search(kind) for kind in types):
        # DuckDB makes Python values of these types only with pytz, a package that pandas no longer
        # brings along. Cast inside DuckDB, nothing is needed.
        names = [f"column_{index}" for index in range(len(types))]
        casts = ", ".join(
            f"cast({name} as {_NEEDS_CAST.sub(_cast_type, kind)})"
            if _NEEDS_CAST.search(kind)
            else name
            for name, kind in zip(names, types, strict=True)
        )
        cursor = con.execute(
            f"select {casts} from (\n{statement}\n) as answer({', '.join(names)})",  # noqa: S608 - the statement has run already
        )
    return Table(columns, cursor.fetchall())


def _cast_type(match: re.Match[str]) -> str:
    return "TIMESTAMP" if match[0].startswith("TIMESTAMP") else "VARCHAR"
