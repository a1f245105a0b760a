"""The report's pictures of many models at once: findings by severity, versions in use over time.

Colours differ in lightness as well as in hue, so that a grey print says the same; what is uncertain
is hatched. Every picture has a title that says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from auditreg.formats.report.svg import (
    INK,
    QUIET,
    RULE,
    Scale,
    axis,
    line,
    picture,
    rect,
    short,
    text,
)
from auditreg.queries.records import Basis
from auditreg.report.model import Lane, LivePeriod, SeverityCount
from auditreg.words import quantity

SEVERITY_COLOURS = {
    "critical": "#5c0f1d",
    "high": "#a8402a",
    "medium": "#d08a1f",
    "low": "#a9b8c4",
}
_BARS = ("#1c4b73", "#5b8db8")
_LABELS = 168.0


def severity_chart(counts: Sequence[SeverityCount]) -> str:
    """Open findings by severity: filled where a rule is not met, outlined where there is no record."""
    width, left, row, bar = 640.0, 74.0, 25.0, 15.0
    most = max([count.total for count in counts] + [1])
    scale = (width - left - 150) / most
    body: list[str] = []
    for index, count in enumerate(counts):
        y = index * row + 4
        colour = SEVERITY_COLOURS[count.severity]
        body.append(text(left - 10, y + bar - 3.5, count.severity.capitalize(), 11.5, anchor="end"))
        filled, outlined = count.contradicts * scale, count.missing * scale
        if filled:
            body.append(rect(left, y, filled, bar, f'fill="{colour}"'))
        if outlined:
            look = f'fill="{colour}" fill-opacity="0.22" stroke="{colour}" stroke-width="1.2"'
            inside = max(outlined - 1.2, 0.4)
            body.append(rect(left + filled + 0.6, y + 0.6, inside, bar - 1.2, look))
        body.append(
            text(left + filled + outlined + 8, y + bar - 3.5, str(count.total), 11.5, weight=600)
        )
    y = len(counts) * row + 14
    body += [
        f'<line x1="{left}" y1="0" x2="{left}" y2="{len(counts) * row}" stroke="{RULE}"/>',
        rect(left, y - 9, 14, 10, f'fill="{QUIET}"'),
        text(left + 20, y, "not met", 10.5, fill=QUIET),
        rect(left + 150.6, y - 8.4, 13, 9, f'fill="{QUIET}" fill-opacity="0.22" stroke="{QUIET}"'),
        text(left + 171, y, "no record found", 10.5, fill=QUIET),
    ]
    words = "; ".join(
        f"{count.severity} {count.total}, of which {count.contradicts} not met "
        f"and {count.missing} without one"
        for count in counts
    )
    return picture(width, y + 6, f"Open findings by severity: {words}.", body)


def timeline(
    lanes: Sequence[Lane],
    start: datetime,
    end: datetime,
    tz: str,
    *,
    name: str,
    basis: Basis | None = None,
) -> str:
    """Which versions were in use when: a lane each, uncertain beginnings and ends hatched.

    Versions of a model that were in use at one time stand below each other in its lane.

    Args:
        lanes: from top to bottom.
        start: left edge, UTC; what began earlier is cut there.
        end: right edge, UTC.
        tz: zone of the axis.
        name: tells the pictures of one document apart; letters only.
        basis: what the history rests on, drawn below.
    """
    width, row, bar, top = 680.0, 19.0, 12.0, 22.0
    scale = Scale(start, end, _LABELS, width - 4)
    tracks = [_tracks(lane.periods) for lane in lanes]
    heights = [row + (bar + 2) * (max([*numbers, 0])) for numbers in tracks]
    height = top + sum(heights)
    body = [_patterns(name), *axis(scale, top, height, tz)]
    y = top
    for index, (lane, numbers) in enumerate(zip(lanes, tracks, strict=True)):
        if index % 2 == 0:
            band = f'fill="{RULE}" fill-opacity="0.22"'
            body.insert(1, rect(0, y, width, heights[index], band))
        first = y + (row - bar) / 2
        body.append(text(4, first + bar - 2.6, short(lane.label, _LABELS - 10, 10.5), 10.5))
        for turn, (period, number) in enumerate(zip(lane.periods, numbers, strict=True)):
            place = first + number * (bar + 2)
            body += _bar(scale, period, place, bar, turn % 2, name)
            body += [
                line(x, place - 1.8, x, place + bar + 1.8, f'stroke="{INK}" stroke-width="1.5"')
                for x in _edges(scale, period)
            ]
        y += heights[index]
    if basis is not None:
        below, y = bands(basis, scale, height + 4, f"{name}0")
        body += below
    exact = any(_edges(scale, period) for lane in lanes for period in lane.periods)
    body += _legend(_LABELS, y + 15, name, exact=exact)
    return picture(width, y + 24, _in_words(lanes), body)


def _tracks(periods: Sequence[LivePeriod]) -> list[int]:
    """For each period the first track on which none before it lasts beyond its beginning."""
    tracks: list[LivePeriod] = []
    numbers = []
    for period in periods:
        free = (n for n, last in enumerate(tracks) if not _outlasts(last, period))
        number = next(free, len(tracks))
        tracks[number : number + 1] = [period]
        numbers.append(number)
    return numbers


def _outlasts(before: LivePeriod, after: LivePeriod) -> bool:
    """Whether both were certainly in use at one time."""
    if before.end is None:
        return True
    ended, began = before.end.not_before, after.start.not_after
    return ended is not None and began is not None and ended > began


def _patterns(name: str) -> str:
    """Hatching in two directions, so that a version's end and its successor's start show both."""
    lines = ("M0,6 L6,0 M-1,1 L1,-1 M5,7 L7,5", "M0,0 L6,6 M-1,5 L1,7 M5,-1 L7,1")
    patterns = "".join(
        f'<pattern id="{name}{index}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path d="{line}" stroke="{_BARS[index]}" stroke-width="1.5"/></pattern>'
        for index, line in enumerate(lines)
    )
    return f"<defs>{patterns}</defs>"


def _bar(scale: Scale, period: LivePeriod, y: float, bar: float, tone: int, name: str) -> list[str]:
    """One period: what is certain filled, the edges where it may have begun or ended hatched."""
    last = period.end.not_after if period.end else scale.end
    if last is not None and last <= scale.start:
        return []
    begin = period.start.not_before or scale.start
    sure_from = period.start.not_after or begin
    sure_to = (period.end.not_before if period.end else scale.end) or sure_from
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
            body.append(rect(scale(left), y + 0.7, scale(right) - scale(left), bar - 1.4, hatched))
    label = f"v{period.version}"
    wide = scale(sure_to) - scale(sure_from)
    if sure_to > sure_from and wide > 0.2:
        body.append(rect(scale(sure_from), y, wide, bar, f'fill="{_BARS[tone]}"'))
        if wide > 16 + 5 * len(str(period.version)):
            body.append(
                text(scale(sure_from) + 4, y + bar - 3, label, 9, fill="#ffffff", weight=600)
            )
            return body
    if scale(finish) - scale(begin) > 24 + 5 * len(label):
        x = scale(begin) + 3
        body.append(rect(x, y + 1, 5.4 * len(label) + 4, bar - 2, 'fill="#ffffff"'))
        body.append(text(x + 2, y + bar - 3, label, 9, fill=_BARS[tone], weight=600))
    return body


def _edges(scale: Scale, period: LivePeriod) -> list[float]:
    """Where a period began or ended at a moment that is known."""
    return [
        scale(known.not_before)
        for known in (period.start, period.end)
        if known is not None
        and known.not_before is not None
        and known.exact
        and scale.start < known.not_before < scale.end
    ]


def _legend(left: float, y: float, name: str, *, exact: bool) -> list[str]:
    known = [
        line(left + 415, y - 10, left + 415, y + 3, f'stroke="{INK}" stroke-width="1.5"'),
        text(left + 422, y, "moment known", 10, fill=QUIET),
    ]
    return [
        *(known if exact else ()),
        rect(left, y - 8, 16, 9, f'fill="{_BARS[0]}"'),
        text(left + 22, y, "in use", 10, fill=QUIET),
        rect(left + 76, y - 8, 16, 9, f'fill="url(#{name}0)" stroke="{_BARS[0]}" stroke-width="0.7"'),
        text(left + 98, y, "began or ended at some moment in here, not known more exactly", 10,
              fill=QUIET),
    ]  # fmt: skip


def bands(basis: Basis, scale: Scale, y: float, hatch: str) -> tuple[list[str], float]:
    """Two thin bands: when the server recorded its changes, and when the registry was read.

    Args:
        basis: what is drawn.
        scale: of the picture above.
        y: the upper edge.
        hatch: the pattern that gaps are filled with.

    Returns:
        What to draw, and the lower edge.
    """
    body: list[str] = []
    if basis.recorded or basis.gaps:
        body.append(text(4, y + 7, "server record", 8.6, fill=QUIET))
        body += [
            rect(scale(left), y + 1.5, max(scale(right) - scale(left), 0.8), 6, f'fill="{INK}"')
            for left, right in basis.recorded
            if right > scale.start
        ]
        look = f'fill="url(#{hatch})" stroke="{INK}" stroke-width="0.7"'
        for left, right in basis.gaps:
            if right > scale.start:
                place = (scale(left), y + 0.5, max(scale(right) - scale(left), 2.4), 8)
                body += [rect(*place, 'fill="#ffffff"'), rect(*place, look)]
        y += 12
    if basis.readings:
        body.append(text(4, y + 7, "readings", 8.6, fill=QUIET))
        points = {round(scale(at)) for at in basis.readings if at >= scale.start}
        mark = f'stroke="{INK}" stroke-width="0.9"'
        body += [line(x, y + 1, x, y + 8, mark) for x in sorted(points)]
        y += 10
    return body, y


def _in_words(lanes: Sequence[Lane]) -> str:
    parts = [
        f"{lane.label}: " + ", ".join(f"version {period.version}" for period in lane.periods)
        for lane in lanes[:12]
    ]
    more = f"; and {quantity(len(lanes) - 12, 'more lane')}" if len(lanes) > 12 else ""
    return f"Versions in use over time. {'; '.join(parts)}{more}. The tables give the moments."
