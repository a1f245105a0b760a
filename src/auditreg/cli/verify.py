"""`auditreg verify`: recompute that nothing recorded was changed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    emit,
    file_config_option,
    firm_timezone,
    format_option,
    ledger_option,
    open_ledger,
)
from auditreg.errors import ExitCode, UsageError
from auditreg.formats.escape import json_bytes

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.ledger.verify import Verification


@click.command(
    epilog=examples(
        "auditreg verify",
        "auditreg verify audit-2026-q3.duckdb --root 1234:9f86d081…",
        "auditreg verify report.pdf --ledger audit.duckdb",
    )
)
@click.argument(
    "file",
    metavar="[LEDGER|REPORT]",
    required=False,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--root",
    metavar="SIZE:ROOT",
    help="A number of entries and the root over them that was kept elsewhere, as reports print it.",
)
@click.option("--log-only", is_flag=True, help="Do not rebuild and compare the tables.")
@file_config_option
@ledger_option
@format_option(("text", "json"))
def verify(
    file: Path | None,
    root: str | None,
    log_only: bool,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Recompute that nothing recorded was changed.

    Hashes every entry, recomputes every root, rebuilds every table and compares. What is inside
    the file proves that it is whole; only a root kept elsewhere (--root) shows that the whole file
    was not written anew.

    Given a file of a report, compares it with the hashes that were sealed when it was issued.

    Exit codes: 0 everything verifies; 4 something does not.
    """
    from auditreg.cli.progress import progress
    from auditreg.ledger.verify import verify as recompute

    if file is not None and file.exists() and not _is_database(file):
        _verify_report(file, open_ledger(config, ledger), outputs)
        return
    ledger_file = open_ledger(config, file or ledger)
    with progress() as report_progress:
        done = recompute(
            ledger_file, state_too=not log_only, expected=_expected(root), progress=report_progress
        )
    emit(
        outputs,
        lambda output: _render(output, done, log_only=log_only),
    )
    code = ExitCode.OK if done.ok else ExitCode.NOT_VERIFIED
    click.get_current_context().exit(int(code))


def _is_database(file: Path) -> bool:
    """Whether a file is DuckDB's: its mark follows a checksum of eight bytes."""
    with file.open("rb") as opened:
        return opened.read(12)[8:] == b"DUCK"


def _verify_report(file: Path, ledger_file: Ledger, outputs: Sequence[Output]) -> None:
    """Compare a file with every report that was issued.

    Raises:
        VerificationError: it is none of their files.
    """
    from auditreg.queries.issued import issued_file

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with ledger_file.reader() as con:
        issued = issued_file(con, str(file), digest)

    def render(output: Output) -> bytes:
        if output.format == "json":
            from auditreg.formats.documents import issued_document

            return json_bytes(issued_document(issued))
        from auditreg.formats.terminal.summaries import issued_text

        return issued_text(issued, firm_timezone())

    emit(outputs, render)


def _expected(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    size, colon, root = text.partition(":")
    digest = "".join(root.split()).lower()
    if not (colon and size.isascii() and size.isdecimal() and len(digest) == 64) or set(
        digest
    ) - set("0123456789abcdef"):
        raise UsageError(
            f"{text!r} is not a size and a root.",
            state="Nothing was verified.",
            hint="Write the number of entries, a colon and 64 hexadecimal digits.",
        )
    return int(size), digest


def _render(output: Output, done: Verification, *, log_only: bool) -> bytes:
    if output.format == "json":
        from auditreg.formats.documents import verification_document

        return json_bytes(verification_document(done))
    from auditreg.formats.terminal.summaries import verification_text

    return verification_text(done, log_only=log_only)
