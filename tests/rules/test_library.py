"""Every rule of the library: its header, its cases, and that it is what a rule may be."""

from __future__ import annotations

import re
import statistics
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from auditreg.audit.testing.cases import empty_ledger, load_cases, run_cases
from auditreg.audit.testing.registry import Case, build
from auditreg.errors import UsageError
from auditreg.models import Extent, Repair, RuleInfo, Scope, Severity
from auditreg.rules.parse import builtin_rules
from auditreg.rules.validate import STATUSES, check_sql

if TYPE_CHECKING:
    import duckdb

CASES = Path(__file__).parent / "cases"
RULES = {rule.id: rule for rule in builtin_rules()}
CRITICAL = {
    "approval-precedes-live",
    "approver-recorded",
    "not-deleted-while-live",
    "running-version-approved",
}
SCREEN = 90
"""Lines of SQL that a rule has at most; its reader has to see it whole."""
USUAL = 40
"""Lines of SQL that half of the rules have at most."""
LONG: set[str] = set()
"""Rules that are longer, until they rest on a view of their own."""
REPEATED = 8
"""As many lines in two rules are a view or a macro that is missing."""

each_rule = pytest.mark.parametrize("rule", list(RULES.values()), ids=list(RULES))


@pytest.fixture(scope="module")
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_ledger() as connection:
        yield connection


def cases_of(rule: RuleInfo) -> tuple[Case, ...]:
    return load_cases(CASES / f"{rule.id}.toml")


def test_the_library() -> None:
    assert len(RULES) >= 70
    assert {rule.id for rule in RULES.values() if rule.severity is Severity.CRITICAL} == CRITICAL
    assert {path.stem for path in CASES.glob("*.toml")} == set(RULES)


def test_a_rule_fits_on_a_screen_and_repeats_no_other() -> None:
    lines = {rule.id: [line.strip() for line in rule.sql.splitlines()] for rule in RULES.values()}
    assert {rule for rule in lines if len(lines[rule]) > SCREEN} <= LONG
    assert statistics.median(map(len, lines.values())) <= USUAL
    assert max(len(line) for rule in RULES.values() for line in rule.sql.splitlines()) < 180
    found: dict[tuple[str, ...], str] = {}
    for rule, text in lines.items():
        for number in range(len(text) - REPEATED + 1):
            run = tuple(text[number : number + REPEATED])
            assert found.setdefault(run, rule) == rule, f"{rule} repeats {found[run]}: {run[0]}"


@each_rule
def test_a_finding_has_a_title_of_its_own_and_names_the_rule_that_covers_it(rule: RuleInfo) -> None:
    if rule.id not in LONG:
        assert rule.finding not in {"", rule.title}
    if rule.covered_by is not None:
        assert rule.covered_by in RULES
        assert "'not_applicable'" in rule.sql
    named = set(re.findall(r": see ([a-z-]+)", rule.sql))
    assert named <= set(RULES) - {rule.id}
    assert rule.covered_by is None or rule.covered_by in named


HISTORY = {"changes", "captures", "capture_gaps", "promotions", "deployments", "file_changes"}
REGISTRY = {"permissions", "principals"}
"""Relations that a registry alone does not fill, and those about more than a model."""


@each_rule
def test_a_rule_that_reads_more_than_a_model_says_so(rule: RuleInfo) -> None:
    read = set(re.findall(r"\b(?:from|join)\s+(\w+)", rule.sql))
    if read & HISTORY or rule.scope is Scope.PROMOTION:
        assert rule.reads is Extent.HISTORY
    elif read & REGISTRY or rule.scope is Scope.LEDGER:
        assert rule.reads is not Extent.MODEL


@each_rule
def test_a_rule_is_one_that_auditreg_would_take_from_anybody(rule: RuleInfo) -> None:
    check_sql(rule.sql, rule.id)
    assert "->" not in rule.sql, "lambda arrows are not understood by every DuckDB from 1.1 on"
    for text in (rule.looks_for, rule.rationale, rule.remediation):
        assert text.endswith((".", ")", "?"))
        assert len(text) > 40
    assert len(rule.title) < 70
    assert not rule.title.endswith(".")
    if rule.scope is Scope.PROMOTION and rule.id != "not-rolled-back-early":
        assert rule.repair is Repair.HISTORY


@each_rule
def test_cases(rule: RuleInfo, ledger: duckdb.DuckDBPyConnection) -> None:
    outcomes = run_cases(rule, cases_of(rule), ledger)
    problems = {o.case.name: o.problems for o in outcomes if not o.passed}
    assert not problems


@each_rule
def test_every_status_a_rule_can_give_has_a_case(rule: RuleInfo) -> None:
    can = set(re.findall(rf"'({'|'.join(STATUSES)})'", rule.sql))
    if "field_status(" in rule.sql:
        can |= {"pass", "undecided", "not_evidenced"}
    shown = {status for case in cases_of(rule) for status in case.expect.values()}
    assert can == shown
    assert {"pass"} < shown


@each_rule
def test_cases_have_an_empty_registry_and_names_of_their_own(rule: RuleInfo) -> None:
    cases = cases_of(rule)
    # the ledger itself is there even where the registry is empty
    assert any(not case.models and case.expect.keys() <= {"ledger"} for case in cases)
    assert len({case.name for case in cases}) == len(cases) >= 4


