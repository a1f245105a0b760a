"""The life of one model's versions as a picture: a lane per version, a row per stage and alias.

Each row has its name in the left column, so that no label meets a bar. A stage is a filled bar with
corners, an alias a rounded outline, what an engine ran a line; what means "in use" is dark or heavy.
An edge is a sharp line only where the moment is known; elsewhere the bar is hatched from the
earliest to the latest moment it can have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from auditreg.formats.report.charts import bands
from auditreg.formats.report.svg import (
    INK,
    QUIET,
    RULE,
    Scale,
    axis,
    line,
    picture,
    rect,
    room,
    short,
    text,
)
from auditreg.queries.records import Lifecycle, StatePeriod, VersionTimeline
from auditreg.report.wording import interval, moment
from auditreg.words import quantity

_WIDTH, _LEFT, _NAMES, _TOP = 680.0, 168.0, 64.0, 24.0
_BAR, _STEP, _PAD = 11.0, 14.0, 4.0
_SIZE = 8.6
_ROWS = 6
_CROSS = 6.0
_DARK, _MIDDLE, _PALE, _TINT = "#1c4b73", "#6d7f8d", "#dbe4eb", "#eef3f7"
_KINDS = ("stage", "alias", "ran")


@dataclass(frozen=True, slots=True)
class _Row:
    """One stage or alias of a version, or an engine that ran it, and all its times."""

    label: str
    live: bool
    periods: tuple[StatePeriod, ...]


def lifecycle_chart(
    life: Lifecycle, start: datetime, end: datetime, tz: str, *, name: str, model: str
) -> str:
    """One model's versions over time.

    Args:
        life: what is drawn.
        start: the period's beginning; the period is shaded.
        end: its end, exclusive.
        tz: zone of the axis.
        name: tells the pictures of one document apart; one letter.
        model: the model's name, for the title.
    """
    # Beyond the right edge there is room for the cross of what was deleted last.
    scale = Scale(life.start, life.end, _LEFT, _WIDTH - 2 * _CROSS)
    lanes = [(version, _rows(version, life)) for version in life.versions]
    heights = [_height(rows) for _, rows in lanes]
    bottom = _TOP + sum(heights)
    body = [_patterns(name), *_period(scale, start, end, bottom), *axis(scale, _TOP, bottom, tz)]
    body += _end_of_knowledge(life, scale, bottom)
    y = _TOP
    for (version, rows), height in zip(lanes, heights, strict=True):
        body.append(line(0, y, _WIDTH, y, f'stroke="{RULE}" stroke-width="0.7"'))
        body += _lane(version, rows, y + _PAD, scale, life, name)
        y += height
    body.append(line(0, y, _WIDTH, y, f'stroke="{RULE}" stroke-width="0.7"'))
    below, y = bands(life.basis, scale, bottom + 5, f"{name}1")
    keys, y = _legend(life, scale, y + 15, name)
    return picture(
        _WIDTH, y, f"Stages and aliases of the versions of {model} over time.",
        [*body, *below, *keys], description=_in_words(life, tz),
    )  # fmt: skip


def _patterns(name: str) -> str:
    patterns = "".join(
        f'<pattern id="{name}{index}" width="5" height="5" patternUnits="userSpaceOnUse">'
        f'<path d="M0,5 L5,0 M-1,1 L1,-1 M4,6 L6,4" stroke="{colour}" stroke-width="1.1"/></pattern>'
        for index, colour in enumerate((_DARK, _MIDDLE))
    )
    return f"<defs>{patterns}</defs>"


def _period(scale: Scale, start: datetime, end: datetime, bottom: float) -> list[str]:
    left, right = scale(start), scale(end)
    return [
        rect(left, _TOP, right - left, bottom - _TOP, f'fill="{_TINT}"'),
        rect(left, _TOP - 4, right - left, 2.6, f'fill="{_MIDDLE}"'),
    ]


def _rows(version: VersionTimeline, life: Lifecycle) -> list[_Row]:
    """A row for each stage, alias and engine of a version, in the order in which they began."""
    groups: dict[tuple[str, str], list[StatePeriod]] = {}
    for period in sorted(_drawn(version.periods, life), key=lambda period: _begin(period, life)):
        groups.setdefault((period.kind, period.name), []).append(period)
    return [
        _Row(periods[0].label, any(period.live for period in periods), tuple(periods))
        for _, periods in sorted(groups.items(), key=lambda group: _KINDS.index(group[0][0]))
    ]


def _shown(rows: Sequence[_Row]) -> list[_Row]:
    """The rows there is room for: where not for all, those that mean "in use" come first."""
    kept = sorted(rows, key=lambda row: not row.live)[:_ROWS]
    return [row for row in rows if row in kept]


def _height(rows: Sequence[_Row]) -> float:
    return _PAD * 2 + _STEP * max(1, len(_shown(rows))) - (_STEP - _BAR)


def _drawn(periods: Iterable[StatePeriod], life: Lifecycle) -> Iterator[StatePeriod]:
    """What did not end before the picture begins."""
    for period in periods:
        ended = period.end.not_after if period.end else None
        if ended is None or ended > life.start:
            yield period


def _begin(period: StatePeriod, life: Lifecycle) -> datetime:
    return period.start.not_before or life.start


def _lane(
    version: VersionTimeline, rows: Sequence[_Row], y: float, scale: Scale, life: Lifecycle,
    name: str,
) -> list[str]:  # fmt: skip
    title = f"version {version.version}"
    if room(title, 10.2) > _NAMES - 6:
        title = f"v{version.version}"
    shown = _shown(rows)
    body = [text(4, y + _BAR - 2.2, short(title, _NAMES - 6, 10.2), 10.2)]
    if len(rows) > len(shown):
        more = f"{len(rows) - len(shown)} more"
        body.append(text(4, y + _BAR + 8, more, 8, fill=QUIET))
    body += _lifeline(version, y + _BAR / 2, scale, life)
    for number, row in enumerate(shown):
        top = y + number * _STEP
        label = short(row.label, _LEFT - _NAMES - 6, _SIZE, bold=row.live)
        weight = 600 if row.live else 400
        body.append(text(_NAMES, top + _BAR - 2.7, label, _SIZE, weight=weight))
        for period in row.periods:
            body += _bar(period, top, scale, life, name)
    return body


def _lifeline(version: VersionTimeline, y: float, scale: Scale, life: Lifecycle) -> list[str]:
    """A thin line from the registration to the deletion, which is a cross; bars lie over it."""
    begin = version.created_at or life.start
    gone = version.deleted
    until = (gone.not_before or gone.not_after) if gone else life.known_until
    left, right = scale(begin), scale(max(until or life.end, begin))
    thin = f'stroke="{_MIDDLE}" stroke-width="0.8"'
    body = [line(left, y, right, y, thin)]
    if begin >= life.start:
        body.append(line(left, y - 3.5, left, y + 3.5, thin))
    if gone is not None:
        x = scale(gone.not_after or life.end) + _CROSS
        body += [line(right, y, x, y, thin + ' stroke-dasharray="1.5 1.5"'), *_cross(x, y)]
    return body


def _cross(x: float, y: float) -> list[str]:
    heavy = f'stroke="{INK}" stroke-width="1.7"'
    return [
        line(x - 3.5, y - 3.5, x + 3.5, y + 3.5, heavy),
        line(x - 3.5, y + 3.5, x + 3.5, y - 3.5, heavy),
    ]


def _bar(period: StatePeriod, y: float, scale: Scale, life: Lifecycle, name: str) -> list[str]:
    """A period: what is certain filled, the edges where it may have begun or ended hatched."""
    known = life.end if period.kind == "ran" else life.known_until or life.start
    first = _begin(period, life)
    begin, sure = scale(first), scale(period.start.not_after or first)
    finish = scale((period.end.not_after if period.end else None) or life.end)
    unsure = scale((period.end.not_before if period.end else known) or first)
    if sure >= unsure:  # it may have come and gone between two readings
        pieces = [(begin, finish, False)]
    else:
        pieces = [(begin, sure, False), (sure, unsure, True), (unsure, finish, False)]
    body = [
        _piece(period, left, right, y, name, sure=certain)
        for left, right, certain in pieces
        if right - left > 0.4
    ]
    for edge, x in ((period.start, begin), (period.end, finish)):
        if edge is not None and edge.exact:
            body.append(line(x, y - 1.6, x, y + _BAR + 1.6, f'stroke="{INK}" stroke-width="1.5"'))
    return body


def _piece(
    period: StatePeriod, left: float, right: float, y: float, name: str, *, sure: bool
) -> str:
    wide, colour = right - left, _DARK if period.live else _MIDDLE
    if period.kind == "ran":
        dash = "" if sure else ' stroke-dasharray="2 1.5"'
        middle = y + _BAR / 2
        return line(left, middle, right, middle, f'stroke="{INK}" stroke-width="2.4"{dash}')
    if not sure:
        corner = ' rx="3"' if period.kind == "alias" else ""
        place = (left, y + 0.6, wide, _BAR - 1.2)
        look = f'fill="url(#{name}{0 if period.live else 1})" stroke="{colour}" '
        look += f'stroke-width="0.8" stroke-dasharray="2 1.5"{corner}'
        return rect(*place, f'fill="#ffffff"{corner}') + rect(*place, look)
    if period.kind == "alias":
        heavy = 1.9 if period.live else 0.8
        look = f'fill="#ffffff" stroke="{colour}" stroke-width="{heavy}" rx="5"'
        return rect(left + 0.6, y + 0.6, max(wide - 1.2, 0.4), _BAR - 1.2, look)
    if period.live:
        return rect(left, y, wide, _BAR, f'fill="{_DARK}"')
    look = f'fill="{_PALE}" stroke="{_MIDDLE}" stroke-width="0.6"'
    return rect(left, y + 0.3, wide, _BAR - 0.6, look)


def _end_of_knowledge(life: Lifecycle, scale: Scale, bottom: float) -> list[str]:
    if life.known_until is None or scale.right - scale(life.known_until) < 2:
        return []
    x = scale(life.known_until)
    return [line(x, _TOP, x, bottom, f'stroke="{INK}" stroke-width="0.9" stroke-dasharray="4 2"')]


def _legend(life: Lifecycle, scale: Scale, y: float, name: str) -> tuple[list[str], float]:
    """What the marks mean, only those that are there."""
    body: list[str] = []
    x = _NAMES
    for draw, words in _keys(life, scale, name):
        wide = 24 + room(words, 8.6) + 8
        if x > _NAMES and x + wide > _WIDTH + 8:
            x, y = _NAMES, y + 13
        body += [*draw(x, y - 8.5), text(x + 24, y, words, 8.6, fill=QUIET)]
        x += wide
    return body, y + 6


_Key = tuple[Callable[[float, float], list[str]], str]

_LOOKS = {
    ("stage", True): "stage, in use",
    ("stage", False): "stage",
    ("alias", True): "alias, in use",
    ("alias", False): "alias",
    ("ran", True): "stated to run in",
}


def _keys(life: Lifecycle, scale: Scale, name: str) -> Iterator[_Key]:
    periods = [period for version in life.versions for period in _drawn(version.periods, life)]
    samples = {(period.kind, period.live): period for period in reversed(periods)}
    for look, words in _LOOKS.items():
        if look in samples:
            yield partial(_sample, samples[look], name, sure=True), words
    edges = [edge for period in periods for edge in (period.start, period.end) if edge is not None]
    if any(not edge.exact for edge in edges) or _end_of_knowledge(life, scale, 0):
        sample = next((period for period in periods if period.kind != "ran"), periods[0])
        yield partial(_sample, sample, name, sure=False), "began or ended at some moment in here"
    if any(edge.exact for edge in edges):
        mark = f'stroke="{INK}" stroke-width="1.5"'
        yield (lambda x, y: [line(x + 9, y - 1, x + 9, y + 11, mark)]), "moment known"
    if any(version.deleted for version in life.versions):
        yield (lambda x, y: _cross(x + 9, y + 5.5)), "deleted"
    if life.basis.gaps:
        hatched = f'fill="url(#{name}1)" stroke="{INK}" stroke-width="0.7"'
        yield (lambda x, y: [rect(x, y + 1, 18, 8, hatched)]), "gap in the server's record"
    yield (lambda x, y: [rect(x, y + 4, 18, 3, f'fill="{_MIDDLE}"')]), "the period"
    if _end_of_knowledge(life, scale, 0):
        dash = f'stroke="{INK}" stroke-width="0.9" stroke-dasharray="4 2"'
        yield (lambda x, y: [line(x + 9, y - 1, x + 9, y + 11, dash)]), "last reading"


def _sample(period: StatePeriod, name: str, x: float, y: float, *, sure: bool) -> list[str]:
    return [_piece(period, x, x + 18, y, name, sure=sure)]


def _in_words(life: Lifecycle, tz: str) -> str:
    """The whole picture in words."""
    parts = []
    for version in life.versions:
        states = [_period_in_words(period, tz) for period in version.periods]
        if version.deleted:
            states.append(f"deleted {interval(version.deleted, tz)}")
        parts.append(f"Version {version.version}: {'; '.join(states) or 'no stage and no alias'}.")
    if life.left_out:
        parts.append(f"{quantity(life.left_out, 'version')} not drawn.")
    if life.known_until:
        parts.append(f"Last reading {moment(life.known_until, tz)}.")
    return " ".join(parts)


def _period_in_words(period: StatePeriod, tz: str) -> str:
    ended = interval(period.end, tz) if period.end else "still"
    kind = {"stage": "stage", "alias": "alias", "ran": "stated to run in"}[period.kind]
    return f"{kind} {period.name}, began {interval(period.start, tz)}, ended {ended}"
