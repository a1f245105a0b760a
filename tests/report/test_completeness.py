"""The account of a reading: sentences, numbers, and which reading is spoken of."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from conftest import make_report
from small_ledger import COUNTS, READINGS, Doubtful, Ledger

from auditreg.formats.report.html import HtmlFormat
from auditreg.report.completeness import PARTS, _account
from auditreg.sources.interface import STAGING

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
    ("source", "counts", "said"),
    [
        ("mysql", "[1042, 1042]", "The database counted 1,042 versions; 1,042 were read."),
        ("rest", "[1, 1]", "The server counted 1 version; 1 was read."),
        ("rest", "[null, 1042]", "The server gives no count of its own; 1,042 versions were read."),
        ("rest", "[null, 1]", "The server gives no count of its own; 1 version was read."),
        ("rest", "[3, null]", "How many versions were read is not recorded."),
    ],
)
def test_the_first_sentence(source, counts, said):
    row = {**ROW, "source": source, "counts": f'{{"model_versions": {counts}}}'}
    assert _account(row).lead == said


def test_what_was_asked_for_and_left_out_is_in_words():
    account = _account(ROW)
    assert account.asked == (
        "the whole registry",
        "every training run",
        "a hash of every file of a model",
        "prompts: no",
    )
    assert account.left_out == ("1,200 runs no version points to",)
    assert account.cannot_show == ("Who changed what.",)


@pytest.mark.parametrize(
    ("workspaces", "said"),
    [("all", "the whole registry"), ("only pricing", "workspaces only pricing")],
)
def test_a_registry_read_in_part_is_never_the_whole(workspaces, said):
    asked = f'{{"runs": "linked", "workspaces": "{workspaces}"}}'
    assert _account({**ROW, "asked": asked}).asked[0] == said


@pytest.mark.parametrize(
    ("source", "passes", "said"),
    [
        ("sqlite", 1, "once, in one snapshot of the database"),
        ("rest", 1, "once"),
        ("rest", 3, "3 times, until two readings agreed"),
        ("rest", None, "how often is not recorded"),
    ],
)
def test_how_often_it_was_read(source, passes, said):
    assert _account({**ROW, "source": source, "passes": passes}).passes == said


def test_an_older_ledger_that_recorded_less_claims_nothing():
    account = _account({**ROW, "counts": None, "asked": None, "gaps": None, "left_out": None})
    assert (account.parts, account.asked, account.gaps, account.left_out) == ((), (), None, ())


def test_every_table_of_a_source_has_its_words():
    assert set(STAGING) <= set(PARTS)


def test_the_numbers_are_those_of_the_ledger(made):
    _, _, report = made
    (account,) = report.accounts
    assert {part.name: (part.counted, part.read) for part in account.parts} == {
        PARTS[table][1]: tuple(pair) for table, pair in COUNTS.items()
    }
    assert account.none_of == ("tags of versions",)
    assert (account.gaps, account.tombstones) == (3, 2)
    assert not report.identity.incomplete
    assert all(dossier.reading == account for dossier in report.dossiers)


class Later(Ledger):
    """A ledger with one reading more, after the moment of the report."""

    complete = False

    def close(self):
        self.reading(READINGS[-1] + timedelta(days=1), complete=self.complete, doubts=["cut off"])


class LaterComplete(Later):
    complete = True


def test_an_incomplete_reading_after_the_moment_counts_where_none_complete_followed():
    report = make_report(kind=Later)[2]
    (account,) = report.accounts
    assert (account.complete, account.later) == (False, True)
    assert report.identity.incomplete == ("default",)
    assert "was incomplete: cut off." in report.notices[0]
    page = HtmlFormat().render(report)["report.html"].decode()
    assert "made after the state this report shows" in page


def test_a_complete_reading_after_the_moment_says_nothing_of_that_moment():
    report = make_report(kind=LaterComplete)[2]
    (account,) = report.accounts
    assert account.observed_at == READINGS[-1]
    assert not account.later


def test_an_incomplete_reading_is_on_every_page_and_its_doubt_is_inert():
    report = make_report(kind=Doubtful)[2]
    for name, content in HtmlFormat().render(report).items():
        page = content.decode()
        assert "LAST READING INCOMPLETE" in page, name
        assert page.count('class="alarm"') >= 1
        assert "<b>x</b>" not in page
        assert "\u202e" not in page
    page = HtmlFormat().render(report)["report.html"].decode()
    section = page[page.index('id="completeness"') : page.index('id="cannot-show"')]
    assert "no count of its own" in section
    assert "cannot be compared" in section
    assert re.search(r'class="chip critical">incomplete<', section)
