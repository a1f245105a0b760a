"""Check results made by hand, for tests of what shows them."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

from auditreg.models import (
    CheckResult,
    Finding,
    Grade,
    Repair,
    RuleInfo,
    RuleResult,
    Scope,
    Severity,
    Status,
    Subject,
    WaiverRef,
    worst_first,
)

AS_OF = datetime(2026, 11, 22, 9, 12)


def rule(
    id_="owner-recorded",
    severity=Severity.HIGH,
    repair=Repair.TAG,
    scope=Scope.LIVE_VERSION,
    **more,
) -> RuleInfo:
    values = {
        "title": f"The title of {id_}",
        "looks_for": "A tag that says so, on the version, then on its model.",
        "rationale": "Somebody has to answer for it.",
        "remediation": "Set the tag.",
        "sql": "select 1",
        "text": "/* */ select 1",
    }
    return RuleInfo(id=id_, severity=severity, scope=scope, repair=repair, **{**values, **more})


def answer(of: RuleInfo, model="motor", version=1, status=Status.NOT_EVIDENCED, **more) -> Finding:
    key = f"m-{abs(hash(model)) % 10**8}/{version}"
    subject = Subject(key, "default", "default", model, version)
    values = {"reason": f"No record on {model}/{version}", "grade": Grade.NONE}
    return Finding(of, subject, status, **{**values, **more})


def result(*answers: Finding, errors=(), **more) -> CheckResult:
    rules = {a.rule.id: a.rule for a in answers}
    counts = {id_: Counter(a.status for a in answers if a.rule.id == id_) for id_ in rules}
    results = [RuleResult(rules[id_], c.total(), c.total(), dict(c)) for id_, c in counts.items()]
    results += [RuleResult(broken, 10, 0, {}, error) for broken, error in errors]
    values = {
        "as_of": AS_OF,
        "period": (date(2026, 10, 1), date(2026, 12, 31)),
        "policy": "3f2a9c1b" * 8,
        "ledger": {"tree_size": 12, "root": "ab" * 32},
    }
    ordered = sorted(answers, key=worst_first)
    values["rules"] = tuple(results)
    values["answers"] = tuple(a for a in ordered if a.status.is_finding)
    values["every"] = ordered
    return CheckResult(**{**values, **more})


def large(rules=120, subjects=300, long="x" * 300) -> CheckResult:
    """A registry far larger than a screen, with names as long as MLflow allows."""
    answers = []
    for n in range(rules):
        repair = list(Repair)[n % 4]
        made = rule(f"rule-{n}-{long[: n % 40]}", list(Severity)[n % 4], repair)
        fix = "client.set_tag(" + "y" * 1000 + ")" if n == 0 else None
        status = Status.FAIL if n % 3 else Status.NOT_EVIDENCED
        answers += [
            answer(made, f"模型-{i}-{long}", i, status, reason=long * 20, fix=fix)
            for i in range(subjects)
        ]
    return result(*answers)


WAIVED = WaiverRef("accepted", "small book", "jane", None, "T-1", date(2027, 1, 31))

REJECTED = WaiverRef(
    "rejected", "approved on paper", None, None, None, None, "ann", date(2026, 11, 20)
)
