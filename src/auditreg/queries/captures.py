"""When the server of a registry recorded its changes itself, and when it did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditreg.queries.reader import Reader, Row, texts
from auditreg.queries.records import Stretch

_RESTART = timedelta(minutes=5)

_CAPTURES = """
select c.registry, c.process, c.host, c.mode, c.capture_version, c.started_at,
       coalesce(c.stopped_at, greatest(c.last_seen_at, r.read_at)) as ended_at
from captures_as_of({t}) c
left join (select registry, 'journal-' || left(journal, 12) as journal,
                  max(observed_at) as read_at
           from extractions where observed_at <= {t} group by all) r using (registry, journal)
order by c.registry, c.started_at, c.process
"""
_GAPS = """
select registry, gap_start, gap_end, reason, detail
from capture_gaps_as_of({t}) order by registry, gap_start, gap_end, reason
"""


@dataclass(frozen=True, slots=True)
class CaptureGap:
    """A time in which the server did not record its changes; `end` is None while it lasts."""

    registry: str
    start: datetime
    end: datetime | None
    reason: str
    detail: str

    @property
    def brief(self) -> bool:
        """Whether it is a server's restart, in which hardly anything can have happened."""
        return (
            self.reason == "no server with capture"
            and self.end is not None
            and self.end - self.start <= _RESTART
        )


@dataclass(frozen=True, slots=True)
class Capture:
    """When one registry's server recorded its changes, and when it did not.

    `restarts` are gaps of a few minutes, which are not among `gaps`.
    """

    registry: str
    recorded: tuple[Stretch, ...]
    gaps: tuple[CaptureGap, ...]
    restarts: int
    processes: int
    hosts: tuple[str, ...]
    best_effort: bool
    versions: tuple[str, ...]

    @property
    def since(self) -> datetime | None:
        """The beginning of the server's record."""
        return self.recorded[0][0] if self.recorded else None

    @property
    def until(self) -> datetime | None:
        """The end of the server's record, as far as it was read."""
        return self.recorded[-1][1] if self.recorded else None


def read_captures(reader: Reader) -> tuple[Capture, ...]:
    """The server's record of each registry that has one, and its gaps."""
    if not reader.has("captures"):
        return ()
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in reader.rows("captures", "When the server recorded its changes", _CAPTURES):
        rows[row["registry"]].append(row)
    gaps: dict[str, list[CaptureGap]] = defaultdict(list)
    for row in reader.rows("capture_gaps", "When it did not", _GAPS):
        detail = "; ".join(texts(row["detail"]))
        gap = CaptureGap(row["registry"], row["gap_start"], row["gap_end"], row["reason"], detail)
        gaps[row["registry"]].append(gap)
    return tuple(
        _capture(registry, rows.get(registry, []), gaps.get(registry, []), reader.as_of)
        for registry in sorted({*rows, *gaps})
    )


def _capture(registry: str, rows: list[Row], gaps: list[CaptureGap], as_of: datetime) -> Capture:
    ran = [
        (row["started_at"], min(row["ended_at"], as_of))
        for row in rows
        if row["started_at"] is not None and row["ended_at"] is not None
    ]
    serious = [gap for gap in gaps if not gap.brief]
    return Capture(
        registry=registry,
        recorded=without(joined(ran), [(gap.start, gap.end or as_of) for gap in serious]),
        gaps=tuple(serious),
        restarts=len(gaps) - len(serious),
        processes=len({row["process"] for row in rows}),
        hosts=tuple(sorted({row["host"] for row in rows if row["host"]})),
        best_effort=any(row["mode"] == "best-effort" for row in rows),
        versions=tuple(sorted({row["capture_version"] for row in rows if row["capture_version"]})),
    )


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches that touch or overlap as one, in order."""
    whole: list[Stretch] = []
    for start, end in sorted(stretches):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        elif end >= start:
            whole.append((start, end))
    return whole


def without(stretches: Iterable[Stretch], holes: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """What is left of the stretches outside the holes."""
    left = list(stretches)
    for hole_start, hole_end in holes:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, hole_start)), (max(start, hole_end), end))
            if part[0] < part[1]
        ]
    return tuple(sorted(set(left)))
