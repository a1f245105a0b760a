"""Statements compiled once per dialect and handed to the driver as they are.

Capture runs inside every change of the registry. SQLAlchemy looks a statement up by its structure at each
execution, and compiles an INSERT of several rows anew each time; both cost more than the database does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Dict, Optional, Tuple

import sqlalchemy as sa

Compiled = Tuple[str, Optional[Tuple[str, ...]]]


def execute(
    connection: Any, make: Callable[..., Any], arguments: Tuple[Any, ...], values: Dict[str, Any]
) -> Any:
    """Run the statement `make(*arguments)`, all of whose values are bound by name."""
    text, order = _compiled(connection.dialect, make, arguments)
    given: Any = values if order is None else tuple(values[name] for name in order)
    return connection.exec_driver_sql(text, given)


@lru_cache(maxsize=1024)
def _compiled(dialect: Any, make: Callable[..., Any], arguments: Tuple[Any, ...]) -> Compiled:
    compiled = make(*arguments).compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup) if compiled.positional else None


def insert_rows(table: str, columns: Tuple[str, ...], count: int) -> Any:
    """An INSERT of so many rows, their values named column_number."""
    rows = ", ".join(
        "(" + ", ".join(f":{column}_{n}" for column in columns) + ")" for n in range(count)
    )
    return sa.text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows}")  # noqa: S608 (our own names)
