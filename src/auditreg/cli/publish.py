"""`auditreg publish`: a dated, read-only copy of the ledger where auditors read it."""

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
    open_ledger,
)
from auditreg.errors import ExitCode

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.workflows.publish import Published


@click.command(
    epilog=examples(
        "auditreg publish /mnt/audit/mlflow",
        "cd /mnt/audit/mlflow && sha256sum -c SHA256SUMS",
    )
)
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, dir_okay=True)
)
@config_option
@ledger_option
@format_option(("text", "json"))
def publish(
    folder: Path | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Put a dated, read-only copy of the ledger where auditors read it.

    DIR (or publish.folder of the settings) gets a copy that was verified after copying, the
    manifest of all copies, SHA256SUMS, and latest.txt with the newest copy's name. Where nothing
    was recorded since the last copy, no new one is made. The key of hashed secrets is never copied.

    In a copy inventory, promotions and changes are tables. No copy is ever removed or changed.

    Exit codes: 0 published, or nothing new; 2 not published, or the last reading in the copy was
    incomplete; 4 the ledger or the newest copy does not verify.
    """
    from auditreg.cli.progress import progress
    from auditreg.workflows.publish import publish_ledger

    with progress() as report_progress:
        done = publish_ledger(
            config,
            open_ledger(config, ledger),
            folder,
            progress=report_progress,
        )
    emit(outputs, lambda output: _render(output, done, config.calendar.timezone))
    if not done.complete:
        click.get_current_context().exit(int(ExitCode.ERROR))


def _render(output: Output, done: Published, tz: str) -> bytes:
    if output.format == "json":
        from auditreg.formats.documents import published_document
        from auditreg.formats.escape import json_bytes

        return json_bytes(published_document(done))
    from auditreg.formats.terminal.summaries import publication_text

    return publication_text(done, tz)
