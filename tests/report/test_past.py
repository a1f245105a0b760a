"""A report of a past period names the reading it rests on, and what MLflow's own times tell."""

from __future__ import annotations

import json
import re
from datetime import datetime
from html import unescape

import pytest

from auditreg.formats.report.html import HtmlFormat
from auditreg.queries.reader import Reader
from auditreg.queries.records import Interval
from auditreg.report import provenance
from tests.cli.running import run
from tests.report.conftest import reported_anew
from tests.report.firm import MUCH_LATER, NAMES, READINGS, Story

READ = "2026-11-28 21:33"


@pytest.fixture(scope="module")
def report(read_once):
    return read_once.report


@pytest.fixture(scope="module")
def page(report):
    content = HtmlFormat().render(report)["report.html"].decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content)).split())


def value(report, name):
    return next(number for number in report.numbers if number.id == name)


def test_the_reading_is_named_wherever_readings_are_told(report, page):
    (account,) = report.accounts
    assert (account.observed_at, account.complete, account.later) == (MUCH_LATER, True, True)
    [notice] = report.notices
    assert notice == (
        f"No reading lies in the period or before it. Shown is what the reading of {READ} and "
        "MLflow's own times tell: what was removed, or changed, before that reading may be missing "
        "or shown as it was found then."
    )
    assert f"Reading shown complete, {READ} , after the state shown" in page
    assert f"Registry first read after it, {READ} , complete" in page
    assert "no reading lies before it" in page
    assert f"Registry default, read {READ} complete" in page
    assert "no reading came before that" in page
    assert f"The reading this report rests on: {READ} , made after the state it shows" in page
    assert "No reading" not in page.replace("No reading lies in the period", "")
    (extraction,) = report.extractions
    assert (extraction.observed_at, extraction.later) == (MUCH_LATER, True)
    assert all(dossier.reading == account for dossier in report.dossiers)
    for content in HtmlFormat().render(report).values():
        assert "No reading of the registry is recorded" not in content.decode()


def test_what_mlflow_s_own_times_date_into_the_period_is_a_change(report, made):
    rows = [row for group in report.changes for row in group.rows]
    assert {row.known for row in rows} == {"MLflow's own time", "MLflow's own times"}
    assert all(change.first_seen for row in rows for change in row.changes)
    staged = next(row for row in rows if row.first.after == "Production")
    assert (staged.first.model, staged.first.version) == (NAMES[3], 2)
    assert staged.when == Interval(datetime(2026, 9, 18, 10, 55), datetime(2026, 9, 25, 13, 55))
    assert value(report, "changed").value == sum(group.total for group in report.changes) == 20
    assert value(report, "changed").detail == "none seen to happen, all dated by MLflow"
    title = "Models and versions registered or removed"

    def registered(report):
        group = next(group for group in report.changes if group.title == title)
        return [
            (change.model, change.version, row.when)
            for row in group.rows
            for change in row.changes
            if change.after == "present"
        ]

    assert registered(report) == registered(made.report)


def test_the_command_changes_lists_the_same(ledgers, report, monkeypatch):
    monkeypatch.chdir(ledgers("once", Story(once=True)))
    done = run("changes", "--period", "2026-Q3", "--format", "json")
    listed = json.loads(done.stdout)
    listed = listed["rows"] if isinstance(listed, dict) else listed
    assert len(listed) == value(report, "changed").value
    assert all(row["changed_not_after"] < MUCH_LATER.isoformat() for row in listed)


def test_what_one_reading_showed_was_not_seen_between_two(report):
    known = {(row.model, row.version): (row.known, row.lasts) for row in report.promotions}
    assert known[NAMES[3], 2] == ("MLflow's own times", "in use")
    assert known[NAMES[0], 4] == ("seen by the first reading", "possibly in use")
    assert "seen between readings" not in {words for words, _ in known.values()}


def test_what_is_possibly_in_use_is_not_counted_as_certain(report, page, read_once):
    certain = read_once.connection.execute(
        "select count(distinct model_subject) from live_versions_as_of(?) "
        "where certainty not in ('uncertain', 'unknown')",
        [report.identity.as_of],
    ).fetchone()[0]
    assert (value(report, "in_use").value, certain) == (6, 1)
    assert value(report, "in_use").detail == "of 8 registered, 5 of them possibly"
    assert "5 of them possibly" in page


@pytest.mark.integration
def test_a_period_after_the_last_reading_names_that_one(made, plain_ledger):
    report = reported_anew(made.connection, made, "2026-Q4", plain_ledger)
    (account,) = report.accounts
    assert (account.observed_at, account.later) == (READINGS[-1], False)
    assert report.notices[0].startswith(
        "No reading lies in the period. The registry was last read 2026-09-30 23:55, and not again"
    )


def test_a_period_between_two_readings_rests_on_the_earlier(made):
    source = provenance.read(
        Reader(made.connection, datetime(2026, 7, 31, 23)), made.check, "", draft=True
    )
    (account,) = source.accounts
    assert (account.observed_at, account.later) == (READINGS[0], False)
    assert [reading.observed_at for reading in source.extractions] == [READINGS[0]]
