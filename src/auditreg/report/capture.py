"""When the server recorded its changes itself, and when it did not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from auditreg.queries.reader import Reader, Row, texts
from auditreg.queries.records import Capture, CaptureGap

_CAPTURES = """
select c.registry, c.process, c.host, c.mode, c.capture_version, c.started_at,
       coalesce(c.stopped_at, greatest(c.last_seen_at, r.read_at)) as ended_at
from captures_as_of({t}) c
left join (select registry, journal, max(observed_at) as read_at from extractions
           where observed_at <= {t} group by registry, journal) r using (registry, journal)
order by c.registry, c.started_at, c.process
"""
_GAPS = """
select registry, gap_start, gap_end, reason, detail
from capture_gaps_as_of({t}) order by registry, gap_start, gap_end, reason
"""


def read(reader: Reader) -> tuple[Capture, ...]:
    """The server's record of each registry that has one, and its gaps."""
    if not reader.has("captures"):
        return ()
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in reader.rows("captures", "When the server recorded its changes", _CAPTURES):
        rows[row["registry"]].append(row)
    gaps: dict[str, list[CaptureGap]] = defaultdict(list)
    for row in reader.rows("capture_gaps", "When it did not", _GAPS):
        gaps[row["registry"]].append(
            CaptureGap(
                row["registry"],
                row["gap_start"],
                row["gap_end"],
                row["reason"],
                "; ".join(texts(row["detail"])),
            )
        )
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
        spans=without(joined(ran), [(gap.start, gap.end or as_of) for gap in serious]),
        gaps=tuple(serious),
        restarts=len(gaps) - len(serious),
        processes=len({row["process"] for row in rows}),
        hosts=tuple(sorted({row["host"] for row in rows if row["host"]})),
        best_effort=any(row["mode"] == "best-effort" for row in rows),
        versions=tuple(sorted({row["capture_version"] for row in rows if row["capture_version"]})),
    )


Span = tuple[datetime, datetime]


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch or overlap as one, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end >= start:
            found.append((start, end))
    return found


def without(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """What is left of the spans outside the holes."""
    left = list(spans)
    for hole_start, hole_end in holes:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, hole_start)), (max(start, hole_end), end))
            if part[0] < part[1]
        ]
    return tuple(sorted(set(left)))
