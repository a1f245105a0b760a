from __future__ import annotations

from datetime import date, datetime

import pytest

from auditreg.queries.records import Interval
from auditreg.report.wording import (
    clip,
    day,
    end_of,
    grouped,
    interval,
    long_day,
    moment,
    slugs,
    visible,
)

A, B = datetime(2026, 7, 1, 2), datetime(2026, 7, 3, 14, 30)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a‹U+202E›b"),
        ("a\u200bb", "a‹U+200B›b"),
        ("bell\x07", "bell‹U+0007›"),
        ("two\nlines", "two‹U+000A›lines"),
        ("\ud800", "‹U+D800›"),
        ("Prämie Ω ж 料", "Prämie Ω ж 料"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, shown):
    assert visible(text) == shown


def test_lines_are_kept_where_asked():
    assert visible("a\r\nb\tc\x00", lines=True) == "a\nb c‹U+0000›"


def test_file_names_are_safe_and_tell_equal_looking_names_apart():
    names = ["../../etc/passwd", "CON", "motor", "Motor", "料", "a" * 400, "<script>", ".", ""]
    made = slugs((f"m-{index}", name) for index, name in enumerate(names))
    assert len(set(made.values())) == len(names)
    for slug in made.values():
        assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(slug) < 70
    assert made["m-1"].startswith("con-")  # never the reserved name itself


def test_equal_digests_are_told_apart(monkeypatch):
    made = slugs([("m-1", "x"), ("m-1", "x")])
    assert len(made) == 1


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (None, "not known"),
        (Interval(None, None), "not known"),
        (Interval(None, A), "by 2026-07-01 03:00"),
        (Interval(A, None), "after 2026-07-01 03:00"),
        (Interval(A, A), "2026-07-01 03:00"),
        (Interval(A, A.replace(hour=9)), "2026-07-01 03:00 to 10:00"),
        (Interval(A, B), "between 2026-07-01 03:00 and 2026-07-03 15:30"),
    ],
)
def test_an_interval_is_never_more_precise_than_the_record(when, shown):
    assert interval(when, "Europe/London") == shown


def test_moments_are_local():
    assert moment(A, "Europe/London") == "2026-07-01 03:00"
    assert day(datetime(2026, 6, 30, 23, 30), "Europe/London") == "2026-07-01"
    assert day(None, "UTC") == moment(None, "UTC") == "not known"
    assert end_of(datetime(2026, 9, 30, 23), "Europe/London") == (
        "end of 30 September 2026 (Europe/London)"
    )
    assert end_of(datetime(2026, 9, 30, 12), "UTC") == "30 September 2026, 12:00 (UTC)"
    assert date(2026, 9, 30).isoformat() in moment(datetime(2026, 9, 30), "UTC")


def test_months_have_their_english_names_whatever_the_locale():
    assert [long_day(date(2026, month, 1)).split()[1][:3] for month in range(1, 13)] == [
        *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ]


def test_long_text_says_what_is_left_out():
    assert clip("x" * 10, 20) == "x" * 10
    assert clip("x" * 1200, 200).endswith("(1,000 more characters in the ledger)")


def test_digests_are_in_groups():
    assert grouped("0123456789abcdef") == "01234567 89abcdef"
    assert grouped(None) == "not recorded"
