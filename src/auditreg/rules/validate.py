"""What a rule may do, checked before it runs, and what a connection it runs on may do.

DuckDB itself refuses little: a SELECT can hide a DELETE in a CTE, read files, ask the clock or
draw samples. So a rule's parse tree is walked first. What remains is held by a locked
connection, and a firm's own rules run in a child process besides (`auditreg.rules.worker`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from auditreg.errors import RuleError, first_line

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("subject", "status", "reason")
"""Columns every rule returns; `grade` and `fix` are known too, all others are evidence."""

STATUSES = ("pass", "fail", "not_evidenced", "undecided", "not_applicable")
"""What a rule may answer."""

_CLOCK = "depends on the moment it runs; use as_of()"
_CHANCE = "gives another answer each time"
_SESSION = "depends on the session it runs in"
_EFFECT = "does something besides answering"

REFUSED_FUNCTIONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "now",
            "today",
            "get_current_timestamp",
            "get_current_time",
            "transaction_timestamp",
            "current_date",
            "current_localtime",
            "current_localtimestamp",
            "current_time",
            "current_timestamp",
        ),
        _CLOCK,
    ),
    **dict.fromkeys(("random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "setseed"), _CHANCE),
    **dict.fromkeys(
        (
            "txid_current",
            "current_query",
            "current_query_id",
            "current_connection_id",
            "current_transaction_id",
            "current_database",
            "current_schema",
            "current_schemas",
            "current_setting",
            "current_user",
            "session_user",
            "user",
            "in_search_path",
            "getenv",
            "version",
            "pg_backend_pid",
            "stats",
            "vector_type",
            "query",
            "query_table",
        ),
        _SESSION,
    ),
    **dict.fromkeys(("sleep_ms", "write_log", "nextval", "currval", "setval", "error"), _EFFECT),
}
"""Function to why a rule may not use it. `getvariable` is how parameters come in."""

REFUSED_NAMES: Mapping[str, str] = {
    **dict.fromkeys(
        ("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"),
        _CLOCK,
    ),
    **dict.fromkeys(
        ("current_user", "session_user", "current_role", "current_catalog", "current_schema"),
        _SESSION,
    ),
}
"""Bare names that look like columns in the parse tree and are functions."""

TABLE_FUNCTIONS = frozenset(("unnest", "range", "generate_series", "json_each", "json_tree"))
"""Table functions a rule may use, besides the ledger's own `<name>_as_of(ts)`."""

_TABLE_NAME = re.compile(r"\w+")
_NO_LOCATION = 2**63
_HINT = "A rule is one SELECT over the ledger's tables; its time is as_of()."


def check_sql(sql: str, name: str, *, lines_before: int = 0) -> None:
    """Refuse SQL that is not exactly one SELECT that gives the same answer every time.

    Args:
        sql: the statement, with or without a semicolon at its end.
        name: the file, for messages.
        lines_before: lines of the file before the SQL, so that positions are those of the file.

    Raises:
        RuleError: it is refused; the message names the place and the reason.
    """
    import duckdb

    with duckdb.connect() as con:
        for text in (sql, wrapped(sql)):
            _one_select(con, text, name)
        tree = _tree(con, sql, name)
    for node in _nodes(tree):
        reason = _refusal(node)
        if reason:
            raise _refused(name, _where(sql, node, lines_before), reason)


def wrapped(sql: str) -> str:
    """The rule as it is run: inside a FROM, where the engine allows nothing but reading."""
    return f"select * from (\n{sql.rstrip().rstrip(';')}\n)"


