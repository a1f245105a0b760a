"""People in a report: by name, by role, by initials."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from auditreg.config import parse_config
from auditreg.errors import ConfigError
from auditreg.formats.report.html import HtmlFormat
from auditreg.models import Finding, Repair, RuleInfo, Scope, Severity, Status
from auditreg.report.people import UNLISTED, with_people

FILE = Path("auditreg.toml")
LISTED = """
[[people]]
id = "isolberg"
name = "Ingrid Solberg"
accounts = ["ingrid.solberg", "Solberg, Ingrid"]
roles = ["approver"]
[[people]]
id = "hmarsh"
name = "Helen Marsh"
roles = ["owner"]
until = 2026-06-30
[[people]]
id = "hmarsh"
name = "Helen Marsh"
roles = ["approver"]
from = 2026-07-01
[[people]]
id = "tellery"
name = "Tom Ellery"
[[people]]
id = "ci"
name = "Build pipeline"
service = true
[[bodies]]
id = "mrc"
name = "Model Risk Committee"
members = ["isolberg"]
"""
RULE = RuleInfo(
    *("approver-known", "The approver of Ingrid Solberg", Severity.HIGH, Scope.LIVE_VERSION, Repair.TAG),
    *("looked for", "why", "Ask Ingrid Solberg", "select 1", "text"),
)  # fmt: skip


def settings(people: str, more: str = LISTED):
    return parse_config(f'[report]\npeople = "{people}"\n{more}', FILE)


def nobody(spellings):
    return {spelling for spelling in spellings if spelling == "TBD"}


@pytest.fixture
def shown(report):
    """What becomes of one finding's reason and evidence."""
    subject = next(finding.subject for rule in report.rules for finding in rule.findings)

    def show(people, reason, **evidence):
        finding = Finding(RULE, subject, Status.FAIL, reason, evidence=evidence)
        nothing = dict.fromkeys(
            (
                "dossiers",
                "inventory",
                "not_in_use",
                "promotions",
                "changes",
                "set_aside",
                "left_open",
                "waivers",
            ),
            (),
        )
        rules = (replace(report.rules[0], findings=(finding,)),)
        holding = replace(report, rules=rules, **nothing)
        [done] = with_people(holding, settings(people), nobody).rules[0].findings
        assert (done.rule, done.subject, done.key) == (RULE, subject, finding.key)
        return done.reason, dict(done.evidence)

    return show


def test_names_are_shown_where_nothing_else_is_wanted(report):
    assert with_people(report, settings("names"), nobody) is report


def test_roles_tell_apart_who_holds_the_same(shown):
    reason, evidence = shown(
        "roles",
        "m/1 was approved by 'Solberg, Ingrid' and entered by helen marsh; set by ingrid.solberg.",
        approver="Ingrid Solberg",
        version="1",
    )
    assert (
        reason == "m/1 was approved by 'approver 1' and entered by approver 2; set by approver 1."
    )
    assert evidence == {"approver": "approver 1", "version": "1"}


def test_who_holds_no_role_has_initials_and_who_is_not_listed_neither(shown):
    reason, _ = shown(
        "roles", "tellery and dokafor, and jdoe", developer="dokafor", approver="jdoe"
    )
    assert reason == f"T. E. and {UNLISTED} 1, and {UNLISTED} 2"


def test_initials_are_those_of_a_name_however_it_is_written(shown):
    reason, evidence = shown(
        "initials",
        "Ingrid Solberg, isolberg, Ann Other",
        approver="Ann Other",
        set_by="Other, Ann",
        validator_person="ben.other@firm.example",
    )
    assert reason == "I. S., I. S., A. O. 1"
    assert evidence["set_by"] == "A. O. 2"
    assert evidence["validator_person"] == "B. O."


def test_a_list_of_several_is_taken_apart(shown):
    _, evidence = shown("roles", "d", developers="Solberg, Ingrid, dokafor, Shah; Tom Ellery")
    assert evidence["developers"] == f"approver 1, {UNLISTED} 1, {UNLISTED} 2; T. E."


@pytest.mark.parametrize("kept", ["ci", "Build pipeline", "Model Risk Committee", "TBD"])
def test_bodies_service_accounts_and_placeholders_are_no_people(shown, kept):
    reason, evidence = shown("roles", f"by {kept}", approver=kept)
    assert (reason, evidence["approver"]) == (f"by {kept}", kept)


def test_letters_that_only_a_pattern_takes_for_the_same_end_no_report(shown):
    reason, _ = shown("roles", "by ilker aksoy", approver="\u0130lker Aksoy")
    assert "aksoy" not in reason


def test_fields_of_the_firm_s_own_hold_people_by_their_name(shown):
    reason, _ = shown("roles", "reviewed by bo", peer_reviewer="bo")
    assert reason == f"reviewed by {UNLISTED}"


def test_a_name_inside_another_word_is_no_name(shown):
    reason, _ = shown("roles", "isolberg-model, s3://b/xisolberg and Ingrid Solberg's")
    assert reason == "isolberg-model, s3://b/xisolberg and approver 1's"


NAMES = re.compile("Solberg|Osei|Marsh|Ellery|Nair|ingrid|okafor", re.IGNORECASE)


@pytest.mark.parametrize("people", ["roles", "initials"])
def test_no_page_has_a_name(recorded, people):
    before = recorded.report
    report = with_people(before, settings(people), nobody)
    report = replace(report, identity=replace(report.identity, people=people))
    for name, content in HtmlFormat().render(report).items():
        text = re.sub(r"<style>.*?</style>", "", content.decode(), flags=re.DOTALL)
        assert not NAMES.search(re.sub("<[^>]+>", " ", text)), name
    assert any(NAMES.search(page.decode()) for page in HtmlFormat().render(before).values())
    assert report.numbers == before.numbers
    assert report.queries == before.queries
    assert [row.model for row in report.inventory] == [row.model for row in before.inventory]
    assert report.frameworks == before.frameworks
    assert [f.key for rule in report.rules for f in rule.findings] == [
        f.key for rule in before.rules for f in rule.findings
    ]


def test_the_page_says_how_people_are_shown(report):
    def page(people):
        shown = replace(report, identity=replace(report.identity, people=people))
        return HtmlFormat().render(replace(shown, dossiers=()))["report.html"].decode()

    assert "People are shown by initials" in page("initials")
    assert "People are shown by role" in page("roles")
    assert "People are shown" not in page("names")


def test_the_day_decides_the_role(report):
    early = replace(report, identity=replace(report.identity, last_day=date(2026, 6, 1)))
    row = replace(report.inventory[0], fields={"owner": "Helen Marsh"})
    done = with_people(replace(early, inventory=(row,)), settings("roles"), nobody)
    assert done.inventory[0].fields == {"owner": "owner"}


def test_another_word_is_refused():
    with pytest.raises(ConfigError, match=r"report\.people"):
        settings("codes")
