"""What changed in the registry: read, put together where it belongs together, and sorted.

Listed one by one, a registration with everything it has, or a request that moved four rows, hides
the changes somebody made to what was already there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditreg.models import Grade
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.records import Interval
from auditreg.report.model import Change, ChangeGroup, ChangeRow

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
_TAGS = ("registered_model_tag", "model_version_tag")
_THINGS = ("registered_model", "model_version")
_NOUNS = {
    "model_version": "version",
    "registered_model_tag": "tag",
    "model_version_tag": "tag",
    "alias": "alias",
}
_ORDER = ("version", "alias", "tag")


def read(reader: Reader) -> list[Change]:
    """Every change of a model, version, tag or alias, oldest first."""
    found = [
        _change(row) for row in reader.rows("changes", "What changed in the registry", _CHANGES)
    ]
    if not any(one.item == "name" and one.request for one in found):
        return found
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in reader.rows("journal", "What moved along with a rename", _RENAMED):
        counts[row["request"]][_NOUNS[row["kind"]]] += row["rows"]
    return [
        replace(one, together=_counted(counts[one.request]))
        if one.item == "name" and one.request
        else one
        for one in found
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


def _counted(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple((noun, counts[noun]) for noun in _ORDER if counts[noun])


def folded(found: Iterable[Change]) -> list[Change]:
    """Changes with each registration, and each removal, as one.

    A version that is registered appears with its stage, its run and its first tags; a model that is
    removed goes with its versions, aliases and tags.
    """
    changes = list(found)
    heads = [one for one in changes if _is_thing(one)]
    born = {one.subject: one for one in heads if one.before is None}
    gone = {one.subject: one for one in heads if one.removed}
    rows = {one.seq for one in born.values()}
    together: dict[int, Counter[str]] = defaultdict(Counter)
    kept = []
    for one in changes:
        if one.seq in rows and one is not born.get(one.subject):
            continue
        head = _registered_with(one, born) or _removed_with(one, gone)
        if head is None:
            kept.append(one)
        else:
            together[head.seq][_NOUNS[one.kind]] += 1
    return [
        replace(one, together=_counted(together[one.seq])) if one.seq in together else one
        for one in kept
    ]


def _is_thing(one: Change) -> bool:
    return one.kind in _THINGS and one.item in ("model", "version")


def _registered_with(one: Change, born: dict[str, Change]) -> Change | None:
    """The registration a first tag belongs to."""
    head = born.get(one.subject.partition(":")[0])
    if head is None or one.kind not in _TAGS or one.before is not None:
        return None
    if one.request or head.request:
        return head if one.request == head.request else None
    early = one.when.not_before is None or head.when.not_after is None
    return head if early or one.when.not_before <= head.when.not_after else None  # type: ignore[operator]


def _removed_with(one: Change, gone: dict[str, Change]) -> Change | None:
    """The removal that took this along: of its model, or else of its version."""
    if not one.removed or one.kind not in _NOUNS:
        return None
    version = f"{one.model_subject}/{one.before if one.kind == 'alias' else one.version}"
    for subject in (one.model_subject, version):
        head = gone.get(subject)
        if head is not None and head is not one and _at_once(one, head):
            return head
    return None


def _at_once(one: Change, other: Change) -> bool:
    """Whether one request did both, or one reading saw both where no request is known."""
    if one.request or other.request:
        return one.request == other.request
    return one.observed_at == other.observed_at


def in_rows(found: Iterable[Change], *, by_reading: bool = False) -> list[ChangeRow]:
    """Changes of one request in one row, and those one reading saw in the same interval.

    Args:
        found: changes as `folded` gives them.
        by_reading: put together all that one reading saw of a model, whatever the intervals; the
            row's interval then contains them all.
    """
    rows: dict[object, list[Change]] = defaultdict(list)
    for one in found:
        if one.request:
            rows[one.request, one.model_subject].append(one)
        else:
            when = one.observed_at if by_reading else one.when
            apart = one.seq if _is_thing(one) else None
            rows[one.model_subject, when, one.actor, one.uncaptured, apart].append(one)
    return [_row(own) for own in rows.values()]


def _row(own: Sequence[Change]) -> ChangeRow:
    # What happened to the thing itself says most, and tags the least.
    told = sorted(own, key=lambda one: (not _is_thing(one), one.kind in _TAGS))
    return ChangeRow(
        when=_around([one.when for one in own]),
        changes=tuple(told[:_PARTS]),
        more=len(told[_PARTS:]),
        count=len(own),
        tags_only=_are_tags(own),
    )


def _are_tags(own: Sequence[Change]) -> bool:
    """Whether these are several tags of one thing, all set anew or all removed."""
    return (
        len(own) > 1
        and all(one.kind in _TAGS for one in own)
        and len({one.subject.partition(":")[0] for one in own}) == 1
        and (all(one.removed for one in own) or all(one.before is None for one in own))
    )


def _around(intervals: Sequence[Interval]) -> Interval:
    """The narrowest interval that contains them all."""
    first = [one.not_before for one in intervals]
    last = [one.not_after for one in intervals]
    return Interval(
        None if None in first else min(at for at in first if at is not None),
        None if None in last else max(at for at in last if at is not None),
    )


def grouped(
    found: Iterable[Change], governance_tags: frozenset[str], limit: int = _SHOWN
) -> tuple[ChangeGroup, ...]:
    """Changes by what they are about, what the server's record does not know first."""
    requests: dict[str, int] = {}
    sorts: dict[int, list[Change]] = defaultdict(list)
    changes = folded(found)
    for one in changes:
        if one.request:
            place = _sort_of(one, governance_tags)
            requests[one.request] = min(place, requests.get(one.request, place))
    for one in changes:
        place = requests[one.request] if one.request else _sort_of(one, governance_tags)
        sorts[place].append(one)
    return tuple(
        _group(place, in_rows(sorts[place], by_reading=True), limit) for place in sorted(sorts)
    )


def behind(found: Iterable[Change], limit: int) -> ChangeGroup | None:
    """What the server's record does not know, latest first; None where there is none."""
    rows = in_rows(one for one in found if one.uncaptured)[::-1]
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
    if _is_thing(change) or change.item == "name":
        return 1
    if change.kind == "alias" or (change.kind == "model_version" and change.item == "stage"):
        return 2
    return 3 if change.item in governance_tags else 4
