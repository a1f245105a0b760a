"""The ledger's tables, views and macros, made from the SQL files beside this module.

Everything a reader needs is in the file itself, so that any DuckDB from 1.1 on answers without
auditreg. The SQL of a state table or view is written once and used three times: to fill the table
kept in the file, to make the macro `<name>_as_of(ts, known_at)`, and to rebuild it for `verify`.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from auditreg.fields import FIELDS
from auditreg.kinds.registry import KINDS
from auditreg.ledger import kind_sql
from auditreg.ledger.definitions import (
    HELD,
    VIEWS,
    decoded,
    event_tables,
    finding_statements,
    last_entries,
    last_tables,
    sql,
    state_sql,
    state_tables,
    stored_view_sql,
    timeline_sql,
    view_sql,
)
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb

FORMAT_VERSION = 2
"""Form of the ledger. Readers refuse a higher one; what 2 changed: docs/adr/0015."""

STORAGE_VERSION = "v1.0.0"
"""DuckDB storage version, so that every DuckDB from 1.1 on opens the file."""

REGISTRY_KINDS = tuple(kind.name for kind in KINDS)
"""Kinds of entries that are states of a registry; the others are auditreg's own events."""

OF_THE_RELEASE = ("main.dictionary", "main.questions", "ledger.format", "ledger.fingerprints")
"""Tables that say what a release knows, not what was read."""

_EMPTY_ROWS = (
    "(select subject, registry, workspace, model, version, op, entry, seq, kind, actor, grade, "
    "'' as certainty, '' as candidate, recorded_at as not_before, recorded_at as not_after "
    "from ledger.log)"
)
"""SQL for rows with the columns that state tables are decoded from."""


def _create_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Empty state and event tables, their columns taken from the SELECTs that fill them.

    In an older ledger, missing tables are added; they stay empty, because its log has no entries for them.

    Returns:
        tables of last entries that got columns, which their entries fill.
    """
    listed = con.execute(
        "select table_name from duckdb_tables() where database_name = current_database()"
    )
    there = {name for (name,) in listed.fetchall()}
    for table, (kind, text) in state_tables().items():
        filled = text.replace("{decoded}", decoded(kind, _EMPTY_ROWS))
        if table in there:
            _add_columns(con, table, filled)
        else:
            con.execute(f"create table {table} as {filled} limit 0")
    made = next(s for s in statements(sql("log.sql")) if "table ledger.fingerprints" in s)
    con.execute(made.replace("create table", "create table if not exists"))
    _create_settings_tables(con)
    for table, (_, text) in event_tables().items():
        filled = text.replace("{log}", "ledger.log")
        con.execute(f"create table if not exists {table} as {filled} limit 0")
    outdated = []
    for table, (_, text) in last_tables().items():
        filled = text.replace("{log}", "ledger.log")
        con.execute(f"create table if not exists {table} as {filled} limit 0")
        if table in there and _add_columns(con, table, filled):
            outdated.append(table)
    return outdated


def _create_settings_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Empty settings tables; those of an older ledger get what was declared since.

    Such a ledger knew people and service accounts, but no bodies.
    """
    for statement in statements(sql("settings.sql")):
        if statement.startswith("create table"):
            con.execute(statement.replace("create table", "create table if not exists", 1))
    for column in ("kind", "minutes"):
        con.execute(f"alter table people add column if not exists {column} VARCHAR")


def _add_columns(con: duckdb.DuckDBPyConnection, table: str, filled: str) -> bool:
    """Give a table of an older ledger the columns that were declared since; whether there are any."""
    known = {name for name, *_ in con.execute(f"describe {table}").fetchall()}
    added = [
        f"alter table {table} add column {quoted_name(name)} {kind}"
        for name, kind, *_ in con.execute(f"describe {filled}").fetchall()
        if name not in known
    ]
    if added:
        con.execute("; ".join(added))
    return bool(added)


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make (or make anew) every view and macro; older ledgers get today's that way."""
    for former in ("readings", "erased_states"):  # macros now: see timeline.sql
        con.execute(f"drop view if exists ledger.{former}")
    timeline = [
        statement.replace("create ", "create or replace ", 1)
        for statement in statements(timeline_sql())
    ]
    for statement in timeline:
        con.execute(statement)
    for file in ("log.sql", "settings.sql", "stated.sql"):
        for statement in statements(sql(file)):
            if statement.startswith("create macro"):
                con.execute(statement.replace("create ", "create or replace ", 1))
    macros = _macros_of_moments()
    # DuckDB plans a macro when it is made, with all that it calls: a stub of what all call saves time.
    con.execute(
        "create or replace macro ledger.candidates(entry_kind, ts, known_at) as table "
        f"from {_EMPTY_ROWS}"
    )
    for name, text in macros.items():
        if name in VIEWS:
            con.execute(f"create or replace view {name} as {stored_view_sql(name)}")
        con.execute(f"create or replace macro {name}_as_of(ts, known_at := null) as table {text}")
    for statement in finding_statements():
        con.execute(statement)
    con.execute(next(made for made in timeline if "macro ledger.candidates(" in made))


