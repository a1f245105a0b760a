"""The result of the last check, where nothing that it follows from has changed since.

A result is a function of the log, the governing texts, the moment of the last reading and the
release that judged. Where all of these are as they were when the last check was sealed, its result
is read back: judging again would plan a hundred statements to say the same.
"""
# ruff: noqa: S608 - the names in SQL are those of our own columns

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from auditreg.models import (
    CheckResult,
    Finding,
    Grade,
    JudgedWaiver,
    RuleInfo,
    RuleResult,
    Severity,
    Status,
    Subject,
    WaiverRef,
    worst_first,
)

if TYPE_CHECKING:
    import duckdb

    from auditreg.waivers import Waiver

from auditreg.queries.nothing_live import nothing_live
from auditreg.workflows.policy import PolicySet


class SealedCheck(NamedTuple):
    """A row of the table `checks`."""

    seq: int
    as_of: datetime
    period_first: date
    period_last: date
    policy: str
    selection: str
    rules: str
    tool_version: str


_LAST_CHECK = f"select {', '.join(SealedCheck._fields)} from checks order by seq desc limit 1"

_CHANGED = "select 1 from ledger.log where seq > ? and kind is distinct from 'report' limit 1"
"""What is no report and came after the check; a check does not follow from reports."""

_FINDINGS = """
select rule, subject, registry, workspace, model, version, status, reason, grade, fix, evidence,
       waiver, number, since, first_reported, condition_since, carried, severity
from findings
where status not in ('closed', 'undecided')
"""


def last_result(
    connection: duckdb.DuckDBPyConnection,
    policy_set: PolicySet,
    policy: str,
    ledger: Mapping[str, object],
) -> CheckResult | None:
    """The sealed result of the last check, where a check would come to it again; else None.

    Args:
        connection: the ledger.
        policy_set: what a check would judge by.
        policy: its digest.
        ledger: the ledger's identity for the result.
    """
    last = _unchanged_check(connection, policy)
    if last is None:
        return None
    quarter = policy_set.config.quarter_of(last.as_of)
    if (last.period_first, last.period_last) != (quarter.first_day, quarter.last_day):
        return None
    rules = {rule.id: rule for rule in policy_set.enabled}
    sealed_rules = json.loads(last.rules)
    if {entry["id"] for entry in sealed_rules} != rules.keys() or any(
        entry["error"] or "carried" not in entry for entry in sealed_rules
    ):
        return None
    waivers = policy_set.parsed_waivers()
    answers = _answers(connection, rules, {_text(waiver.ref): waiver.ref for waiver in waivers})
    if answers is None:
        return None
    judged = _waivers(connection, waivers, policy_set.rules, answers)
    if judged is None:
        return None
    results = tuple(
        RuleResult(
            rules[entry["id"]],
            entry["population"],
            entry["examined"],
            _counts(entry["counts"]),
            carried=_counts(entry["carried"]),
            not_asked=entry["not_asked"],
        )
        for entry in sealed_rules
    )
    return CheckResult(
        as_of=last.as_of,
        period=(last.period_first, last.period_last),
        policy=policy,
        ledger=ledger,
        rules=results,
        answers=answers,
        waivers=judged,
        nothing_live=nothing_live(connection, results),
    )


def _unchanged_check(connection: duckdb.DuckDBPyConnection, policy: str) -> SealedCheck | None:
    """The last check, if it covered everything and nothing it follows from is another now."""
    from auditreg.resources import tool_version

    row = connection.execute(_LAST_CHECK).fetchone()
    if row is None:
        return None
    last = SealedCheck(*row)
    if (last.policy, last.selection, last.tool_version) != (policy, "[]", tool_version()):
        return None
    return None if connection.execute(_CHANGED, [last.seq]).fetchone() else last


def _counts(sealed: Mapping[str, int]) -> dict[Status, int]:
    return {Status(status): count for status, count in sealed.items()}


def _answers(
    connection: duckdb.DuckDBPyConnection,
    rules: Mapping[str, RuleInfo],
    waivers: Mapping[str, WaiverRef],
) -> tuple[Finding, ...] | None:
    """The findings as they are sealed; None if one was covered by what is not in the file."""
    rows = connection.execute(_FINDINGS).fetchall()
    if any(waiver and waiver not in waivers for *_, waiver, _, _, _, _, _, _ in rows):
        return None
    findings = (
        Finding(
            rule=rules[rule],
            subject=Subject(subject, registry, workspace, model, version),
            status=Status(status),
            reason=reason,
            grade=Grade(grade),
            fix=fix,
            evidence=json.loads(evidence),
            waiver=waivers[waiver] if waiver else None,
            number=number,
            since=since,
            first_reported=first_reported,
            condition_since=condition_since,
            carried=carried,
            by_rating=Severity(severity) if severity != rules[rule].severity else None,
        )
        for (
            rule, subject, registry, workspace, model, version, status, reason, grade, fix,
            evidence, waiver, number, since, first_reported, condition_since, carried, severity,
        ) in rows
        if rule in rules
    )  # fmt: skip
    return tuple(sorted(findings, key=worst_first))


def _waivers(
    connection: duckdb.DuckDBPyConnection,
    waivers: Sequence[Waiver],
    rules: Sequence[RuleInfo],
    answers: Sequence[Finding],
) -> tuple[JudgedWaiver, ...] | None:
    """The waivers as they were judged; None if the sealed waivers are not exactly those of the file."""
    from auditreg.waivers import as_judged

    rows = connection.execute("select rule, scope, judged from waivers").fetchall()
    sealed = {(rule, scope): judged for rule, scope, judged in rows}
    if not len(sealed) == len(rows) == len(waivers):  # two of one rule and scope are not told apart
        return None
    if {(w.rule, w.scope) for w in waivers} != sealed.keys():
        return None
    ids = {name: rule.id for rule in rules for name in (rule.id, *rule.aliases)}
    left = [answer for answer in answers if answer.waiver is not None]
    judged = []
    for waiver in waivers:
        # An earlier waiver goes first, so what it covers is not counted again.
        before = len(left)
        left = [answer for answer in left if not _covers(waiver, ids.get(waiver.rule), answer)]
        judged.append(
            as_judged(
                waiver,
                sealed[waiver.rule, waiver.scope],
                covers=before - len(left),
                known=waiver.rule in ids,
            )
        )
    return tuple(judged)


def _covers(waiver: Waiver, rule: str | None, answer: Finding) -> bool:
    subject = answer.subject
    named = (
        subject.model in waiver.models
        or (subject.model, subject.version) in waiver.pairs
        or answer.number in waiver.numbers
    )
    placed = waiver.workspace in (None, subject.workspace) and waiver.registry in (
        None,
        subject.registry,
    )
    return named and placed and answer.rule.id == rule and answer.waiver == waiver.ref


def _text(ref: WaiverRef) -> str:
    """A waiver as it is sealed with a finding."""
    return sealed_json(asdict(ref))


def sealed_json(values: Mapping[str, object]) -> str:
    """Values as the text that is sealed; always the same text for the same values."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
