"""The report's pictures, as SVG made here: no plotting library, no script, no outside file.

Colours differ in lightness as well as in hue, so that a grey print says the same; what is uncertain
is hatched. Every picture has a title that says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

from auditreg.config.calendar import day_start, zone
from auditreg.report.content import Lane, SeverityCount, Span
from auditreg.report.words import several, visible

INK, QUIET, RULE = "#14202b", "#55636f", "#c9d2da"
SEVERITY_COLOURS = {
    "critical": "#5c0f1d",
    "high": "#a8402a",
    "medium": "#d08a1f",
    "low": "#a9b8c4",
}
_BARS = ("#1c4b73", "#5b8db8")
_FONT = "IBM Plex Sans, Segoe UI, Helvetica, Arial, sans-serif"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _text(
    x: float, y: float, text: str, size: float, *, fill: str = INK, anchor: str = "start",
    weight: int = 400,
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{_FONT}" font-size="{size}" fill="{fill}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(visible(text))}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, more: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {more}/>'


def _svg(width: float, height: float, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img"><title>{escape(visible(title))}</title>'
        f"{''.join(body)}</svg>"
    )


def severity_chart(counts: Sequence[SeverityCount]) -> str:
    """Open findings by severity: filled where a record contradicts, outlined where none exists."""
    width, left, row, bar = 640.0, 74.0, 25.0, 15.0
    most = max([count.total for count in counts] + [1])
    scale = (width - left - 150) / most
    body: list[str] = []
    for index, count in enumerate(counts):
        y = index * row + 4
        colour = SEVERITY_COLOURS[count.severity]
        body.append(
            _text(left - 10, y + bar - 3.5, count.severity.capitalize(), 11.5, anchor="end")
        )
        filled, outlined = count.contradicts * scale, count.missing * scale
        if filled:
            body.append(_rect(left, y, filled, bar, f'fill="{colour}"'))
        if outlined:
            look = f'fill="{colour}" fill-opacity="0.22" stroke="{colour}" stroke-width="1.2"'
            body.append(_rect(left + filled + 0.6, y + 0.6, outlined - 1.2, bar - 1.2, look))
        body.append(
            _text(left + filled + outlined + 8, y + bar - 3.5, str(count.total), 11.5, weight=600)
        )
    y = len(counts) * row + 14
    body += [
        f'<line x1="{left}" y1="0" x2="{left}" y2="{len(counts) * row}" stroke="{RULE}"/>',
        _rect(left, y - 9, 14, 10, f'fill="{QUIET}"'),
        _text(left + 20, y, "a record contradicts", 10.5, fill=QUIET),
        _rect(left + 150.6, y - 8.4, 13, 9, f'fill="{QUIET}" fill-opacity="0.22" stroke="{QUIET}"'),
        _text(left + 171, y, "no record found", 10.5, fill=QUIET),
    ]
    told = "; ".join(
        f"{count.severity} {count.total}, of which {count.contradicts} contradicted by a record "
        f"and {count.missing} without one"
        for count in counts
    )
    return _svg(width, y + 6, f"Open findings by severity: {told}.", body)


class _Scale:
    """Moments to points from left to right."""

    def __init__(self, start: datetime, end: datetime, left: float, right: float) -> None:
        self.start, self.end, self.left, self.right = start, end, left, right

    def __call__(self, at: datetime) -> float:
        share = (min(max(at, self.start), self.end) - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)


def timeline(
    lanes: Sequence[Lane],
    start: datetime,
    end: datetime,
    tz: str,
    *,
    name: str,
    label_width: float = 168.0,
) -> str:
    """Which versions were in use when: a lane each, uncertain beginnings and ends hatched.

    Args:
        lanes: from top to bottom.
        start: left edge, UTC; what began earlier is cut there.
        end: right edge, UTC.
        tz: zone of the axis.
        name: tells the pictures of one document apart; letters only.
        label_width: room for the lanes' labels.
    """
    width, row, bar, top = 680.0, 19.0, 12.0, 22.0
    scale = _Scale(start, end, label_width, width - 4)
    height = top + len(lanes) * row
    body = [_patterns(name), *_axis(scale, top, height, tz)]
    for index, lane in enumerate(lanes):
        y = top + index * row + (row - bar) / 2
        if index % 2 == 0:
            band = f'fill="{RULE}" fill-opacity="0.22"'
            body.insert(1, _rect(0, top + index * row, width, row, band))
        body.append(_text(4, y + bar - 2.6, _short(lane.label, int(label_width / 6.1)), 10.5))
        for number, span in enumerate(lane.spans):
            body += _bar(scale, span, y, bar, number % 2, name)
    body += _legend(label_width, height + 15, name)
    return _svg(width, height + 24, _told(lanes), body)


def _patterns(name: str) -> str:
    """Hatching in two directions, so that a version's end and its successor's start show both."""
    lines = ("M0,6 L6,0 M-1,1 L1,-1 M5,7 L7,5", "M0,0 L6,6 M-1,5 L1,7 M5,-1 L7,1")
    made = "".join(
        f'<pattern id="{name}{index}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path d="{line}" stroke="{_BARS[index]}" stroke-width="1.5"/></pattern>'
        for index, line in enumerate(lines)
    )
    return f"<defs>{made}</defs>"


def _axis(scale: _Scale, top: float, height: float, tz: str) -> list[str]:
    """A line and a name at the start of each month, fewer where there is no room."""
    first = scale.start.replace(tzinfo=UTC).astimezone(zone(tz)).date().replace(day=1)
    months = math.ceil((scale.end - scale.start) / timedelta(days=30)) + 1
    step = max(1, math.ceil(months / 14))
    body = []
    for index in range(0, months + step, step):
        years, month = divmod(first.month - 1 + index, 12)
        start = date(first.year + years, month + 1, 1)
        at = day_start(start, tz)
        if not scale.start <= at < scale.end:
            continue
        x = scale(at)
        label = _MONTHS[month] + (f" {start.year}" if month == 0 or index == 0 or step > 1 else "")
        body.append(
            f'<line x1="{x:.1f}" y1="{top - 6:.1f}" x2="{x:.1f}" y2="{height:.1f}" stroke="{RULE}"/>'
        )
        body.append(_text(x + 3, top - 9, label, 10, fill=QUIET))
    return body


def _bar(scale: _Scale, span: Span, y: float, bar: float, tone: int, name: str) -> list[str]:
    """One span: what is certain filled, the edges where it may have begun or ended hatched."""
    last = span.end.not_after if span.end else scale.end
    if last is not None and last <= scale.start:
        return []
    begin = span.start.not_before or scale.start
    sure_from = span.start.not_after or begin
    sure_to = (span.end.not_before if span.end else scale.end) or sure_from
    finish = last or scale.end
    sure_to, sure_from = max(sure_to, begin), min(sure_from, finish)
    body = []
    hatched = f'fill="url(#{name}{tone})" stroke="{_BARS[tone]}" stroke-width="0.7" '
    hatched += 'stroke-dasharray="2 1.5"'
    edges = [(begin, min(sure_from, finish)), (max(sure_to, sure_from), finish)]
    if sure_from > sure_to:  # it may have come and gone between two readings
        edges = [(begin, finish)]
    for left, right in edges:
        if scale(right) - scale(left) > 0.5:
            body.append(_rect(scale(left), y + 0.7, scale(right) - scale(left), bar - 1.4, hatched))
    label = f"v{span.version}"
    wide = scale(sure_to) - scale(sure_from)
    if sure_to > sure_from and wide > 0.2:
        body.append(_rect(scale(sure_from), y, wide, bar, f'fill="{_BARS[tone]}"'))
        if wide > 16 + 5 * len(str(span.version)):
            body.append(
                _text(scale(sure_from) + 4, y + bar - 3, label, 9, fill="#ffffff", weight=600)
            )
            return body
    if scale(finish) - scale(begin) > 24 + 5 * len(label):
        x = scale(begin) + 3
        body.append(_rect(x, y + 1, 5.4 * len(label) + 4, bar - 2, 'fill="#ffffff"'))
        body.append(_text(x + 2, y + bar - 3, label, 9, fill=_BARS[tone], weight=600))
    return body


def _legend(left: float, y: float, name: str) -> list[str]:
    return [
        _rect(left, y - 8, 16, 9, f'fill="{_BARS[0]}"'),
        _text(left + 22, y, "in use", 10, fill=QUIET),
        _rect(left + 76, y - 8, 16, 9, f'fill="url(#{name}0)" stroke="{_BARS[0]}" stroke-width="0.7"'),
        _text(left + 98, y, "began or ended at some moment in here, not known more exactly", 10,
              fill=QUIET),
    ]  # fmt: skip


def _told(lanes: Sequence[Lane]) -> str:
    parts = [
        f"{lane.label}: " + ", ".join(f"version {span.version}" for span in lane.spans)
        for lane in lanes[:12]
    ]
    more = f"; and {several(len(lanes) - 12, 'more lane')}" if len(lanes) > 12 else ""
    return f"Versions in use over time. {'; '.join(parts)}{more}. The tables give the moments."


def _short(text: str, limit: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
