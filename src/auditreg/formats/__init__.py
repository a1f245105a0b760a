"""Wire formats: each turns a result into bytes, and nothing else.

They are made when they are asked for, because some need libraries that take long to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.formats.interface import CheckFormat, TableFormat

TABLE_FORMATS = ("table", "json", "csv", "markdown")
"""What everything that lists or tabulates can be shown as; the first is the default."""

CHECK_FORMATS = ("text", "json", "table", "csv", "markdown")
"""What a check can be shown as; the first is the default."""


def table_format(name: str) -> TableFormat:
    """The format of that name for columns and rows.

    Raises:
        UsageError: there is none.
    """
    from auditreg.formats import tables

    kinds: dict[str, type[TableFormat]] = {
        "table": tables.ScreenFormat,
        "json": tables.JsonFormat,
        "csv": tables.CsvFormat,
        "markdown": tables.MarkdownFormat,
    }
    if name not in kinds:
        raise UsageError(f"There is no format {name!r}.", hint=f"Formats: {', '.join(kinds)}.")
    return kinds[name]()


def check_format(name: str) -> CheckFormat:
    """The format of that name for the result of a check.

    Raises:
        UsageError: there is none.
    """
    if name == "json":
        from auditreg.formats.check_json import CheckJson

        return CheckJson()
    if name == "text":
        from auditreg.formats.terminal.check import CheckText

        return CheckText()
    from auditreg.formats.findings import FindingsTable

    return FindingsTable(table_format(name))