def _macros_of_moments() -> dict[str, str]:
    """State table or view to its SELECT at a moment, in the order they build on each other."""
    candidates = "ledger.candidates({kind}, ts::TIMESTAMP, known_at::TIMESTAMP)"
    macros = {table: state_sql(table, candidates) for table in state_tables()}
    _, deployments = last_tables()["deployments"]
    known = last_entries("deployment", "(known_at is null or recorded_at <= known_at::TIMESTAMP)")
    macros["deployments"] = (
        f"select * from ({deployments.replace('{log}', known)}) where running_from <= ts::TIMESTAMP"
    )
    return macros | {name: view_sql(name, as_of=True) for name in VIEWS}


@functools.cache
def texts_digest() -> str:
    """A digest of the texts that tables, views, macros and descriptions follow from."""
    files = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in resources.files(__package__).joinpath("sql").iterdir()
    )
    texts = repr((files, KINDS, FIELDS, _macros_of_moments())).encode()
    return hashlib.sha256(texts).hexdigest()


def writer_name(digest: str | None = None) -> str:
    """The release, and the beginning of the digest of what its views and macros follow from."""
    from auditreg.resources import tool_version

    return f"{tool_version()} ({(digest or texts_digest())[:12]})"


def sign(con: duckdb.DuckDBPyConnection) -> None:
    """Note the form of a new ledger and the release that made it."""
    con.execute(
        "insert into ledger.format values (?, ?, ?)",
        [FORMAT_VERSION, STORAGE_VERSION, writer_name()],
    )


def statements(text: str) -> Iterator[str]:
    """The statements of one of our own files; none of them holds a semicolon in a string."""
    for part in text.split(";\n"):
        body = "\n".join(
            line for line in part.splitlines() if line.strip() and not line.startswith("--")
        )
        if body:
            yield body.rstrip(";")


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Make every table, view, macro and description of an empty ledger on a writable connection."""
    for statement in statements(sql("log.sql")):
        con.execute(statement)
    _create_tables(con)
    create_views(con)
    describe(con)


def renew(con: duckdb.DuckDBPyConnection) -> bool:
    """Give a ledger written by another release this release's views, macros and descriptions.

    Returns:
        Whether it was another release's.
    """
    held = held_tables(con)
    row = con.execute("select version, written_by from ledger.format").fetchone()
    if row == (FORMAT_VERSION, writer_name()) and not held:
        return False
    for name in held:  # a published copy that is written to: its tables would stay as they are
        con.execute(f"drop table {name}")
    outdated = _create_tables(con)
    create_views(con)
    _fill_since_declared(con, outdated)
    describe(con)
    con.execute(
        "update ledger.format set version = ?, written_by = ?", [FORMAT_VERSION, writer_name()]
    )
    return True


def take_over(con: duckdb.DuckDBPyConnection) -> None:
    """Fill a new ledger with the tables of another release's, which is attached as `old`.

    The views and macros are there already, and to make them is what takes time.
    """
    ours, theirs = (_columns(con, database) for database in ("audit", "old"))
    for table, columns in ours.items():
        shared = [quoted_name(name) for name in columns if name in theirs.get(table, ())]
        if shared and table not in OF_THE_RELEASE:
            con.execute(f"insert into {table} by name select {', '.join(shared)} from old.{table}")
    outdated = [
        table
        for table in last_tables()
        if not ours[f"main.{table}"] <= theirs.get(f"main.{table}", frozenset())
    ]
    _fill_since_declared(con, outdated)


def _columns(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, frozenset[str]]:
    """Every table of a ledger, with its schema, to its columns."""
    rows = con.execute(
        "select t.schema_name || '.' || t.table_name, list(c.column_name) from duckdb_tables() t "
        "join duckdb_columns() c using (database_name, table_oid) "
        "where t.database_name = ? and t.schema_name in ('main', 'ledger') group by 1 order by 1",
        [database],
    ).fetchall()
    return {table: frozenset(columns) for table, columns in rows}


def _fill_since_declared(con: duckdb.DuckDBPyConnection, outdated: Iterable[str]) -> None:
    """Fill what this release declared and an older one's ledger lacks, as far as its log tells."""
    con.execute(
        "update people set kind = case when service then 'service' else 'person' end "
        "where kind is null"
    )
    for table in outdated:
        kind, text = last_tables()[table]
        rows = text.replace("{log}", last_entries(kind, "true"))
        con.execute(f"delete from {table}; insert into {table} by name {rows}")
    renew_fingerprints(con)
    con.execute(
        "update ledger.heads h set fingerprint = f.fingerprint "
        "from ledger.fingerprints f where f.seq = h.seq"
    )


