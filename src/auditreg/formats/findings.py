"""Which findings of a check are shown, how they are counted, and their columns in a table."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditreg.formats.interface import CheckView, Table, TableFormat
from auditreg.models import Finding, Grade, Severity, Status
from auditreg.words import REPAIR

if TYPE_CHECKING:
    from auditreg.models import CheckResult

COLUMNS = (
    "id",
    "severity",
    "rule",
    "model",
    "version",
    "status",
    "reason",
    "grade",
    "since",
    "first_reported",
    "condition_since",
    "carried_forward",
    "repair",
    "fix",
    "key",
)

_WORDS = {
    "status": {status.value: status.words for status in Status},
    "grade": {grade.value: grade.words for grade in Grade},
    "repair": REPAIR,
}

_SHOWN = (Status.FAIL, Status.NOT_EVIDENCED, Status.WAIVED, Status.ANSWERED, Status.ERROR)


def shown_findings(result: CheckResult, *, everything: bool) -> list[Finding]:
    """The open, waived, answered and erroneous answers, or every answer; the worst first."""
    if everything:
        return list(result.every)
    return [answer for answer in result.answers if answer.status in _SHOWN]


def totals(result: CheckResult) -> Counter[Status]:
    """How many subjects got each answer, over all rules; what is carried forward among them."""
    counted: Counter[Status] = Counter()
    for rule in result.rules:
        for status, count in (*rule.counts.items(), *rule.carried.items()):
            counted[Status(status)] += count
    return counted


def open_by_severity(result: CheckResult) -> dict[str, int]:
    """How many findings are open of each severity, the worst first."""
    counts = dict.fromkeys((severity.value for severity in Severity), 0)
    for finding in result.open:
        counts[finding.severity.value] += 1
    return counts


class FindingsTable:
    """Shows findings, one per row, in a table format."""

    def __init__(self, table: TableFormat) -> None:
        self._table = table

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """See `CheckFormat.render`."""
        rows = [
            (
                answer.id,
                answer.severity.value,
                answer.rule.id,
                answer.subject.model,
                answer.subject.version,
                answer.status.value,
                answer.reason,
                answer.grade.value,
                answer.since,
                answer.first_reported,
                answer.condition_since,
                answer.carried,
                answer.rule.repair.value,
                answer.fix,
                answer.key,
            )
            for answer in shown_findings(result, everything=view.everything)
        ]
        return self._table.render(Table(COLUMNS, rows, _WORDS, copied=("fix",)), view.target)
