"""Changes, differences and what was live as narrow tables: few columns, as wide as a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len

from auditreg.config.calendar import zone
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import OutputTarget, Table
from auditreg.formats.tables import cell
from auditreg.formats.terminal.text import arrow, between, fitted
from auditreg.words import CERTAINTY

_UNCUT = 10_000
_WRAPPED = ("when", "since", "live", "certainty", "put there by", "who")
"""Columns of moments and of prose, which go on in the next line; names and values are shortened."""

_NAMES = ("model", "field", "item")
"""Columns whose texts tell rows apart: two of them never look alike."""

_LEAST = 8
_WORD = 18
"""Columns that a shortened text gets at least, and longer words of prose may be broken."""

Cells = Sequence[tuple[str, str, int]]
"""Column, text and least width of each cell of a narrow row."""


def short_changes(table: Table, target: OutputTarget) -> Table:
    """Changes as a terminal has room for them."""
    return _narrow(table, target, _change)


def short_differences(table: Table, target: OutputTarget) -> Table:
    """What differs between two moments, as a terminal has room for it."""
    return _narrow(table, target, _difference)


def short_live(table: Table, target: OutputTarget) -> Table:
    """What was live, as a terminal has room for it."""
    return _narrow(table, target, _live)


def _narrow(
    table: Table, target: OutputTarget, cells: Callable[[Mapping[str, Any], str], Cells]
) -> Table:
    """A table of few columns, each as wide as its longest text where the terminal has room for it."""
    if not table.rows:
        return table
    rows = [
        cells(dict(zip(table.columns, row, strict=True)), target.timezone) for row in table.rows
    ]
    names = [name for name, _, _ in rows[0]]
    columns = [[(text, least) for _, text, least in column] for column in zip(*rows, strict=True)]
    wanted = [
        max(cell_len(name), *(_size(text, target.width) for text, _ in column))
        for name, column in zip(names, columns, strict=True)
    ]
    least = [
        min(wish, max(minimum for _, minimum in column))
        for wish, column in zip(wanted, columns, strict=True)
    ]
    widths = _shared(wanted, least, target.width - 2 * (len(names) - 1))
    shown = [
        _column(name, [text for text, _ in column], width)
        for name, column, width in zip(names, columns, widths, strict=True)
    ]
    return Table(names, list(zip(*shown, strict=True)), widths=widths)


def _size(text: str, most: int) -> int:
    return min(cell_len(escape_control(text)), most)


def _column(name: str, texts: Sequence[str], width: int) -> list[str]:
    """The texts of a column; names that would look alike when shortened go on in the next line."""
    if name in _WRAPPED:
        return list(texts)
    short = {text: fitted(text, width) for text in texts}
    if name not in _NAMES:
        return [short[text] for text in texts]
    alike = Counter(short.values())
    return [text if alike[short[text]] > 1 else short[text] for text in texts]


def _shared(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fit into the room: the widest columns give way first, none below its least."""
    widths = list(wanted)
    while sum(widths) > room:
        giving = [index for index, width in enumerate(widths) if width > least[index]]
        if not giving:
            break
        widest = max(giving, key=lambda index: widths[index])
        widths[widest] -= 1
    return widths


def _change(row: Mapping[str, Any], tz: str) -> Cells:
    who = "uncaptured" if row["uncaptured"] else _who(row["actor"], row["actor_from"])
    version = "" if row["version"] is None or row["kind"] == "alias" else f"/{row['version']}"
    return (
        _moments("when", row["changed_not_before"], row["changed_not_after"], tz),
        ("model", f"{row['model'] or _elsewhere(row)}{version}", _LEAST),
        ("item", f"{_ITEMS.get(row['kind'], '')}{row['item']}", _LEAST),
        ("change", arrow(row["before"], row["after"], _UNCUT), _LEAST),
        ("who", who, _longest_word(who)),
    )


_ITEMS = {"alias": "alias ", "permission": "right of "}


def _elsewhere(row: Mapping[str, Any]) -> str:
    """What a change that is about no model is about."""
    if row["kind"] in ("principal", "permission"):
        return f"{row['registry']} (all)"
    return str(row["subject"])


def _difference(row: Mapping[str, Any], tz: str) -> Cells:
    version = "" if row["version"] is None else f"/{row['version']}"
    firm = zone(tz)
    return (
        ("model", f"{row['model']}{version}", _LEAST),
        ("field", str(row["field"]).replace("_", " "), _LEAST),
        ("before", cell(row["before"], firm), _LEAST),
        ("after", cell(row["after"], firm), _LEAST),
        _certainty(row),
    )


def _live(row: Mapping[str, Any], tz: str) -> Cells:
    possibly = "possibly " if row["live"] == "possibly" else ""
    nothing = row["live"] == "no"
    who = "" if nothing else _who(row["put_live_by"], row["put_live_by_from"])
    since = _moments("since", row["live_not_before"], row["live_not_after"], tz)
    live = "nothing" if nothing else f"{possibly}version {row['version']}"
    return (
        ("model", str(row["model"]), _LEAST),
        ("live", live, _longest_word(live)),
        ("since", "", 0) if nothing else since,
        ("put there by", who, _longest_word(who)),
        _certainty(row),
    )


def _certainty(row: Mapping[str, Any]) -> tuple[str, str, int]:
    words = CERTAINTY.get(str(row["certainty"]), str(row["certainty"]))
    return "certainty", words, _longest_word(words)


def _longest_word(text: str) -> int:
    return min(max((cell_len(word) for word in escape_control(text).split()), default=0), _WORD)


def _moments(
    name: str, first: datetime | None, last: datetime | None, tz: str
) -> tuple[str, str, int]:
    """When something happened, as short as a table needs it; where there are two moments, they stand
    below one another and none is broken.
    """
    text = between(first, last, tz).removeprefix("between ").replace(" and ", " to ")
    pieces = text.split(" to ")
    return name, text, max(len(piece) + (3 if piece is not pieces[-1] else 0) for piece in pieces)


def _who(actor: str | None, actor_from: str | None) -> str:
    """Who did it; a name that a program gave itself says so, since no server vouches for it."""
    if actor is None:
        return "not recorded"
    return f"{actor} (program)" if actor_from == "program" else actor
