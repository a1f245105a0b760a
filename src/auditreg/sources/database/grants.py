"""The columns of MLflow's tables that are read, and what follows where they may not be read."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auditreg.errors import SourceError
from auditreg.sources.database import mysql, permissions, postgresql
from auditreg.sources.database.dialect import UNCHANGED, DatabaseConnection, SqlDialect
from auditreg.sources.database.queries import SPECS, Queries
from auditreg.sources.database.schema_versions import may_have
from auditreg.sources.interface import JOURNAL, READS
from auditreg.sql import quoted_name

ESSENTIAL = ("registered_models", "model_versions")
"""Without these two there is no registry to speak of."""

SCHEMA_VERSION = "select a.version_num as t from alembic_version a"
"""The query for the version of a store's schema."""


@functools.cache
def all_columns() -> dict[str, frozenset[str]]:
    """The columns that an extraction reads of the newest MLflow's tables, and of the journal.

    They come from its own queries.
    """
    spelling = postgresql.PostgreSQLSpelling()
    queries = Queries(spelling, "linked")
    texts = [queries.missing_runs(), queries.tombstones(), queries.gaps(), SCHEMA_VERSION]
    for table in SPECS:
        texts += [queries.rows(table, plain=False).select, queries.survey(table)]
    return _columns_in((*texts, *spelling.sets.values()))


def users_columns(spelling: SqlDialect | None = None) -> dict[str, frozenset[str]]:
    """The columns read of users and rights, by table; none of them is the password's hash.

    Without a dialect they are those of the newest MLflow's basic-auth.
    """
    return _columns_in(permissions.selects(spelling or postgresql.PostgreSQLSpelling()))


def _columns_in(texts: Iterable[str]) -> dict[str, frozenset[str]]:
    by_table: dict[str, set[str]] = {}
    for text in texts:
        # Every table in the queries has an alias of one letter, and no two have the same.
        tables = {alias: table for table, alias in re.findall(r"(?:from|join) (\w+) (\w)\b", text)}
        for alias, column in re.findall(r"\b([a-z])\.\"?(\w+)", text):
            if alias in tables:
                by_table.setdefault(tables[alias], set()).add(column)
    return {table: frozenset(columns) for table, columns in by_table.items()}


@dataclass(frozen=True)
class Withheld:
    """A table that is not read, because this user may not read these columns of it."""

    table: str
    columns: tuple[str, ...]
    grant: str

    def __str__(self) -> str:
        return (
            f"{self.table} was not read: this user has no right to {', '.join(self.columns)}; "
            f"{self.grant}"
        )


def withheld(
    dialect: DatabaseConnection, head: str | None, tables: frozenset[str]
) -> list[Withheld]:
    """The tables of which something may not be read, but for the journal.

    Args:
        dialect: the open database.
        head: the version of its schema, where it could be read.
        tables: those that are to be read from it.

    Raises:
        SourceError: a table is among them without which there is nothing to read.
    """
    hidden = []
    for table, needed in sorted(all_columns().items()):
        if table == SPECS[JOURNAL].base or table not in tables | {"alembic_version"}:
            continue
        if not (dialect.columns(table) or may_have(table, head)):
            continue
        denied = dialect.denied(table, needed)
        if denied:
            grant = dialect.grant(table, sorted(denied))
            hidden.append(Withheld(table, tuple(sorted(denied)), grant))
    for withheld_table in hidden:
        if withheld_table.table in ESSENTIAL:
            raise SourceError(
                f"{dialect.location} does not let this user read {', '.join(withheld_table.columns)} of the "
                f"table {withheld_table.table}.",
                state=UNCHANGED,
                hint=f"{withheld_table.grant} All that is needed: auditreg doctor --grants --from URI.",
            )
    return hidden


def readable_kinds(queries: Queries, tables: frozenset[str]) -> frozenset[str]:
    """The kinds of state whose tables are there, and none of them among `tables`, the withheld."""
    kinds = set()
    for kind, staged in READS.items():
        specs = [SPECS[name] for name in staged if name in SPECS]
        needed = {spec.base for spec in specs}
        needed |= {joined for spec in specs for joined, _ in spec.joins.values()}
        if kind == "experiment":
            needed.add("runs")  # which experiments are read, the runs say
        if specs and queries.shown(staged[0]) and not needed & tables:
            kinds.add(kind)
    return frozenset(kinds)


def present_columns(dialect: DatabaseConnection) -> dict[str, frozenset[str]]:
    """The columns of `all_columns` that a database has, whether this user may read them or not."""
    present = {
        table: (dialect.columns(table) & columns) | dialect.denied(table, columns)
        for table, columns in all_columns().items()
    }
    return {table: columns for table, columns in present.items() if columns}


def present_users(dialect: DatabaseConnection) -> dict[str, frozenset[str]]:
    """The columns of users and rights that a database holds; none where it keeps no users."""
    return users_columns(dialect) if permissions.keeps_users(dialect) else {}


def grants(
    database: str,
    role: str,
    *,
    schema: str | None = None,
    columns: Mapping[str, frozenset[str]] | None = None,
    users: Mapping[str, frozenset[str]] | None = None,
) -> str:
    """The SQL that gives a role the rights to read a registry, and none besides.

    Args:
        database: `postgresql`, `mysql` or `mariadb`; `sqlite` has no rights to give.
        role: who gets them; in MySQL `user@host`.
        schema: where the tables are: a schema in PostgreSQL, by default `public`; a database in
            MySQL, by default the one in use.
        columns: what the database has; None for the newest MLflow's tables.
        users: columns of users and rights, of `users_columns`; None writes them as a comment.
    """
    if database == "sqlite":
        return (
            "-- A file has no rights inside: let the user read it, and its -wal and -shm files where "
            "there are any.\n"
        )
    used = columns if columns is not None else all_columns()
    if not used.keys() >= set(ESSENTIAL):  # a database of users alone
        used = {}
    lines = ["-- What auditreg needs to read an MLflow registry, and nothing else."]
    if database == "postgresql":
        place = quoted_name(schema or "public")
        who = quoted_name(role)
        lines += [
            f"-- The role: CREATE ROLE {who} LOGIN PASSWORD '…';",
            '-- psql puts the name of the database in for :"DBNAME".',
            f'GRANT CONNECT ON DATABASE :"DBNAME" TO {who};',
            f"GRANT USAGE ON SCHEMA {place} TO {who};",
        ]
        grant = postgresql.grant
        prefix = f"{place}."
    else:
        who = mysql.account(role)
        lines.append(f"-- The user: CREATE USER {who} IDENTIFIED BY '…';")
        grant = mysql.grant
        prefix = f"{mysql.quoted(schema)}." if schema else ""
    for table, names in sorted(used.items()):
        line = grant(prefix + table, sorted(names), role)
        if table == SPECS[JOURNAL].base and columns is None:
            line = f"-- Where auditreg-capture is installed in the server: {line}"
        lines.append(line)
    rights_columns = users_columns() if users is None else users
    if rights_columns:
        lines.append(
            "-- Users and rights of basic-auth, where this database holds them; no passwords."
        )
    mark = "-- " if users is None else ""
    lines += [
        mark + grant(prefix + table, sorted(rights_columns[table]), role)
        for table in sorted(rights_columns)
    ]
    return "\n".join(lines) + "\n"
