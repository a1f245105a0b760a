"""`auditreg reports`: the reports that were issued."""

from __future__ import annotations

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
)
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config


@click.command(epilog=examples("auditreg reports", "auditreg reports --format json"))
@file_config_option
@ledger_option
@format_option()
def reports(config: Config, ledger: Path | None, outputs: tuple[Output, ...]) -> None:
    """List the reports that were issued.

    The hashes of their files are in the ledger's table `reports`; `auditreg verify FILE` compares
    a file with them.
    """
    names = (
        "recorded_at",
        "period_first",
        "period_last",
        "as_of",
        "template",
        "policy",
        "root",
    )
    with open_ledger(config, ledger).reader() as con:
        rows = con.execute(
            f"select {', '.join(names)}, length(files) - length(replace(files, ':', '')) "  # noqa: S608 - columns of our own
            "from reports order by seq"
        ).fetchall()
    emit_table(outputs, Table((*names, "files"), rows))
