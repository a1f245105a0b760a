"""Prints, as JSON, what a ledger answers to the queries given as JSON on standard input.

Runs in whatever DuckDB the Python path gives and knows nothing of auditreg. With `plain`, macros and rules
are asked without DuckDB's optimizer: on a small ledger, to improve a plan of theirs takes most of the time.
With `tables`, rules then read temporary tables that hold what the views show, as in a check.
`python answers.py LEDGER [plain|tables]`.
"""

from __future__ import annotations

import json
import sys

import duckdb


def main() -> None:
    """Answer every query; rows in a fixed order, values as DuckDB writes them as text."""
    con = duckdb.connect(sys.argv[1], read_only=True)
    con.execute("set threads = 1")
    queries = json.load(sys.stdin)
    rules = [name for name in queries if name.startswith("rule ")]
    macros = [name for name in queries if "_as_of(" in queries[name] and name not in rules]
    views = [name for name in queries if name not in (*rules, *macros)]
    answers = {name: rows(con, queries[name]) for name in views}
    if sys.argv[2:]:
        con.execute("pragma disable_optimizer")
    answers |= {name: rows(con, queries[name]) for name in macros}
    if sys.argv[2:] == ["tables"]:
        hold_views(con)
    answers |= {name: rows(con, queries[name]) for name in rules}
    json.dump({"version": duckdb.__version__, "answers": answers}, sys.stdout)


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[list[str | None]]:
    """The rows of a query, each value as text."""
    found = con.execute(query).fetchall()
    return sorted(
        ([None if value is None else str(value) for value in row] for row in found), key=repr
    )


def hold_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make a temporary table of every view; it hides the view."""
    listed = "select view_name from duckdb_views() where not internal and schema_name = 'main'"
    for (name,) in con.execute(listed).fetchall():
        con.execute(f'create temp table "{name}" as from main."{name}"')


if __name__ == "__main__":
    main()
