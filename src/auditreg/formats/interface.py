"""What a format is: one kind for the result of a check, one for columns and rows.

Formats return bytes and never write: the command line decides between the terminal and a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from auditreg.errors import ExitCode
    from auditreg.models import CheckResult, Severity

WIDTH = 80
"""Columns used where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class OutputTarget:
    """What the bytes are shown on: how wide it is, and whether it knows colours."""

    width: int = WIDTH
    colour: bool = False


@dataclass(frozen=True, slots=True)
class CheckView:
    """How the result of a check is to be shown.

    `fail_on` is None where nothing makes the command fail. `code` is the exit code it ends in.
    """

    code: ExitCode
    fail_on: Severity | None = None
    everything: bool = False
    timezone: str = "UTC"
    target: OutputTarget = OutputTarget()


class CheckFormat(Protocol):
    """A way to show the result of a check."""

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """The result as bytes, ending in a line feed."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of plain values (text, numbers, booleans, dates, moments, None)."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class TableFormat(Protocol):
    """A way to show columns and rows."""

    def render(self, table: Table, target: OutputTarget) -> bytes:
        """The table as bytes, ending in a line feed."""
        ...
