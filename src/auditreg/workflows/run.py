"""A scheduled run: registries are read, then the ledger is checked, then it is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import AuditregError, ExitCode, worst
from auditreg.ledger.result import code_of
from auditreg.workflows.extract import unexpected

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.result import ExtractionResult
    from auditreg.ledger.store import Ledger
    from auditreg.models import Severity
    from auditreg.workflows.check import CheckOutcome
    from auditreg.workflows.publish import Published


@dataclass(slots=True)
class ScheduledRun:
    """What came of each phase.

    `check` and `publication` are None where the phase did not take place; `errors` or `skipped` says
    why, by phase.
    """

    extractions: Sequence[ExtractionResult]
    check: CheckOutcome | None = None
    publication: Published | None = None
    codes: dict[str, ExitCode] = field(default_factory=dict)
    errors: dict[str, AuditregError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes["extract"] = code_of(self.extractions)

    @property
    def trusted(self) -> bool:
        """Whether every registry was read, and completely: else results are for information."""
        return all(result.status == "recorded" for result in self.extractions)

    @property
    def code(self) -> ExitCode:
        """The worst of the phases."""
        return worst(*self.codes.values())


def check_and_publish(
    extractions: Sequence[ExtractionResult],
    ledger: Ledger,
    config: Config,
    *,
    fail_on: Severity | None,
    folder: Path | None,
) -> ScheduledRun:
    """The phases after the extraction; one that fails stops no other.

    Args:
        extractions: what came of the first phase.
        ledger: the ledger, which may not exist.
        config: the settings.
        fail_on: the least severity whose open findings count.
        folder: where the copy goes, instead of the settings' folder.
    """
    done = ScheduledRun(extractions)
    _check(done, ledger, config, fail_on)
    _publish(done, ledger, config, folder)
    return done


def _check(done: ScheduledRun, ledger: Ledger, config: Config, fail_on: Severity | None) -> None:
    from auditreg.workflows.check import CheckOptions, exit_code, run_check
    from auditreg.workflows.policy import PolicySet

    if not ledger.exists:
        done.skipped["check"] = "not checked: there is no ledger"
        return
    try:
        done.check = run_check(ledger, PolicySet.load(config), CheckOptions())
    except Exception as error:  # noqa: BLE001 - the copy is published all the same
        _fail(done, "check", error, "The check did not finish.")
        return
    done.codes["check"] = exit_code(done.check.result, fail_on)


def _publish(done: ScheduledRun, ledger: Ledger, config: Config, folder: Path | None) -> None:
    from auditreg.workflows.publish import publish_ledger

    if folder is None and config.publish.folder is None:
        return
    if not any(result.done is not None for result in done.extractions):
        # The last good copy stays the newest.
        done.skipped["publish"] = (
            "not published: nothing was recorded; the last copy stays the newest"
        )
        return
    try:
        done.publication = publish_ledger(config, ledger, folder)
    except Exception as error:  # noqa: BLE001 - what the check found is still told
        _fail(done, "publish", error, "The copy was not published.")
        return
    complete = done.publication.complete
    done.codes["publish"] = ExitCode.OK if complete else ExitCode.ERROR


def _fail(done: ScheduledRun, phase: str, error: Exception, state: str) -> None:
    failure = error if isinstance(error, AuditregError) else unexpected(error, state)
    done.errors[phase], done.codes[phase] = failure, failure.exit_code
