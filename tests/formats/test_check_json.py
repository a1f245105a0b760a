"""`auditreg.check/1`: frozen, and as its schema says."""

from __future__ import annotations

import json
from datetime import datetime

import jsonschema
import pytest

from auditreg.errors import ExitCode
from auditreg.formats import check_format
from auditreg.formats.check_json import json_schema
from auditreg.formats.interface import CheckView, OutputTarget
from auditreg.models import Grade, Repair, Severity, Status
from tests.formats.results import WAIVED, answer, large, result, rule

VIEW = CheckView(ExitCode.FINDINGS, Severity.LOW)
FINDING_KEYS = [
    "id", "key", "rule", "severity", "subject", "registry", "workspace", "model", "version",
    "status", "reason", "grade", "since", "looked_for", "fix", "repair", "evidence", "waiver",
]  # fmt: skip


def document(made, **view):
    shown = check_format("json").render(made, CheckView(ExitCode.FINDINGS, Severity.LOW, **view))
    found = json.loads(shown)
    jsonschema.Draft202012Validator(json_schema()).validate(found)
    return found


@pytest.fixture
def everything():
    owner = rule()
    history = rule("promotion-approved", Severity.CRITICAL, Repair.HISTORY)
    return result(
        answer(owner, "a", 1, number=7, since=datetime(2026, 8, 1, 2, 3, 4), fix="do it"),
        answer(owner, "b", 1, Status.PASS, grade=Grade.ASSERTED),
        answer(owner, "c", 1, Status.WAIVED, waiver=WAIVED),
        answer(owner, "d", 1, Status.NOT_APPLICABLE),
        answer(history, "a", 1, Status.FAIL, evidence={"at": datetime(2026, 1, 1), "n": 2}),
        answer(history, "b", 1, Status.PREDATES_POLICY),
        errors=[(rule("broken", Severity.LOW), "no such column")],
    )


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_shape(everything):
    found = document(everything)
    assert list(found) == ["schema", "as_of", "ledger", "policy", "summary", "rules", "findings"]
    assert found["schema"] == "auditreg.check/1"
    assert found["as_of"] == "2026-11-22T09:12:00Z"
    assert all(list(finding) == FINDING_KEYS for finding in found["findings"])


def test_findings_are_the_open_waived_and_erroneous_worst_first(everything):
    found = document(everything)
    assert [(f["rule"], f["model"], f["status"]) for f in found["findings"]] == [
        ("promotion-approved", "a", "fail"),
        ("owner-recorded", "a", "not_evidenced"),
        ("owner-recorded", "c", "waived"),
    ]
    assert [r["id"] for r in found["rules"] if r["error"]] == ["broken"]


def test_all_holds_every_subject(everything):
    statuses = {f["status"] for f in document(everything, everything=True)["findings"]}
    assert statuses >= {"pass", "not_applicable", "predates_policy"}


def test_counts(everything):
    summary = document(everything)["summary"]
    assert summary["status"] == {
        "pass": 1,
        "fail": 1,
        "not_evidenced": 1,
        "not_applicable": 1,
        "waived": 1,
        "predates_policy": 1,
        "error": 0,
    }
    assert summary["severity"] == {"critical": 1, "high": 1, "medium": 0, "low": 0}


def test_one_finding(everything):
    found = {
        f["model"]: f for f in document(everything)["findings"] if f["rule"] == "owner-recorded"
    }
    assert found["a"]["id"] == "F-7"
    assert found["a"]["since"] == "2026-08-01T02:03:04Z"
    assert found["a"]["fix"] == "do it"
    assert found["c"]["id"] is None
    assert found["c"]["waiver"] == {
        "status": "accepted",
        "reason": "small book",
        "approver": "jane",
        "owner": None,
        "ticket": "T-1",
        "until": "2027-01-31",
    }


def test_key_is_stable():
    made = answer(rule(), "a", 1)
    again = answer(rule(), "a", 1, Status.FAIL, reason="other")
    assert made.key == again.key
    assert len(made.key) == 16


def test_hostile_text_is_inert_and_whole():
    reason = "\x1b[31m\u202e\x9b2J"
    shown = check_format("json").render(result(answer(rule(), reason=reason)), VIEW).decode()
    assert not {"\x1b", "\u202e", "\x9b"} & set(shown)
    assert json.loads(shown)["findings"][0]["reason"] == reason


def test_a_large_result_holds_only_findings():
    owner = rule()
    made = result(*(answer(owner, f"m{n}", 1, Status.PASS) for n in range(5000)))
    assert len(check_format("json").render(made, VIEW)) < 3000


@pytest.mark.parametrize("name", ["table", "csv", "markdown"])
def test_findings_as_a_table(everything, name):
    view = CheckView(ExitCode.FINDINGS, Severity.LOW, target=OutputTarget(300))
    shown = check_format(name).render(everything, view).decode()
    assert "owner-recorded" in shown
    assert "F-7" in shown


def test_large_as_json_is_valid():
    assert len(document(large(4, 5))["findings"]) == 20
