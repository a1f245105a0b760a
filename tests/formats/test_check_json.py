"""`auditreg.check/1`: frozen, and as its schema says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import jsonschema
import pytest

from auditreg.errors import ExitCode
from auditreg.formats import check_format
from auditreg.formats.check_json import json_schema
from auditreg.formats.interface import CheckView, OutputTarget
from auditreg.models import Grade, Repair, RuleResult, Severity, Status
from tests.formats.results import REJECTED, WAIVED, answer, large, result, rule

VIEW = CheckView(ExitCode.FINDINGS, Severity.LOW)
FINDING_KEYS = [
    "id", "key", "rule", "severity", "subject", "registry", "workspace", "model", "version",
    "status", "reason", "grade", "since", "first_reported", "condition_since", "carried_forward",
    "looked_for", "fix", "repair", "evidence", "waiver",
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
        answer(
            owner,
            "a",
            1,
            number=7,
            since=datetime(2026, 8, 1, 2, 3, 4),
            first_reported=datetime(2026, 5, 1),
            condition_since=datetime(2026, 4, 1),
            carried=True,
            fix="do it",
        ),
        answer(owner, "b", 1, Status.PASS, grade=Grade.ASSERTED),
        answer(owner, "c", 1, Status.WAIVED, waiver=WAIVED),
        answer(owner, "d", 1, Status.NOT_APPLICABLE),
        answer(owner, "e", 1, Status.UNDECIDED),
        answer(owner, "f", 1, Status.ANSWERED, waiver=REJECTED),
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
        ("owner-recorded", "f", "answered"),
    ]
    assert [r["id"] for r in found["rules"] if r["error"]] == ["broken"]


def test_all_holds_every_subject(everything):
    statuses = {f["status"] for f in document(everything, everything=True)["findings"]}
    assert statuses >= {"pass", "undecided", "not_applicable", "predates_policy"}


def test_counts(everything):
    summary = document(everything)["summary"]
    assert summary["status"] == {
        "pass": 1,
        "fail": 1,
        "not_evidenced": 1,
        "undecided": 1,
        "not_applicable": 1,
        "waived": 1,
        "answered": 1,
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
    assert found["a"]["first_reported"] == "2026-05-01T00:00:00Z"
    assert found["a"]["condition_since"] == "2026-04-01T00:00:00Z"
    assert found["a"]["carried_forward"] is True
    assert found["c"]["carried_forward"] is False
    assert found["a"]["fix"] == "do it"
    assert found["c"]["id"] is None
    assert found["c"]["waiver"] == {
        "status": "accepted",
        "reason": "small book",
        "approver": "jane",
        "owner": None,
        "ticket": "T-1",
        "until": "2027-01-31",
        "answered_by": None,
        "answered_on": None,
    }
    assert found["f"]["waiver"]["answered_by"] == "ann"
    assert found["f"]["waiver"]["answered_on"] == "2026-11-20"


def test_a_rule_says_what_it_was_not_asked_and_what_is_carried_forward():
    asked = replace(result(answer(rule())).rules[0], carried={Status.FAIL: 2, Status.WAIVED: 1})
    silent = RuleResult(rule("silent"), 3, 3, {Status.NOT_APPLICABLE: 3}, not_asked="No window.")
    found = document(result(answer(rule()), rules=(asked, silent)))
    first, second = found["rules"]
    assert (first["not_asked"], second["not_asked"]) == (None, "No window.")
    assert first["carried_forward"]["fail"] == 2
    assert sum(first["counts"].values()) == first["population"] == 1
    assert sum(second["carried_forward"].values()) == 0
    assert found["summary"]["status"]["fail"] == 2
    assert found["summary"]["status"]["not_evidenced"] == 1
    assert found["summary"]["status"]["waived"] == 1


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
