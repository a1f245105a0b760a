"""What a report says of how completely a registry was read. Plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Part:
    """One table: as the source counts it (None where it gives no count) and as it was read.

    `elsewhere` says that its rows are not the source's: what is missing could not be reached.
    """

    name: str
    counted: int | None
    read: int | None
    elsewhere: bool = False

    @property
    def agrees(self) -> bool | None:
        """Whether both numbers are the same; None where one is missing."""
        if self.counted is None or self.read is None:
            return None
        return self.counted == self.read

    @property
    def missing(self) -> int:
        """How many were counted and not read, as far as both numbers are known."""
        return (self.counted or 0) - self.read if self.read is not None else 0

    @property
    def empty(self) -> bool:
        """Whether there is none of it, by both numbers."""
        return self.agrees is True and not self.read


@dataclass(frozen=True, slots=True)
class ExtractionAccount:
    """The last reading of one registry and how complete it was.

    `later` says that it was made after the moment the report shows: no complete reading came after
    that moment. `lead`, `asked` and `passes` are sentences or parts of one. `left_out` is what was not
    to be read, `unread` what was and could not be.
    """

    seq: int
    registry: str
    source: str
    observed_at: datetime
    complete: bool
    later: bool
    lead: str
    asked: tuple[str, ...]
    parts: tuple[Part, ...]
    doubts: tuple[str, ...]
    left_out: tuple[str, ...]
    unread: tuple[str, ...]
    gaps: int | None
    tombstones: int | None
    passes: str
    cannot_show: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`complete`, or `incomplete`: never anything between."""
        return "complete" if self.complete else "incomplete"

    @property
    def none_of(self) -> tuple[str, ...]:
        """Names of what was counted and of which there is none."""
        return tuple(part.name for part in self.parts if part.empty)
