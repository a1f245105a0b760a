"""`auditreg questions`: what auditors ask most, answered from the ledger."""

from __future__ import annotations

from dataclasses import replace
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
)
from auditreg.cli.select import select_table
from auditreg.errors import UsageError
from auditreg.formats.codes import IN_WORDS

if TYPE_CHECKING:
    from auditreg.config import Config


@click.command(
    epilog=examples("auditreg questions", "auditreg questions live-now --format markdown"),
)
@click.argument("question", metavar="[ID]", required=False)
@config_option
@ledger_option
@format_option()
def questions(
    question: str | None, config: Config, ledger: Path | None, outputs: tuple[Output, ...]
) -> None:
    """List the questions auditors ask most, or answer one.

    Each is a SELECT that also stands in the ledger's table `questions` and runs in any DuckDB.
    """
    from auditreg.config.check import near

    with open_ledger(config, ledger).reader() as con:
        listed = select_table(con, "select id, title from questions order by id")
        if question is None:
            emit_table(outputs, listed)
            return
        row = con.execute("select sql from questions where id = ?", [question]).fetchone()
        if row is None:
            meant = near(question, [str(name) for name, _ in listed.rows])
            raise UsageError(
                f"There is no question {question!r}.",
                hint=f"Did you mean {meant}?" if meant else "`auditreg questions` lists them.",
            )
        table = select_table(con, row[0])
    emit_table(outputs, replace(table, words=IN_WORDS))
