"""The account of a reading: sentences, numbers, and which reading is spoken of."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from auditreg.formats.report.html import HtmlFormat
from auditreg.ledger.store import Ledger
from auditreg.queries.reader import Reader
from auditreg.report import provenance
from auditreg.report.provenance import ROWS, _account
from auditreg.sources.interface import STAGING
from tests.report.conftest import reported_anew
from tests.report.firm import DOUBT, READINGS, Firm, Story, take

ROW = {
    "seq": 9,
    "registry": "r",
    "source": "postgresql",
    "observed_at": READINGS[0],
    "complete": True,
    "later": False,
    "doubts": "[]",
    "counts": '{"model_versions": [1042, 1042]}',
    "left_out": '{"runs no version points to": 1200}',
    "cannot_show": '["who changed what"]',
    "passes": 1,
    "asked": '{"runs": "all", "manifest": "yes", "prompts": "no"}',
    "gaps": 0,
    "tombstones": 0,
}


@pytest.mark.parametrize(
    ("source", "counts", "expected"),
    [
        ("mysql", "[1042, 1042]", "The database counted 1,042 versions; 1,042 were read."),
        ("rest", "[1, 1]", "The server counted 1 version; 1 was read."),
        ("rest", "[null, 1042]", "The server gives no count of its own; 1,042 versions were read."),
        ("rest", "[null, 1]", "The server gives no count of its own; 1 version was read."),
        ("rest", "[3, null]", "How many versions were read is not recorded."),
    ],
)
def test_the_first_sentence(source, counts, expected):
    row = {**ROW, "source": source, "counts": f'{{"model_versions": {counts}}}'}
    assert _account(row).lead == expected


def test_what_was_asked_for_and_left_out_is_in_words():
    account = _account(ROW)
    assert account.requested == (
        "the whole registry",
        "every training run",
        "a hash of every file of a model",
        "prompts: no",
    )
    assert account.left_out == ("1,200 runs no version points to",)
    assert account.cannot_show == ("Who changed what.",)


@pytest.mark.parametrize(
    ("workspaces", "expected"),
    [("all", "the whole registry"), ("only pricing", "workspaces only pricing")],
)
def test_a_registry_read_in_part_is_never_the_whole(workspaces, expected):
    asked = f'{{"runs": "linked", "workspaces": "{workspaces}"}}'
    assert _account({**ROW, "asked": asked}).requested[0] == expected


@pytest.mark.parametrize(
    ("source", "passes", "expected"),
    [
        ("sqlite", 1, "once, in one snapshot of the database"),
        ("rest", 1, "once"),
        ("rest", 3, "3 times, until two readings agreed"),
        ("rest", None, "how often is not recorded"),
    ],
)
def test_how_often_it_was_read(source, passes, expected):
    assert _account({**ROW, "source": source, "passes": passes}).passes == expected


def test_an_older_ledger_that_recorded_less_claims_nothing():
    account = _account({**ROW, "counts": None, "asked": None, "gaps": None, "left_out": None})
    assert (account.parts, account.requested, account.gaps, account.left_out) == ((), (), None, ())


def test_every_table_of_a_source_has_its_words():
    assert set(STAGING) <= set(ROWS)


def read_again(folder, *doubts, after=timedelta(0)):
    """Let a reading of the firm follow, at its last moment or later."""
    registry = Firm(Story())
    registry.play(lambda at: registry.wait(1))
    registry.clock += after // timedelta(milliseconds=1)
    take(Ledger(folder / "audit.duckdb"), registry, doubts)


@pytest.mark.integration
def test_the_numbers_are_those_of_the_ledger(made):
    connection, _, report = made
    (account,) = report.accounts
    counts, gaps, tombstones = connection.execute(
        "select counts, gaps, tombstones from extractions order by observed_at desc limit 1"
    ).fetchone()
    assert {part.name: (part.counted, part.read) for part in account.parts} == {
        ROWS[table]: tuple(pair) for table, pair in json.loads(counts).items()
    }
    assert {part.name: part.read for part in account.parts}["versions"] == 25
    assert "users" in account.none_of
    assert (account.gaps, account.tombstones) == (gaps, tombstones)
    assert not report.identity.incomplete
    assert all(dossier.reading == account for dossier in report.dossiers)


def report_on(folder, made):
    with Ledger(folder / "audit.duckdb").reader() as connection:
        return reported_anew(connection, made, "2026-Q3", folder)


def test_a_complete_reading_after_the_moment_says_nothing_of_that_moment(own_ledger, made):
    read_again(own_ledger, after=timedelta(days=1))
    with Ledger(own_ledger / "audit.duckdb").reader() as connection:
        source = provenance.read(Reader(connection, made.check.as_of), made.check, "", draft=True)
    (account,) = source.accounts
    assert (account.observed_at, account.later) == (READINGS[-1], False)


@pytest.mark.integration
def test_an_incomplete_one_counts_where_no_complete_one_followed(own_ledger, made):
    read_again(own_ledger, "cut off", after=timedelta(days=1))
    report = report_on(own_ledger, made)
    (account,) = report.accounts
    assert (account.complete, account.later) == (False, True)
    assert report.identity.incomplete == ("default",)
    assert "was incomplete: cut off." in report.notices[0]
    page = HtmlFormat().render(report)["report.html"].decode()
    assert "made after the state this report shows" in page


@pytest.mark.integration
def test_an_incomplete_reading_is_on_every_page_and_its_doubt_is_inert(own_ledger, made):
    read_again(own_ledger, DOUBT, after=timedelta(minutes=1))
    report = report_on(own_ledger, made)
    assert not report.accounts[0].later
    files = HtmlFormat().render(report)
    for name, content in files.items():
        page = content.decode()
        assert "LAST READING INCOMPLETE" in page, name
        assert page.count('class="alarm"') >= 1
        assert "<b>x</b>" not in page
        assert "\u202e" not in page
    page = files["report.html"].decode()
    section = page[page.index('id="completeness"') : page.index('id="cannot-show"')]
    assert re.search(r'class="chip critical">incomplete<', section)
