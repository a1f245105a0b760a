"""`auditreg run`: extract, check and publish, for a scheduler."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from auditreg.cli.check import SEVERITIES
from auditreg.cli.examples import examples
from auditreg.cli.log_setup import log_options
from auditreg.cli.options import (
    Output,
    config_option,
    emit,
    format_option,
    ledger_option,
    open_ledger,
    replacement_option,
    source_option,
)
from auditreg.errors import AuditregError, ExitCode, worst

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.result import ExtractionResult
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.check import CheckOutcome
    from auditreg.workflows.publish import Published

SCHEMA: Final = "auditreg.run/1"


@dataclass(slots=True)
class ScheduledRun:
    """What came of each phase; None where a phase did not take place, and `errors` or `why` says why."""

    outcomes: Sequence[ExtractionResult] = ()
    judged: CheckOutcome | None = None
    published: Published | None = None
    codes: dict[str, ExitCode] = field(default_factory=dict)
    errors: dict[str, AuditregError] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether every registry was read, and completely: else results are for information."""
        return all(outcome.status == "recorded" for outcome in self.outcomes)

    @property
    def code(self) -> ExitCode:
        """The worst of the phases."""
        return worst(*self.codes.values())


@click.command(
    epilog=examples(
        "auditreg run                                every [[source]], then check",
        "auditreg run --publish /mnt/audit/mlflow --log /var/log/auditreg.jsonl",
        "auditreg run --source pricing --fail-on high --format json",
    )
)
@source_option
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="The least severity whose open findings end in exit code 1.",
)
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
    from auditreg.cli.extract import read, refuse_several, warn
    from auditreg.ledger.result import code_of
    from auditreg.workflows.extract import ExtractOptions, targets

    chosen = targets(config, names)
    refuse_several(chosen, "--allow-replacement" if allow_replacement else None)
    book = open_ledger(config, ledger)
    warn(config)
    options = ExtractOptions(allow_replacement=allow_replacement)
    done = ScheduledRun(read(chosen, config, book, options))
    done.codes["extract"] = code_of(done.outcomes)
    _check(done, book, config, fail_on)
    _publish(done, book, config, folder)
    emit(outputs, lambda output: _json(done, book) if output.format == "json" else _text(done))
    _tell(done)
    click.get_current_context().exit(int(done.code))


def _check(done: ScheduledRun, book: Ledger, config: Config, fail_on: str) -> None:
    from auditreg.cli.check import exit_code
    from auditreg.models import Severity
    from auditreg.workflows.check import CheckOptions, run_check
    from auditreg.workflows.policy import PolicySet

    if not book.exists:
        done.why["check"] = "not checked: there is no ledger"
        return
    try:
        done.judged = run_check(book, PolicySet.load(config), CheckOptions())
    except AuditregError as error:
        done.errors["check"], done.codes["check"] = error, error.exit_code
        return
    limit = None if fail_on == "none" else Severity(fail_on)
    done.codes["check"] = exit_code(done.judged.result, limit)


def _publish(done: ScheduledRun, book: Ledger, config: Config, folder: Path | None) -> None:
    from auditreg.workflows.publish import publish_ledger

    if folder is None and config.publish.folder is None:
        return
    if not any(outcome.done is not None for outcome in done.outcomes):
        done.why["publish"] = "not published: nothing was recorded; the last copy stays the newest"
        return
    try:
        done.published = publish_ledger(config, book, folder)
    except AuditregError as error:
        done.errors["publish"], done.codes["publish"] = error, error.exit_code
        return
    done.codes["publish"] = ExitCode.OK if done.published.complete else ExitCode.ERROR


def _text(done: ScheduledRun) -> bytes:
    from auditreg.formats.escape import escape_control
    from auditreg.formats.terminal.extraction import one_line

    lines = [("extract", f"{one.registry}: {one_line(one)}") for one in done.outcomes]
    for phase, said in (("check", _checked(done)), ("publish", _published(done))):
        error = done.errors.get(phase)
        text = f"failed: {error.what}" if error else done.why.get(phase) or said
        if text:
            lines.append((phase, text))
    return "".join(f"{label:<8} {escape_control(text)}\n" for label, text in lines).encode()


def _checked(done: ScheduledRun) -> str:
    if done.judged is None:
        return ""
    numbers = _severities(done.judged)
    worded = ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)
    total = sum(numbers.values())
    said = f"{total:,} open ({worded})" if total else "nothing open"
    if broken := sum(1 for rule in done.judged.result.rules if rule.error):
        said += f"; {broken:,} rules could not be run"
    if not done.trusted or done.codes["check"] is ExitCode.ERROR:
        said += "; for information only: trust no result until every registry is read completely"
    return said


def _published(done: ScheduledRun) -> str:
    if done.published is None:
        return ""
    verb = "published" if done.published.new else "nothing new,"
    doubt = "" if done.published.complete else ", of an INCOMPLETE reading, which it says"
    return f"{verb} {done.published.file}{doubt}"


def _severities(judged: CheckOutcome) -> dict[str, int]:
    from auditreg.models import Severity

    numbers = dict.fromkeys((severity.value for severity in Severity), 0)
    for answer in judged.result.open:
        numbers[answer.rule.severity.value] += 1
    return numbers


def _json(done: ScheduledRun, book: Ledger) -> bytes:
    from auditreg.formats import extract_json
    from auditreg.formats.escape import escape_json

    document: dict[str, Any] = {
        "schema": SCHEMA,
        "exit_code": int(done.code),
        "trusted": done.trusted,
        "extract": extract_json.document(done.outcomes, str(book.path)),
        "check": None,
        "publish": None,
        "errors": {
            phase: {"what": error.what, "state": error.state, "hint": error.hint}
            for phase, error in done.errors.items()
        },
        "skipped": done.why,
    }
    if done.judged is not None:
        result = done.judged.result
        document["check"] = {
            "as_of": f"{result.as_of.isoformat()}Z",
            "policy": result.policy,
            "open": _severities(done.judged),
            "errors": [rule.rule.id for rule in result.rules if rule.error],
            "exit_code": int(done.codes["check"]),
        }
    if done.published is not None:
        document["publish"] = {
            "file": str(done.published.file),
            "new": done.published.new,
            "complete": done.published.complete,
        }
    return (escape_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n").encode()


def _tell(done: ScheduledRun) -> None:
    """What failed, in full, on standard error."""
    from auditreg.cli.errors import print_error
    from auditreg.cli.extract import tell_errors

    tell_errors(done.outcomes)
    for error in done.errors.values():
        print_error(error)
