"""`auditreg inventory`: every version with its governance fields, and what differs over time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    as_of_option,
    config_option,
    emit,
    emit_table,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    render_table,
)
from auditreg.cli.select import select_table
from auditreg.errors import UsageError
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config

_SHORT = (
    "model",
    "version",
    "live",
    "stage",
    "aliases",
    "owner",
    "risk_rating",
    "approver",
    "validation_date",
    "uncertain_fields",
)


@click.command(
    epilog=examples(
        "auditreg inventory --live",
        "auditreg inventory motor-frequency --as-of 2026-09-30",
        "auditreg inventory --kind prompt",
        "auditreg inventory --diff 2026-06-30 2026-09-30",
        "auditreg inventory --format csv=inventory.csv",
    ),
)
@click.argument("models", metavar="[MODEL[/VERSION|@ALIAS]]...", nargs=-1)
@click.option("--live", "only_live", is_flag=True, help="Only what is live, or possibly live.")
@click.option(
    "--kind",
    type=click.Choice(["model", "prompt", "all"]),
    default="all",
    show_default=True,
    help="Models, prompts (MLflow keeps them as models), or both.",
)
@click.option("--all-columns", is_flag=True, help="Every governance field, also in the table.")
@click.option(
    "--diff",
    nargs=2,
    metavar="MOMENT MOMENT",
    help="What differs between two moments: versions, what is live, every field.",
)
@as_of_option
@config_option
@ledger_option
@format_option()
def inventory(  # noqa: PLR0913, PLR0917 - one argument per option
    models: tuple[str, ...],
    only_live: bool,
    kind: str,
    all_columns: bool,
    diff: tuple[str, str] | None,
    as_of: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """List every version with its governance fields, at any moment.

    One row per version, and one for each model that has none. Where the record leaves two values
    possible at that moment, the field is empty and named under `uncertain_fields`. The table shows
    the main columns; JSON, CSV and Markdown hold all of them. Which reading it
    rests on, and whether that was complete, is said on standard error.

    With --diff: one row per version and field that differs between two moments.
    """
    from auditreg.formats.terminal.text import clock
    from auditreg.queries.model_refs import resolve
    from auditreg.queries.status import last_readings

    if diff is not None:
        if as_of is not None or only_live or all_columns or kind != "all":
            raise UsageError("--diff goes with none of --as-of, --live, --kind and --all-columns.")
        _differences(models, diff, config, ledger, outputs)
        return
    at = moment(config, as_of)
    with open_ledger(config, ledger).reader() as con:
        chosen = resolve(con, models, at) if models else None
        if at is not None:
            con.execute("set variable as_of = ?::timestamp", [at])
        source = "inventory" if at is None else "inventory_as_of(as_of())"
        table = select_table(
            con,
            f"select * from {source} "  # noqa: S608 - one of two names of our own
            "order by registry, workspace, model, version",
        )
        readings = last_readings(con, at)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    if chosen is not None:
        rows = [row for row in rows if chosen.covers(str(row["subject"]))]
    if kind != "all":
        rows = [row for row in rows if row["kind"] == kind]
    if only_live:
        rows = [row for row in rows if row["live"] or row["possibly_live"]]

    def render(output: Output) -> bytes:
        short = output.format == "table" and not all_columns
        names = _SHORT if short else table.columns
        picked = Table(names, [[row[name] for name in names] for row in rows], IN_WORDS)
        return render_table(output, picked)

    emit(outputs, render)
    for reading in readings:
        verdict = "complete" if reading.complete else f"INCOMPLETE: {'; '.join(reading.doubts)}"
        read = clock(reading.observed_at, config.calendar.timezone)
        line = f"{reading.registry}, {read}, {verdict}"
        click.echo(f"{'last reading':<13}{escape_control(line)}", err=True)


def _differences(
    models: tuple[str, ...],
    moments: tuple[str, str],
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Write what differs between two moments."""
    from auditreg.formats.terminal.changes import short_differences
    from auditreg.queries.diff import DIFFERENCES, difference_rows
    from auditreg.queries.model_refs import resolve

    first, second = (config.moment(text) for text in moments)
    with open_ledger(config, ledger).reader() as con:
        selection = resolve(con, models, second)
        rows = difference_rows(con, first, second)
        span = con.execute(
            "select min(observed_at), max(observed_at) from extractions where complete"
        ).fetchone()
    _warn(first, second, span or (None, None), config.calendar.timezone)
    if models:
        rows = [row for row in rows if selection.covers(str(row[-1]))]
    emit_table(outputs, Table(DIFFERENCES, rows, IN_WORDS), short_differences)


def _warn(
    first: datetime, second: datetime, span: tuple[datetime | None, datetime | None], tz: str
) -> None:
    """Say where a moment lies outside of the record: what is not seen is no difference."""
    from auditreg.formats.terminal.text import clock

    begin, end = span
    if begin is None or min(first, second) < begin:
        when = f": the first reading is of {clock(begin, tz)}" if begin else ""
        click.echo(f"note      one of the moments is before any record{when}", err=True)
    if end is not None and max(first, second) > end:
        click.echo(
            f"note      one of the moments is after the last reading, {clock(end, tz)}: what changed "
            "since then is not known",
            err=True,
        )
