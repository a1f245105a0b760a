"""Which answers of a check are shown. They come in order, the worst first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditreg.models import Finding, Status

if TYPE_CHECKING:
    from auditreg.models import CheckResult

_SHOWN = (Status.FAIL, Status.NOT_EVIDENCED, Status.WAIVED, Status.ERROR)


def shown_findings(result: CheckResult, *, everything: bool) -> list[Finding]:
    """The open, waived and erroneous answers, or every answer; the worst first."""
    if everything:
        return list(result.every)
    return [answer for answer in result.answers if answer.status in _SHOWN]


def totals(result: CheckResult) -> Counter[Status]:
    """How many subjects got each answer, over all rules."""
    counted: Counter[Status] = Counter()
    for rule in result.rules:
        for status, count in rule.counts.items():
            counted[Status(status)] += count
    return counted
