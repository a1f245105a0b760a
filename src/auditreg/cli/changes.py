"""`auditreg changes`: who changed what and when, as far as it is on record."""

from __future__ import annotations

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
    moment,
    open_ledger,
)
from auditreg.errors import UsageError
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.interface import Table
from auditreg.queries.changes import KINDS

if TYPE_CHECKING:
    from auditreg.config import Config


@click.command(
    epilog=examples(
        "auditreg changes --period 2026-Q3 --kind stage --kind alias",
        "auditreg changes motor-frequency/7 --since 2026-07-01 --until 2026-07-31",
        "auditreg changes --actor ann.lee --format csv",
        "auditreg changes --uncaptured",
    ),
)
@click.argument("models", metavar="[MODEL[/VERSION|@ALIAS]]...", nargs=-1)
@click.option("--since", metavar="MOMENT", help="From then on; a date means its beginning.")
@click.option("--until", metavar="MOMENT", help="Until then; a date means its end.")
@click.option("--period", metavar="PERIOD", help="2026-Q3, 2026, 2026-07 or two dates with `..`.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="Only changes of that kind. Repeatable.",
)
@click.option("--actor", metavar="NAME", help="Only by that person or account, however spelt.")
@click.option(
    "--uncaptured", is_flag=True, help="Only changes that a server with capture did not record."
)
@config_option
@ledger_option
@format_option()
def changes(  # noqa: PLR0913, PLR0917 - one argument per option
    models: tuple[str, ...],
    since: str | None,
    until: str | None,
    period: str | None,
    kinds: tuple[str, ...],
    actor: str | None,
    uncaptured: bool,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """List who changed what and when, as far as it is on record.

    A change that was not captured happened between `changed_not_before` and `changed_not_after`.
    With --since, --until or --period, a change is listed if it can have happened then; what the
    first reading found is listed if MLflow's own times date it so. The table is short and leaves out
    the middle of long values; JSON, CSV and Markdown hold everything.
    """
    from auditreg.formats.terminal.changes import short_changes
    from auditreg.queries.changes import ChangeFilter, change_rows
    from auditreg.queries.model_refs import resolve, start_of

    if period and (since or until):
        raise UsageError("--period goes with neither --since nor --until.")
    span = config.period(period) if period else None
    filters = ChangeFilter(
        since=span.start_utc if span else start_of(config, since) if since else None,
        until=span.end_utc if span else moment(config, until),
        kinds=kinds,
        actor=actor,
        uncaptured=uncaptured,
    )
    with open_ledger(config, ledger).reader() as con:
        selection = resolve(con, models)
        columns, rows = change_rows(con, filters)
    if models:
        subject = columns.index("subject")
        rows = [row for row in rows if selection.covers(str(row[subject]))]
    emit_table(outputs, Table(columns, rows, IN_WORDS), short_changes)
