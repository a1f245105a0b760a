"""What queries give back where several share it: intervals, timelines, statements. Frozen data only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Stretch = tuple[datetime, datetime]
"""From a moment to another, both of them known."""


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


@dataclass(frozen=True, slots=True)
class StatePeriod:
    """One time a version was in a stage or had an alias; `live` where that means in use.

    `ran` is what an engine is said to have run. `end` is None while it lasts.
    """

    kind: Literal["stage", "alias", "ran"]
    name: str
    live: bool
    start: Interval
    end: Interval | None

    @property
    def label(self) -> str:
        """The name as people write it."""
        return f"@{self.name}" if self.kind == "alias" else self.name


@dataclass(frozen=True, slots=True)
class Basis:
    """What a registry's history rests on: readings of it, and what its server recorded itself."""

    readings: tuple[datetime, ...]
    recorded: tuple[Stretch, ...]
    gaps: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class VersionTimeline:
    """One version's life: when it was registered, what it was, and when it was deleted."""

    version: int
    created_at: datetime | None
    deleted: Interval | None
    periods: tuple[StatePeriod, ...]


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One model's versions over time.

    `known_until` is the last moment anything is known of; after it nothing is certain. A reading
    after the report's moment vouches for all of it; the readings of its `basis` are those before.
    """

    versions: tuple[VersionTimeline, ...]
    left_out: int
    start: datetime
    end: datetime
    known_until: datetime | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class Statement:
    """A change that another system says happened."""

    happened_at: datetime | None
    version: int | None
    what: str
    before: str | None
    after: str | None
    actor: str | None
    system: str | None
    reference: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version that a system outside MLflow is said to have run.

    `agrees` compares it with what the registry calls live at the report's moment: None where it
    ended before, or where that cannot be told. `registry_says` is the other side.
    """

    model_subject: str | None
    model: str
    system: str
    environment: str | None
    version: int | None
    deployed_at: datetime | None
    ended_at: datetime | None
    running: bool
    agrees: bool | None
    registry_says: str
