"""Text made safe and short for people: hidden characters, long values, file names, moments."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime

from auditreg.config.calendar import local_day, zone
from auditreg.models import Grade
from auditreg.queries.records import Interval

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LONG = 1_500
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
"""In English whatever the locale of the process, which a program may have set."""


def visible(text: str, *, lines: bool = False) -> str:
    """The text with every character that cannot be seen written out, as ‹U+202E›.

    Direction marks, zero-width and control characters can make one name look like another, or a
    line read backwards; a report shows them instead of obeying them. `lines` keeps line breaks.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character, lines=lines) for character in text)


def _shown(character: str, *, lines: bool) -> str:
    if lines and character in "\n\r\t":
        return {"\r": "", "\t": " "}.get(character, character)
    if unicodedata.category(character) in _HIDDEN or character in "\u115f\u1160\u3164\uffa0\ufffc":
        return f"‹U+{ord(character):04X}›"
    return character


def clip(text: str, limit: int = _LONG) -> str:
    """The text, cut where it is very long, saying how much is left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} more characters in the ledger)"


def slugs(models: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A file name per model: readable, safe on every system, and unique.

    Args:
        models: (opaque subject, name) pairs. The subject's hash tells equal-looking names apart.
    """
    by_subject: dict[str, str] = {}
    taken: set[str] = set()
    for subject, name in models:
        digest = hashlib.sha256(subject.encode()).hexdigest()
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        stem = re.sub(r"[^a-z0-9]+", "-", plain)[:48].strip("-") or "model"
        length = 8
        while (slug := f"{stem}-{digest[:length]}") in taken:
            length += 4
        taken.add(slug)
        by_subject[subject] = slug
    return by_subject


def moment(at: datetime | None, tz: str) -> str:
    """A UTC moment in local time, `2026-09-30 17:05`; `not known` where there is none."""
    if at is None:
        return "not known"
    return at.replace(tzinfo=UTC).astimezone(zone(tz)).strftime("%Y-%m-%d %H:%M")


def day(at: datetime | None, tz: str) -> str:
    """The local day of a UTC moment."""
    return moment(at, tz)[:10] if at is not None else "not known"


def interval(when: Interval | None, tz: str) -> str:
    """When something happened, never more precise than the record."""
    if when is None or (when.not_before is None and when.not_after is None):
        return "not known"
    if when.not_before is None:
        return f"by {moment(when.not_after, tz)}"
    if when.not_after is None:
        return f"after {moment(when.not_before, tz)}"
    first, last = moment(when.not_before, tz), moment(when.not_after, tz)
    if first == last:
        return first
    if first[:10] == last[:10]:
        return f"{first} to {last[11:]}"
    return f"between {first} and {last}"


_SIGNED_IN = {
    "basic-auth": "signed in",
    "plugin": "signed in",
    "proxy": "named by the proxy",
    "program": "as stated by the client",
}


def who(actor: str | None, actor_from: str | None) -> str:
    """Who did it, and how the server knows; `not recorded` where nobody is named."""
    if not actor:
        return "not recorded"
    known = _SIGNED_IN.get(actor_from or "")
    return f"{clip(actor, 80)}, {known}" if known else clip(actor, 80)


def how_known(
    grade: Grade,
    when: Interval | None,
    first_reading: datetime | None = None,
    *,
    uncaptured: bool = False,
) -> str:
    """How a change is known, in plain words.

    Args:
        grade: how strong the record is.
        when: when it happened.
        first_reading: the moment of the registry's first reading, where that is what showed it.
        uncaptured: whether the server recorded its changes then, but not this one.
    """
    if uncaptured:
        return "not in the server's record"
    if grade is not Grade.OBSERVED:
        return grade.words
    if when is not None and when.exact:
        return "MLflow's own time"
    if first_reading is None:
        return "seen between readings"
    if when is not None and when.not_after is not None and when.not_after < first_reading:
        return "MLflow's own times"
    return "seen by the first reading"


def offset(milliseconds: int) -> str:
    """How far a clock is from another: `2.5 seconds ahead of`."""
    seconds = abs(milliseconds) / 1000
    size = f"{seconds:,.1f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
    return f"{size} {'ahead of' if milliseconds > 0 else 'behind'}"


def end_of(at: datetime, tz: str) -> str:
    """An exclusive moment as people say it: the end of a day, where it is one."""
    local = at.replace(tzinfo=UTC).astimezone(zone(tz))
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return f"end of {long_day(local_day(at, tz))} ({tz})"
    return f"{long_day(local.date())}, {local:%H:%M} ({tz})"


def long_day(on: date) -> str:
    """`30 September 2026`."""
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def grouped(digest: str | None, size: int = 8) -> str:
    """A hexadecimal digest in groups that an eye can compare."""
    if not digest:
        return "not recorded"
    return " ".join(digest[i : i + size] for i in range(0, len(digest), size))
