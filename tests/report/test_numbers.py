"""The numbers of a report agree with the ledger's tables, each counted by another query."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from auditreg.config import load_config, parse_config
from auditreg.errors import ExitCode, NothingToAudit
from auditreg.fields import FIELDS
from auditreg.formats import check_format
from auditreg.formats.interface import CheckView
from auditreg.ledger.store import Ledger
from auditreg.models import Severity, Status, worst_first
from auditreg.report import build_report
from auditreg.report.dossiers import ARISING
from auditreg.workflows.check import CheckOptions, run_check
from auditreg.workflows.policy import PolicySet
from tests.report import firm

AS_OF = "timestamp '2026-09-30 23:00:00'"
START = "timestamp '2026-06-30 23:00:00'"
CONFIG = parse_config(firm.CONFIG, Path("auditreg.toml"))


def scalar(connection, sql):
    return connection.execute(sql).fetchone()[0]


def value(report, name):
    return next(number.value for number in report.numbers if number.id == name)


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("in_use", f"select count(distinct model_subject) from live_versions_as_of({AS_OF})"),
        (
            "high_risk",
            (
                f"select count(distinct l.model) from live_versions_as_of({AS_OF}) l "
                f"join registered_model_tags_as_of({AS_OF}) t using (model_subject) "
                "where t.key = 'gov.risk.rating' and t.value = 'high'"
            ),
        ),
        (
            "new",
            (
                f"select count(*) from registered_models_as_of({AS_OF}) "
                f"where created_at >= {START} and created_at < {AS_OF}"
            ),
        ),
        (
            "retired",
            (
                f"select count(distinct model_subject) from live_versions_as_of({START}) where "
                f"model_subject not in (select model_subject from live_versions_as_of({AS_OF}))"
            ),
        ),
        (
            "promoted",
            (
                f"select count(*) from promotions_as_of({AS_OF}) where live_not_before < {AS_OF} "
                f"and live_not_after > {START}"
            ),
        ),
        ("deleted", f"select count(*) from model_versions_as_of({AS_OF}) where deleted"),
        (
            "uncertain",
            (
                f"select count(*) from inventory_as_of({AS_OF}) where version is not null "
                "and (uncertain_fields is not null or certainty in ('uncertain', 'unknown'))"
            ),
        ),
    ],
)
def test_a_number_of_the_summary_is_what_the_ledger_says(made, name, sql):
    connection, _, report = made
    assert value(report, name) == scalar(connection, sql)


def test_the_numbers_of_findings_are_those_of_the_check(made):
    connection, check, report = made
    is_open = [a for a in check.every if a.status in (Status.FAIL, Status.NOT_EVIDENCED)]
    assert value(report, "open") == len(is_open) > 0
    keys = ", ".join(f"'{answer.key}'" for answer in is_open)
    old = (
        f"select count(*) from findings where since < {AS_OF} - interval 90 day and key in ({keys})"
    )
    assert value(report, "old") == scalar(connection, old) > 0
    waived = [a for a in check.every if a.status is Status.WAIVED]
    assert value(report, "accepted") == len(waived) > 0
    assert value(report, "not_judged") == 0


def test_every_open_finding_is_under_its_rule_and_its_model(report, made):
    _, check, _ = made
    expected = sorted(a.key for a in check.open)
    assert sorted(a.key for row in report.rules for a in row.findings) == expected
    of_models = sorted(a.key for a in check.open if a.subject.model)
    assert sorted(a.key for d in report.dossiers for a in d.findings) == of_models
    assert sum(sum(row.counts.values()) for row in report.by_model) == len(expected)
    assert report.open_findings == len(expected)


@pytest.mark.integration
def test_findings_have_one_order_in_every_output(own_ledger):
    ledger, config = Ledger(own_ledger / "audit.duckdb"), load_config(own_ledger / "auditreg.toml")
    policy = PolicySet.load(config)
    judged = run_check(ledger, policy, CheckOptions(everything=True)).result
    read_back = run_check(ledger, policy, CheckOptions()).result
    keys = [answer.key for answer in judged.every]
    assert list(judged.every) == sorted(judged.every, key=worst_first)
    assert {answer.status for answer in judged.every} >= {
        *(Status.PASS, Status.FAIL, Status.NOT_EVIDENCED, Status.NOT_APPLICABLE, Status.WAIVED),
    }

    def in_order(listed):
        wanted = set(listed)
        return [key for key in keys if key in wanted]

    view = CheckView(ExitCode.FINDINGS, Severity.LOW, everything=True)
    document = json.loads(check_format("json").render(judged, view))
    listed = [[finding["key"] for finding in document["findings"]]]
    listed += [[answer.key for answer in result.answers] for result in (judged, read_back)]
    with ledger.reader() as connection:
        report = build_report(connection, judged, [], config, config.period("2026-Q3"))
    groups = [row.findings for row in report.rules] + [d.findings for d in report.dossiers]
    assert max(len({finding.severity for finding in group}) for group in groups) > 1
    listed += [[finding.key for finding in group] for group in groups]
    assert listed[0] == keys
    for shown in listed:
        assert shown == in_order(shown)
    text = check_format("text").render(judged, view).decode()
    text = text[text.index("approval-set-by-approver") :]
    places = [
        text.index(f"{answer.subject.label}: {answer.status.words}")
        for answer in judged.every
        if answer.rule.id == "approval-set-by-approver"
    ]
    assert places == sorted(places)
    assert len(places) > 3


def test_what_is_set_aside_is_shown_and_not_counted_as_open(report):
    assert {a.status for a in report.set_aside} == {Status.WAIVED}
    untold = [answer for group in report.left_open for answer in group.answers]
    assert untold
    assert {a.status for a in untold} == {Status.UNDECIDED}
    assert sorted(a.key for d in report.dossiers for a in d.set_aside) == sorted(
        a.key for a in (*report.set_aside, *untold) if a.subject.model
    )


def test_the_headline_counts_the_approvals_that_hold(recorded):
    report = recorded.report
    # The firm lists nobody, so nobody can be told from the developer: no approval is said to hold.
    verdicts = Counter(row.approval.verdict for row in report.promotions)
    assert verdicts["unidentified"] > 0
    assert value(report, "approved") == verdicts["holds"] == 0
    number = next(n for n in report.numbers if n.id == "approved")
    assert f"{verdicts['unidentified']} by nobody who is listed" in number.detail


def test_every_model_is_in_the_inventory_once_and_has_a_dossier(report):
    subjects = [row.subject for row in report.inventory + report.not_in_use]
    assert len(subjects) == len(set(subjects)) == 8
    assert sorted(d.row.subject for d in report.dossiers) == sorted(subjects)
    slugs = [d.slug for d in report.dossiers]
    assert len(slugs) == len(set(slugs))


def test_every_question_gives_the_rows_the_report_says(made):
    connection, _, report = made
    for query in report.queries:
        assert len(connection.execute(query.sql).fetchall()) == query.rows, query.name


@pytest.mark.integration
def test_a_ledger_that_starts_inside_the_period_says_first_report(made):
    connection, check, _ = made
    report = build_report(connection, check, [], CONFIG, CONFIG.period("2026-01-01..2026-09-30"))
    assert any("First report" in text for text in report.notices)
    assert value(report, "retired") is None


def test_a_registration_is_one_change_with_the_tags_it_came_with(report):
    changes = {group.title: group for group in report.changes}
    registered = [
        change
        for row in changes["Models and versions registered or removed"].rows
        for change in row.changes
    ]
    assert any(noun == "tag" for change in registered for noun, _ in change.together)
    rows = [(change.subject, change.item) for change in registered]
    assert len(rows) == len(set(rows))
    for group in changes.values():
        assert group.total == sum(row.count for row in group.rows) + group.more
    fields = [change for row in changes["Governance fields"].rows for change in row.changes]
    owner = [change for change in fields if change.item == "gov.owner"]
    assert [(c.before, c.after) for c in owner] == [("Tom Ellery", "Asha Verma")]


def test_all_44_fields_are_in_a_version_s_sheet(report):
    for dossier in report.dossiers:
        for sheet in dossier.sheets:
            shown = sum(len(group.entries) + len(group.missing) for group in sheet.groups)
            arising = sum(entry.id in ARISING for group in sheet.groups for entry in group.entries)
            assert shown - arising == len(FIELDS) - len(ARISING) >= 44


@pytest.mark.integration
def test_nothing_to_report_on_is_said(made):
    connection, check, _ = made
    early = replace(check, as_of=datetime(2020, 1, 1))
    with pytest.raises(NothingToAudit, match="no registered model"):
        build_report(connection, early, [], CONFIG, CONFIG.period("2019"))
