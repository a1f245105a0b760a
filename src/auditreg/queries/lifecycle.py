"""The life of a model's versions: stages and aliases over time, each with both bounds of its ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditreg.queries.captures import Capture
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.records import (
    Basis,
    Deployment,
    Interval,
    Lifecycle,
    StatePeriod,
    VersionTimeline,
)

_VERSIONS = 16
_NEWEST = 4
_BEFORE = timedelta(days=365)
_DELETED = "Deleted_Internal"

_PERIODS = """
with state as (
    select t.subject as holder, t.observed_at, t.place, t.seq, t.lo, t.hi, t.until_lo, 'stage' as kind,
           split_part(t.subject, '/', 2)::BIGINT as version,
           case when t.op = 'put' then json_extract_string(l.entry, '$.body.stage')
                else 'Deleted_Internal' end as name,
           conventions_of(l.registry, l.workspace) as conventions
    from ledger.timeline('model_version', null) t join ledger.log l using (seq)
    where t.op <> 'erased'
    union all
    select t.subject, t.observed_at, t.place, t.seq, t.lo, t.hi, t.until_lo, 'alias',
           case when t.op = 'put' then l.version end,
           case when t.op = 'put' then json_extract_string(l.entry, '$.body.alias') end,
           conventions_of(l.registry, l.workspace)
    from ledger.timeline('alias', null) t join ledger.log l using (seq)
    where t.op <> 'erased'
),
turn as (
    select *, version is distinct from lag(version) over states
              or name is distinct from lag(name) over states
              or lag(seq) over states is null as turned
    from state
    window states as (partition by holder order by observed_at, place, seq)
),
period as (
    select *, lead(until_lo) over turns as end_lo, lead(hi) over turns as end_hi,
           lead(seq) over turns is not null as over
    from turn where turned
    window turns as (partition by holder order by observed_at, place, seq)
)
select split_part(split_part(p.holder, ':', 1), '/', 1) as model_subject, p.version, p.kind, p.name,
       exists (from live_names n
               where n.kind = p.kind and n.applies_to = p.conventions
                 and (n.name = p.name or p.kind = 'alias' and lower(n.name) = lower(p.name)))
           as live, p.lo as start_not_before, p.hi as start_not_after,
       p.over and (p.end_lo is null or p.end_lo < {t} or p.end_hi <= {t}) as over,
       p.end_lo as end_not_before, p.end_hi as end_not_after
from period p
where p.version is not null and p.name <> 'None'
  and (p.lo is null or p.lo < {t} or p.hi <= {t})
order by model_subject, p.version, p.kind desc, p.hi, p.seq
"""
_READINGS = """
select registry, observed_at from extractions where complete order by registry, observed_at
"""


@dataclass(frozen=True, slots=True)
class TimelineRows:
    """The rows lifecycles are made of, read once for all models."""

    periods: Mapping[str, list[Row]]
    readings: Mapping[str, list[datetime]]


def read_timelines(reader: Reader) -> TimelineRows:
    """Stages and aliases of every version, and when the registries were read."""
    periods: dict[str, list[Row]] = defaultdict(list)
    for row in reader.rows("periods", "Stages and aliases of every version over time", _PERIODS):
        periods[row["model_subject"]].append(row)
    readings: dict[str, list[datetime]] = defaultdict(list)
    for row in reader.plain(_READINGS):
        readings[row["registry"]].append(row["observed_at"])
    return TimelineRows(periods, readings)


def lifecycle(
    rows: TimelineRows,
    versions: Sequence[Row],
    deployments: Sequence[Deployment],
    capture: Capture | None,
    since: datetime,
    as_of: datetime,
) -> Lifecycle | None:
    """One model's versions over time; None where none was ever in a stage or had an alias.

    Args:
        rows: those of all models.
        versions: this model's versions, by number.
        deployments: what engines are said to have run of this model.
        capture: when the server of this model's registry recorded its changes.
        since: the beginning of the period.
        as_of: the report's moment, the right edge.
    """
    numbered = [row for row in versions if row["version"] is not None]
    if not numbered:
        return None
    by_version: dict[int, list[Row]] = defaultdict(list)
    for row in rows.periods.get(numbered[0]["model_subject"], []):
        by_version[row["version"]].append(row)
    timelines = [_timeline(row, by_version[row["version"]], deployments) for row in numbered]
    if not any(timeline.periods for timeline in timelines):
        return None
    shown = _shown(timelines, since)
    begun = [
        at
        for timeline in shown
        for period in timeline.periods
        if (at := period.start.not_before or period.start.not_after) is not None
    ]
    start = max(min([since, *begun]), since - _BEFORE)
    readings = rows.readings.get(numbered[0]["registry"], [])
    return Lifecycle(
        versions=tuple(shown),
        left_out=len(timelines) - len(shown),
        start=start - (as_of - start) / 60,
        end=as_of,
        known_until=min(readings[-1], as_of) if readings else None,
        basis=basis(readings, capture, as_of),
    )


def basis(readings: Sequence[datetime], capture: Capture | None, as_of: datetime) -> Basis:
    """What the history of one registry rests on, up to the report's moment."""
    return Basis(
        readings=tuple(at for at in readings if at <= as_of),
        recorded=capture.recorded if capture else (),
        gaps=tuple((gap.start, gap.end or as_of) for gap in capture.gaps) if capture else (),
    )


def _timeline(
    version: Row, rows: Sequence[Row], deployments: Sequence[Deployment]
) -> VersionTimeline:
    deletions = [row for row in rows if _is_deletion(row)]
    ran = (
        StatePeriod(
            "ran",
            deployment.system,
            True,
            Interval(deployment.deployed_at, deployment.deployed_at),
            Interval(deployment.ended_at, deployment.ended_at) if deployment.ended_at else None,
        )
        for deployment in deployments
        if deployment.version == version["version"] and deployment.deployed_at is not None
    )
    return VersionTimeline(
        version=version["version"],
        created_at=version["version_created_at"],
        deleted=interval(deletions[-1], "start_") if deletions else None,
        periods=(*(_period(row) for row in rows if not _is_deletion(row)), *ran),
    )


def _is_deletion(row: Row) -> bool:
    return bool(row["kind"] == "stage" and row["name"] == _DELETED)


def _period(row: Row) -> StatePeriod:
    return StatePeriod(
        kind=row["kind"],
        name=row["name"],
        live=bool(row["live"]),
        start=interval(row, "start_"),
        end=interval(row, "end_") if row["over"] else None,
    )


def _shown(timelines: Sequence[VersionTimeline], since: datetime) -> list[VersionTimeline]:
    """The versions that were something in the period, and the newest; the latest of too many."""
    newest = {timeline.version for timeline in timelines[-_NEWEST:]}

    def lasted(period: StatePeriod) -> bool:
        ended = period.end.not_after if period.end else None
        return ended is None or ended > since

    def in_use(timeline: VersionTimeline) -> bool:
        return any(period.live and period.end is None for period in timeline.periods)

    relevant = [
        timeline
        for timeline in timelines
        if timeline.version in newest or any(map(lasted, timeline.periods))
    ]
    live = [timeline for timeline in relevant if in_use(timeline)][-_VERSIONS:]
    others = [timeline for timeline in relevant if not in_use(timeline)]
    kept = [*live, *others[max(0, len(others) - (_VERSIONS - len(live))) :]]
    return sorted(kept, key=lambda timeline: timeline.version)
