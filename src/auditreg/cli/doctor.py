"""`auditreg doctor`: what works on this machine, and the command that repairs what does not."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from auditreg.cli.control_totals import grants_options
from auditreg.cli.examples import examples
from auditreg.cli.options import show, surface


@click.command(
    "doctor",
    context_settings={"show_default": True},
    epilog=examples(
        "auditreg doctor",
        "auditreg doctor --format json",
        "auditreg doctor --grants --dialect postgresql --role auditreg",
        "auditreg doctor --grants --from postgresql://admin@db/mlflow --no-users",
    ),
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="AUDITREG_LEDGER",
    default=Path("audit.duckdb"),
    help="The ledger file to look at.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="How to show the answer.",
)
@grants_options
@click.pass_context
def doctor(context: click.Context, ledger: Path, output: str) -> None:
    """Show what works here, what does not, and the command that repairs it.

    Ends with 0 when everything needed works (a warning concerns only a part, such as PDF), and with
    2 when something needed is missing.
    """
    from auditreg.formats.documents import doctor_document
    from auditreg.formats.escape import json_bytes
    from auditreg.formats.terminal.doctor import doctor_text
    from auditreg.workflows.doctor import examine, exit_code

    # Where nobody names a ledger, the settings do.
    named = context.get_parameter_source("ledger") is not ParameterSource.DEFAULT
    checks = examine(ledger if named else None)
    code = exit_code(checks)
    if output == "json":
        show(json_bytes(doctor_document(checks, code)))
    else:
        show(doctor_text(checks, surface()))
    context.exit(int(code))
