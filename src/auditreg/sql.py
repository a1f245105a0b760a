"""Values and names written into SQL, where databases take no parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime


def quoted(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """The texts as a list for SQL's `in`, in the order of the alphabet; `null` where there is none."""
    return ", ".join(quoted(text) for text in sorted(texts)) or "null"


def quoted_name(name: str) -> str:
    """The name of a table, column or variable as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def rows_select(rows: Sequence[Sequence[object]]) -> str:
    """A SELECT of one row or more, every value as text, to fill columns of any type from.

    They are one JSON text: DuckDB takes eight times as long to read them as values.
    """
    columns = ", ".join(f"texts[{place}]" for place in range(1, len(rows[0]) + 1))
    text = quoted(json.dumps([list(row) for row in rows], default=str))
    return (
        f"select {columns} from "  # noqa: S608 - texts are quoted
        f"""(select unnest(from_json({text}, '[["VARCHAR"]]')) as texts)"""
    )


def moment_literal(at: datetime) -> str:
    """A UTC moment as an SQL timestamp, to the microsecond."""
    return f"timestamp '{at:%Y-%m-%d %H:%M:%S.%f}'"
