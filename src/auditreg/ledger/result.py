"""What came of reading one registry: recorded, recorded as incomplete, or why it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditreg.errors import AuditregError, ExitCode, worst

if TYPE_CHECKING:
    from auditreg.ledger.ingest import IngestSummary
    from auditreg.sources.interface import SourceInfo


@dataclass(frozen=True, slots=True)
class ExtractionResult:
    """One registry's part of an extraction.

    `done` is None where nothing was recorded, and `error` says why. `seconds` is how long reading
    and recording took, `rows` the rows read by staging table, `notes` what else a reader should know.
    """

    registry: str
    done: IngestSummary | None = None
    info: SourceInfo | None = None
    error: AuditregError | None = None
    seconds: float = 0.0
    rows: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """`recorded`, `incomplete` (recorded as such), `empty` (no model) or `failed`."""
        if self.done is None:
            nothing = self.error is not None and self.error.exit_code is ExitCode.NOTHING
            return "empty" if nothing else "failed"
        return "recorded" if self.done.complete else "incomplete"

    @property
    def code(self) -> ExitCode:
        """What it alone would end in."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.OK if self.done is not None and self.done.complete else ExitCode.ERROR


def code_of(outcomes: Sequence[ExtractionResult]) -> ExitCode:
    """What an extraction of several registries ends in: the worst of them."""
    return worst(*(outcome.code for outcome in outcomes))
