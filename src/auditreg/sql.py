"""Values and names written into SQL, where DuckDB takes no parameters."""

from __future__ import annotations

from datetime import datetime


def quoted(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """The name of a table, column or variable as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def moment_literal(at: datetime) -> str:
    """A UTC moment as an SQL timestamp, to the microsecond."""
    return f"timestamp '{at:%Y-%m-%d %H:%M:%S.%f}'"
