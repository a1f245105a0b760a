"""The life of a model's versions: stages and aliases over time, each with both bounds of its ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditreg.queries.reader import Reader, Row
from auditreg.queries.records import (
    Capture,
    Deployment,
    Interval,
    Lifecycle,
    Record,
    StatePeriod,
    VersionTimeline,
)

_LANES = 16
_NEWEST = 4
_BEFORE = timedelta(days=365)
_DELETED = "Deleted_Internal"

_SPELLS = """
with state as (
    select t.subject as holder, t.observed_at, t.place, t.seq, t.lo, t.hi, 'stage' as kind,
           split_part(t.subject, '/', 2)::BIGINT as version,
           case when t.op = 'put' then json_extract_string(l.entry, '$.body.stage')
                else 'Deleted_Internal' end as name,
           conventions_of(l.registry, l.workspace) as conventions
    from ledger.timeline('model_version', null) t join ledger.log l using (seq)
    where t.op <> 'erased'
    union all
    select t.subject, t.observed_at, t.place, t.seq, t.lo, t.hi, 'alias',
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
spell as (
    select *, lead(lo) over turns as end_lo, lead(hi) over turns as end_hi,
           lead(seq) over turns is not null as over
    from turn where turned
    window turns as (partition by holder order by observed_at, place, seq)
)
select split_part(split_part(s.holder, ':', 1), '/', 1) as model_subject, s.version, s.kind, s.name,
       exists (from live_names n
               where n.kind = s.kind and n.applies_to = s.conventions
                 and (n.name = s.name or s.kind = 'alias' and lower(n.name) = lower(s.name)))
           as live, s.lo as start_not_before, s.hi as start_not_after,
       s.over and (s.end_lo is null or s.end_lo < {t} or s.end_hi <= {t}) as over,
       s.end_lo as end_not_before, s.end_hi as end_not_after
from spell s
where s.version is not null and s.name <> 'None'
  and (s.lo is null or s.lo < {t} or s.hi <= {t})
order by model_subject, s.version, s.kind desc, s.hi, s.seq
"""
_READINGS = """
select registry, observed_at from extractions where complete order by registry, observed_at
"""


@dataclass(frozen=True, slots=True)
class Lives:
    """The rows lifecycles are made of, read once for all models."""

    spells: Mapping[str, list[Row]]
    readings: Mapping[str, list[datetime]]


def read(reader: Reader) -> Lives:
    """Stages and aliases of every version, and when the registries were read."""
    spells: dict[str, list[Row]] = defaultdict(list)
    for row in reader.rows("spells", "Stages and aliases of every version over time", _SPELLS):
        spells[row["model_subject"]].append(row)
    readings: dict[str, list[datetime]] = defaultdict(list)
    for row in reader.plain(_READINGS):
        readings[row["registry"]].append(row["observed_at"])
    return Lives(spells, readings)


def lifecycle(
    lives: Lives,
    versions: Sequence[Row],
    ran: Sequence[Deployment],
    capture: Capture | None,
    since: datetime,
    as_of: datetime,
) -> Lifecycle | None:
    """One model's versions over time; None where none was ever in a stage or had an alias.

    Args:
        lives: the rows of all models.
        versions: this model's versions, by number.
        ran: what engines are said to have run of this model.
        capture: when the server of this model's registry recorded its changes.
        since: the beginning of the period.
        as_of: the report's moment, the right edge.
    """
    numbered = [row for row in versions if row["version"] is not None]
    if not numbered:
        return None
    own: dict[int, list[Row]] = defaultdict(list)
    for row in lives.spells.get(numbered[0]["model_subject"], []):
        own[row["version"]].append(row)
    lanes = [_lane(row, own[row["version"]], ran) for row in numbered]
    if not any(lane.spells for lane in lanes):
        return None
    shown = _chosen(lanes, since)
    begun = [at for lane in shown for spell in lane.spells if (at := _earliest(spell)) is not None]
    start = max(min([since, *begun]), since - _BEFORE)
    read = lives.readings.get(numbered[0]["registry"], [])
    return Lifecycle(
        lanes=tuple(shown),
        left_out=len(lanes) - len(shown),
        start=start - (as_of - start) / 60,
        end=as_of,
        known_until=min(read[-1], as_of) if read else None,
        record=record(read, capture, as_of),
    )


def record(readings: Sequence[datetime], capture: Capture | None, as_of: datetime) -> Record:
    """What the history of one registry rests on, up to the report's moment."""
    return Record(
        readings=tuple(at for at in readings if at <= as_of),
        recorded=capture.spans if capture else (),
        gaps=tuple((gap.start, gap.end or as_of) for gap in capture.gaps) if capture else (),
    )


def _lane(version: Row, own: Sequence[Row], ran: Sequence[Deployment]) -> VersionTimeline:
    deleted = [row for row in own if _is_deletion(row)]
    spells = [_spell(row) for row in own if not _is_deletion(row)]
    spells += [
        StatePeriod(
            "ran",
            one.system,
            True,
            Interval(one.deployed_at, one.deployed_at),
            Interval(one.ended_at, one.ended_at) if one.ended_at else None,
        )
        for one in ran
        if one.version == version["version"] and one.deployed_at is not None
    ]
    return VersionTimeline(
        version=version["version"],
        created_at=version["version_created_at"],
        deleted=_interval(deleted[-1], "start") if deleted else None,
        spells=tuple(spells),
    )


def _is_deletion(row: Row) -> bool:
    return bool(row["kind"] == "stage" and row["name"] == _DELETED)


def _spell(row: Row) -> StatePeriod:
    return StatePeriod(
        kind=row["kind"],
        name=row["name"],
        live=bool(row["live"]),
        start=_interval(row, "start"),
        end=_interval(row, "end") if row["over"] else None,
    )


def _interval(row: Row, side: str) -> Interval:
    return Interval(row[f"{side}_not_before"], row[f"{side}_not_after"])


def _earliest(spell: StatePeriod) -> datetime | None:
    return spell.start.not_before or spell.start.not_after


def _chosen(lanes: Sequence[VersionTimeline], since: datetime) -> list[VersionTimeline]:
    """The versions that were something in the period, and the newest; the latest of too many."""
    newest = {lane.version for lane in lanes[-_NEWEST:]}

    def lasted(spell: StatePeriod) -> bool:
        ended = spell.end.not_after if spell.end else None
        return ended is None or ended > since

    wanted = [lane for lane in lanes if lane.version in newest or any(map(lasted, lane.spells))]
    in_use = [
        lane for lane in wanted if any(spell.live and spell.end is None for spell in lane.spells)
    ]
    others = [lane for lane in wanted if lane not in in_use]
    kept = in_use[-_LANES:]
    kept += others[len(others) - max(0, _LANES - len(kept)) :] if others else []
    return sorted(kept, key=lambda lane: lane.version)
