"""`auditreg run`: extract, check and publish, for a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.check import severity_of
from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit,
    fail_on_option,
    format_option,
    ledger_option,
    log_options,
    open_ledger,
    replacement_option,
    source_option,
    tell_notes,
)

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.run import ScheduledRun


@click.command(
    epilog=examples(
        "auditreg run                                every [[source]], then check",
        "auditreg run --publish /mnt/audit/mlflow --log /var/log/auditreg.jsonl",
        "auditreg run --source pricing --fail-on high --format json",
    )
)
@source_option
@fail_on_option
@replacement_option
@click.option(
    "--publish",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the copy goes.  [default: publish.folder of the settings, else no copy]",
)
@log_options
@config_option
@ledger_option
@format_option(("text", "json"))
def run(
    names: tuple[str, ...],
    fail_on: str,
    allow_replacement: bool,
    folder: Path | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Extract, check and publish, with one exit code, for a scheduler.

    Quiet: a line per phase. Every [[source]] of the settings is read, or
    those named by --source; then everything is checked; then the ledger is published where
    --publish or publish.folder names a folder.

    Where a registry could not be read, or not completely, the check runs for information, its
    result is not to be trusted, and the command ends in 2. What was recorded as incomplete is
    published as such: the copy says so. Where nothing was recorded, nothing is published, so that
    the last good copy stays the newest.

    Exit codes: 0 nothing open; 1 open findings; 2 a phase failed or a registry is incomplete; 3
    nothing to audit; 4 something does not verify; where several hold, 4, 2, 3, 1, 0 in that order.
    """
    from auditreg.cli.errors import print_error
    from auditreg.cli.extract import read, refuse_several, report_errors, warn_of_passwords
    from auditreg.workflows.extract import ExtractOptions, targets
    from auditreg.workflows.run import check_and_publish

    chosen = targets(config, names)
    refuse_several(chosen, "--allow-replacement" if allow_replacement else None)
    ledger_file = open_ledger(config, ledger)
    warn_of_passwords(config)
    results = read(chosen, config, ledger_file, ExtractOptions(allow_replacement=allow_replacement))
    limit = severity_of(fail_on)
    done = check_and_publish(results, ledger_file, config, fail_on=limit, folder=folder)
    emit(outputs, lambda output: _render(output, done, ledger_file))
    report_errors(results)
    tell_notes(ledger_file)
    for error in (*done.errors.values(), *(done.check.unusable if done.check else ())):
        print_error(error)
    click.get_current_context().exit(int(done.code))


def _render(output: Output, done: ScheduledRun, ledger: Ledger) -> bytes:
    if output.format == "json":
        from auditreg.formats.documents import run_document
        from auditreg.formats.escape import json_bytes

        return json_bytes(run_document(done, str(ledger.path)))
    from auditreg.formats.terminal.summaries import run_text

    return run_text(done)
