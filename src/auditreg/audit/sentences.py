"""The sentences of rules, completed with what their columns hold.

A rule says `'{subject} went live {live} and was approved by {approver}'`: names in braces are columns it
returns, `{subject}` is what it answers for, and `{live}`, where it returns `live_not_before` and
`live_not_after`, the time between the two. So a rule writes no moment into a text, and one clock, the
firm's, is on everything that is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from auditreg.words import clock

_NAME = re.compile(r"\{(\w+)\}")
LONGEST = 200
"""Characters of a column's text that a sentence shows; the evidence holds all of it."""


def complete(
    sentence: str,
    values: Mapping[str, Any],
    subject: str,
    *,
    columns: Collection[str] = (),
    moments: Collection[str] = (),
    zone: ZoneInfo | None = None,
) -> str:
    """The sentence with its columns put in.

    Args:
        sentence: the rule's `reason`; a name in braces that is no column stays as it is.
        values: column to value as in the evidence: moments are UTC, written `2026-08-05 06:30:00`.
        columns: every column the rule returns; one without a value is left blank.
        subject: the words for `{subject}`.
        moments: the columns that hold moments.
        zone: the firm's time zone, UTC if None.
    """
    if "{" not in sentence:
        return sentence
    firm = zone or ZoneInfo("UTC")

    def words(match: re.Match[str]) -> str:
        name = match[1]
        if name == "subject":
            return subject
        if f"{name}_not_after" in moments:
            return _between(values.get(f"{name}_not_before"), values.get(f"{name}_not_after"), firm)
        if name in moments:
            return "an unknown time" if values.get(name) is None else _moment(values[name], firm)
        if name not in values:
            return "" if name in columns else match[0]
        return _clipped(values[name])

    return _NAME.sub(words, sentence)


def names_left(sentence: str) -> list[str]:
    """The names in braces that nothing was put in for."""
    return _NAME.findall(sentence)


def _clipped(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _between(low: str | None, high: str | None, zone: ZoneInfo) -> str:
    """When something happened that lies between two moments."""
    if high is None:
        return "at an unknown time"
    if low is None:
        return f"by {_moment(high, zone)}"
    if low[:19] == high[:19]:
        return f"at {_moment(high, zone)}"
    return f"between {_moment(low, zone)} and {_moment(high, zone)}"


def _moment(text: str, zone: ZoneInfo) -> str:
    """`2026-08-05 07:30 BST`; the seconds where there are any. What no calendar holds stays as it is."""
    try:
        at = datetime.fromisoformat(text).replace(microsecond=0)
        at.replace(tzinfo=UTC).astimezone(zone)
    except (ValueError, OverflowError):
        return _clipped(text)
    return clock(at, zone)
