"""Columns and rows as a screen table, JSON, CSV or Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from auditreg.config.calendar import zone
from auditreg.formats.escape import escape_control, json_bytes, markdown, spreadsheet
from auditreg.formats.interface import OutputTarget, Table
from auditreg.formats.terminal.text import paragraph
from auditreg.words import clock

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_WHOLE = 1_000_000
"""Columns of a terminal that folds nothing."""

_WORD = 40
"""Longer words, such as digests and paths, may be broken."""


def cell(value: object, clock_of: ZoneInfo | None = None) -> str:
    """A value as people read it; empty where there is none.

    Moments are on the clock of that zone, which they name; without one they are UTC and end in `Z`.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value) if clock_of is None else clock(value, clock_of)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def moment(at: datetime) -> str:
    """A UTC moment to the second, or finer where it has finer parts."""
    return at.isoformat(sep=" ", timespec="auto" if at.microsecond else "seconds") + "Z"


def plain(value: object) -> Any:
    """A value as JSON knows it; moments in ISO 8601 with `Z`, numbers that are none as text."""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return cell(value)


def _for_the_eye(table: Table, target: OutputTarget) -> tuple[list[str], list[list[str]]]:
    """Headings and cells in words, moments on the firm's clock; of a raw table as they are."""
    if table.raw:
        return list(table.columns), [[cell(value) for value in row] for row in table.rows]
    firm = zone(target.timezone)
    words = [table.words.get(name, {}) for name in table.columns]
    rows = [
        [known.get(text, text) for known, text in zip(words, texts, strict=True)]
        for texts in ([cell(value, firm) for value in row] for row in table.rows)
    ]
    return [name.replace("_", " ") for name in table.columns], rows


class ScreenFormat:
    """A table for the eye. Long cells are folded, never cut."""

    def render(self, table: Table, target: OutputTarget) -> bytes:
        """See `TableFormat.render`."""
        from rich.table import Table as RichTable
        from rich.text import Text

        from auditreg.formats.terminal.layout import render

        if not table.rows:
            return b"(no rows)\n"
        headings, cells = _for_the_eye(table, target)
        rows = [[escape_control(text) for text in row] for row in cells]
        names = [escape_control(name) for name in headings]
        if table.widths is None and _least_width(names, rows) > target.width:
            return self._records(table, headings, cells, target.width)
        drawn = RichTable(box=None, pad_edge=False, header_style="bold" if target.colour else "")
        for index, name in enumerate(names):
            numeric = all(_is_number(row[index]) for row in table.rows)
            drawn.add_column(
                Text(name),
                justify="right" if numeric else "left",
                overflow="fold",
                width=table.widths[index] if table.widths is not None else None,
            )
        if _width(names, rows) <= target.width:
            # No cell is folded: to lay out a column as one text takes a third of the time.
            rows = [["\n".join(column) for column in zip(*rows, strict=True)]]
        for row in rows:
            drawn.add_row(*map(Text, row))
        return render([drawn], target)

    @staticmethod
    def _records(
        table: Table, headings: Sequence[str], rows: Sequence[Sequence[str]], room: int
    ) -> bytes:
        """One block per row, filled columns only: where a table would break words apart."""
        rooms = [_WHOLE if name in table.copied else room for name in table.columns]
        blocks = []
        for row in rows:
            filled = [part for part in zip(headings, row, rooms, strict=True) if part[1]]
            width = max((len(name) for name, _, _ in filled), default=0)
            # A word that is longer than the room, such as a digest, stays whole to be copied.
            blocks.append(
                "".join(paragraph(name, text, width + 1, wide) for name, text, wide in filled)
            )
        return "\n".join(blocks).encode()


def _width(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide a screen has to be so that no cell is folded."""
    return _between([max(map(cell_len, column)) for column in zip(names, *rows, strict=True)])


def _least_width(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide it has to be so that no header and no word of usual length is broken."""
    widths = []
    for name, *cells in zip(names, *rows, strict=True):
        longest = max((cell_len(word) for text in cells for word in text.split()), default=0)
        widths.append(max(cell_len(name), min(longest, _WORD)))
    return _between(widths)


def _between(widths: Sequence[int]) -> int:
    """The width of columns beside each other, two blanks apart."""
    return sum(widths) + 2 * (len(widths) - 1)


def _is_number(value: object) -> bool:
    return value is None or (
        isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    )


class JsonFormat:
    """A list with one object per row."""

    def render(self, table: Table, target: OutputTarget) -> bytes:  # noqa: ARG002
        """See `TableFormat.render`."""
        rows = [dict(zip(table.columns, map(plain, row), strict=True)) for row in table.rows]
        return json_bytes(rows)


class CsvFormat:
    """Comma-separated values in UTF-8 with a header; formulas are inert."""

    def render(self, table: Table, target: OutputTarget) -> bytes:  # noqa: ARG002
        """See `TableFormat.render`."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([spreadsheet(name) for name in table.columns])
        for row in table.rows:
            # A negative number is a number; the same characters as text might be a formula.
            writer.writerow(
                [value if _is_number(value) else spreadsheet(cell(value)) for value in row]
            )
        return out.getvalue().encode()


class MarkdownFormat:
    """A GitHub-flavoured table; everything in it is text."""

    def render(self, table: Table, target: OutputTarget) -> bytes:
        """See `TableFormat.render`."""
        headings, rows = _for_the_eye(table, target)
        lines = [
            self._line([markdown(name) for name in headings]),
            self._line(["---"] * len(headings)),
        ]
        lines += [self._line([markdown(text) for text in row]) for row in rows]
        return ("\n".join(lines) + "\n").encode()

    @staticmethod
    def _line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"
