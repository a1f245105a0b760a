"""What a command did, as labelled lines: an import, a publication, a verification, a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import ExitCode, redact_uri
from auditreg.formats.findings import open_by_severity
from auditreg.formats.terminal.text import labelled, masked_values
from auditreg.words import quantity

if TYPE_CHECKING:
    from auditreg.ledger.import_record import Imported
    from auditreg.ledger.verify import Verification
    from auditreg.queries.issued import IssuedFile
    from auditreg.workflows.publish import Published
    from auditreg.workflows.run import ScheduledRun

_NAMED = 5


def import_text(done: Imported, file: str, ledger: Path, following: str) -> bytes:
    """What a file gave the ledger; `following` is the command to go on with."""
    lines = [
        ("read", f"{quantity(done.lines, 'record')} in {file}, {_listed(done.systems)}"),
        ("of", f"{done.first:%Y-%m-%d %H:%M:%S}Z to {done.last:%Y-%m-%d %H:%M:%S}Z"),
    ]
    known = f"; {done.known:,} were on record before, or erased" if done.known else ""
    lines.append(("recorded", f"{done.added:,} new, as asserted{known}"))
    if done.masked and done.added:
        lines.append(("secrets", masked_values(done.masked)))
    if done.unknown_models:
        number = quantity(len(done.unknown_models), "model")
        names = _listed(done.unknown_models)
        lines.append(("unknown", f"{number} the ledger does not know: {names}"))
    if done.unknown_versions:
        number = quantity(len(done.unknown_versions), "version")
        names = _listed(done.unknown_versions)
        lines.append(("unknown", f"{number} that no reading showed so far: {names}"))
    if done.to_come:
        number = quantity(done.to_come, "record")
        lines.append(("note", f"{number} dated after today; they count from then on"))
    if done.contradicting:
        names = _listed(done.contradicting)
        lines.append(
            (
                "note",
                f"one system says that it refused and approved at one moment: {names}; it refused",
            )
        )
    return labelled([*lines, ("ledger", str(ledger)), ("next", following)])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in names[:_NAMED]) + more


def publication_text(done: Published) -> bytes:
    """The newest copy, and what it holds."""
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
    return labelled([*lines, ("copies", f"{done.copies:,} in {done.file.parent}")])


def verification_text(done: Verification, *, log_only: bool) -> bytes:
    """What was recomputed, every problem, and the verdict."""
    tables = "not compared" if log_only else f"{done.tables:,} rebuilt and compared"
    lines = [
        ("ledger", str(done.path)),
        ("entries", f"{done.entries:,}, of which {done.erased:,} erased with proof"),
        ("roots", f"{done.roots:,} recomputed"),
        ("tables", tables),
        ("root", done.root),
    ]
    for problem in done.problems:
        at = f" (entry {problem.seq})" if problem.seq is not None else ""
        lines.append(("problem", f"{problem.what}{at}"))
    verdict = "verified" if done.ok else f"NOT VERIFIED: {quantity(len(done.problems), 'problem')}"
    return labelled(lines, 10) + f"{verdict}\n".encode()


def issued_text(issued: IssuedFile) -> bytes:
    """The report that a file was issued with."""
    lines = [
        ("report", f"{issued.name} of {issued.first_day} to {issued.last_day}"),
        ("issued", f"{issued.recorded_at:%Y-%m-%d %H:%M:%S}Z (entry {issued.seq})"),
        ("SHA-256", issued.sha256),
        ("verified", "the file is the one that was issued; now verify the ledger"),
    ]
    return labelled(lines, 10)


def run_text(done: ScheduledRun) -> bytes:
    """A line for each registry that was read, then one for each further phase."""
    from auditreg.formats.terminal.extraction import one_line

    lines = [("extract", f"{result.registry}: {one_line(result)}") for result in done.extractions]
    for phase, summary in (("check", _checked(done)), ("publish", _published(done))):
        error = done.errors.get(phase)
        text = f"failed: {redact_uri(error.what)}" if error else done.skipped.get(phase, summary)
        if text:
            lines.append((phase, text))
    return labelled(lines, 8)


def _checked(done: ScheduledRun) -> str:
    if done.check is None:
        return ""
    result = done.check.result
    counts = open_by_severity(result)
    numbers = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
    text = f"{len(result.open):,} open ({numbers})" if numbers else "nothing open"
    if broken := sum(1 for rule in result.rules if rule.error):
        text += f"; {quantity(broken, 'rule')} could not be run"
    if not done.trusted or done.codes["check"] is ExitCode.ERROR:
        text += "; for information only: trust no result until every registry is read completely"
    return text


def _published(done: ScheduledRun) -> str:
    copy = done.publication
    if copy is None:
        return ""
    incomplete = "" if copy.complete else ", of an INCOMPLETE reading, which it says"
    return f"{'published' if copy.new else 'nothing new,'} {copy.file}{incomplete}"
