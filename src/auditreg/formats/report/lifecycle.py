"""The life of one model's versions as a picture: a lane per version, its stages and aliases as bars.

A stage is a filled bar with corners, an alias a rounded outline, what an engine ran a line below
its name; what means "in use" is dark or heavy. An edge is a sharp line only where the moment is
known; elsewhere the bar is hatched from the earliest to the latest moment it can have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from auditreg.formats.report.charts import bands
from auditreg.formats.report.svg import (
    INK,
    MONTHS,
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
from auditreg.report.wording import day, interval, moment

_WIDTH, _LEFT, _TOP = 680.0, 76.0, 24.0
_BAR, _STEP, _PAD = 11.0, 14.0, 4.0
_SIZE = 8.6
_LABEL = 150.0
_ROWS = 5
_HALF = 6.0
_DARK, _MIDDLE, _PALE, _TINT = "#1c4b73", "#6d7f8d", "#dbe4eb", "#eef3f7"
_KINDS = ("stage", "alias", "ran")


@dataclass(frozen=True, slots=True)
class _Bar:
    """A spell in points: it may have begun from `begin` on, is certain from `sure` to `unsure`."""

    spell: StatePeriod
    begin: float
    sure: float
    unsure: float
    finish: float
    label: str
    label_x: float
    inside: bool

    @property
    def extent(self) -> tuple[float, float]:
        """From where to where nothing else may be drawn."""
        wide = room(self.label, _SIZE, bold=True)
        return min(self.begin, self.label_x), max(self.finish, self.label_x + wide)


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
    scale = Scale(life.start, life.end, _LEFT, _WIDTH - 4)
    lanes = [(lane, *_packed(lane, life, scale, tz)) for lane in life.lanes]
    heights = [_PAD * 2 + _STEP * max(1, len(rows)) - (_STEP - _BAR) for _, rows, _ in lanes]
    bottom = _TOP + sum(heights)
    body = [_patterns(name), *_period(scale, start, end, bottom), *axis(scale, _TOP, bottom, tz)]
    body += _end_of_knowledge(life, scale, bottom)
    y = _TOP
    for (lane, rows, more), height in zip(lanes, heights, strict=True):
        body.append(line(0, y, _WIDTH, y, f'stroke="{RULE}" stroke-width="0.7"'))
        body += _lane(lane, rows, more, y + _PAD, scale, life, name)
        y += height
    body.append(line(0, y, _WIDTH, y, f'stroke="{RULE}" stroke-width="0.7"'))
    below, y = bands(life.record, scale, bottom + 5, f"{name}1")
    keys, y = _legend(life, scale, y + 15, name)
    return picture(
        _WIDTH, y, f"Stages and aliases of the versions of {model} over time.",
        [*body, *below, *keys], told=_told(life, tz),
    )  # fmt: skip


def _patterns(name: str) -> str:
    made = "".join(
        f'<pattern id="{name}{index}" width="5" height="5" patternUnits="userSpaceOnUse">'
        f'<path d="M0,5 L5,0 M-1,1 L1,-1 M4,6 L6,4" stroke="{colour}" stroke-width="1.1"/></pattern>'
        for index, colour in enumerate((_DARK, _MIDDLE))
    )
    return f"<defs>{made}</defs>"


def _period(scale: Scale, start: datetime, end: datetime, bottom: float) -> list[str]:
    left, right = scale(start), scale(end)
    return [
        rect(left, _TOP, right - left, bottom - _TOP, f'fill="{_TINT}"'),
        rect(left, _TOP - 4, right - left, 2.6, f'fill="{_MIDDLE}"'),
    ]


def _packed(
    lane: VersionTimeline, life: Lifecycle, scale: Scale, tz: str
) -> tuple[list[list[_Bar]], int]:
    """The lane's bars in rows in which nothing overlaps, and how many found no row."""
    rows: list[list[_Bar]] = []
    more = 0
    cross = _cross_at(lane, life, scale)
    for kind in _KINDS:
        spells = [spell for spell in lane.spells if spell.kind == kind and _drawn(spell, life)]
        own: list[list[_Bar]] = []
        # Where not all find room, those that mean "in use" do.
        for spell in sorted(spells, key=lambda one: (not one.live, _left(one, life))):
            bar = _bar(spell, life, scale, tz)
            free = next((row for row in own if all(_apart(bar, other) for other in row)), None)
            if not rows and own and free is own[0] and _hides(bar, cross):
                free = next((row for row in own[1:] if all(_apart(bar, one) for one in row)), None)
            if free is None and not rows and not own and _hides(bar, cross):
                own.append([])
            if free is None and len(own) < _ROWS:
                own.append(free := [])
            if free is None:
                more += 1
            else:
                free.append(bar)
        rows += own
    return rows, more