def hold_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Put tables in the place of the views of `HELD`, with the same rows."""
    renew(con)  # a ledger of an older release lacks today's views
    views = HELD
    for name in views:
        con.execute(f"create table held_{name} as from {name} order by all")
    for name in views:
        con.execute(f"drop view {name}")
        con.execute(f"alter table held_{name} rename to {name}")
    _comment(con, [row for row in dictionary(con) if row[0] in views])


def held_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Those of `HELD` that are tables in this ledger."""
    rows = con.execute(
        "select table_name from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'main'"
    ).fetchall()
    return [name for name in HELD if (name,) in rows]


def renew_fingerprints(con: duckdb.DuckDBPyConnection) -> None:
    """Note the fingerprints of entries of an older form as this release makes them."""
    con.execute("delete from ledger.fingerprints")
    con.execute(f"insert into ledger.fingerprints {kind_sql.first_form_fingerprints()}")


@functools.cache
def descriptions() -> dict[str, dict[str, str]]:
    """Table or view to column to meaning; the key `""` holds the table's own."""
    loaded = tomllib.loads(sql("dictionary.toml"))
    shared = loaded.pop("_shared")
    loaded["inventory"].update({field.id: field.title for field in FIELDS})
    tables: dict[str, dict[str, str]] = {}
    for table, columns in loaded.items():
        tables[table] = {"" if name == "_" else name: text for name, text in columns.items()}
    for table, columns in kind_sql.meanings().items():
        tables[table] = columns | tables.get(table, {})
    tables["_shared"] = shared
    return tables


def dictionary(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Every table and column of a ledger with its meaning: (table, column or '', meaning).

    What somebody else put into the file has none and is left out.
    """
    known = descriptions()
    shared = known["_shared"]
    rows: list[tuple[str, str, str]] = []
    listed = con.execute(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where not internal and schema_name in ('main', 'ledger') "
        "and database_name = current_database() order by schema_name desc, table_name, column_index"
    ).fetchall()
    seen = ""
    for qualified, column in listed:
        table = qualified.removeprefix("main.")
        meanings = known.get(table)
        if meanings is None:
            continue
        if table != seen:
            rows.append((table, "", meanings[""]))
            seen = table
        if meaning := meanings.get(column) or shared.get(column):
            rows.append((table, column, meaning))
    return rows


def describe(con: duckdb.DuckDBPyConnection) -> None:
    """Write the COMMENTs, and the tables `dictionary` and `questions`."""
    rows = dictionary(con)
    _comment(con, rows)
    con.execute("delete from dictionary")
    insert(con, "dictionary", [(table, column or None, text) for table, column, text in rows])
    con.execute("delete from questions")
    insert(con, "questions", questions())


def _comment(con: duckdb.DuckDBPyConnection, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write COMMENTs: rows of `dictionary`."""
    views = {
        name
        for (name,) in con.execute(
            "select view_name from duckdb_views() where not internal "
            "union all select 'ledger.' || view_name from duckdb_views() where not internal"
        ).fetchall()
    }
    comments = []
    for table, column, text in rows:
        if column:
            comments.append(f"comment on column {table}.{quoted_name(column)} is {quoted(text)}")
        else:
            what = "view" if table in views else "table"
            comments.append(f"comment on {what} {table} is {quoted(text)}")
    con.execute(";\n".join(comments))  # at once, which takes two thirds of the time


def questions() -> list[tuple[str, str, str]]:
    """The questions auditors ask: (id, title, SQL)."""
    return [
        (question["id"], question["title"], question["sql"].strip())
        for question in tomllib.loads(sql("questions.toml"))["question"]
    ]


def fill_table(
    con: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Make a temporary table of rows in one statement: a row at a time takes a millisecond each.

    Args:
        con: the connection.
        table: its name.
        columns: column to type.
        rows: values in the order of the columns.
    """
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    con.execute(f"create or replace temp table {table} ({listed})")
    if values := [list(column) for column in zip(*rows, strict=True)]:
        lists = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
        con.execute(f"insert into {table} select {lists}", values)


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows in one statement: DuckDB takes a millisecond for each."""
    if rows:
        marks = "(" + ", ".join("?" * len(rows[0])) + ")"
        con.execute(
            f"insert into {table} values {', '.join([marks] * len(rows))}",
            [value for row in rows for value in row],
        )
