"""Words and lines that several views share. Every name in them may be hostile."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import UTC, date, datetime

from auditreg import words
from auditreg.config.calendar import local_day, zone
from auditreg.formats.escape import escape_control
from auditreg.words import quantity


def labelled(lines: Iterable[tuple[str, str]], width: int = 12) -> bytes:
    """A line for each label and text, the texts below one another."""
    return "".join(f"{label:<{width}} {escape_control(text)}\n" for label, text in lines).encode()


def paragraph(label: str, text: str, wide: int, width: int) -> str:
    """A label of so many columns and a text beside it, folded to the width; label alone where empty."""
    first = f"{escape_control(label)[:wide]:<{wide}} "
    folded_text = textwrap.fill(
        escape_control(text),
        max(width, wide + 20),
        initial_indent=first,
        subsequent_indent=" " * (wide + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{folded_text or first.rstrip()}\n"


def masked_values(count: int) -> str:
    """How many values were kept as hashes, and why."""
    looks = "looks like a credential" if count == 1 else "look like credentials"
    return f"{quantity(count, 'value')} that {looks}, kept as hashes only"


def clock(at: datetime, tz: str) -> str:
    """A UTC moment on the clock of a time zone, which it names: `2026-08-05 07:30 BST`."""
    return words.clock(at, zone(tz))


def day_of(at: datetime, tz: str) -> date:
    """The day of a UTC moment on the calendar of a time zone."""
    return at.replace(tzinfo=UTC).astimezone(zone(tz)).date()


def moment_judged(at: datetime, tz: str) -> str:
    """A moment somebody asked about; the end of a day where it is one, because a date means its end."""
    local = at.replace(tzinfo=UTC).astimezone(zone(tz))
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return f"the end of {local_day(at, tz)} {tz}"
    return clock(at, tz)


def between(first: datetime | None, last: datetime | None, tz: str) -> str:
    """When something happened, never more precisely than the record has it."""
    if first is None:
        return f"by {clock(last, tz)}" if last else "at an unknown moment"
    if last is None:
        return f"after {clock(first, tz)}"
    if first == last:
        return clock(first, tz)
    return f"between {clock(first, tz)} and {clock(last, tz)}"


def fitted(text: str, width: int) -> str:
    """A text made inert and at most so many columns wide.

    Of a longer one the beginning and the end are kept, `…` between them: names that begin alike
    differ at their ends.
    """
    from rich.cells import cell_len, set_cell_size

    safe = escape_control(text)
    if cell_len(safe) <= width:
        return safe
    if width < 8:  # too little for two pieces that tell anything
        return set_cell_size(safe, max(width - 1, 0)).rstrip() + "…"
    ending = width // 3
    end = set_cell_size(safe[::-1], ending)[::-1]
    return set_cell_size(safe, width - 1 - ending).rstrip() + "…" + end.lstrip()


def arrow(before: object, after: object, width: int) -> str:
    """`before -> after` in so many columns; both are shortened where they are long."""
    old = "(none)" if before in (None, "") else str(before)
    new = "(none)" if after in (None, "") else str(after)
    room = max(width - 4, 8)
    from rich.cells import cell_len

    sizes = cell_len(escape_control(old)), cell_len(escape_control(new))
    first = min(sizes[0], max(room // 2, room - sizes[1]))
    return f"{fitted(old, first)} -> {fitted(new, room - first)}"


def folded(text: str, width: int) -> str:
    """A text as lines of so many columns, all but the first indented by two more."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return "\n".join(
        textwrap.wrap(text, width, break_on_hyphens=False, subsequent_indent=indent) or [""]
    )
