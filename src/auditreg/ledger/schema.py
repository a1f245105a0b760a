"""The ledger's tables, views and macros, made from the SQL files beside this module.

Everything a reader needs is in the file itself, so that any DuckDB from 1.1 on answers without
auditreg. The SQL of a state table or view is written once and used three times: to fill the table
kept in the file, to make the macro `<name>_as_of(ts, known_at)`, and to rebuild it for `verify`.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from auditreg.fields import FIELD_IDS, FIELDS
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb

FORMAT_VERSION = 1
"""Form of the ledger. Readers refuse a higher one."""

STORAGE_VERSION = "v1.0.0"
"""DuckDB storage version, so that every DuckDB from 1.1 on opens the file."""

REGISTRY_KINDS = (
    "registered_model",
    "registered_model_tag",
    "model_version",
    "model_version_tag",
    "alias",
    "experiment",
    "run",
    "logged_model",
    "model_artifact",
    "principal",
    "permission",
)
"""Kinds of entries that are states of a registry; the others are auditreg's own events."""

COMMON = "seq, actor, grade, certainty, candidate, not_before, not_after"
"""The columns every state table ends with."""

VIEWS = (
    "prompt_models",
    "live_versions",
    "signatures",
    "fields",
    "inventory",
    "promotions",
    "captures",
    "capture_gaps",
    "changes",
    "running",
    "version_logged_models",
    "prompts",
    "prompt_versions",
    "effective_permissions",
    "completeness",
    "population_registered_model",
    "population_model_version",
    "population_live_version",
    "population_promotion",
    "population_live_in_period",
    "population_ledger",
)
"""Views in the order they build on each other; each is a macro `<name>_as_of` too."""


@functools.cache
def sql(name: str) -> str:
    """The text of one of the SQL files beside this module."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


@functools.cache
def blocks(name: str, word: str) -> dict[str, tuple[str, str]]:
    """The `-- word: NAME [of KIND]` blocks of a file: name to (kind, SQL)."""
    parts = re.split(r"^-- (\w+): (\w+)(?: of (\w+))?\n", sql(name), flags=re.MULTILINE)[1:]
    rows = zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
    return {title: (kind or "", text.strip()) for of, title, kind, text in rows if of == word}


@functools.cache
def state_tables() -> dict[str, tuple[str, str]]:
    """State table to (kind of entry, SELECT with `{decoded}`)."""
    return {
        table: (kind, text.replace("{common}", COMMON))
        for table, (kind, text) in blocks("state.sql", "table").items()
    }


@functools.cache
def staged_tables() -> dict[str, str]:
    """State table to what stands for `{decoded}` when its entries were staged just before."""
    return {table: f"({text})" for table, (_, text) in blocks("staged.sql", "staged").items()}


@functools.cache
def _bodies() -> dict[str, dict[str, object]]:
    bodies: dict[str, dict[str, object]] = json.loads(sql("bodies.json"))
    return bodies


def decoded(kind: str, rows: str, *, select: str | None = None) -> str:
    """SQL for entries of a kind with their body as a struct.

    Args:
        kind: the kind of entry.
        rows: the relation of entries.
        select: where given, only the parts of the body that this SELECT uses are decoded.
    """
    body = _bodies()[kind]
    if select is not None:
        used = set(re.findall(r"body\.(\w+)", select))
        body = {name: structure for name, structure in body.items() if name in used}
    structure = json.dumps({"body": body}, separators=(",", ":"))
    return f"(select *, from_json(entry, '{structure}').body as body from {rows})"


@functools.cache
def event_tables() -> dict[str, tuple[str, str]]:
    """Table of auditreg's own events to (kind, SELECT with `{log}`): every event is a row."""
    return {**blocks("events.sql", "table"), **blocks("imports.sql", "event")}


@functools.cache
def last_tables() -> dict[str, tuple[str, str]]:
    """Table to (kind, SELECT with `{log}`) where only the last entry of a subject is a row."""
    return {**blocks("findings.sql", "table"), **blocks("imports.sql", "last")}


@functools.cache
def _views() -> dict[str, tuple[str, str]]:
    files = ("views.sql", "imports.sql", "access.sql")
    return {name: view for file in files for name, view in blocks(file, "block").items()}


