"""What moved: versions that became live, and the lanes of a timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from auditreg.models import Finding, Grade
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.records import Interval
from auditreg.report.model import Lane, LiveSpan, Promotion

APPROVAL_RULE = "approval-precedes-live"
"""The rule whose answer for a promotion says whether an approval came before it."""

_LANES = 26

_PROMOTIONS = """
select subject, version_subject, model_subject, registry, model, version, live_via,
       live_not_before, live_not_after, ended_not_before, ended_not_after, actor, actor_from, grade
from promotions_as_of({t})
order by coalesce(live_not_after, live_not_before), model, version, subject
"""


def promotions(
    reader: Reader, answers: Iterable[Finding], names: Mapping[str, str]
) -> list[Promotion]:
    """Every time a version became live, with what the check says of its approval.

    `names` are the models' names at the report's moment: one thing has one name in a report.
    """
    judged = {answer.subject.key: answer for answer in answers if answer.rule.id == APPROVAL_RULE}
    found = reader.rows("promotions", "Every time a version became live", _PROMOTIONS)
    return [_promotion(row, judged, names) for row in found]


def _promotion(row: Row, judged: Mapping[str, Finding], names: Mapping[str, str]) -> Promotion:
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
        actor_from=row["actor_from"],
        grade=Grade(row["grade"]),
        approval=answer.status if answer else None,
        approval_reason=answer.reason if answer else "",
    )


def began_within(when: Interval, start: datetime, end: datetime) -> bool:
    """Whether something happened, or may have happened, in the half-open span."""
    after = when.not_after is None or when.not_after > start or when.not_before == start
    # A first sight (nothing bounds it from below) is no sign that it happened in the period.
    return when.not_before is not None and after and when.not_before < end


def overlaps(promotion: Promotion, start: datetime, end: datetime) -> bool:
    """Whether a version was, or may have been, in use at some time of the half-open span."""
    began = promotion.live.not_before
    ended = promotion.ended.not_after if promotion.ended else None
    return (began is None or began < end) and (ended is None or ended > start)


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


def _span(promotion: Promotion, seen: datetime | None) -> LiveSpan:
    ended = promotion.ended or (Interval(seen, None) if seen else None)
    return LiveSpan(promotion.version, promotion.live, ended)
