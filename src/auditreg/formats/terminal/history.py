"""The past as sentences and lines for people; every name in it may be hostile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.formats.escape import escape_control
from auditreg.models import Certainty, quantity

if TYPE_CHECKING:
    from rich.text import Text

    from auditreg.formats.interface import OutputTarget
    from auditreg.queries.change_groups import Parts
    from auditreg.queries.history import HistoryEvent
    from auditreg.queries.live_versions import LiveAnswer, LiveVersion
    from auditreg.queries.model_refs import Selection
    from auditreg.queries.reader import Row

_SECONDS = "%Y-%m-%d %H:%M:%S"
_LABEL = 34


def clock(at: datetime) -> str:
    """A UTC moment, with milliseconds where it has them."""
    fine = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:{_SECONDS}}{fine}Z"


def between(first: datetime | None, last: datetime | None) -> str:
    """When something happened, never more precisely than the record has it."""
    if first is None and last is None:
        return "at an unknown moment"
    if first is None and last is not None:
        return f"by {clock(last)}"
    if last is None and first is not None:
        return f"after {clock(first)}"
    assert first is not None  # noqa: S101 - for the type checker
    assert last is not None  # noqa: S101
    if first == last:
        return clock(first)
    return f"between {clock(first)} and {clock(last)}"


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


# -- what was live ---------------------------------------------------------------------------------


def sentences(answers: Sequence[LiveAnswer], selection: Selection, surface: OutputTarget) -> bytes:
    """One line per model, and one per version where several are possible; wrapped on a terminal."""
    from rich.text import Text

    from auditreg.formats.terminal.layout import render

    alone = len(answers) == 1
    lines = [line for answer in answers for line in _lines(answer, selection, alone=alone)]
    return render([Text(_wrapped(line, surface.width)) for line in lines], surface)


def _wrapped(text: str, width: int) -> str:
    import textwrap

    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return "\n".join(
        textwrap.wrap(text, width, break_on_hyphens=False, subsequent_indent=indent) or [""]
    )


def _lines(answer: LiveAnswer, selection: Selection, *, alone: bool) -> Iterator[str]:
    name = escape_control(answer.model)
    if not alone:
        name += (
            f" ({escape_control(answer.registry)}, workspace {escape_control(answer.workspace)})"
        )
    if len(answer.versions) == 1:
        [one] = answer.versions
        yield f"{name}: {_claim(answer, selection)}, {_details(one)}; {_how_sure(answer, one)}."
        return
    sure = _how_sure(answer, answer.versions[-1] if answer.versions else None)
    yield f"{name}: {_claim(answer, selection)}; {sure}."
    for one in answer.versions:
        yield f"  version {one.version}: {_details(one)}."


def _claim(answer: LiveAnswer, selection: Selection) -> str:
    """What was live, in half a sentence."""
    was = "is" if answer.at is None else "was"
    when = _when(answer)
    numbers = [v.partition("/")[2] for v in selection.versions if v.startswith(answer.subject)]
    if not answer.versions:
        if not answer.there:
            return f"nothing {was} live {when}: there was no such model, by the record"
        what = f"version {' or '.join(numbers)} {was} not" if numbers else f"nothing {was}"
        return f"{what} live {when}"
    sure = [f"version {one.version}" for one in answer.versions if one.sure]
    possible = [f"version {one.version}" for one in answer.versions if not one.sure]
    if sure:
        also = f", and possibly {' or '.join(possible)} too" if possible else ""
        many = "are" if answer.at is None else "were"
        return f"{' and '.join(sure)} {was if len(sure) == 1 else many} live{also} {when}"
    if numbers:
        return f"{' or '.join(possible)} {was} possibly live {when}"
    if len(possible) == 1:
        return f"either {possible[0]} or nothing {was} live {when}"
    rest = "" if answer.handed_over else ", several of them, or nothing"
    return f"either {' or '.join(possible)}{rest} {was} live {when}"


def _when(answer: LiveAnswer) -> str:
    if answer.at is not None:
        return f"at {clock(answer.at)}"
    last = answer.last_reading
    return f"at the last reading ({clock(last)})" if last else "at the last reading"


def _details(one: LiveVersion) -> str:
    parts = [f"via {escape_control(one.via)}", f"since {_bound(one.not_before, one.not_after)}"]
    if one.ended_not_after is not None:
        parts.append(f"until {_bound(one.ended_not_before, one.ended_not_after)}")
    if one.actor is None:
        captured = one.grade == "captured"
        why = "the server knew no user" if captured else "nothing captured it"
        parts.append(f"put there by: not recorded, {why}")
    else:
        how = f" ({escape_control(one.actor_from)})" if one.actor_from else ""
        parts.append(f"put there by {escape_control(one.actor)}{how}")
    return "; ".join([*parts, _approval(one)])


def _bound(first: datetime | None, last: datetime | None) -> str:
    when = between(first, last)
    return when if first == last else f"some moment {when}"


def _approval(one: LiveVersion) -> str:
    approval = one.approval
    if not approval.approvers:
        return "approved by: no record"
    said = f"approved by {' or '.join(map(escape_control, approval.approvers))}"
    if approval.dates:
        said += f" on {' or '.join(map(escape_control, approval.dates))}"
    return said if approval.sure else f"{said} (not sure for that moment)"


def _how_sure(answer: LiveAnswer, one: LiveVersion | None) -> str:
    certainty = answer.certainty if one is None else one.certainty
    words = certainty.words
    if one is not None and one.grade == "captured" and certainty is Certainty.CERTAIN:
        words += ", recorded by the server"
    if certainty is Certainty.NOT_SEEN_SINCE and answer.last_reading is not None:
        words += f" {clock(answer.last_reading)}"
    if certainty is Certainty.UNKNOWN and answer.first_reading is not None:
        words += f": the first reading is of {clock(answer.first_reading)}"
    return f"how sure: {words}"


# -- what happened ---------------------------------------------------------------------------------

_KNOWN = {
    "captured": "recorded by the server",
    "observed": "seen between two readings",
    "uncaptured": "uncaptured: changed behind the server's back",
}


def timeline(rows: Sequence[Row], selection: Selection, surface: OutputTarget) -> bytes:
    """Events with what changed in them indented below, cut to the width."""
    from rich.text import Text

    from auditreg.formats.terminal.layout import cut, render
    from auditreg.queries.history import group_events

    if not rows:
        return f"{fitted(', '.join(selection.names), surface.width - 24)}: nothing is on record.\n".encode()
    lines: list[Text] = []
    for events in group_events(rows):
        style = "bold" if surface.colour else ""
        lines += [Text(line, style) for line in _heading(events[0].row, surface.width)]
        lines += [cut(Text(line), surface.width) for line in _items(events, surface.width)]
    return render(lines, surface)


def _heading(row: Row, width: int) -> list[str]:
    if row["event"] == "beginning":
        text = (
            f"before {clock(row['not_after'])} nothing was read: only MLflow's own times are known"
        )
    elif row["event"] == "gap":
        text = _gap(row)
    else:
        said = (between(row["not_before"], row["not_after"]), _who(row), _how(row))
        text = " · ".join(part for part in said if part)
    return _wrapped(text, width).split("\n")


def _gap(row: Row) -> str:
    start = clock(row["not_before"]) if row["not_before"] else "an unknown moment"
    end = clock(row["not_after"]) if row["not_after"] else "now"
    if row["item"] == "clock went back":
        return f"the server's clock went back from {end} to {start}"
    detail = f": {fitted(row['note'], 200)}" if row["note"] else ""
    return f"without capture from {start} to {end} ({escape_control(row['item'] or '')}{detail})"


def _who(row: Row) -> str:
    if row["actor"] is None:
        return "who: not recorded" if row["event"] in ("change", "first seen") else ""
    how = f" ({escape_control(row['actor_from'])})" if row["actor_from"] else ""
    return f"{fitted(row['actor'], 60)}{how}"


def _how(row: Row) -> str:
    if row["event"] == "first seen":
        exact = row["not_before"] is not None and row["not_before"] == row["not_after"]
        return "MLflow's own time" if exact else "there at the first reading"
    if row["event"] in ("stated", "deployment began", "deployment ended"):
        return f"stated in {fitted(row['source'] or '', 100)}"
    if row["known"] == "observed" and row["not_before"] == row["not_after"]:
        return "seen by a reading; MLflow's own time"
    return _KNOWN.get(row["known"], escape_control(str(row["known"])))


def _items(events: Sequence[HistoryEvent], width: int) -> Iterator[str]:
    for event in events:
        if event.row["event"] in ("beginning", "gap"):
            continue
        label = fitted(_label(event.row), _LABEL)
        yield f"    {label}  {_content(event.row, event.together, width - len(label) - 6)}"


def _label(row: Row) -> str:
    version = "" if row["version"] is None else f"version {row['version']} "
    kind, item = row["kind"], row["item"] or ""
    if kind == "alias":
        return f"alias {item}"
    if kind in ("registered_model_tag", "model_version_tag"):
        return f"{version}tag {item}"
    if row["event"] in ("deployment began", "deployment ended"):
        return version.strip() or "deployment"
    if item in ("model", "version"):
        return version.strip() or f"model {row['model']}"
    if kind == "registered_model":
        return f"model {item}"
    if row["event"] == "stated" and kind != item:
        return f"{version}{kind} {item}"
    return f"{version}{item}"


def _counted(together: Parts) -> str:
    return ", ".join(quantity(number, noun) for noun, number in together)


def _content(row: Row, together: Parts, width: int) -> str:
    if row["event"] in ("deployment began", "deployment ended"):
        words = "began to run in" if row["event"] == "deployment began" else "ceased to run in"
        digest = f" (digest {row['after'][:12]}…)" if row["after"] else ""
        return fitted(f"{words} {row['item']}{digest}", width)
    if row["item"] in ("model", "version") and row["event"] != "stated":
        what = "deleted" if row["change"] == "removed" else "registered"
        return f"{what}, with {_counted(together)}" if together else what
    said = ""
    if row["before"] is not None or row["after"] is not None:
        said = arrow(row["before"], row["after"], width)
    if row["event"] == "stated":
        notes = [note for note in (row["reference"], row["note"]) if note]
        said = fitted("; ".join([part for part in (said, *notes) if part]) or row["kind"], width)
    return said
