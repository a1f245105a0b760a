"""What a format is: one kind for the result of a check, one for columns and rows.

Formats return bytes and never write: the command line decides between the terminal and a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from auditreg.errors import ExitCode
    from auditreg.models import CheckResult, Severity

WIDTH = 80
"""Columns used where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class OutputTarget:
    """What the bytes are shown on: how wide it is, whether it knows colours, and whose clock it has."""

    width: int = WIDTH
    colour: bool = False
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class CheckView:
    """How the result of a check is to be shown.

    `fail_on` is None where nothing makes the command fail. `code` is the exit code it ends in.
    """

    code: ExitCode
    fail_on: Severity | None = None
    everything: bool = False
    target: OutputTarget = OutputTarget()

    @property
    def timezone(self) -> str:
        """The firm's time zone, in which every moment is shown."""
        return self.target.timezone


class CheckFormat(Protocol):
    """A way to show the result of a check."""

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """The result as bytes, ending in a line feed."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of plain values (text, numbers, booleans, dates, moments, None).

    JSON and CSV hold them as they are: moments UTC, codes as codes. For the eye, moments are on the
    firm's clock, and `words` has by column what its codes are called; unless the table is `raw`, the
    answer to somebody's own SQL. What stands in a column of `copied`, such as a command, is not
    folded where the columns stand below one another. `widths` is given where a terminal has room for so much of each column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    raw: bool = False
    copied: Collection[str] = ()
    widths: Sequence[int] | None = None


class TableFormat(Protocol):
    """A way to show columns and rows."""

    def render(self, table: Table, target: OutputTarget) -> bytes:
        """The table as bytes, ending in a line feed."""
        ...
