"""Wire formats: each turns a result into bytes, and nothing else.

They are made when they are asked for, because some need libraries that take long to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.formats.interface import CheckFormat, TableFormat

_TABLES = {
    "table": "tables:ScreenFormat",
    "json": "tables:JsonFormat",
    "csv": "tables:CsvFormat",
    "markdown": "tables:MarkdownFormat",
}
"""Formats of columns and rows: module and class."""

_CHECKS = {
    "text": "terminal.check:CheckText",
    "json": "check_json:CheckJson",
}
"""Formats of the result of a check; the others show its findings as a table."""

TABLE_FORMATS = tuple(_TABLES)
"""What everything that lists or tabulates can be shown as; the first is the default."""

CHECK_FORMATS = (*_CHECKS, *(name for name in _TABLES if name not in _CHECKS))
"""What a check can be shown as; the first is the default."""


def table_format(name: str) -> TableFormat:
    """The format of that name for columns and rows.

    Raises:
        UsageError: there is none.
    """
    if name not in _TABLES:
        raise UsageError(f"There is no format {name!r}.", hint=f"Formats: {', '.join(_TABLES)}.")
    made: TableFormat = _make(_TABLES[name])
    return made


def check_format(name: str) -> CheckFormat:
    """The format of that name for the result of a check.

    Raises:
        UsageError: there is none.
    """
    if name in _CHECKS:
        made: CheckFormat = _make(_CHECKS[name])
        return made
    from auditreg.formats.findings import FindingsTable

    return FindingsTable(table_format(name))


def _make(place: str) -> Any:
    """The format of a class of this package, imported only now."""
    module, _, kind = place.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), kind)()