@each_rule
def test_hostile_names_pass_through(rule: RuleInfo, ledger: duckdb.DuckDBPyConnection) -> None:
    name = "a'b\"</td>\n\x00$%{x}"
    case = msgspec.convert(
        {
            "name": "hostile",
            "models": {
                name: {
                    "tags": {name: name, "Owner Team": name, "approver": name, "tier": name},
                    "aliases": {"champion": 1},
                    "description": name,
                    "versions": {
                        "1": {
                            "run": "r1",
                            "files": {"signature_inputs": name, "problem": name, "flavors": name},
                            "tags": {"approved_at": name, "developer": name},
                        },
                        "2": {"stage": "Archived", "run": name},
                        "3": {"run": name},
                    },
                }
            },
            "runs": {
                "r1": {
                    "user": name,
                    "tags": {"mlflow.source.git.commit": name, "mlflow.source.git.dirty": name},
                    "datasets": [{"name": name, "digest": name, "context": name}],
                }
            },
            "promotions": [{"version": f"{name}/{number}"} for number in (1, 2, 3)],
        },
        Case,
    )
    [outcome] = run_cases(rule, [case], ledger)
    assert outcome.answers, outcome.problems
    # Nothing was expected, so every problem has to be an answer that was given.
    assert all("expected none" in problem for problem in outcome.problems)


DECLARED = """
name = "people"
people.jane = { name = "Jane Smith", accounts = ["jsmith"], roles = ["approver"], until = 2026-06-30 }
people.bob = {}
people.ci = { service = true }
bodies.mrc = { accounts = ["the committee"], members = ["jane"], secretary = "bob", roles = ["committee"] }
authorities = [{ role = "committee", may = ["approve"], ratings = ["high"] }]
models.motor.versions.1.tags."gov.approval.by" = { value = "MRC", at = 2026-08-09T00:00:00, actor = "bob" }
models.motor.versions.2.tags."gov.approval.by" = { value = "MRC", at = 2026-08-09T00:00:00, actor = "bob", actor_from = "program" }
"""


def test_cases_declare_people_bodies_and_authorities(ledger: duckdb.DuckDBPyConnection) -> None:
    ledger.execute("begin")
    build(ledger, msgspec.convert(tomllib.loads(DECLARED), Case))
    asked = (
        "select in_office('Jane Smith', date '2026-07-01'), holds_role('jsmith', 'approver', date "
        "'2026-06-30'), party_kind('ci'), may_act('the committee', 'approve', 'high', date "
        "'2026-07-01'), may_act('bob', 'approve', 'high', date '2026-07-01')"
    )
    assert ledger.execute(asked).fetchall() == [(False, True, "service", True, False)]
    grades = "select version, grade, actor_from from fields where field = 'approver' order by all"
    assert ledger.execute(grades).fetchall() == [
        (1, "captured", "basic-auth"),
        (2, "asserted", "program"),
    ]
    ledger.execute("rollback")


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"promotions": [{"version": "motor/7"}]}, "refers to 'motor/7'"),
        ({"bodies": {"mrc": {"members": ["ann"]}}}, "refers to 'ann'"),
        ({"models": {"motor": {"versions": {"first": {}}}}}, "invalid literal"),
        ({"changed": [{"table": "runs", "set": {"nothing": 1}, "where": "true"}]}, "nothing"),
        ({"settings": {"policy_effective": date(2026, 1, 1)}}, "date"),
    ],
)
def test_a_case_that_cannot_be_built_is_named(
    ledger: duckdb.DuckDBPyConnection, parts: dict[str, object], problem: str
) -> None:
    case = msgspec.convert({"name": "mine", **parts}, Case)
    with pytest.raises(UsageError, match=rf"^Case 'mine' cannot be built: .*{problem}"):
        run_cases(RULES["owner-recorded"], [case], ledger)


def test_a_case_that_is_wrong_says_so(ledger: duckdb.DuckDBPyConnection) -> None:
    rule = RULES["owner-recorded"]
    case = Case("wrong", expect={"motor/7": "pass"}, reasons={"motor/7": "nothing"})
    [outcome] = run_cases(rule, [case], ledger)
    assert not outcome.passed
    assert outcome.problems[0] == "motor/7: no answer, expected pass"


@pytest.mark.parametrize(("value", "left"), [("TBD", True), ("{tags_looked_for}", False)])
def test_a_reason_that_names_no_column_is_a_problem(
    ledger: duckdb.DuckDBPyConnection, value: str, left: bool
) -> None:
    asked = "Looked for {tags_looked_for}" if left else value
    sql = f"select subject, 'pass' as status, '{asked}' as reason from population_live_version"
    rule = replace(RULES["owner-recorded"], sql=sql)
    part = {"models": {"motor": {"versions": {"7": {"tags": {"owner": value}}}}}}
    case = msgspec.convert({"name": "mine", **part, "expect": {"motor/7": "pass"}}, Case)
    [outcome] = run_cases(rule, [case], ledger)
    named = "motor/7: the reason names {tags_looked_for}, which is no column that the rule returns"
    assert [problem.startswith(named) for problem in outcome.problems] == [True] * left


@pytest.mark.parametrize("reason", ["null", "''"])
def test_a_rule_without_a_reason_is_a_problem_of_its_case(
    ledger: duckdb.DuckDBPyConnection, reason: str
) -> None:
    sql = f"select subject, 'pass' as status, {reason} as reason from population_live_version"
    rule = replace(RULES["owner-recorded"], sql=sql)
    part = {"models": {"motor": {"versions": {"7": {}}}}, "expect": {"motor/7": "pass"}}
    [outcome] = run_cases(rule, [msgspec.convert({"name": "mine", **part}, Case)], ledger)
    assert len(outcome.problems) == 1
    assert "reason" in outcome.problems[0]