def _hides(bar: _Bar, cross: float | None) -> bool:
    return cross is not None and bar.extent[0] < cross + _HALF and bar.extent[1] > cross - _HALF


def _cross_at(lane: VersionTimeline, life: Lifecycle, scale: Scale) -> float | None:
    """Where the cross of a deletion stands: behind its latest moment, where there is room."""
    if lane.deleted is None:
        return None
    x = scale(lane.deleted.not_after or life.end)
    return x + _HALF if x + 2 * _HALF <= scale.right else x - _HALF


def _apart(bar: _Bar, other: _Bar) -> bool:
    return bar.extent[0] >= other.extent[1] - 0.1 or other.extent[0] >= bar.extent[1] - 0.1


def _drawn(spell: StatePeriod, life: Lifecycle) -> bool:
    ended = spell.end.not_after if spell.end else None
    return ended is None or ended > life.start


def _left(spell: StatePeriod, life: Lifecycle) -> datetime:
    return spell.start.not_before or life.start


def _bar(spell: StatePeriod, life: Lifecycle, scale: Scale, tz: str) -> _Bar:
    known = life.known_until or life.start
    if spell.kind == "ran":
        known = life.end
    first = _left(spell, life)
    begin, sure = scale(first), scale(spell.start.not_after or first)
    last = spell.end.not_after if spell.end else None
    finish = scale(last or life.end)
    unsure = scale((spell.end.not_before if spell.end else known) or first)
    if sure > unsure:  # it may have come and gone between two readings
        sure = unsure = finish
    inner = unsure - sure - 9
    for words in _labels(spell, life, tz):
        if room(words, _SIZE, bold=True) <= inner:
            return _Bar(spell, begin, sure, unsure, finish, words, sure + 5, inside=True)
    words = short(spell.label, _LABEL, _SIZE, bold=True)
    wide = room(words, _SIZE, bold=True)
    if finish + 4 + wide <= scale.right + 3:
        return _Bar(spell, begin, sure, unsure, finish, words, finish + 4, inside=False)
    if begin - 4 - wide >= scale.left:
        return _Bar(spell, begin, sure, unsure, finish, words, begin - 4 - wide, inside=False)
    words = short(spell.label, max(inner, 14.0), _SIZE, bold=True)
    return _Bar(spell, begin, sure, unsure, finish, words, sure + 4, inside=True)


def _labels(spell: StatePeriod, life: Lifecycle, tz: str) -> list[str]:
    """Words for a bar, the most telling first: since when only where the day is known."""
    label = short(spell.label, _LABEL, _SIZE, bold=True)
    first, last = spell.start.not_before, spell.start.not_after
    if not spell.live or first is None or last is None or first < life.start:
        return [label]
    on = day(first, tz)
    if on != day(last, tz):
        return [label]
    return [f"{label} from {int(on[8:])} {MONTHS[int(on[5:7]) - 1]}", label]


def _lane(
    lane: VersionTimeline, rows: Sequence[Sequence[_Bar]], more: int, y: float, scale: Scale,
    life: Lifecycle, name: str,
) -> list[str]:  # fmt: skip
    title = f"version {lane.version}"
    if room(title, 10.2) > _LEFT - 6:
        title = short(f"v{lane.version}", _LEFT - 6, 10.2)
    body = [text(4, y + _BAR - 2.2, title, 10.2)]
    if more:
        body.append(text(4, y + _BAR + 8, f"{more} more bars", 8, fill=QUIET))
    body += _lifeline(lane, rows[0] if rows else (), y + _BAR / 2, scale, life)
    for number, row in enumerate(rows):
        for bar in row:
            body += _drawn_bar(bar, y + number * _STEP, name)
    return body


