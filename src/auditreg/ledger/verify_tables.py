"""Proving that everything beside the log follows from it: tables, views, macros, descriptions.

The tables are rebuilt from the log alone in a new ledger and compared; the definitions of views and
macros are compared with those of this release. Planning a statement takes longer than comparing a
small table, so small tables are compared together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.ledger import definitions, entries, schema, state
from auditreg.ledger.draft import WRITER_MEMORY
from auditreg.ledger.store import SMALL_FILE
from auditreg.ledger.template import DRAFT, empty_ledger
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb

SMALL = 20_000
"""Up to so many rows a table is compared whole; from there on by its key, where it has one."""


def compare_with_log(path: Path) -> tuple[int, list[str]]:
    """Rebuild every derived table of a ledger file and compare: how many, and what differs."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.duckdb"
        fresh.write_bytes(empty_ledger())
        con = duckdb.connect()
        try:
            con.execute("set timezone = 'UTC'")
            con.execute(f"set memory_limit = '{WRITER_MEMORY}'")
            con.execute("set preserve_insertion_order = false")
            if path.stat().st_size <= SMALL_FILE:
                con.execute("set threads = 1")
            con.execute(f"set temp_directory = {quoted(folder)}")
            # What is rebuilt is thrown away: to finish the file would take longer than to fill it.
            con.execute("set checkpoint_threshold = '1TB'")
            con.execute("pragma disable_checkpoint_on_shutdown")
            con.execute(f"attach {quoted(str(path))} as audit (read_only)")
            con.execute(f"attach {quoted(str(fresh))} as fresh ({DRAFT})")
            con.execute("use audit")
            held = schema.held_tables(con)
            differing = [*_differing_definitions(con, held), *_differing_descriptions(con)]
            con.execute("use fresh")
            con.execute("drop table ledger.log")
            con.execute("create view ledger.log as from audit.ledger.log")
            state.rebuild(con)
            tables = ("ledger.heads", *definitions.derived_tables(), *held)
            differing += [
                f"The table {table} does not follow from the log: it was changed."
                for table in _differing_tables(con, tables)
            ]
        finally:
            con.close()
    return len(tables), differing


_COMMENTS = """
select schema_name || '.' || table_name, column_name, comment from duckdb_columns()
where not internal and database_name = 'audit' and schema_name in ('main', 'ledger')
union all select schema_name || '.' || table_name, '', comment from duckdb_tables()
where not internal and database_name = 'audit'
union all select schema_name || '.' || view_name, '', comment from duckdb_views()
where not internal and database_name = 'audit'
"""


def _differing_tables(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> list[str]:
    """The tables that hold other rows than those of the same name in the ledger `audit`.

    Columns are compared by name: an older ledger got those that were declared later at the end.
    """
    columns = _columns(con)
    sizes = _sizes(con, tables)
    differing = {table for table in tables if len(set(sizes[table])) > 1}
    small = [t for t in tables if t not in differing and sizes[t][0] <= SMALL]
    differing |= _differing_rows(con, {table: columns[table] for table in small})
    for table in tables:
        if table in differing or table in small:
            continue
        matched = _rows_matched_by_key(con, table, columns[table], sizes[table][0])
        if matched is None:
            matched = not _differing_rows(con, {table: columns[table]})
        if not matched:
            differing.add(table)
    return [table for table in tables if table in differing]


def _columns(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Table of the rebuilt ledger to its columns."""
    rows = con.execute(
        "select schema_name || '.' || table_name, list(column_name order by column_index) "
        "from duckdb_columns() where database_name = current_database() group by all"
    ).fetchall()
    return {str(table).removeprefix("main."): names for table, names in rows}


def _sizes(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Table to its number of rows, rebuilt and kept."""
    counts = " union all ".join(
        f"select {quoted(table)}, (select count(*) from {table}), (select count(*) from {_kept(table)})"
        for table in tables
    )
    return {table: (rows, kept) for table, rows, kept in con.execute(counts).fetchall()}


def _differing_rows(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[str]]
) -> set[str]:
    """The tables of which a row stands in one of the two ledgers more often than in the other."""
    if not tables:
        return set()
    parts = []
    for table, columns in tables.items():
        names = ", ".join(map(quoted_name, columns))
        parts.append(
            f"select {quoted(table)} where exists (select 1 from ("
            f"select {names}, 1 as auditreg_side from {table} "
            f"union all select {names}, -1 from {_kept(table)}) "
            f"group by {names} having sum(auditreg_side) <> 0)"
        )
    return {table for (table,) in con.execute(" union all ".join(parts)).fetchall()}


def _rows_matched_by_key(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], rows: int
) -> bool | None:
    """Whether two tables of as many rows hold the same; None where the rows have no key.

    A join by a key takes a tenth of the time of comparing whole rows. It proves as much only where
    no key stands twice on either side: else one row could make up for another.
    """
    key = [name for name in ("seq", "key") if name in columns]
    if "seq" not in key:
        return None
    names = ", ".join(map(quoted_name, key))
    for side in (table, _kept(table)):
        [(keys, nulls)] = con.execute(
            f"select count(distinct ({names})), "
            f"count(*) filter (where {' or '.join(f'{quoted_name(n)} is null' for n in key)}) "
            f"from {side}"
        ).fetchall()
        if nulls or keys != rows:
            return None
    values = " and ".join(
        f"r.{quoted_name(name)} is not distinct from k.{quoted_name(name)}"
        for name in columns
        if name not in key
    )
    same = (
        f"select count(*) from {table} r join {_kept(table)} k using ({names}) "
        f"where {values or 'true'}"
    )
    return entries.number(con, same) == rows


