"""The sentences of rules, completed with what their columns hold."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from auditreg.audit.sentences import complete
from auditreg.words import clock, evidence_in_words


@pytest.mark.parametrize(
    ("value", "zone", "said"),
    [
        ("2026-08-05 06:30:00", "Europe/London", "2026-08-05 07:30 BST"),
        ("2026-08-05 06:30:01", "UTC", "2026-08-05 06:30:01 UTC"),
        (None, "UTC", "an unknown time"),
        # A rule of a firm's own may return what no calendar of Python's holds.
        ("infinity", "UTC", "infinity"),
        ("20026-01-01 00:00:00", "UTC", "20026-01-01 00:00:00"),
        ("9999-12-31 23:30:00", "Asia/Tokyo", "9999-12-31 23:30:00"),
        ("0001-01-01 00:00:00", "America/Lima", "0001-01-01 00:00:00"),
    ],
)
def test_moments(value: str | None, zone: str, said: str):
    values = {} if value is None else {"at": value}
    clock = ZoneInfo(zone)
    assert complete("{at}", values, "x", columns=["at"], moments=["at"], zone=clock) == said


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        (datetime(2026, 11, 1, 5, 30), "America/Toronto", "2026-11-01 01:30 EDT"),
        # The same hour comes twice that night; its name tells the two apart.
        (datetime(2026, 11, 1, 6, 30), "America/Toronto", "2026-11-01 01:30 EST"),
        (datetime(2026, 8, 5, 6, 30, 1), "UTC", "2026-08-05 06:30:01 UTC"),
        (datetime(2026, 8, 5, 6, 30, 1, 250_000), "UTC", "2026-08-05 06:30:01.250 UTC"),
        (datetime(2026, 8, 5, 6, 30), "America/Sao_Paulo", "2026-08-05 03:30 UTC-03"),
        (datetime(9999, 12, 31, 23, 30), "Asia/Tokyo", "9999-12-31 23:30 UTC"),
    ],
)
def test_a_moment_names_the_clock_it_is_on(at: datetime, zone: str, said: str):
    assert clock(at, ZoneInfo(zone)) == said


def test_evidence_in_words_leaves_what_was_stated_as_it_was_written():
    evidence = {
        "live_not_after": "2026-08-05 06:30:00",
        "stated": "2026-08-05 06:30:00",
        "closes": "infinity",
        "dirty": True,
    }
    words = evidence_in_words(evidence, {"live_not_after", "closes"}, ZoneInfo("Europe/London"))
    assert words == {
        "live not after": "2026-08-05 07:30 BST",
        "stated": "2026-08-05 06:30:00",
        "closes": "infinity",
        "dirty": "yes",
    }
