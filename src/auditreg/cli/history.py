"""`auditreg history`: everything that happened to a model or version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
    output_target,
    render_table,
)
from auditreg.formats import TABLE_FORMATS
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config

_FORMATS = ("text", *TABLE_FORMATS)


@click.command(
    epilog=examples(
        "auditreg history motor-frequency",
        "auditreg history motor-frequency@champion --since 2026-07-01 --until 2026-09-30",
        "auditreg history motor-frequency/47 --format json",
    ),
)
@click.argument("model", metavar="MODEL[/VERSION|@ALIAS]")
@click.option("--since", metavar="MOMENT", help="From then on; a date means its beginning.")
@click.option("--until", metavar="MOMENT", help="Until then; a date means its end.")
@click.option(
    "--as-of",
    metavar="MOMENT",
    help="What the ledger held at that moment; later entries are left out.",
)
@config_option
@ledger_option
@format_option(_FORMATS)
def history(
    model: str,
    since: str | None,
    until: str | None,
    as_of: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Tell what happened to a model or version, oldest first: when, who, what, how known.

    Moments are on the firm's clock; JSON and CSV hold them UTC. What a server with capture recorded has a moment and a person; what was seen
    between two readings lies between them. Imported records say where they are from. Times
    without a record are lines too. Changes of one request, and what was seen between the same two
    readings, stand together; JSON and CSV hold every change on a row of its own.
    """
    from auditreg.formats.terminal.history import timeline
    from auditreg.queries.history import COLUMNS, Span, history_rows
    from auditreg.queries.model_refs import resolve, start_of

    span = Span(
        since=None if since is None else start_of(config, since),
        until=moment(config, until),
        known_at=moment(config, as_of),
    )
    with open_ledger(config, ledger).reader() as con:
        selection = resolve(con, model)
        rows = history_rows(con, selection, span)

    def render(output: Output) -> bytes:
        if output.format == "text":
            return timeline(rows, selection, output_target(output.path))
        listed = [[row[name] for name in COLUMNS] for row in rows]
        return render_table(output, Table(COLUMNS, listed, IN_WORDS))

    emit(outputs, render)
