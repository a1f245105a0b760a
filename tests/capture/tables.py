"""The registry's five tables and the journal, read whole, with nothing of auditreg."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

KEYS = {
    "registered_models": ("workspace", "name"),
    "registered_model_tags": ("workspace", "name", "key"),
    "model_versions": ("workspace", "name", "version"),
    "model_version_tags": ("workspace", "name", "version", "key"),
    "registered_model_aliases": ("workspace", "name", "alias"),
}
"""The tables and their primary keys; `workspace` is missing before MLflow 3.10."""
LIFECYCLE = {"journal", "start", "stop", "off", "missed", "prune"}
"""Operations of journal rows that are about the journal itself."""

Row = dict[str, Any]
Key = tuple[Any, ...]
"""The name of a table and a primary key in it."""
Tables = dict[Key, Row]


class Change(NamedTuple):
    """One row that differs between two states: its state before, and after."""

    table: str
    before: Row | None
    after: Row | None

    @property
    def operation(self) -> str:
        """insert, update or delete."""
        return "insert" if self.before is None else "delete" if self.after is None else "update"


def key(table: str, row: Row) -> Key:
    """Where a row belongs."""
    return (table, *(row.get(column, "default") for column in KEYS[table]))


def select(uri: str, statement: str) -> list[Row]:
    """What a query finds, on a connection of its own."""
    engine = sa.create_engine(uri, poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as con:
            return [dict(row) for row in con.execute(sa.text(statement)).mappings()]
    finally:
        engine.dispose()


def dump(uri: str) -> Tables:
    """Every row of the five tables, in one transaction."""
    engine = sa.create_engine(uri, poolclass=sa.pool.NullPool)
    stored: Tables = {}
    try:
        with engine.connect() as con:
            if engine.dialect.name == "postgresql":
                con = con.execution_options(isolation_level="REPEATABLE READ")
            for table in KEYS:
                for row in con.execute(sa.text(f"select * from {table}")).mappings():
                    stored[key(table, dict(row))] = dict(row)
    finally:
        engine.dispose()
    return stored


def journal(uri: str, after: int = 0) -> list[Row]:
    """Every row of the journal with a greater id, by id, with its images as objects."""
    rows = select(uri, f"select * from auditreg_journal where id > {after} order by id")
    for row in rows:
        for image in ("before_row", "after_row"):
            row[image] = None if row[image] is None else json.loads(row[image])
    return rows


def changes(rows: list[Row]) -> list[Row]:
    """The rows of a journal that are about the registry."""
    return [row for row in rows if row["operation"] not in LIFECYCLE]


def last_id(uri: str) -> int:
    """The greatest id in the journal; 0 where there is none."""
    try:
        (row,) = select(uri, "select max(id) as last from auditreg_journal")
    except sa.exc.DBAPIError:
        return 0
    return int(row["last"] or 0)


def difference(before: Tables, after: Tables, moved: dict[str, Row] | None = None) -> list[Change]:
    """What differs between two states.

    Args:
        moved: what a rename writes into the keys, per old name: `{"old": {"name": "new"}}`; a row
            that vanishes under the old and appears under the new key is one change.
    """
    gone = {place: row for place, row in before.items() if place not in after}
    new = {place: row for place, row in after.items() if place not in before}
    differences = [
        Change(place[0], row, after[place])
        for place, row in before.items()
        if place in after and after[place] != row
    ]
    for place, row in gone.items():
        to = (moved or {}).get(row["name"])
        there = None if to is None else new.pop(key(place[0], {**row, **to}), None)
        differences.append(Change(place[0], row, there))
    return differences + [Change(place[0], None, row) for place, row in new.items()]
