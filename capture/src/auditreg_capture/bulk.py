"""Updates, deletions and insertions of many rows in one statement, which no flush shows."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement

from auditreg_capture.errors import CaptureError
from auditreg_capture.rows import Key, RegistryTable, locked
from auditreg_capture.tracking import Transaction


def remember(connection: Any, transaction: Transaction, table: RegistryTable, state: Any) -> None:
    """Note the rows a bulk statement is about to touch, and where they will be after it."""
    if state.is_insert:
        for key in _inserted(table, state):
            transaction.take_over((table.name, key), None)
        return
    parameters = state.parameters
    if isinstance(parameters, (list, tuple)):
        # An update by primary key, one set of parameters per row.
        keys = [_given(table, one) for one in parameters]
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
    found = sa.select(
        *(c.label(f"old_{n}") for n, c in enumerate(old)),
        *(c.label(f"new_{n}") for n, c in enumerate(new)),
    ).select_from(table.table)
    if statement.whereclause is not None:
        found = found.where(statement.whereclause)
    rows = connection.execute(locked(found, table.table, True), parameters).fetchall()
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
        raise CaptureError(
            f"auditreg-capture cannot tell which rows an INSERT from a SELECT puts into {table.name}; insert "
            "them through MLflow's store."
        )
    sets: List[Dict[str, Any]] = []
    for multi in getattr(statement, "_multi_values", None) or ():
        sets += [_named(table, one) for one in multi]
    base = _named(table, getattr(statement, "_values", None) or {})
    if isinstance(parameters, (list, tuple)):
        sets += [{**base, **one} for one in parameters]
    elif parameters or not sets:
        sets.append({**base, **(parameters or {})})
    return [_given(table, one) for one in sets]


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
