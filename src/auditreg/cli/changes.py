"""`auditreg changes`, and the differences of `auditreg inventory --diff`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    render_table,
    surface,
)
from auditreg.errors import UsageError
from auditreg.formats.interface import Table
from auditreg.queries.changes import KINDS

if TYPE_CHECKING:
    from auditreg.config import Config

_WIDE = 10_000
_MOMENT = 20

Cells = Sequence[tuple[str, str, int]]
"""Column, text and least width of each cell of a narrow row."""


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
    "--uncaptured", is_flag=True, help="Only what was changed behind a server with capture."
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
    With --since, --until or --period, a change is listed if it can have happened then. The table
    is short and cuts long values; JSON, CSV and Markdown hold everything.
    """
    from auditreg.queries.changes import ChangeFilter, change_rows
    from auditreg.queries.model_refs import resolve, start_of

    if period and (since or until):
        raise UsageError("--period goes with neither --since nor --until.")
    span = config.period(period) if period else None
    wanted = ChangeFilter(
        since=span.start_utc if span else start_of(config, since) if since else None,
        until=span.end_utc if span else moment(config, until),
        kinds=kinds,
        actor=actor,
        uncaptured=uncaptured,
    )
    with open_ledger(config, ledger).reader() as con:
        selection = resolve(con, models)
        columns, rows = change_rows(con, wanted)
    if models:
        subject = columns.index("subject")
        rows = [row for row in rows if selection.covers(str(row[subject]))]
    table = Table(columns, rows)
    emit(outputs, lambda output: render_table(output, narrow(table, output, _change)))


def differences(
    models: tuple[str, ...],
    moments: tuple[str, str],
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Write what differs between two moments."""
    from auditreg.queries.diff import DIFFERENCES, difference_rows
    from auditreg.queries.model_refs import resolve

    first, second = (config.moment(text) for text in moments)
    with open_ledger(config, ledger).reader() as con:
        selection = resolve(con, models, second)
        rows = difference_rows(con, first, second)
        read = con.execute(
            "select min(observed_at), max(observed_at) from extractions where complete"
        ).fetchone()
    _warn(first, second, *(read or (None, None)))
    if models:
        rows = [row for row in rows if selection.covers(str(row[-1]))]
    table = Table(DIFFERENCES, rows)
    emit(outputs, lambda output: render_table(output, narrow(table, output, _difference)))


def _warn(first: datetime, second: datetime, begin: datetime | None, end: datetime | None) -> None:
    """Say where a moment lies outside of the record: what is not seen is no difference."""
    from auditreg.formats.terminal.history import clock

    if begin is None or min(first, second) < begin:
        when = f": the first reading is of {clock(begin)}" if begin else ""
        click.echo(f"note      one of the moments is before any record{when}", err=True)
    if end is not None and max(first, second) > end:
        click.echo(
            f"note      one of the moments is after the last reading, {clock(end)}: what changed "
            "since then is not known",
            err=True,
        )


def narrow(table: Table, output: Output, cells: Callable[[Mapping[str, Any]], Cells]) -> Table:
    """The table as it is, but for the eye: few columns, cut to the width of the terminal."""
    from auditreg.formats.terminal.history import fitted

    if output.format != "table" or not table.rows:
        return table
    rows = [cells(dict(zip(table.columns, row, strict=True))) for row in table.rows]
    least = [width for _, _, width in rows[0]]
    spare = surface(output.path, otherwise=_WIDE).width - sum(least) - 2 * (len(least) - 1)
    share = max(spare, 0) // max(len(least) - 1, 1)
    names = [name for name, _, _ in rows[0]]
    return Table(
        names,
        [
            [
                # A moment is never cut: where there are two, they stand below one another.
                text if name in ("when", "since") else fitted(text, width + share)
                for name, text, width in row
            ]
            for row in rows
        ],
    )


def _change(row: Mapping[str, Any]) -> Cells:
    from auditreg.formats.terminal.history import arrow

    who = "uncaptured" if row["uncaptured"] else row["actor"] or "not recorded"
    version = "" if row["version"] is None or row["kind"] == "alias" else f"/{row['version']}"
    return (
        ("when", when(row["changed_not_before"], row["changed_not_after"]), _MOMENT),
        ("model", f"{row['model'] or _elsewhere(row)}{version}", 14),
        ("item", f"{_ITEMS.get(row['kind'], '')}{row['item']}", 12),
        ("change", arrow(row["before"], row["after"], _WIDE), 14),
        ("who", who, 12),
    )


_ITEMS = {"alias": "alias ", "permission": "right of "}


def _elsewhere(row: Mapping[str, Any]) -> str:
    """What a change that is about no model is about."""
    if row["kind"] in ("principal", "permission"):
        return f"{row['registry']} (all)"
    return str(row["subject"])


def when(first: datetime | None, last: datetime | None) -> str:
    """When something happened, as short as a table needs it."""
    from auditreg.formats.terminal.history import between

    return between(first, last).removeprefix("between ").replace(" and ", " to ")


def _difference(row: Mapping[str, Any]) -> Cells:
    from auditreg.formats.tables import cell

    version = "" if row["version"] is None else f"/{row['version']}"
    return (
        ("model", f"{row['model']}{version}", 18),
        ("field", str(row["field"]), 16),
        ("before", cell(row["before"]), 12),
        ("after", cell(row["after"]), 12),
        ("certainty", str(row["certainty"]), 16),
    )