def _lifeline(
    lane: VersionTimeline, bars: Sequence[_Bar], y: float, scale: Scale, life: Lifecycle
) -> list[str]:
    """A thin line from the registration to the deletion, which is a cross; bars interrupt it."""
    begin = lane.created_at or life.start
    gone = lane.deleted
    until = (gone.not_before or gone.not_after) if gone else life.known_until
    left, right = scale(begin), scale(max(until or life.end, begin))
    thin = f'stroke="{_MIDDLE}" stroke-width="0.8"'
    taken = sorted(bar.extent for bar in bars)
    body = [line(x1, y, x2, y, thin) for x1, x2 in _between(left, right, taken)]
    if begin >= life.start and not any(x1 <= left <= x2 for x1, x2 in taken):
        body.append(line(left, y - 3.5, left, y + 3.5, thin))
    cross = _cross_at(lane, life, scale)
    if cross is not None:
        dashed = thin + ' stroke-dasharray="1.5 1.5"'
        body += [line(x1, y, x2, y, dashed) for x1, x2 in _between(right, cross, taken)]
        body += _cross(cross, y)
    return body


def _between(
    left: float, right: float, taken: Iterable[tuple[float, float]]
) -> Iterable[tuple[float, float]]:
    """The parts of a line that nothing covers."""
    for x1, x2 in taken:
        if left < min(x1, right):
            yield left, min(x1, right)
        left = max(left, x2)
    if left < right:
        yield left, right


def _cross(x: float, y: float) -> list[str]:
    heavy = f'stroke="{INK}" stroke-width="1.7"'
    return [
        line(x - 3.5, y - 3.5, x + 3.5, y + 3.5, heavy),
        line(x - 3.5, y + 3.5, x + 3.5, y - 3.5, heavy),
    ]


def _drawn_bar(bar: _Bar, y: float, name: str) -> list[str]:
    spell = bar.spell
    body = [
        _piece(spell, left, right, y, name, sure=sure)
        for left, right, sure in (
            (bar.begin, min(bar.sure, bar.finish), False),
            (bar.sure, bar.unsure, True),
            (max(bar.unsure, bar.begin), bar.finish, False),
        )
        if right - left > 0.4
    ]
    if bar.sure >= bar.unsure and bar.finish - bar.begin > 0.4:
        body = [_piece(spell, bar.begin, bar.finish, y, name, sure=False)]
    for known, x in ((spell.start, bar.begin), (spell.end, bar.finish)):
        if known is not None and known.exact:
            body.append(line(x, y - 1.6, x, y + _BAR + 1.6, f'stroke="{INK}" stroke-width="1.5"'))
    white = bar.inside and spell.kind == "stage" and spell.live and bar.unsure > bar.sure
    body.append(
        text(
            bar.label_x, y + _BAR - 2.7, bar.label, _SIZE,
            fill="#ffffff" if white else INK, weight=600 if spell.live else 400,
        )
    )  # fmt: skip
    return body