def derived_tables() -> tuple[str, ...]:
    """Every table of the file that follows from the log, settings included."""
    return (
        *state_tables(),
        *event_tables(),
        *last_tables(),
        "ledger.recorded",
        "settings",
        "people",
        "live_names",
        "governance_fields",
    )


def _pivot(fields: tuple[str, ...]) -> tuple[str, str]:
    pivot = ",\n           ".join(
        f"any_value(value) filter (where field = '{field}' and not open) as {field}"
        for field in fields
    )
    return pivot, ", ".join(f"w.{field}" for field in fields)


def view_sql(name: str, *, as_of: bool) -> str:
    """The SELECT of a view, over the latest state or, `as_of`, over that of the macro's `ts`."""
    text = _views()[name][1]
    pivot, columns = _pivot(FIELD_IDS)
    text = text.replace("{pivot}", pivot).replace("{columns}", columns)
    relations = {*state_tables(), *VIEWS, "deployments"}
    if not as_of:
        text = text.replace("[ts]", "null::TIMESTAMP").replace("[known]", "null::TIMESTAMP")
        return re.sub(r"\[(\w+)\]", lambda m: m[1] if m[1] in relations else m[0], text)
    text = text.replace("[ts]", "ts::TIMESTAMP").replace("[known]", "known_at::TIMESTAMP")
    used = Counter(token for token in re.findall(r"\[(\w+)\]", text) if token in relations)
    # A macro is planned anew wherever it stands, and its plan is large: once is enough.
    shared = [token for token in used if used[token] > 1]
    for token in used:
        past = f"{token}_as_of(ts, known_at := known_at)"
        text = text.replace(f"[{token}]", f"past_{token}" if token in shared else past)
    ctes = ",\n".join(
        f"past_{token} as materialized (select * from {token}_as_of(ts, known_at := known_at))"
        for token in shared
    )
    if not ctes:
        return text
    text = re.sub(r"\A(?:--.*\n)*", "", text)
    rest = text.removeprefix("with ")
    return f"with {ctes}{' ' if rest == text else ', '}{rest}"


def _create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Empty state and event tables, their columns taken from the SELECTs that fill them.

    An older ledger gets those it has not got: its log cannot hold anything of theirs.
    """
    empty_rows = (
        "(select subject, registry, workspace, model, version, op, entry, seq, actor, grade, "
        "'' as certainty, '' as candidate, recorded_at as not_before, recorded_at as not_after "
        "from ledger.log)"
    )
    for table, (kind, text) in state_tables().items():
        filled = text.replace("{decoded}", decoded(kind, empty_rows))
        con.execute(f"create table if not exists {table} as {filled} limit 0")
    for table, (_, text) in {**event_tables(), **last_tables()}.items():
        filled = text.replace("{log}", "ledger.log")
        con.execute(f"create table if not exists {table} as {filled} limit 0")


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make (or make anew) every view and macro; older ledgers get today's that way."""
    kinds = ", ".join(f"'{kind}'" for kind in REGISTRY_KINDS)
    for statement in statements(sql("timeline.sql").replace("{kinds}", kinds)):
        con.execute(statement.replace("create ", "create or replace ", 1))
    for statement in (*statements(sql("log.sql")), *statements(sql("settings.sql"))):
        if statement.startswith("create macro"):
            con.execute(statement.replace("create ", "create or replace ", 1))
    for table, (kind, text) in state_tables().items():
        rows = f"ledger.candidates('{kind}', ts::TIMESTAMP, known_at::TIMESTAMP)"
        con.execute(
            f"create or replace macro {table}_as_of(ts, known_at := null) as table "
            + text.replace("{decoded}", decoded(kind, rows, select=text))
        )
    _, deployments = last_tables()["deployments"]
    known = (
        "(select * from ledger.log where kind = 'deployment' and entry is not null "
        "and (known_at is null or recorded_at <= known_at::TIMESTAMP) "
        "qualify row_number() over (partition by subject order by seq desc) = 1)"
    )
    con.execute(
        "create or replace macro deployments_as_of(ts, known_at := null) as table select * from ("
        + deployments.replace("{log}", known)
        + ") where running_from <= ts::TIMESTAMP"
    )
    _create_named(con, VIEWS)