def lock_connection(
    connection: duckdb.DuckDBPyConnection, *, memory: str | None = None, threads: int | None = None
) -> None:
    """Shut a connection off from everything but its own database; it cannot be undone.

    Files, other databases, extensions, the network and Python objects are out of reach
    afterwards. Temporary tables and variables still work. It holds for every connection to the
    same database instance.

    Args:
        connection: any open connection.
        memory: DuckDB's `memory_limit`, such as `1GB`.
        threads: how many threads it may use.
    """
    if memory is not None:
        connection.execute(f"set memory_limit = '{memory}'")
    if threads is not None:
        connection.execute(f"set threads = {int(threads)}")
    # Directories cannot be set any more once access is off, so they come first.
    for setting in (
        "max_temp_directory_size = '4GB'",
        "autoload_known_extensions = false",
        "autoinstall_known_extensions = false",
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _one_select(con: duckdb.DuckDBPyConnection, sql: str, name: str) -> None:
    import duckdb

    try:
        statements = con.extract_statements(sql)
    except duckdb.Error as error:
        raise _refused(name, "", f"it is not SQL: {first_line(error)}") from error
    if len(statements) != 1:
        raise _refused(name, "", f"it holds {len(statements)} statements; one SELECT is wanted")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise _refused(name, "", f"it is a {statements[0].type.name} statement; a SELECT is wanted")


def _tree(con: duckdb.DuckDBPyConnection, sql: str, name: str) -> dict[str, Any]:
    row = con.execute(
        "select json_serialize_sql(?::VARCHAR)", [sql.rstrip().rstrip(";")]
    ).fetchone()
    try:
        tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except RecursionError as error:
        raise _refused(name, "", "it nests too deeply") from error
    if tree.get("error"):
        problem = tree.get("error_message", "it cannot be analysed")
        raise _refused(name, "", f"it cannot be analysed: {problem}")
    return tree


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every object of the parse tree, without recursion: hostile SQL nests deeply."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _refusal(node: dict[str, Any]) -> str | None:
    """Why this node may not be in a rule, or None."""
    kind = str(node.get("type", ""))
    if kind.endswith("_QUERY_NODE") or kind in ("INSERT_NODE", "UPDATE_NODE", "DELETE_NODE"):
        return f"{kind.split('_', maxsplit=1)[0]} changes data"
    if kind == "SHOW_REF":
        return "DESCRIBE, SHOW and SUMMARIZE are not allowed"
    if node.get("sample") is not None:
        return f"a sample {_CHANCE}"
    if kind == "VALUE_PARAMETER":
        return "a parameter has no value; use getvariable('name')"
    look = _LOOKS.get(kind) or _LOOKS.get(str(node.get("class", "")))
    return look(node) if look else None


def _column(node: dict[str, Any]) -> str | None:
    names = node.get("column_names", [])
    bare = str(names[0]).lower() if len(names) == 1 else ""
    return f"{bare} {REFUSED_NAMES[bare]}" if bare in REFUSED_NAMES else None


def _function(node: dict[str, Any]) -> str | None:
    name = str(node.get("function_name", "")).lower()
    if name == "age" and len(node.get("arguments", node.get("children", ()))) == 1:
        return f"age() with one argument {_CLOCK}"
    return f"{name}() {REFUSED_FUNCTIONS[name]}" if name in REFUSED_FUNCTIONS else None


def _table_function(node: dict[str, Any]) -> str | None:
    function = node.get("function", {})
    name = str(function.get("function_name", "")).lower()
    if name in TABLE_FUNCTIONS or name.endswith("_as_of"):
        return None
    return f"the table function {name}() is not among {', '.join(sorted(TABLE_FUNCTIONS))}"


def _table(node: dict[str, Any]) -> str | None:
    table, schema = str(node.get("table_name", "")), str(node.get("schema_name", "")).lower()
    if not _TABLE_NAME.fullmatch(table):
        return f"{table!r} is not a table of the ledger"
    if node.get("catalog_name") or schema not in ("", "main", "ledger"):
        return f"{table} in {schema or node.get('catalog_name')} is not a table of the ledger"
    if table.lower().startswith(("duckdb_", "pragma_", "pg_", "sqlite_")):
        return f"{table} is the engine's own table"
    return None


_LOOKS: Mapping[str, Callable[[dict[str, Any]], str | None]] = {
    "TABLE_FUNCTION": _table_function,
    "BASE_TABLE": _table,
    "FUNCTION": _function,
    "WINDOW": _function,
    "COLUMN_REF": _column,
}


def _where(sql: str, node: dict[str, Any], lines_before: int) -> str:
    """` line L, column C`, counted in the file from 1; empty where the tree does not say."""
    location = node.get("query_location")
    if not isinstance(location, int) or location >= _NO_LOCATION:
        return ""
    # Locations count bytes of UTF-8.
    before = sql.encode()[:location].decode(errors="ignore")
    line = lines_before + 1 + before.count("\n")
    return f", line {line}, column {len(before) - before.rfind(chr(10))}"


def _refused(name: str, where: str, reason: str) -> RuleError:
    return RuleError(
        f"Rule file {name}{where}: refused: {reason}.", state="No rule was run.", hint=_HINT
    )
