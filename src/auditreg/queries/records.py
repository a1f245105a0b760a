"""What questions to a ledger answer with, where several share it. Plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """When something happened: not before the one, not after the other."""

    not_before: datetime | None
    not_after: datetime | None

    @property
    def exact(self) -> bool:
        """Whether it is one moment."""
        return self.not_before is not None and self.not_before == self.not_after


@dataclass(frozen=True, slots=True)
class RecordedQuery:
    """A question put to the ledger for this report, and how many rows answered it."""

    name: str
    purpose: str
    sql: str
    rows: int
