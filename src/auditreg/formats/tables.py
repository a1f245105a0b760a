"""Columns and rows as a screen table, JSON, CSV or Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

from auditreg.formats.escape import escape_control, json_bytes, markdown, spreadsheet
from auditreg.formats.interface import OutputTarget, Table

_WORD = 40
"""Longer words, such as digests and paths, may be broken."""


def cell(value: object) -> str:
    """A value as people read it; empty where there is none. Moments say that they are UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
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


class ScreenFormat:
    """A table for the eye. Long cells are folded, never cut."""

    def render(self, table: Table, target: OutputTarget) -> bytes:
        """See `TableFormat.render`."""
        from rich.table import Table as RichTable
        from rich.text import Text

        from auditreg.formats.terminal.layout import render

        if not table.rows:
            return b"(no rows)\n"
        rows = [[escape_control(cell(value)) for value in row] for row in table.rows]
        names = [escape_control(name) for name in table.columns]
        if _least_width(names, rows) > target.width:
            return self._records(table)
        drawn = RichTable(box=None, pad_edge=False, header_style="bold" if target.colour else "")
        for index, name in enumerate(names):
            numeric = all(_is_number(row[index]) for row in table.rows)
            drawn.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
        if _width(names, rows) <= target.width:
            # No cell is folded: to lay out a column as one text takes a third of the time.
            rows = [["\n".join(column) for column in zip(*rows, strict=True)]]
        for row in rows:
            drawn.add_row(*map(Text, row))
        return render([drawn], target)

    def _records(self, table: Table) -> bytes:
        """One block per row, filled columns only: where a table would break words apart."""
        names = [escape_control(name) for name in table.columns]
        blocks = []
        for row in table.rows:
            filled = [(n, cell(v)) for n, v in zip(names, row, strict=True) if v not in (None, "")]
            width = max((len(name) for name, _ in filled), default=0)
            blocks.append(
                "\n".join(f"{name:<{width}}  {escape_control(text)}" for name, text in filled)
            )
        return ("\n\n".join(blocks) + "\n").encode()


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

    def render(self, table: Table, target: OutputTarget) -> bytes:  # noqa: ARG002
        """See `TableFormat.render`."""
        lines = [
            self._line([markdown(name) for name in table.columns]),
            self._line(["---"] * len(table.columns)),
        ]
        lines += [self._line([markdown(cell(value)) for value in row]) for row in table.rows]
        return ("\n".join(lines) + "\n").encode()

    @staticmethod
    def _line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"
