"""The findings of the check, arranged for reading: by rule, by model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from auditreg.models import CheckResult, Finding, Severity, Status
from auditreg.report.model import (
    InventoryRow,
    LeftOpen,
    ModelFindings,
    RuleFindings,
    SeverityCount,
)

SET_ASIDE = (
    Status.WAIVED,
    Status.ANSWERED,
    Status.PREDATES_POLICY,
    Status.ERROR,
    Status.UNDECIDED,
)
"""Answers that are neither open nor passed: shown as what they are, never dropped."""


def model_key(answer: Finding) -> str:
    """The opaque key of the model an answer is about; `ledger` for the ledger's own rules."""
    return answer.subject.key.partition("/")[0]


def known_since(answer: Finding) -> datetime | None:
    """Since when a finding is open: by the check that reported it, else by what the record shows.

    A finding that was reported after the moment a report speaks of had no check by then.
    """
    return answer.since or answer.condition_since


def oldest(answers: Iterable[Finding]) -> datetime | None:
    """Since when the oldest of the answers is open, as far as that is known."""
    return min(filter(None, map(known_since, answers)), default=None)


def severities(answers: Sequence[Finding]) -> tuple[SeverityCount, ...]:
    """Open findings by severity, every severity named."""
    counts = Counter((answer.severity, answer.status) for answer in answers)
    return tuple(
        SeverityCount(
            severity, counts[severity, Status.FAIL], counts[severity, Status.NOT_EVIDENCED]
        )
        for severity in Severity
    )


def set_aside(answers: Iterable[Finding]) -> tuple[Finding, ...]:
    """The answers of `SET_ASIDE` in that order, the worst of each first."""
    shown = (answer for answer in answers if answer.status in SET_ASIDE)
    return tuple(sorted(shown, key=lambda answer: SET_ASIDE.index(answer.status)))


def left_open(undecided: Iterable[Finding]) -> tuple[LeftOpen, ...]:
    """What the readings do not tell, by rule: one cause, the distance of the readings, one line."""
    by_id: dict[str, list[Finding]] = defaultdict(list)
    for answer in undecided:
        by_id[answer.rule.id].append(answer)
    return tuple(LeftOpen(group[0].rule, tuple(group)) for group in by_id.values())


def by_rule(check: CheckResult) -> tuple[RuleFindings, ...]:
    """Every rule that ran, those with the worst open findings first."""
    by_id: dict[str, list[Finding]] = defaultdict(list)
    for answer in check.open:
        by_id[answer.rule.id].append(answer)
    rows = [
        RuleFindings(
            rule=result.rule,
            population=result.population,
            examined=result.examined,
            counts={status: result.counts.get(status, 0) for status in Status},
            carried={status: result.carried.get(status, 0) for status in Status},
            findings=tuple(by_id[result.rule.id]),
            oldest=oldest(by_id[result.rule.id]),
            error=result.error,
            not_asked=result.not_asked,
        )
        for result in check.rules
    ]
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                not row.findings,
                row.severity.rank,
                -len(row.findings),
                row.rule.id,
            ),
        )
    )


def by_model(
    answers: Iterable[Finding], rows: Mapping[str, InventoryRow]
) -> tuple[ModelFindings, ...]:
    """Open findings by model, the model with the worst ones first."""
    by_key: dict[str, list[Finding]] = defaultdict(list)
    for answer in answers:
        by_key[model_key(answer)].append(answer)
    groups = []
    for key, group in by_key.items():
        row = rows.get(key)
        counts = Counter(answer.severity for answer in group)
        statuses = Counter(answer.status for answer in group)
        groups.append(
            ModelFindings(
                label=row.model if row else group[0].subject.model or "the ledger itself",
                slug=row.slug if row else None,
                counts={severity: counts[severity] for severity in Severity},
                contradicts=statuses[Status.FAIL],
                missing=statuses[Status.NOT_EVIDENCED],
                oldest=oldest(group),
            )
        )
    return tuple(
        sorted(
            groups,
            key=lambda group: (
                [-group.counts[severity] for severity in Severity],
                group.label,
                group.slug or "",
            ),
        )
    )
