"""Changes of the registry as rows of a table: put together where they belong together, and sorted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from auditreg.queries.change_groups import (
    TAGS,
    Change,
    collapse_registrations,
    group_by_request,
)
from auditreg.queries.records import Interval
from auditreg.report.model import ChangeGroup, ChangeRow
from auditreg.report.wording import how_known

_SHOWN = 12
_PARTS = 5

NOT_IN_RECORD = "Changes not in the server's record"
_NOT_IN_RECORD_NOTE = (
    "A reading found these in the registry. The server recorded its changes at that time, and these "
    "are not among them. Possible causes: a write to the database itself, a restored backup, a "
    "migration, a fault of the capture. Which it was is not established."
)
_SORTS = (
    NOT_IN_RECORD,
    "Models and versions registered or removed",
    "Stages and aliases",
    "Governance fields",
    "Descriptions, sources and other tags",
)


def in_rows(changes: Iterable[Change], *, by_reading: bool = False) -> list[ChangeRow]:
    """Changes that belong together, a row for each; see `group_by_request`."""
    return [_row(group) for group in group_by_request(changes, by_reading=by_reading)]


def _row(group: Sequence[Change]) -> ChangeRow:
    # What happened to the model or version itself says most, and tags the least.
    ordered = sorted(group, key=lambda change: (not change.is_existence, change.kind in TAGS))
    head, when = ordered[0], _around([change.when for change in group])
    reading = head.observed_at if head.first_seen else None
    return ChangeRow(
        when=when,
        changes=tuple(ordered[:_PARTS]),
        more=len(ordered[_PARTS:]),
        count=len(group),
        tags_only=_are_tags(group),
        known=how_known(head.grade, when, reading, uncaptured=head.uncaptured),
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


def not_in_record(changes: Iterable[Change], limit: int) -> ChangeGroup | None:
    """What the server's record does not know, latest first; None where there is none."""
    rows = in_rows(change for change in changes if change.uncaptured)[::-1]
    return _group(0, rows, limit) if rows else None


def _group(place: int, rows: Sequence[ChangeRow], limit: int) -> ChangeGroup:
    return ChangeGroup(
        title=_SORTS[place],
        note="" if place else _NOT_IN_RECORD_NOTE,
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