def _piece(
    spell: StatePeriod, left: float, right: float, y: float, name: str, *, sure: bool
) -> str:
    wide, colour = right - left, _DARK if spell.live else _MIDDLE
    if spell.kind == "ran":
        dash = "" if sure else ' stroke-dasharray="2 1.5"'
        heavy = f'stroke="{INK}" stroke-width="2"{dash}'
        return rect(left, y, wide, _BAR, 'fill="#ffffff"') + line(
            left, y + _BAR, right, y + _BAR, heavy
        )
    if not sure:
        look = f'fill="url(#{name}{0 if spell.live else 1})" stroke="{colour}" '
        corner = ' rx="3"' if spell.kind == "alias" else ""
        back = rect(left, y + 0.6, wide, _BAR - 1.2, f'fill="#ffffff"{corner}')
        look += f'stroke-width="0.8" stroke-dasharray="2 1.5"{corner}'
        return back + rect(left, y + 0.6, wide, _BAR - 1.2, look)
    if spell.kind == "alias":
        look = (
            f'fill="#ffffff" stroke="{colour}" stroke-width="{1.9 if spell.live else 0.8}" rx="5"'
        )
        return rect(left + 0.6, y + 0.6, max(wide - 1.2, 0.4), _BAR - 1.2, look)
    if spell.live:
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
    spells = [spell for lane in life.lanes for spell in lane.spells if _drawn(spell, life)]
    body: list[str] = []
    x = _LEFT
    for show, words in _keys(life, scale, spells, name):
        wide = 24 + room(words, 8.6) + 8
        if x > _LEFT and x + wide > _WIDTH + 8:
            x, y = _LEFT, y + 13
        body += [*show(x, y - 8.5), text(x + 24, y, words, 8.6, fill=QUIET)]
        x += wide
    return body, y + 6


_Key = tuple[Callable[[float, float], list[str]], str]


def _keys(
    life: Lifecycle, scale: Scale, spells: Sequence[StatePeriod], name: str
) -> Iterable[_Key]:
    said = {
        ("stage", True): "stage, in use",
        ("stage", False): "stage",
        ("alias", True): "alias, in use",
        ("alias", False): "alias",
        ("ran", True): "stated to run in",
    }
    for (kind, live), words in said.items():
        one = next((spell for spell in spells if (spell.kind, spell.live) == (kind, live)), None)
        if one is not None:
            yield partial(_sample, one, name, sure=True), words
    edges = [edge for spell in spells for edge in (spell.start, spell.end) if edge is not None]
    if any(not edge.exact for edge in edges) or _end_of_knowledge(life, scale, 0):
        stage = next((spell for spell in spells if spell.kind != "ran"), spells[0])
        yield partial(_sample, stage, name, sure=False), "began or ended at some moment in here"
    if any(edge.exact for edge in edges):
        mark = f'stroke="{INK}" stroke-width="1.5"'
        yield (lambda x, y: [line(x + 9, y - 1, x + 9, y + 11, mark)]), "moment known"
    if any(lane.deleted for lane in life.lanes):
        yield (lambda x, y: _cross(x + 9, y + 5.5)), "deleted"
    if life.record.gaps:
        look = f'fill="url(#{name}1)" stroke="{INK}" stroke-width="0.7"'
        yield (lambda x, y: [rect(x, y + 1, 18, 8, look)]), "gap in the server's record"
    yield (lambda x, y: [rect(x, y + 4, 18, 3, f'fill="{_MIDDLE}"')]), "the period"
    if _end_of_knowledge(life, scale, 0):
        dash = f'stroke="{INK}" stroke-width="0.9" stroke-dasharray="4 2"'
        yield (lambda x, y: [line(x + 9, y - 1, x + 9, y + 11, dash)]), "last reading"


def _sample(spell: StatePeriod, name: str, x: float, y: float, *, sure: bool) -> list[str]:
    return [_piece(spell, x, x + 18, y, name, sure=sure)]


def _told(life: Lifecycle, tz: str) -> str:
    """The whole picture in words."""
    parts = []
    for lane in life.lanes:
        said = [_spell_told(spell, tz) for spell in lane.spells]
        if lane.deleted:
            said.append(f"deleted {interval(lane.deleted, tz)}")
        parts.append(f"Version {lane.version}: {'; '.join(said) or 'no stage and no alias'}.")
    if life.known_until:
        parts.append(f"Last reading {moment(life.known_until, tz)}.")
    return " ".join(parts)


def _spell_told(spell: StatePeriod, tz: str) -> str:
    ended = interval(spell.end, tz) if spell.end else "still"
    kind = {"stage": "stage", "alias": "alias", "ran": "stated to run in"}[spell.kind]
    return f"{kind} {spell.name}, began {interval(spell.start, tz)}, ended {ended}"
