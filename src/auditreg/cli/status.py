"""`auditreg status`: how fresh and how complete the ledger is, for schedulers and monitoring."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    emit_table,
    file_config_option,
    format_option,
    ledger_option,
    open_ledger,
    tell_next,
    write_file,
)
from auditreg.errors import ExitCode, LedgerError, NothingToAudit, first_line, worst
from auditreg.formats.status import exposition, status_table

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.queries.status import LedgerStatus, RegistryStatus


def _finite(_ctx: click.Context, _param: click.Parameter, hours: float) -> float:
    if not math.isfinite(hours):
        raise click.BadParameter("it is not a number of hours.")
    return hours


@click.command(
    epilog=examples(
        "auditreg status",
        "auditreg status --max-age 36 --format json",
        "auditreg status --prometheus /var/lib/node_exporter/textfile/auditreg.prom",
    )
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=24,
    show_default=True,
    metavar="HOURS",
    help="A registry read longer ago is stale.",
)
@click.option(
    "--prometheus",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the figures for node-exporter's textfile collector; name it *.prom.",
)
@file_config_option
@ledger_option
@format_option()
def status(
    max_age: float,
    prometheus: Path | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Say how fresh and how complete the ledger is.

    One row per registry, about its last reading: its age, whether it was complete or else the first
    doubt, when one was complete last, what is live, what is open, and the number of entries with the
    root over them. For schedulers and monitoring.

    Exit codes: 0 fresh and complete; 1 stale; 2 the last reading was incomplete, or the ledger does
    not exist, is open for writing elsewhere or is damaged; 3 it holds no reading.
    """
    ledger_file = open_ledger(config, ledger)
    try:
        current = _read(ledger_file)
    except LedgerError:
        # Figures of yesterday left in place would look like a ledger that is well.
        _write_metrics(prometheus, ledger_file, None)
        raise
    _write_metrics(prometheus, ledger_file, current)
    if not current.registries:
        raise NothingToAudit(
            "The ledger holds no extraction.",
            hint="auditreg extract --from URI",
        )
    now = datetime.now(UTC).replace(tzinfo=None)
    states = {
        reading.registry: _state(reading, (now - reading.observed_at) / _HOUR > max_age)
        for reading in current.registries
    }
    emit_table(outputs, status_table(current, states, now))
    tell_next(outputs, _next_step(current, states.values()))
    code = worst(*(_CODES[state] for state in states.values()))
    click.get_current_context().exit(int(code))


_HOUR = timedelta(hours=1)
_CODES = {"fresh": ExitCode.OK, "stale": ExitCode.FINDINGS, "incomplete": ExitCode.ERROR}


def _state(reading: RegistryStatus, old: bool) -> str:
    if not reading.complete:
        return "incomplete"
    return "stale" if old else "fresh"


def _next_step(current: LedgerStatus, states: Collection[str]) -> str:
    """What the worst of the registries asks for."""
    if "incomplete" in states:
        return "repair the cause and extract again"
    if "stale" in states:
        return "auditreg extract"
    opened = sum(current.open_findings.values()) + sum(
        sum(reading.open_findings.values()) for reading in current.registries
    )
    return "auditreg check" if opened or current.sealed_kind == "extraction" else "auditreg report"


def _read(ledger_file: Ledger) -> LedgerStatus:
    """How the ledger stands.

    Raises:
        LedgerError: it cannot be opened, or parts of it cannot be read.
    """
    import duckdb

    from auditreg.queries.status import ledger_status

    with ledger_file.reader() as con:
        try:
            return ledger_status(con)
        except duckdb.Error as error:
            raise LedgerError(
                f"{ledger_file.path} opens, but cannot be read through: {first_line(error)}",
                state="The ledger was not changed.",
                hint=f"auditreg verify {ledger_file.path}; restore a copy if it does not verify.",
            ) from error


def _write_metrics(path: Path | None, ledger_file: Ledger, status: LedgerStatus | None) -> None:
    if path is None:
        return
    size = ledger_file.path.stat().st_size if ledger_file.path.is_file() else 0
    write_file(path, exposition(status, ledger_bytes=size))
