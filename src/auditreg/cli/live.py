"""`auditreg live`: which version was live, and how sure that is."""

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
from auditreg.errors import NothingToAudit
from auditreg.formats import TABLE_FORMATS
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config

_FORMATS = ("text", *TABLE_FORMATS)
_ONE_LINE = 100_000


@click.command(
    epilog=examples(
        "auditreg live motor-frequency --at 2026-09-30",
        "auditreg live motor-frequency/47 --at 2026-09-30T17:00",
        "auditreg live --at 2026-09-30 --format csv",
    ),
)
@click.argument("model", metavar="[MODEL[/VERSION|@ALIAS]]", required=False)
@click.option(
    "--at",
    metavar="MOMENT",
    help="A past moment: 2026-09-30 (the end of that day), 2026-09-30T17:00.  "
    "[default: the last reading]",
)
@config_option
@ledger_option
@format_option(_FORMATS)
def live(
    model: str | None,
    at: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Say which version was live, who put it there, who approved it, and how sure that is.

    Without MODEL: every model, one line each. Where the record leaves several versions possible,
    all of them are named with the moments between which the change lies. The approval is what the
    governance fields said at that moment.
    """
    from auditreg.formats.terminal.changes import short_live
    from auditreg.formats.terminal.live import sentences
    from auditreg.queries.live_versions import COLUMNS, live_answers, live_rows
    from auditreg.queries.model_refs import resolve
    from auditreg.queries.prompts import refuse_prompts

    when = moment(config, at)
    with open_ledger(config, ledger).reader() as con:
        selection = None if model is None else resolve(con, model, when)
        refuse_prompts(con, selection, when)
        answers = live_answers(con, when, selection)
    if not answers and model is None:
        raise NothingToAudit(
            "The ledger knew no registered model at that moment.",
            hint="`auditreg status` says when the registry was read.",
        )
    table = Table(COLUMNS, live_rows(answers), IN_WORDS)

    def render(output: Output) -> bytes:
        if output.format != "text":
            return render_table(output, table, short_live)
        if selection is None:
            return render_table(Output("table", output.path), table, short_live)
        return sentences(answers, selection, output_target(output.path, otherwise=_ONE_LINE))

    emit(outputs, render)
