"""The result of a check over the small ledger: answers that follow from its rows, no rules run."""

from __future__ import annotations

from datetime import date, datetime

from small_ledger import READINGS

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
)

RULES = {
    "approval-precedes-live": (
        "Approval comes before going live",
        "critical",
        "promotion",
        "history",
    ),
    "approver-recorded": ("Somebody approved the version", "high", "live_version", "tag"),
    "signature-present": ("Inputs and outputs are declared", "high", "live_version", "retrain"),
    "training-data-linked": ("The training data are logged", "high", "live_version", "retrain"),
    "owner-recorded": ("The model has an owner", "medium", "live_version", "tag"),
    "risk-rating-recorded": ("The model has a risk rating", "medium", "live_version", "tag"),
    "validation-recorded": ("A validation is recorded", "medium", "live_version", "tag"),
    "description-present": ("The model is described", "low", "live_version", "tag"),
    "version-gap-explained": ("Version numbers have no gap", "low", "registered_model", "history"),
}


def rule(name):
    title, severity, scope, repair = RULES[name]
    return RuleInfo(
        id=name,
        title=title,
        severity=Severity(severity),
        scope=Scope(scope),
        repair=Repair(repair),
        looks_for=f"{title.lower()}, as a tag or as MLflow's own record",
        rationale="Somebody else must be able to follow what was done.",
        remediation="Set the tag, or register a new version.",
        sql="select 1",
        text=f"-- {name}",
    )


def _rows(connection, sql, values):
    cursor = connection.execute(sql, values)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def check(connection, as_of=datetime(2026, 9, 30, 23)):
    """A check result that follows from the ledger's rows, one answer per subject of each rule."""
    live = _rows(
        connection,
        "select i.* from inventory_as_of(?) i join live_versions_as_of(?) using (subject)",
        [as_of, as_of],
    )
    moved = _rows(connection, "select * from promotions_as_of(?)", [as_of])
    needs = {
        "approver-recorded": "approver",
        "owner-recorded": "owner",
        "risk-rating-recorded": "risk_rating",
        "signature-present": "inputs",
        "training-data-linked": "data_sources",
        "validation-recorded": "validation_date",
        "description-present": "description",
    }
    answers = []
    for name, column in needs.items():
        answers += [_answer(name, row, row[column]) for row in live]
    for row in moved:
        version = (row["version"] + int(row["model_subject"][2:4], 16)) % 4
        status = (Status.PASS, Status.PASS, Status.NOT_EVIDENCED, Status.FAIL)[version]
        answers.append(
            _judge("approval-precedes-live", row, status, "Approval and promotion compared.")
        )
    for index, row in enumerate({row["model_subject"]: row for row in live}.values()):
        model = {**row, "subject": row["model_subject"], "version": None}
        status = Status.FAIL if index == 2 else Status.PASS
        answers.append(_judge("version-gap-explained", model, status, "Version 1 was deleted."))
    numbered, next_number = [], 1
    for answer in answers:
        if answer.status in (Status.PASS, Status.NOT_APPLICABLE):
            numbered.append(answer)
            continue
        since = READINGS[0] if next_number % 3 else READINGS[1]
        numbered.append(
            Finding(
                **{
                    **{name: getattr(answer, name) for name in answer.__slots__},
                    "number": next_number,
                    "since": since,
                }
            )
        )
        next_number += 1
    results = []
    for name in RULES:
        own = [one for one in numbered if one.rule.id == name]
        counts = {status: sum(one.status is status for one in own) for status in Status}
        results.append(RuleResult(rule(name), len(own), len(own), counts))
    return CheckResult(
        as_of=as_of,
        period=(date(2026, 7, 1), date(2026, 9, 30)),
        policy="5f" * 32,
        ledger={"file": "audit.duckdb"},
        rules=tuple(results),
        answers=tuple(a for a in numbered if a.status is not Status.PASS),
        every=tuple(numbered),
    )


def _answer(name, row, value):
    if value:
        return _judge(name, row, Status.PASS, "Found.")
    status = Status.NOT_EVIDENCED
    waiver = None
    if name == "risk-rating-recorded":
        status = Status.WAIVED
        waiver = WaiverRef(
            "accepted", "Retired by year end", "Ingrid Solberg", None, "MR-12", date(2026, 12, 31)
        )
    return _judge(name, row, status, f"No tag holds it for {row['model']}.", waiver)


def _judge(name, row, status, reason, waiver=None):
    return Finding(
        rule=rule(name),
        subject=Subject(
            row["subject"], row["registry"], row["workspace"], row["model"], row["version"]
        ),
        status=status,
        reason=reason,
        grade=Grade.ASSERTED,
        fix="mlflow models set-tag …" if status.is_open else None,
        evidence={"looked_in": "version tags, model tags"},
        waiver=waiver,
    )
