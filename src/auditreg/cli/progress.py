"""Progress on standard error, only where somebody watches it; and as events of the log."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ProgressReport = Callable[[str, int, int | None], None]
"""Called with (phase, done, total or None)."""

log = logging.getLogger("auditreg.progress")

_NAME = 12
"""A registry's name is cut to so many characters, so that the line fits a narrow terminal."""


@contextlib.contextmanager
def progress() -> Iterator[ProgressReport | None]:
    """A progress line for the block; None where standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with watching() as watch:
        yield watch.phase


@contextlib.contextmanager
def watching(*, quiet: bool = False) -> Iterator[ReadingProgress]:
    """Show phase, rows, rows per second and elapsed time while a registry is read.

    Args:
        quiet: show no line, as where standard error is not a terminal or the log is shown there.
    """
    if quiet or not sys.stderr.isatty():
        with ReadingProgress() as watch:
            yield watch
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(8),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="")
        with ReadingProgress(bar, task) as watch:
            yield watch


class ReadingProgress:
    """A line on the terminal, where there is one, and an event of the log per phase."""

    def __init__(self, bar: Progress | None = None, task: TaskID | None = None) -> None:
        self._bar = bar
        self._task = task
        self._registry = ""
        self._phase = ""
        self._began = time.monotonic()
        self._read: dict[str, int] = {}
        self._table_began = self._began

    def __enter__(self) -> ReadingProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def registry(self, name: str) -> None:
        """Another registry begins; it is named before each phase."""
        self._end()
        self._registry = name
        self._read = {}

    def phase(self, phase: str, done: int, total: int | None) -> None:
        """A phase, and how far it is."""
        if phase != self._phase:
            self._end()
            self._phase = phase
        self._show(rate=self._total(), completed=done, total=total)

    def rows(self, table: str, number: int) -> None:
        """So many rows of a table were read so far."""
        if table not in self._read:
            self._table_began = time.monotonic()
        self._read[table] = number
        gone = time.monotonic() - self._table_began
        rate = f" {number / gone:,.0f}/s" if gone > 1 else ""
        self._show(rate=f"{number:,} rows{rate}")

    def _total(self) -> str:
        """Rows of all tables so far."""
        rows = sum(self._read.values())
        return f"{rows:,} rows" if rows else ""

    def _show(self, **values: object) -> None:
        if self._bar is not None and self._task is not None:
            name = self._registry
            named = f"{name if len(name) <= _NAME else name[: _NAME - 1] + '…'}: " if name else ""
            phase = self._phase.replace("_", " ")
            self._bar.update(self._task, description=f"{named}{phase}"[:40], **values)  # type: ignore[arg-type]

    def _end(self) -> None:
        """Log how long the phase took; tables are logged elsewhere."""
        from auditreg.sources.interface import STAGING

        now = time.monotonic()
        if self._phase and not self._phase.startswith("reading ") and self._phase not in STAGING:
            fields = {
                "registry": self._registry or None,
                "phase": self._phase,
                "seconds": round(now - self._began, 3),
            }
            log.info("phase", extra={"fields": {k: v for k, v in fields.items() if v is not None}})
        self._phase, self._began = "", now
