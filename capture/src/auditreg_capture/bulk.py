"""Updates, deletions, insertions and upserts of many rows in one statement, which no flush shows.

A statement is refused if capture cannot tell which rows it changes.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement

from auditreg_capture.errors import CaptureError
from auditreg_capture.rows import Key, RegistryTable, locked, parent_of, read
from auditreg_capture.tracking import Transaction


def remember(connection: Any, transaction: Transaction, table: RegistryTable, state: Any) -> None:
    """Note the rows a bulk statement is about to touch, and where they will be after it."""
    overwrites = _overwrites(state.statement)
    if state.is_insert:
        keys = _inserted(table, state)
        if overwrites or _on_conflict(table, state.statement):
            _read_present(connection, transaction, table, keys, overwrites)
            return
        for key in keys:
            transaction.take_over((table.name, key), None)
        return
    if overwrites:
        raise _unknown_rows(table, "an UPDATE OR REPLACE or OR IGNORE", "changes")
    parameters = state.parameters
    if isinstance(parameters, (list, tuple)):
        # An update by primary key, one set of parameters per row.
        keys = [_given(table, values) for values in parameters]
        transaction.read_before(connection, {table.name: keys}, [])
        return
    values = _values(table, state.statement, parameters or {}) if state.is_update else {}
    moves = _matching(connection, table, state.statement, values, parameters or {})
    keys = [old for old, _ in moves]
    families = [(table, old) for old, new in moves if state.is_delete or old != new]
    transaction.read_before(connection, {table.name: keys}, families)
    for old, new in moves:
        if old != new:
            transaction.move_with_children(table, old, new)


def _overwrites(statement: Any) -> bool:
    """Whether a row in the way is replaced, or the new one silently not written: OR REPLACE, IGNORE."""
    words = {
        word
        for text, _ in statement._prefixes
        for word in str(text).upper().replace(",", " ").split()
    }
    return bool(words & {"REPLACE", "IGNORE"})


def _on_conflict(table: RegistryTable, statement: Any) -> bool:
    """Whether the statement says what becomes of a row that is there already.

    Raises:
        CaptureError: another row may be touched than the one with the key given.
    """
    clause = getattr(statement, "_post_values_clause", None)
    if clause is None:
        return False
    target = getattr(clause, "inferred_target_elements", None)
    constraint = getattr(clause, "constraint_target", None)
    columns = {getattr(column, "name", column) for column in target or table.key}
    if columns != set(table.key) or constraint not in (None, table.table.primary_key.name):
        raise _unknown_rows(table, "an upsert that is not told apart by the primary key", "changes")
    sets = getattr(clause, "update_values_to_set", None) or getattr(clause, "update", None) or {}
    for column, value in sets.items() if hasattr(sets, "items") else sets:
        name = getattr(column, "name", column)
        # The key of the row proposed is that of the row in the way.
        if name in table.key and getattr(value, "name", None) != name:
            raise _unknown_rows(table, "an upsert that sets a key", "leaves")
    return True


def _read_present(
    connection: Any, transaction: Transaction, table: RegistryTable, keys: List[Key], replaces: bool
) -> None:
    """Read and lock the rows that are there already; what is not there is kept from appearing."""
    if connection.dialect.name == "postgresql":
        # A row that is not there cannot be locked. Whoever inserts it locks its parent for that.
        parent = parent_of(table)
        if parent is None:
            raise _unknown_rows(table, "an upsert", "changes")
        parents = sorted({key[: parent.prefix] for key in keys}, key=repr)
        read(connection, parent, parents, parent.prefix, lock=True)
    families = [(table, key) for key in keys] if replaces else []
    transaction.read_before(connection, {table.name: keys}, families)


def _unknown_rows(table: RegistryTable, what: str, does: str) -> CaptureError:
    return CaptureError(
        f"auditreg-capture cannot tell which rows {what} {does} in {table.name}; change them "
        "through MLflow's store."
    )


def _matching(
    connection: Any,
    table: RegistryTable,
    statement: Any,
    values: Dict[str, Any],
    parameters: Dict[str, Any],
) -> List[Tuple[Key, Key]]:
    """The keys the statement's condition finds, locked, each with the key it gets."""
    old = [table.table.c[column] for column in table.key]
    new = [
        _expression(values[column], table.table.c[column])
        if column in values
        else table.table.c[column]
        for column in table.key
    ]
    query = sa.select(
        *(c.label(f"old_{n}") for n, c in enumerate(old)),
        *(c.label(f"new_{n}") for n, c in enumerate(new)),
    ).select_from(table.table)
    if statement.whereclause is not None:
        query = query.where(statement.whereclause)
    rows = connection.execute(locked(query, table.table, True), parameters).fetchall()
    width = len(table.key)
    return sorted({(tuple(row[:width]), tuple(row[width:])) for row in rows}, key=repr)


def _expression(value: Any, column: Any) -> Any:
    return value if isinstance(value, ClauseElement) else sa.literal(value, type_=column.type)


def _values(table: RegistryTable, statement: Any, parameters: Dict[str, Any]) -> Dict[str, Any]:
    """What an UPDATE sets, by column."""
    given = getattr(statement, "_ordered_values", None) or getattr(statement, "_values", None) or {}
    pairs = given.items() if hasattr(given, "items") else given
    values = {getattr(column, "key", column): value for column, value in pairs}
    values.update({name: value for name, value in parameters.items() if name in table.columns})
    return values


def _inserted(table: RegistryTable, state: Any) -> List[Key]:
    statement, parameters = state.statement, state.parameters
    if getattr(statement, "select", None) is not None:
        raise _unknown_rows(table, "an INSERT from a SELECT", "puts")
    sets: List[Dict[str, Any]] = []
    for multi in getattr(statement, "_multi_values", None) or ():
        sets += [_named(table, values) for values in multi]
    base = _named(table, getattr(statement, "_values", None) or {})
    if isinstance(parameters, (list, tuple)):
        sets += [{**base, **values} for values in parameters]
    elif parameters or not sets:
        sets.append({**base, **(parameters or {})})
    return [_given(table, values) for values in sets]


def _named(table: RegistryTable, values: Any) -> Dict[str, Any]:
    if isinstance(values, Sequence):
        return dict(zip(table.columns, values))  # noqa: B905 (Python 3.9)
    return {
        getattr(column, "key", column): getattr(value, "value", value)
        for column, value in values.items()
    }


def _given(table: RegistryTable, values: Dict[str, Any]) -> Key:
    key: List[Any] = []
    for column in table.key:
        value = values.get(column)
        if value is None:
            default = table.table.c[column].default
            value = getattr(default, "arg", None)
        if value is None or callable(value) or isinstance(value, ClauseElement):
            raise CaptureError(
                f"auditreg-capture cannot tell which row of {table.name} a bulk statement touches: "
                f"it gives no plain {column}."
            )
        key.append(value)
    return tuple(key)
