"""`auditreg status`: how fresh and how complete the ledger is, for schedulers and monitoring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit_table,
    format_option,
    ledger_option,
    open_ledger,
    write_file,
)
from auditreg.errors import ExitCode, LedgerError, NothingToAudit, worst
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.queries.status import LedgerStatus, RegistryStatus

COLUMNS = (
    "registry",
    "state",
    "read",
    "hours_ago",
    "last_complete",
    "doubts",
    "first_doubt",
    "source",
    "models",
    "live",
    "open",
    "entries",
    "root",
    "sealed",
    "sealed_at",
)


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
@config_option
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
    book = open_ledger(config, ledger)
    try:
        found = _read(book)
    except LedgerError:
        # Figures of yesterday left in place would look like a ledger that is well.
        _write_metrics(prometheus, book, None)
        raise
    _write_metrics(prometheus, book, found)
    if not found.registries:
        raise NothingToAudit(
            "The ledger holds no extraction.",
            hint="auditreg extract --from URI",
        )
    now = datetime.now(UTC).replace(tzinfo=None)
    ages = [now - one.observed_at for one in found.registries]
    limit = timedelta(hours=max_age)
    pairs = list(zip(found.registries, ages, strict=True))
    emit_table(outputs, Table(COLUMNS, [_row(found, *pair, limit) for pair in pairs]))
    codes = [
        ExitCode.ERROR if not one.complete else ExitCode.FINDINGS if age > limit else ExitCode.OK
        for one, age in pairs
    ]
    click.get_current_context().exit(int(worst(*codes)))


def _read(book: Ledger) -> LedgerStatus:
    """How the ledger stands.

    Raises:
        LedgerError: it cannot be opened, or parts of it cannot be read.
    """
    import duckdb

    from auditreg.queries.status import ledger_status

    with book.reader() as con:
        try:
            return ledger_status(con)
        except duckdb.Error as error:
            raise LedgerError(
                f"{book.path} opens, but cannot be read through: {str(error).splitlines()[0]}",
                state="The ledger was not changed.",
                hint=f"auditreg verify {book.path}; restore a copy if it does not verify.",
            ) from error


def _row(
    found: LedgerStatus, one: RegistryStatus, age: timedelta, limit: timedelta
) -> tuple[object, ...]:
    state = "incomplete" if not one.complete else "stale" if age > limit else "fresh"
    return (
        one.registry,
        state,
        one.observed_at,
        round(age / timedelta(hours=1), 1),
        one.complete_at,
        len(one.doubts),
        one.doubts[0] if one.doubts else None,
        one.source,
        one.models,
        one.live_versions,
        sum(one.open_findings.values()),
        found.tree_size,
        found.root,
        found.sealed_kind,
        found.sealed_at,
    )


def _write_metrics(path: Path | None, book: Ledger, found: LedgerStatus | None) -> None:
    if path is None:
        return
    from auditreg.formats.prometheus import exposition

    size = book.path.stat().st_size if book.path.is_file() else 0
    write_file(path, exposition(found, ledger_bytes=size))
