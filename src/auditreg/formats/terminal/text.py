"""Words and lines that several views share. Every name in them may be hostile."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import datetime

from auditreg.formats.escape import escape_control
from auditreg.words import quantity

_SECONDS = "%Y-%m-%d %H:%M:%S"


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


def clock(at: datetime) -> str:
    """A UTC moment, with milliseconds where it has them."""
    fine = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:{_SECONDS}}{fine}Z"


def between(first: datetime | None, last: datetime | None) -> str:
    """When something happened, never more precisely than the record has it."""
    if first is None:
        return f"by {clock(last)}" if last else "at an unknown moment"
    if last is None:
        return f"after {clock(first)}"
    return clock(first) if first == last else f"between {clock(first)} and {clock(last)}"


def fitted(text: str, width: int) -> str:
    """A text made inert and cut to so many columns, `…` where it was longer."""
    from rich.cells import cell_len, set_cell_size

    safe = escape_control(text)
    if cell_len(safe) <= width:
        return safe
    return set_cell_size(safe, max(width - 1, 0)).rstrip() + "…"


def arrow(before: object, after: object, width: int) -> str:
    """`before -> after` in so many columns; both are cut where they are long."""
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
