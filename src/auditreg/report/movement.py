"""What moved: versions that became live, changes in the registry, and the lanes of a timeline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from auditreg.models import Answer, Grade
from auditreg.report.content import Change, ChangeGroup, Lane, Promotion, Span
from auditreg.report.reader import Reader, Row, interval
from auditreg.report.sheets import Interval

APPROVAL_RULE = "approval-precedes-live"
"""The rule whose answer for a promotion says whether an approval came before it."""

_SHOWN = 12
_LANES = 26

_PROMOTIONS = """
select subject, version_subject, model_subject, registry, model, version, live_via,
       live_not_before, live_not_after, ended_not_before, ended_not_after, actor, grade
from promotions_as_of({t})
order by coalesce(live_not_after, live_not_before), model, version, subject
"""

_CHANGES = """
select seq, changed_not_before, changed_not_after, model, version, subject, kind, item,
       before, after, actor, grade
from changes_as_of({t})
where kind in ('registered_model', 'registered_model_tag', 'model_version', 'model_version_tag',
               'alias')
order by coalesce(changed_not_after, observed_at), seq, item
"""


def promotions(
    reader: Reader, answers: Iterable[Answer], names: Mapping[str, str]
) -> list[Promotion]:
    """Every time a version became live, with what the check says of its approval.

    `names` are the models' names at the report's moment: one thing has one name in a report.
    """
    judged = {answer.subject.key: answer for answer in answers if answer.rule.id == APPROVAL_RULE}
    found = reader.rows("promotions", "Every time a version became live", _PROMOTIONS)
    return [_promotion(row, judged, names) for row in found]


def _promotion(row: Row, judged: Mapping[str, Answer], names: Mapping[str, str]) -> Promotion:
    answer = judged.get(row["subject"])
    over = row["ended_not_before"] is not None or row["ended_not_after"] is not None
    return Promotion(
        subject=row["subject"],
        model_subject=row["model_subject"],
        model=names.get(row["model_subject"], row["model"]),
        version=row["version"],
        via=row["live_via"],
        live=interval(row, "live_"),
        ended=interval(row, "ended_") if over else None,
        actor=row["actor"],
        grade=Grade(row["grade"]),
        approval=answer.status if answer else None,
        approval_reason=answer.reason if answer else "",
    )


def began_within(when: Interval, start: datetime, end: datetime) -> bool:
    """Whether something happened, or may have happened, in the half-open span."""
    after = when.not_after is None or when.not_after > start
    # A first sight (nothing bounds it from below) is no sign that it happened in the period.
    return when.not_before is not None and after and when.not_before < end


def overlaps(promotion: Promotion, start: datetime, end: datetime) -> bool:
    """Whether a version was, or may have been, in use at some time of the half-open span."""
    began = promotion.live.not_before
    ended = promotion.ended.not_after if promotion.ended else None
    return (began is None or began < end) and (ended is None or ended > start)


def changes(reader: Reader) -> list[tuple[str, Change]]:
    """Every change of a model, version, tag or alias, each with the key of its model."""
    found = reader.rows("changes", "What changed in the registry", _CHANGES)
    return [(_model_key(row["subject"]), _change(row)) for row in found]


def _model_key(subject: str) -> str:
    """`m-…` out of the subject of a model, a version, a tag or an alias."""
    return subject.replace(":", "/").partition("/")[0]


def _change(row: Row) -> Change:
    return Change(
        seq=row["seq"],
        subject=row["subject"],
        model=row["model"],
        version=row["version"],
        when=interval(row, "changed_"),
        item=row["item"] or row["kind"],
        kind=row["kind"],
        before=row["before"],
        after=row["after"],
        actor=row["actor"],
        grade=Grade(row["grade"]),
    )


def folded(found: Iterable[Change]) -> list[Change]:
    """Changes with each registration as one: not also its stage, its run and its first tags.

    A version that is registered appears with everything it has. Listed one by one, that hides the
    changes somebody made to what was already there.
    """
    changes = list(found)
    born = {
        one.subject: one
        for one in changes
        if one.item in ("version", "model") and one.kind in _REGISTERED and one.before is None
    }
    rows = {one.seq for one in born.values()}
    tags: Counter[str] = Counter()
    kept = []
    for one in changes:
        owner = one.subject.partition(":")[0]
        if one.seq in rows:
            if one is born.get(one.subject):
                kept.append(one)
        elif (
            one.kind in _TAGS
            and one.before is None
            and owner in born
            and _may_be_together(born[owner].when, one.when)
        ):
            tags[owner] += 1
        else:
            kept.append(one)
    return [
        replace(one, with_tags=tags[one.subject]) if one is born.get(one.subject) else one
        for one in kept
    ]


def _may_be_together(registration: Interval, tag: Interval) -> bool:
    """Whether a tag may have been set in the moment its version was registered."""
    if tag.not_before is None or registration.not_after is None:
        return True
    return tag.not_before <= registration.not_after


_TAGS = ("registered_model_tag", "model_version_tag")
_REGISTERED = ("registered_model", "model_version")


def group_changes(
    found: Iterable[Change], governance_tags: frozenset[str], limit: int = _SHOWN
) -> tuple[ChangeGroup, ...]:
    """Changes by what they are about, in the order an examiner asks."""
    groups: dict[str, list[Change]] = defaultdict(list)
    for change in folded(found):
        groups[_sort_of(change, governance_tags)].append(change)
    return tuple(
        _group(title, groups[title], bundled(groups[title]), limit)
        for title in _SORTS
        if groups[title]
    )


def _group(title: str, found: Sequence[Change], rows: Sequence[Change], limit: int) -> ChangeGroup:
    more = sum(row.fields for row in rows[limit:])
    return ChangeGroup(title, len(found), tuple(rows[:limit]), more)


def bundled(found: Iterable[Change]) -> list[Change]:
    """Tags that were set, or that vanished, with one another on one version: a row for all."""
    bundles: dict[object, list[Change]] = defaultdict(list)
    for number, one in enumerate(found):
        removed = one.after in _ABSENT
        together = one.kind in _TAGS and (one.before is None or removed)
        key = (one.subject.partition(":")[0], one.when, one.actor, removed) if together else number
        bundles[key].append(one)
    return [own[0] if len(own) == 1 else _as_one(own) for own in bundles.values()]


_ABSENT = (None, "gone")


def _as_one(own: Sequence[Change]) -> Change:
    removed = own[0].after in _ABSENT
    return replace(
        own[0],
        item=f"{len(own)} tags {'removed' if removed else 'set'}",
        kind="tags",
        after="; ".join(one.item if removed else f"{one.item} = {one.after}" for one in own),
        fields=len(own),
    )


_SORTS = (
    "Models and versions registered or removed",
    "Stages and aliases",
    "Governance fields",
    "Descriptions, sources and other tags",
)


def _sort_of(change: Change, governance_tags: frozenset[str]) -> str:
    if change.item in ("model", "version") and change.kind in ("registered_model", "model_version"):
        return _SORTS[0]
    if change.kind == "alias" or (change.kind == "model_version" and change.item == "stage"):
        return _SORTS[1]
    return _SORTS[2] if change.item in governance_tags else _SORTS[3]


def lanes(
    found: Sequence[Promotion], start: datetime, end: datetime, seen: datetime | None
) -> tuple[Lane, ...]:
    """A lane per model that has a version in use in the period, those that moved first.

    `seen` is when the registry was last read: nothing is certain after it.
    """
    spans: dict[str, list[Promotion]] = defaultdict(list)
    for promotion in found:
        if overlaps(promotion, start, end):
            spans[promotion.model_subject].append(promotion)
    moved = sorted(
        spans.values(),
        key=lambda own: (
            not any(began_within(one.live, start, end) for one in own),
            own[0].model,
            own[0].model_subject,
        ),
    )
    return tuple(
        Lane(own[0].model, tuple(_span(one, seen) for one in own)) for own in moved[:_LANES]
    )


def version_lanes(found: Sequence[Promotion], seen: datetime | None) -> tuple[Lane, ...]:
    """A lane per version of one model, in order of version; the latest where there are many."""
    spans: dict[int, list[Promotion]] = defaultdict(list)
    for promotion in found:
        spans[promotion.version].append(promotion)
    return tuple(
        Lane(f"version {version}", tuple(_span(one, seen) for one in spans[version]))
        for version in sorted(spans)[-_LANES:]
    )


def _span(promotion: Promotion, seen: datetime | None) -> Span:
    ended = promotion.ended or (Interval(seen, None) if seen else None)
    return Span(promotion.version, promotion.live, ended)
