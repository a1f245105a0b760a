"""Lines for a terminal: cut or wrapped to its width, coloured only where it has colours."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from auditreg.formats.terminal.text import fitted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from auditreg.formats.interface import OutputTarget

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
"""How severities are coloured."""

_LEAST = 8
"""Columns in which a line is not folded further."""


def render(parts: Iterable[RenderableType], target: OutputTarget) -> bytes:
    """Parts as bytes, one below the other, without blanks at line ends."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=target.width,
        force_terminal=target.colour,
        color_system="standard" if target.colour else None,
        no_color=not target.colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        if isinstance(part, Text):
            # Texts come cut or wrapped, or are commands that a terminal may wrap and copy whole.
            console.print(part, soft_wrap=True)
        else:
            console.print(part)
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return "\n".join(lines).encode()


def cut(text: Text, width: int) -> Text:
    """The text on one line of that width, `…` where it was longer."""
    short = text.copy()
    short.truncate(width, overflow="ellipsis")
    return short


def flowed(text: Text, width: int, most: int = 2) -> list[Text]:
    """The text on as many lines as it needs, later ones indented by two more.

    One that needs more than `most` loses its middle: names that begin alike differ at their ends.
    """
    if most == 1:
        return [text if text.cell_len <= width else Text(fitted(text.plain, width), text.style)]
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    indent = " " * (len(text.plain) - len(text.plain.lstrip()) + 2)
    room = width
    shown = text
    while True:
        first, *rest = shown.wrap(console, width)
        room_after = max(width - len(indent), _LEAST)
        after = list(Text(" ").join(rest).wrap(console, room_after)) if rest else []
        if 1 + len(after) <= most or room <= _LEAST:
            return [first, *(Text(indent).append_text(line) for line in after)][:most]
        shown = Text(fitted(text.plain, room * most), text.style)
        room -= 4


def height(text: Text, width: int) -> int:
    """How many lines of a terminal the text takes."""
    return max(1, -(-text.cell_len // width))


def wrapped(label: str, text: str, width: int, *, indent: int = 2, style: str = "") -> list[Text]:
    """A label, and text beside it wrapped to the width left over."""
    lead = " " * indent + f"{label:<12} "
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    room = max(20, width - len(lead))
    lines = Text(text).wrap(console, room)
    return [
        Text.assemble(lead if number == 0 else " " * len(lead), (line.plain.rstrip(), style))
        for number, line in enumerate(lines)
    ]
