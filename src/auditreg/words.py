"""Numbers, moments and codes as people read them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

CERTAINTY = {
    "certain": "certain",
    "seen_same": "same before and after",
    "uncertain": "changed around this time",
    "not_seen_since": "not looked at since",
    "unknown": "before any record",
}
"""How sure the ledger is of a value, where a table has no room for a sentence."""

WAIVER_JUDGED = {
    "in_force": "holds",
    "expired": "expired",
    "overdue": "repair overdue",
    "unused": "covers nothing",
    "over_broad": "names no single model",
    "self_approved": "given by who owns or developed the model",
    "partly_self_approved": "holds; not for what its giver owns or developed",
    "names_nobody": "given by nobody",
    "service_account": "given by a service account",
    "not_in_office": "given by somebody not in office",
    "by_stranger": "holds; given by somebody not listed",
    "not_yet": "given later",
    "no_event": "about no event",
}
"""What a check found of a waiver."""

WAIVER_STATUS = {"under_repair": "under repair"}
"""What a waiver says of its findings, where the word in the file is a code."""

REPAIR = {
    "tag": "record it where it took place: a tag or a description",
    "registry": "can be put right in the registry today",
    "retrain": "resolved by the next training",
    "history": "a past event; it needs a response",
}
"""What it takes to set a finding right."""


def quantity(count: int, noun: str, plural: str | None = None) -> str:
    """`1 model`, `2,000 models`, `3 aliases`; `plural` where it is not made so."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun if count == 1 else plural or noun + ending}"


def a_few(names: Sequence[str], shown: int = 6) -> str:
    """`F-1, F-2 and 3 more`: a list short enough to be read."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def bytes_in_words(number: int) -> str:
    """`512 bytes`, `3.4 MiB`, `2 GiB`."""
    size, unit = float(number), ""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.1f}".removesuffix(".0") + f" {unit}"


def clock(at: datetime, zone: tzinfo = UTC) -> str:
    """A UTC moment on the clock of a zone, which it names: `2026-08-05 07:30 BST`.

    Seconds and milliseconds only where there are any. A zone without a name of its own is told by
    its distance from UTC, `UTC-03`; a moment that no calendar holds there stays UTC.
    """
    try:
        local = at.replace(tzinfo=UTC).astimezone(zone)
    except (ValueError, OverflowError):
        local = at.replace(tzinfo=UTC)
    finest = "milliseconds" if local.microsecond else "seconds" if local.second else "minutes"
    name = local.tzname() or ""
    name = f"UTC{name}" if name[:1] in ("+", "-") else name
    return f"{local.replace(tzinfo=None).isoformat(sep=' ', timespec=finest)} {name}"


def evidence_in_words(
    evidence: Mapping[str, object], moments: Collection[str], zone: tzinfo
) -> dict[str, str]:
    """What a rule returned beside its answer: names and values as people read them.

    Args:
        evidence: column to value; moments are UTC, written `2026-08-05 06:30:00`.
        moments: the columns that hold moments; a date somebody stated is shown as it was written.
        zone: whose clock moments are shown on.
    """
    shown = {}
    for name, value in evidence.items():
        text = "yes" if value is True else "no" if value is False else str(value)
        if name in moments:
            # A rule of a firm's own may return what no calendar holds.
            with contextlib.suppress(ValueError):
                text = clock(datetime.fromisoformat(text), zone)
        if text:
            shown[name.replace("_", " ")] = text
    return shown
