"""One finding in full: what was found, what was looked for, what to do; and all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from auditreg.config.calendar import zone
from auditreg.formats.escape import escape_control
from auditreg.formats.terminal.layout import STYLES, cut, wrapped
from auditreg.formats.terminal.text import day_of, fitted
from auditreg.models import RuleResult, Status
from auditreg.words import REPAIR, evidence_in_words

if TYPE_CHECKING:
    from auditreg.formats.interface import CheckView
    from auditreg.models import CheckResult, Finding, WaiverRef

_CARRIED = ", from an earlier period"
_LEAST = 16
"""Columns that the name of a finding's subject gets at least."""


def finding(answer: Finding, view: CheckView, *, brief: bool = False) -> list[Text]:
    """A finding as a paragraph that stands by itself; `brief` leaves out what was looked for."""
    width = view.target.width
    severity = answer.severity.value
    number = f"{answer.id}  " if answer.id else ""
    carried = _CARRIED if answer.carried else ""
    head = Text.assemble(
        "  ", (severity, STYLES[severity]), f"  {number}", (answer.rule.id, "bold"), "  "
    )
    room = max(width - head.cell_len - len(carried), _LEAST)
    head.append(f"{fitted(answer.subject.label, room)}{carried}")
    lines = [cut(head, width), *wrapped("found", escape_control(_sentence(answer.reason)), width)]
    if not brief:
        lines += wrapped(
            "looked for", escape_control(" ".join(answer.rule.looks_for.split())), width
        )
    if answer.fix:
        # Left in one piece, so that it can be copied.
        lines.append(Text(f"  {'do':<12} {escape_control(answer.fix)}"))
    elif brief:
        lines += wrapped("repair", REPAIR[answer.rule.repair.value], width)
    else:
        lines += wrapped("do", " ".join(answer.rule.remediation.split()), width)
    return lines


def _sentence(text: str) -> str:
    return " ".join(text.split())


def everything(result: CheckResult, view: CheckView) -> list[Text]:
    """Every rule with every subject, nothing cut."""
    answers: dict[str, list[Finding]] = defaultdict(list)
    for answer in result.every:
        answers[answer.rule.id].append(answer)
    rules = sorted(result.rules, key=lambda r: (r.rule.severity.rank, r.rule.id))
    lines: list[Text] = []
    for examined in rules:
        lines += [*_rule(examined, view), *_answers(answers[examined.rule.id], view), Text()]
    return lines[:-1]


def _rule(examined: RuleResult, view: CheckView) -> list[Text]:
    rule, width = examined.rule, view.target.width
    severity = rule.severity.value
    lines = [
        Text.assemble((severity, STYLES[severity]), "  ", (rule.id, "bold"), f"  {rule.title}"),
        *_examined(examined, width),
        *wrapped("looked for", " ".join(rule.looks_for.split()), width),
        *wrapped("repair", REPAIR[rule.repair.value], width),
    ]
    if examined.error:
        lines += wrapped("error", escape_control(examined.error), width, style="bold red")
    return lines


def _examined(examined: RuleResult, width: int) -> list[Text]:
    """How many subjects were looked at and what came of them, or why none was."""
    if examined.not_asked:
        lines = wrapped("not asked", escape_control(examined.not_asked), width)
    else:
        found = _counted(examined.counts)
        text = f"{examined.examined:,} of {examined.population:,}"
        lines = wrapped("examined", f"{text}: {found}" if found else text, width)
    if examined.carried:
        lines += wrapped("from before", _counted(examined.carried), width)
    return lines


def _counted(counts: Mapping[Status, int]) -> str:
    return ", ".join(f"{count:,} {Status(s).words}" for s, count in counts.items() if count)


def _answers(answers: list[Finding], view: CheckView) -> list[Text]:
    width = view.target.width
    lines: list[Text] = []
    for answer in answers:
        number = f"{answer.id}  " if answer.id else ""
        carried = _CARRIED if answer.carried else ""
        label = escape_control(answer.subject.label)
        lines.append(
            Text(f"  {number}{label}: {answer.words}{_age(answer, view.timezone)}{carried}")
        )
        lines += wrapped("", escape_control(_sentence(answer.reason)), width, indent=4)
        if not answer.status.is_open and answer.status not in _EXPLAINED:
            continue
        evidence = evidence_in_words(answer.evidence, answer.moments, zone(view.timezone))
        shown = "; ".join(f"{name} = {text}" for name, text in evidence.items())
        if shown:
            words = escape_control(f"{answer.grade.words}: {shown}")
            lines += wrapped("evidence", words, width, indent=4)
        if answer.waiver:
            label = _WAIVED_AS.get(answer.waiver.status, "answered")
            lines += wrapped(label, escape_control(_waived(answer.waiver)), width, indent=4)
        if answer.fix:
            lines.append(Text(f"    {'do':<12} {escape_control(answer.fix)}"))
    return lines


def _age(answer: Finding, tz: str) -> str:
    """Since when it is reported, and since when it is so, as far as both are known; local days."""
    parts = []
    if answer.since:
        parts.append(f", since {day_of(answer.since, tz)}")
    if answer.condition_since:
        parts.append(f", so since {day_of(answer.condition_since, tz)}")
    return "".join(parts)


_EXPLAINED = (Status.UNDECIDED, Status.WAIVED, Status.ANSWERED)
"""What is not open and shown with its evidence and who answered for it all the same."""

_WAIVED_AS = {"accepted": "accepted", "under_repair": "repair"}


def _waived(waiver: WaiverRef) -> str:
    by = waiver.approver or waiver.owner or waiver.answered_by
    parts = [waiver.reason]
    if by:
        parts.append(f"by {by}")
    if waiver.until:
        parts.append(f"until {waiver.until}")
    if waiver.answered_on:
        parts.append(f"on {waiver.answered_on}")
    if waiver.ticket:
        parts.append(waiver.ticket)
    return ", ".join(parts)
