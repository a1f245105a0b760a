"""Changes, differences and what was live as narrow tables: few columns, cut to a terminal's width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from auditreg.formats.interface import Table
from auditreg.formats.tables import cell
from auditreg.formats.terminal.text import arrow, between, fitted

_UNCUT = 10_000
_MOMENT = 20

Cells = Sequence[tuple[str, str, int]]
"""Column, text and least width of each cell of a narrow row."""


def short_changes(table: Table, width: int) -> Table:
    """Changes as a terminal has room for them."""
    return _narrow(table, width, _change)


def short_differences(table: Table, width: int) -> Table:
    """What differs between two moments, as a terminal has room for it."""
    return _narrow(table, width, _difference)


def short_live(table: Table, width: int) -> Table:
    """What was live, as a terminal has room for it."""
    return _narrow(table, width, _live)


def _narrow(table: Table, width: int, cells: Callable[[Mapping[str, Any]], Cells]) -> Table:
    """A table of few columns that share the width beyond their least."""
    if not table.rows:
        return table
    rows = [cells(dict(zip(table.columns, row, strict=True))) for row in table.rows]
    least = [minimum for _, _, minimum in rows[0]]
    spare = width - sum(least) - 2 * (len(least) - 1)
    share = max(spare, 0) // max(len(least) - 1, 1)
    names = [name for name, _, _ in rows[0]]
    return Table(
        names,
        [
            [
                # A moment is never cut: where there are two, they stand below one another.
                text if name in ("when", "since") else fitted(text, minimum + share)
                for name, text, minimum in row
            ]
            for row in rows
        ],
    )


def _change(row: Mapping[str, Any]) -> Cells:
    who = "uncaptured" if row["uncaptured"] else _who(row["actor"], row["actor_from"])
    version = "" if row["version"] is None or row["kind"] == "alias" else f"/{row['version']}"
    return (
        ("when", _when(row["changed_not_before"], row["changed_not_after"]), _MOMENT),
        ("model", f"{row['model'] or _elsewhere(row)}{version}", 14),
        ("item", f"{_ITEMS.get(row['kind'], '')}{row['item']}", 12),
        ("change", arrow(row["before"], row["after"], _UNCUT), 14),
        ("who", who, 12),
    )


_ITEMS = {"alias": "alias ", "permission": "right of "}


def _elsewhere(row: Mapping[str, Any]) -> str:
    """What a change that is about no model is about."""
    if row["kind"] in ("principal", "permission"):
        return f"{row['registry']} (all)"
    return str(row["subject"])


def _difference(row: Mapping[str, Any]) -> Cells:
    version = "" if row["version"] is None else f"/{row['version']}"
    return (
        ("model", f"{row['model']}{version}", 18),
        ("field", str(row["field"]), 16),
        ("before", cell(row["before"]), 12),
        ("after", cell(row["after"]), 12),
        ("certainty", str(row["certainty"]), 16),
    )


def _live(row: Mapping[str, Any]) -> Cells:
    possibly = "possibly " if row["live"] == "possibly" else ""
    nothing = row["live"] == "no"
    return (
        ("model", str(row["model"]), 16),
        ("live", "nothing" if nothing else f"{possibly}version {row['version']}", 19),
        ("since", "" if nothing else _when(row["live_not_before"], row["live_not_after"]), _MOMENT),
        (
            "put there by",
            "" if nothing else _who(row["put_live_by"], row["put_live_by_from"]),
            12,
        ),
        ("certainty", str(row["certainty"]), 14),
    )


def _when(first: datetime | None, last: datetime | None) -> str:
    """When something happened, as short as a table needs it."""
    return between(first, last).removeprefix("between ").replace(" and ", " to ")


def _who(actor: str | None, actor_from: str | None) -> str:
    """Who did it; a name that a program gave itself says so, since no server vouches for it."""
    if actor is None:
        return "not recorded"
    return f"{actor} (program)" if actor_from == "program" else actor
