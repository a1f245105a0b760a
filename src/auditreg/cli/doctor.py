"""`auditreg doctor`: what works on this machine, and the command that repairs what does not."""

from __future__ import annotations

from pathlib import Path

import click

from auditreg.cli.control_totals import grants_options
from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_path_option,
    emit,
    format_option,
    ledger_option,
    output_target,
)


@click.command(
    "doctor",
    epilog=examples(
        "auditreg doctor",
        "auditreg doctor --format json",
        "auditreg doctor --grants --dialect postgresql --role auditreg",
        "auditreg doctor --grants --from postgresql://admin@db/mlflow --no-users",
    ),
)
@config_path_option
@ledger_option
@format_option(("table", "json"))
@grants_options
def doctor(config: Path | None, ledger: Path | None, outputs: tuple[Output, ...]) -> None:
    """Show what works here, what does not, and the command that repairs it.

    Ends with 0 when everything needed works (a warning concerns only a part, such as PDF), and with
    2 when something needed is missing.
    """
    from auditreg.formats.documents import doctor_document
    from auditreg.formats.escape import json_bytes
    from auditreg.formats.terminal.doctor import doctor_text
    from auditreg.workflows.doctor import examine, exit_code

    checks = examine(config, ledger)
    code = exit_code(checks)

    def render(output: Output) -> bytes:
        if output.format == "json":
            return json_bytes(doctor_document(checks, code))
        return doctor_text(checks, output_target(output.path))

    emit(outputs, render)
    click.get_current_context().exit(int(code))
