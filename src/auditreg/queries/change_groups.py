"""Which changes of a registry are one event: a registration, a removal, a request, a reading.

Listed one by one, a registration with everything it has, or a request that changed four rows, hides
the changes somebody made to what was already there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from auditreg.models import Grade
from auditreg.queries.reader import Row
from auditreg.queries.records import Interval

TAGS = ("registered_model_tag", "model_version_tag")

_NOUNS = {
    "model_version": "version",
    "registered_model_tag": "tag",
    "model_version_tag": "tag",
    "alias": "alias",
}
_ORDER = ("version", "alias", "tag")

Parts = tuple[tuple[str, int], ...]
"""What came or went with something, counted: `(("version", 2), ("tag", 14))`."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one thing in the registry.

    `uncaptured`: a reading saw it although the server recorded its changes around it. `together`
    is what came or went with it: a registration's tags, the versions of a deleted model.
    `first_seen`: it was before the first reading, and MLflow's own times say when.
    """

    seq: int
    subject: str
    model: str | None
    version: int | None
    when: Interval
    observed_at: datetime | None
    item: str
    kind: str
    before: str | None
    after: str | None
    actor: str | None
    grade: Grade
    actor_from: str | None = None
    request: str | None = None
    uncaptured: bool = False
    together: Parts = ()
    first_seen: bool = False

    @property
    def model_subject(self) -> str:
        """`m-…` out of the subject of a model, a version, a tag or an alias."""
        return self.subject.replace(":", "/").partition("/")[0]

    @property
    def is_existence(self) -> bool:
        """Whether a model or a version came or went, rather than something of it."""
        return (self.kind, self.item) in (
            ("registered_model", "model"),
            ("model_version", "version"),
        )

    @property
    def removed(self) -> bool:
        """Whether the thing is gone after it."""
        return self.after in (None, "gone")


def change_of(row: Row, *, when: Interval, grade: Grade, **further: Any) -> Change:
    """A row of changes or of a history as a change."""
    same = ("seq", "subject", "model", "version", "observed_at", "kind", "before", "after")
    return Change(
        **{name: row[name] for name in (*same, "actor", "actor_from", "request")},
        item=row["item"] or row["kind"],
        when=when,
        grade=grade,
        **further,
    )


def collapse_registrations(changes: Iterable[Change]) -> list[Change]:
    """The changes, with each registration and each removal as one.

    A version that is registered comes with its first tags; a model that is removed goes with its
    versions, aliases and tags. What came or went along is counted in `together`.
    """
    listed = list(changes)
    main_changes = main_changes_of_parts(listed)
    together = count_parts(listed, main_changes)
    return [
        replace(change, together=together[index]) if index in together else change
        for index, change in enumerate(listed)
        if index not in main_changes
    ]


def main_changes_of_parts(changes: Sequence[Change]) -> dict[int, int]:
    """The index of each change that belongs to a registration or removal, to the index of that
    registration or removal.
    """
    registered: dict[str, list[int]] = defaultdict(list)
    removed: dict[str, list[int]] = defaultdict(list)
    for index, change in enumerate(changes):
        if change.is_existence and change.before is None:
            registered[change.subject].append(index)
        elif change.is_existence and change.removed:
            removed[change.subject].append(index)
    main_changes = {}
    for index, change in enumerate(changes):
        owner = change.subject.partition(":")[0]
        version = change.before if change.kind == "alias" else change.version
        lost_with = (change.model_subject, f"{change.model_subject}/{version}")
        candidates = [
            *(main for main in registered[owner] if _registered_with(change, changes[main])),
            *(
                main
                for subject in lost_with
                for main in removed[subject]
                if main != index and _removed_with(change, changes[main])
            ),
        ]
        if candidates:
            main_changes[index] = candidates[0]
    return main_changes


def count_parts(changes: Sequence[Change], main_changes: Mapping[int, int]) -> dict[int, Parts]:
    """For the index of each registration or removal: what came or went with it."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for index, main in main_changes.items():
        if changes[index].seq != changes[main].seq:
            counts[main][_NOUNS[changes[index].kind]] += 1
    return {main: in_order(count) for main, count in counts.items()}


def count_kinds(rows: Iterable[tuple[str, int]]) -> Parts:
    """Numbers of rows by kind, as `together` has them."""
    counts: Counter[str] = Counter()
    for kind, number in rows:
        counts[_NOUNS[kind]] += number
    return in_order(counts)


def in_order(counts: Mapping[str, int]) -> Parts:
    """Counted parts, the largest things first."""
    return tuple((noun, counts[noun]) for noun in _ORDER if counts.get(noun))


def group_by_request(
    changes: Iterable[Change], *, by_reading: bool = False
) -> list[tuple[Change, ...]]:
    """Changes of one request together, and those that one reading saw in the same interval.

    What a reading saw come or go stands alone.

    Args:
        changes: as `collapse_registrations` gives them.
        by_reading: put together all that one reading saw of a model, whatever the intervals.
    """
    groups: dict[object, list[Change]] = defaultdict(list)
    for change in changes:
        alone = change.seq if change.is_existence and not change.request else None
        groups[alone, request_key(change, by_reading=by_reading)].append(change)
    return [tuple(group) for group in groups.values()]


def request_key(change: Change, *, by_reading: bool = False) -> tuple[object, ...]:
    """What is equal for the changes of one request, or of one reading where no request is known."""
    if change.request:
        return (change.request, change.model_subject)
    # What was before the first reading has times of its own.
    when = change.observed_at if by_reading and not change.first_seen else change.when
    return (change.model_subject, when, change.actor, change.uncaptured)


def _registered_with(change: Change, main: Change) -> bool:
    """Whether a registration brought this along: a first tag, or a state in the same entry."""
    if change.is_existence or change.before is not None:
        return False
    if change.seq == main.seq:
        return change.when == main.when
    if change.kind not in TAGS:
        return False
    if change.request or main.request:
        return change.request == main.request
    first, last = change.when.not_before, main.when.not_after
    return first is None or last is None or first <= last


def _removed_with(change: Change, main: Change) -> bool:
    """Whether a removal took this along: one request did both, or one reading saw both."""
    if not change.removed or change.kind not in _NOUNS:
        return False
    if change.request or main.request:
        return change.request == main.request
    return change.observed_at is not None and change.observed_at == main.observed_at
