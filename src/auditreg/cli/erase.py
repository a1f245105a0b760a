"""`auditreg erase`: remove the text of one entry and keep the proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import config_option, ledger_option, open_ledger, tell_notes
from auditreg.formats.escape import escape_control

if TYPE_CHECKING:
    from auditreg.config import Config


@click.command(epilog=examples('auditreg erase 1234 --reason "personal data, request 2026-17"'))
@click.argument("seq", type=click.IntRange(min=0))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept for ever.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@ledger_option
def erase(seq: int, reason: str, yes: bool, config: Config, ledger: Path | None) -> None:
    """Remove the text of one entry and keep the proof.

    The entry's hash stays, so the rest goes on verifying; what was erased cannot be brought back,
    and the next extraction does not take the same value in again. Copies of the ledger made before
    still hold it.
    """
    ledger_file = open_ledger(config, ledger)
    if not ledger_file.exists:
        ledger_file.connect()  # says that there is no ledger before anything is asked
    if not yes:
        click.confirm(f"Erase entry {seq} of {ledger_file.path} for good?", abort=True, err=True)
    done = ledger_file.erase(seq, reason, key_file=config.key_file)
    click.echo(f"erased entry {done.seq}: {done.kind} {escape_control(done.subject)}")
    if done.also_in:
        others = ", ".join(str(other) for other in done.also_in)
        click.echo(f"the same text also stands in: {others}")
    tell_notes(ledger_file)