def _kept(table: str) -> str:
    """The table in the ledger that is verified."""
    schema_name, _, name = table.rpartition(".")
    return f"audit.{schema_name or 'main'}.{name}"


def _differing_definitions(con: duckdb.DuckDBPyConnection, held: Collection[str]) -> Iterator[str]:
    """The views and macros in the file that are not those this release writes.

    Those that a published copy holds as tables (`held`) are compared with those.

    A changed view would show readers something else than the tables hold. Ours come from a file
    too: DuckDB words a definition differently before it was stored.
    """
    rows = con.execute(
        "select 'view ' || schema_name || '.' || view_name, database_name, sql from duckdb_views() "
        "where database_name in ('audit', 'fresh') and not internal "
        "union all "
        "select 'macro ' || schema_name || '.' || function_name, database_name, "
        "parameters::VARCHAR || ' ' || macro_definition "
        "from duckdb_functions() where database_name in ('audit', 'fresh') and not internal "
        "and function_type in ('macro', 'table_macro')"
    ).fetchall()
    definitions: dict[str, dict[str, str]] = {"audit": {}, "fresh": {}}
    for name, database, text in rows:
        definitions[database][name] = text.replace(f"{database}.", "")
    expected, stored = definitions["fresh"], definitions["audit"]
    for name in held:
        del expected[f"view main.{name}"]
    for name in sorted(expected.keys() | stored.keys()):
        if expected.get(name) != stored.get(name):
            yield (
                f"The {name} in the file is not the one this release of auditreg writes; if no "
                "release changed it, somebody did. `auditreg extract` writes it anew."
            )


def _differing_descriptions(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What in the file describes it otherwise than this release does."""
    con.execute("use audit")
    expected_rows = sorted(schema.dictionary(con))
    described = {(table, column) for table, column, _ in expected_rows}
    comments = [
        (name.removeprefix("main."), column, comment)
        for name, column, comment in con.execute(_COMMENTS).fetchall()
    ]
    foreign = sorted({(table, column) for table, column, _ in comments} - described)
    for table, column in foreign:
        if not column:
            yield f"The table {table} is not one of auditreg's: somebody else wrote to the file."
        elif (table, "") in described:
            yield f"The column {column} of {table} is not one of auditreg's."
    rows = con.execute(
        "select table_name, coalesce(column_name, ''), description from dictionary"
    ).fetchall()
    differing = {
        "comments": sorted(row for row in comments if row[:2] in described) != expected_rows,
        "rows of dictionary": sorted(rows) != expected_rows,
        "questions": sorted(con.execute("from questions").fetchall()) != sorted(schema.questions()),
    }
    for what, differs in differing.items():
        if differs:
            yield f"The {what} in the file are not those this release of auditreg writes."
