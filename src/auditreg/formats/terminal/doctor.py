"""The doctor's answers as a table, then what repairs what does not work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from auditreg.formats.escape import escape_control
from auditreg.formats.interface import OutputTarget
from auditreg.formats.terminal.layout import render
from auditreg.workflows.doctor import DoctorCheck, DoctorStatus

_COLOURS = {
    DoctorStatus.OK: "green",
    DoctorStatus.MISSING: "bold red",
    DoctorStatus.WARNING: "yellow",
    DoctorStatus.OPTIONAL: "dim",
}


def doctor_text(checks: Sequence[DoctorCheck], target: OutputTarget) -> bytes:
    """Every check, then each repair in one line, to be copied."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("What", no_wrap=True)
    table.add_column("Found", overflow="fold")
    for check in checks:
        status = Text(check.status.value, _COLOURS[check.status])
        texts = [escape_control(text) for text in (check.description, check.means) if text]
        table.add_row(status, escape_control(check.name), Text("\n".join(texts)))
    lines: list[Text] = []
    optional = [check for check in checks if check.status is DoctorStatus.OPTIONAL]
    broken = [check for check in checks if check.repair and check not in optional]
    for title, listed in (("To repair:", broken), ("To read further sources:", optional)):
        if listed:
            lines += [Text(), Text(title)]
        lines += [Text(escape_control(f"  {check.name}: {check.repair}")) for check in listed]
    return render([table, *lines, Text(), Text(_summary(checks))], target)


def _summary(checks: Sequence[DoctorCheck]) -> str:
    count = Counter(check.status for check in checks)
    missing, warnings = count[DoctorStatus.MISSING], count[DoctorStatus.WARNING]
    if missing:
        return f"Missing of what auditreg needs: {missing}. Warnings: {warnings}."
    return f"Everything needed works. Warnings: {warnings}." if warnings else "Everything works."
