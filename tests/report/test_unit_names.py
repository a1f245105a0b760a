"""A deleted model and the one that has its name now are told apart."""

from __future__ import annotations

from auditreg.models import Finding, RuleInfo, Status, Subject
from auditreg.report.names import of_former_models, told_apart
from auditreg.rules.parse import builtin_rules


def row(
    subject: str, model: str, *, deleted: bool, workspace: str = "default"
) -> dict[str, object]:
    return {
        "subject": subject, "registry": "r", "workspace": workspace, "model": model, "deleted": deleted,
    }  # fmt: skip


def finding(rule: RuleInfo, key: str, model: str, version: int | None) -> Finding:
    subject = Subject(key, "r", "default", model, version)
    return Finding(rule, subject, Status.FAIL, f"{subject.label} was deleted by ann, motor says")


def test_they_are_told_apart():
    models = [
        row("m-1", "motor", deleted=True),
        row("m-2", "motor", deleted=False),
        row("m-3", "home", deleted=True),
        row("m-4", "home", deleted=False, workspace="claims"),
    ]
    former = of_former_models(models)
    assert former == {"m-1": "motor (deleted)"}
    rule = builtin_rules()[0]
    found = told_apart(
        [
            finding(rule, "m-1/3", "motor", 3),
            finding(rule, "m-1/3+7", "motor", 3),
            finding(rule, "m-1", "motor", None),
            finding(rule, "m-2/1", "motor", 1),
            finding(rule, "m-3/1", "home", 1),
        ],
        former,
    )
    assert [(answer.subject.label, answer.reason.split(" by ")[0]) for answer in found] == [
        ("motor (deleted)/3", "motor (deleted)/3 was deleted"),
        ("motor (deleted)/3", "motor (deleted)/3 was deleted"),
        ("motor (deleted)", "motor (deleted) was deleted"),
        ("motor/1", "motor/1 was deleted"),
        ("home/1", "home/1 was deleted"),
    ]
