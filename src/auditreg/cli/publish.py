"""`auditreg publish`: a dated, read-only copy of the ledger where auditors read it."""

from __future__ import annotations

import json
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
from auditreg.formats.escape import escape_control, escape_json

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.workflows.publish import Published

SCHEMA = "auditreg.published/1"


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

    No copy is ever removed or changed.

    Exit codes: 0 published, or nothing new; 2 not published, or the last reading in the copy was
    incomplete; 4 the ledger or the newest copy does not verify.
    """
    from auditreg.cli.progress import progress
    from auditreg.workflows.publish import publish_ledger

    with progress() as tell:
        done = publish_ledger(
            config,
            open_ledger(config, ledger),
            folder,
            progress=tell,
        )
    emit(outputs, lambda output: _json(done) if output.format == "json" else _text(done))
    if not done.complete:
        click.get_current_context().exit(int(ExitCode.ERROR))


def _text(done: Published) -> bytes:
    copy = done.copy
    lines = [
        ("published" if done.new else "nothing new", str(done.file)),
        ("entries", f"{copy.tree_size:,}"),
        ("root", f"{copy.tree_size}:{copy.root}"),
        ("SHA-256", copy.sha256),
    ]
    for reading in copy.extractions:
        verdict = "complete" if reading.complete else f"INCOMPLETE: {'; '.join(reading.doubts)}"
        when = f"{reading.observed_at:%Y-%m-%d %H:%M}Z"
        lines.append(("reading", f"{reading.registry}, {when}, {verdict}"))
    lines += [("note", note) for note in done.notes]
    lines.append(("copies", f"{done.copies:,} in {done.file.parent}"))
    return "".join(f"{label:<12} {escape_control(text)}\n" for label, text in lines).encode()


def _json(done: Published) -> bytes:
    import msgspec

    document = {
        "schema": SCHEMA,
        "file": str(done.file),
        "new": done.new,
        "copy": msgspec.to_builtins(done.copy),
        "copies": done.copies,
        "notes": list(done.notes),
    }
    return (escape_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n").encode()
