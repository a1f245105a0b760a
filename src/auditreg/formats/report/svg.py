"""The pieces the report's pictures are made of: SVG without scripts or anything from outside.

Text is escaped and its hidden characters are written out here, so that no picture can forget it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

from auditreg.config.calendar import day_start, zone
from auditreg.report.wording import visible

INK, QUIET, RULE = "#14202b", "#55636f", "#c9d2da"
FONT = "IBM Plex Sans, Segoe UI, Helvetica, Arial, sans-serif"
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

_NARROW, _BROAD = frozenset("iljtfrI.,:;'|!()[] "), frozenset("mwMW@%")


def text(
    x: float, y: float, words: str, size: float, *, fill: str = INK, anchor: str = "start",
    weight: int = 400,
) -> str:  # fmt: skip
    """Text with its baseline at `y`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size}" fill="{fill}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(visible(words))}</text>'
    )


def rect(x: float, y: float, width: float, height: float, more: str) -> str:
    """A rectangle; `more` are its other attributes."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {more}/>'


def line(x1: float, y1: float, x2: float, y2: float, more: str) -> str:
    """A straight line; `more` are its other attributes."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {more}/>'


def picture(
    width: float,
    height: float,
    title: str,
    body: Sequence[str],
    *,
    description: str | None = None,
) -> str:
    """A whole picture; its title and description say in words what it shows."""
    words = f"<desc>{escape(visible(description))}</desc>" if description else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img"><title>{escape(visible(title))}</title>'
        f"{words}{''.join(body)}</svg>"
    )


def room(words: str, size: float, *, bold: bool = False) -> float:
    """How wide a text becomes at most, near enough to keep labels apart."""
    return size * sum(map(_share, visible(words))) * (1.06 if bold else 1.0)


def _share(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in _NARROW:
        return 0.36
    return 0.94 if character in _BROAD else 0.66 if character.isupper() else 0.59


def short(words: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, cut so that it needs no more than `width`; hidden characters are written out."""
    shown = visible(words)
    if room(shown, size, bold=bold) <= width:
        return shown
    while shown and room(shown + "…", size, bold=bold) > width:
        shown = shown[:-1]
    return shown.rstrip() + "…"


class Scale:
    """Moments to points from left to right."""

    def __init__(self, start: datetime, end: datetime, left: float, right: float) -> None:
        self.start, self.end, self.left, self.right = start, end, left, right

    def __call__(self, at: datetime) -> float:
        """Where a moment is; one outside is at the edge."""
        share = (min(max(at, self.start), self.end) - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)


def axis(scale: Scale, top: float, height: float, tz: str) -> list[str]:
    """A line and a name at the start of each month, fewer where there is no room."""
    first = scale.start.replace(tzinfo=UTC).astimezone(zone(tz)).date().replace(day=1)
    months = math.ceil((scale.end - scale.start) / timedelta(days=30)) + 1
    step = max(1, math.ceil(months / 14))
    body = []
    named = -math.inf
    for index in range(0, months + step, step):
        years, month = divmod(first.month - 1 + index, 12)
        at = day_start(date(first.year + years, month + 1, 1), tz)
        if not scale.start <= at < scale.end:
            continue
        x = scale(at)
        label = MONTHS[month]
        if month == 0 or named < 0 or step > 1:
            label += f" {first.year + years}"
        body.append(line(x, top - 6, x, height, f'stroke="{RULE}"'))
        # The last month's name may not reach beyond the edge, nor into the name before it.
        if x >= named and x + 3 + room(label, 10) <= scale.right + 4:
            body.append(text(x + 3, top - 9, label, 10, fill=QUIET))
            named = x + 3 + room(label, 10)
    return body
