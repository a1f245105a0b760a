"""What changed in the registry: read, put together where it belongs together, and sorted.

Listed one by one, a registration with everything it has, or a request that moved four rows, hides
the changes somebody made to what was already there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditreg.models import Grade
from auditreg.queries.change_groups import (
    TAGS,
    Change,
    collapse_registrations,
    count_kinds,
    group_by_request,
)
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.records import Interval
from auditreg.report.model import ChangeGroup, ChangeRow

_SHOWN = 12
_PARTS = 5

_CHANGES = """
select seq, changed_not_before, changed_not_after, observed_at, model, version, subject, kind, item,
       before, after, actor, actor_from, request, uncaptured, grade
from changes_as_of({t})
where kind in ('registered_model', 'registered_model_tag', 'model_version', 'model_version_tag',
               'alias')
order by coalesce(changed_not_after, observed_at), seq, item
"""
_RENAMED = """
select request, kind, count(distinct subject) as rows
from journal
where kind <> 'registered_model' and request in (
    select request from changes_as_of({t}) where kind = 'registered_model' and item = 'name')
group by request, kind order by request, kind
"""

BEHIND = "Changed behind the server's back"
_BEHIND_NOTE = (
    "A reading found these in the registry. The server recorded its changes at that time, and these "
    "are not among them: something wrote to the database without the server, or past its record."
)
_SORTS = (
    BEHIND,
    "Models and versions registered or removed",
    "Stages and aliases",
    "Governance fields",
    "Descriptions, sources and other tags",
)


def read(reader: Reader) -> list[Change]:
    """Every change of a model, version, tag or alias, oldest first."""
    rows = reader.rows("changes", "What changed in the registry", _CHANGES)
    changes = [_change(row) for row in rows]
    if not any(change.item == "name" and change.request for change in changes):
        return changes
    moved: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in reader.rows("journal", "What moved along with a rename", _RENAMED):
        moved[row["request"]].append((row["kind"], row["rows"]))
    return [
        replace(change, together=count_kinds(moved[change.request]))
        if change.item == "name" and change.request
        else change
        for change in changes
    ]


def _change(row: Row) -> Change:
    return Change(
        seq=row["seq"],
        subject=row["subject"],
        model=row["model"],
        version=row["version"],
        when=interval(row, "changed_"),
        observed_at=row["observed_at"],
        item=row["item"] or row["kind"],
        kind=row["kind"],
        before=row["before"],
        after=row["after"],
        actor=row["actor"],
        grade=Grade(row["grade"]),
        actor_from=row["actor_from"],
        request=row["request"],
        uncaptured=bool(row["uncaptured"]),
    )


def in_rows(changes: Iterable[Change], *, by_reading: bool = False) -> list[ChangeRow]:
    """Changes that belong together, a row for each; see `group_by_request`."""
    return [_row(group) for group in group_by_request(changes, by_reading=by_reading)]


def _row(group: Sequence[Change]) -> ChangeRow:
    # What happened to the model or version itself says most, and tags the least.
    ordered = sorted(group, key=lambda change: (not change.is_existence, change.kind in TAGS))
    return ChangeRow(
        when=_around([change.when for change in group]),
        changes=tuple(ordered[:_PARTS]),
        more=len(ordered[_PARTS:]),
        count=len(group),
        tags_only=_are_tags(group),
    )


def _are_tags(group: Sequence[Change]) -> bool:
    """Whether these are several tags of one model or version, all set anew or all removed."""
    return (
        len(group) > 1
        and all(change.kind in TAGS for change in group)
        and len({change.subject.partition(":")[0] for change in group}) == 1
        and (
            all(change.removed for change in group)
            or all(change.before is None for change in group)
        )
    )


def _around(intervals: Sequence[Interval]) -> Interval:
    """The narrowest interval that contains them all."""
    first = [interval.not_before for interval in intervals]
    last = [interval.not_after for interval in intervals]
    return Interval(
        None if None in first else min(at for at in first if at is not None),
        None if None in last else max(at for at in last if at is not None),
    )


def grouped(
    listed: Iterable[Change], governance_tags: frozenset[str], limit: int = _SHOWN
) -> tuple[ChangeGroup, ...]:
    """Changes by what they are about, what the server's record does not know first."""
    requests: dict[str, int] = {}
    sorts: dict[int, list[Change]] = defaultdict(list)
    changes = collapse_registrations(listed)
    for change in changes:
        if change.request:
            place = _sort_of(change, governance_tags)
            requests[change.request] = min(place, requests.get(change.request, place))
    for change in changes:
        place = requests[change.request] if change.request else _sort_of(change, governance_tags)
        sorts[place].append(change)
    return tuple(
        _group(place, in_rows(sorts[place], by_reading=True), limit) for place in sorted(sorts)
    )


def behind(changes: Iterable[Change], limit: int) -> ChangeGroup | None:
    """What the server's record does not know, latest first; None where there is none."""
    rows = in_rows(change for change in changes if change.uncaptured)[::-1]
    return _group(0, rows, limit) if rows else None


def _group(place: int, rows: Sequence[ChangeRow], limit: int) -> ChangeGroup:
    return ChangeGroup(
        title=_SORTS[place],
        note="" if place else _BEHIND_NOTE,
        total=sum(row.count for row in rows),
        rows=tuple(rows[:limit]),
        more=sum(row.count for row in rows[limit:]),
    )


def _sort_of(change: Change, governance_tags: frozenset[str]) -> int:
    if change.uncaptured:
        return 0
    if change.is_existence or change.item == "name":
        return 1
    if change.kind == "alias" or (change.kind == "model_version" and change.item == "stage"):
        return 2
    return 3 if change.item in governance_tags else 4
