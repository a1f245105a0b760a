"""The sentences of rules, completed with what their columns hold."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from auditreg.audit.sentences import complete


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