def _create_named(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Make views, each with its macro for any moment."""
    for name in names:
        con.execute(f"create or replace view {name} as {view_sql(name, as_of=False)}")
        con.execute(
            f"create or replace macro {name}_as_of(ts, known_at := null) as table "
            + view_sql(name, as_of=True)
        )


def statements(text: str) -> Iterator[str]:
    """The statements of one of our own files; none of them holds a semicolon in a string."""
    for part in text.split(";\n"):
        body = "\n".join(
            line for line in part.splitlines() if line.strip() and not line.startswith("--")
        )
        if body:
            yield body.rstrip(";")


def create(con: duckdb.DuckDBPyConnection, *, described: bool = True) -> None:
    """Make every table, view and macro of an empty ledger on a writable connection.

    Args:
        con: the connection.
        described: also write what everything means, which takes most of the time.
    """
    for statement in statements(sql("log.sql")):
        con.execute(statement)
    for statement in statements(sql("settings.sql")):
        if statement.startswith("create table"):
            con.execute(statement)
    _create_tables(con)
    create_views(con)
    if described:
        describe(con)


def renew(con: duckdb.DuckDBPyConnection) -> None:
    """Give a ledger written by an older release this release's views, macros and descriptions."""
    from auditreg.resources import tool_version

    row = con.execute("select written_by from ledger.format").fetchone()
    if row and row[0] == tool_version():
        return
    _create_tables(con)
    create_views(con)
    describe(con)
    con.execute("update ledger.format set written_by = ?", [tool_version()])


def create_state(
    con: duckdb.DuckDBPyConnection, settings: Mapping[str, object] | None = None
) -> None:
    """Make an empty ledger on a connection and give it settings: what rule cases start from.

    Args:
        con: a writable connection, usually in memory.
        settings: as `auditreg.config.effective_settings` gives them; defaults where absent.
    """
    from auditreg.ledger.settings import refresh_settings

    create(con)
    refresh_settings(con, settings or {})


@functools.cache
def descriptions() -> dict[str, dict[str, str]]:
    """Table or view to column to meaning; the key `""` holds the table's own."""
    loaded = tomllib.loads(sql("dictionary.toml"))
    shared = loaded.pop("_shared")
    loaded["inventory"].update({field.id: field.title for field in FIELDS})
    tables: dict[str, dict[str, str]] = {}
    for table, columns in loaded.items():
        tables[table] = {"" if name == "_" else name: text for name, text in columns.items()}
    tables["_shared"] = shared
    return tables


def dictionary(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Every table and column of a ledger with its meaning: (table, column or '', meaning).

    Raises:
        KeyError: a column has no description; a test keeps that from happening.
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
        own = known.get(table, {})
        if table != seen:
            rows.append((table, "", own[""]))
            seen = table
        rows.append((table, column, own.get(column) or shared[column]))
    return rows


def describe(con: duckdb.DuckDBPyConnection) -> None:
    """Write the COMMENTs and the `dictionary` table."""
    rows = dictionary(con)
    views = {
        name
        for (name,) in con.execute(
            "select view_name from duckdb_views() where not internal "
            "union all select 'ledger.' || view_name from duckdb_views() where not internal"
        ).fetchall()
    }
    for table, column, text in rows:
        if column:
            con.execute(f"comment on column {table}.{quoted_name(column)} is {quoted(text)}")
        else:
            what = "view" if table in views else "table"
            con.execute(f"comment on {what} {table} is {quoted(text)}")
    con.execute("delete from dictionary")
    insert(con, "dictionary", [(table, column or None, text) for table, column, text in rows])
    con.execute("delete from questions")
    insert(con, "questions", questions())


def questions() -> list[tuple[str, str, str]]:
    """The questions auditors ask: (id, title, SQL)."""
    return [
        (question["id"], question["title"], question["sql"].strip())
        for question in tomllib.loads(sql("questions.toml"))["question"]
    ]


def insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows in one statement: DuckDB takes a millisecond for each."""
    if rows:
        marks = "(" + ", ".join("?" * len(rows[0])) + ")"
        con.execute(
            f"insert into {table} values {', '.join([marks] * len(rows))}",
            [value for row in rows for value in row],
        )
