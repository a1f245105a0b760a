"""What happened to a model, as events and lines. Every name in it may be hostile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditreg.formats.escape import escape_control
from auditreg.formats.terminal.text import arrow, between, clock, fitted, folded
from auditreg.words import quantity

if TYPE_CHECKING:
    from rich.text import Text

    from auditreg.formats.interface import OutputTarget
    from auditreg.queries.change_groups import Parts
    from auditreg.queries.history import HistoryEvent
    from auditreg.queries.model_refs import Selection
    from auditreg.queries.reader import Row

_LABEL = 34
_KNOWN = {
    "captured": "recorded by the server",
    "observed": "seen between two readings",
    "uncaptured": "uncaptured: not in the server's record",
}


def timeline(rows: Sequence[Row], selection: Selection, target: OutputTarget) -> bytes:
    """Events with what changed in them indented below, cut to the width."""
    from rich.text import Text

    from auditreg.formats.terminal.layout import cut, render
    from auditreg.queries.history import group_events

    if not rows:
        return f"{fitted(', '.join(selection.names), target.width - 24)}: nothing is on record.\n".encode()
    lines: list[Text] = []
    for events in group_events(rows):
        style = "bold" if target.colour else ""
        lines += [Text(line, style) for line in _heading(events[0].row, target)]
        lines += [cut(Text(line), target.width) for line in _items(events, target.width)]
    return render(lines, target)


def _heading(row: Row, target: OutputTarget) -> list[str]:
    tz = target.timezone
    if row["event"] == "beginning":
        text = f"before {clock(row['not_after'], tz)} nothing was read: only MLflow's own times are known"
    elif row["event"] == "gap":
        text = _gap(row, tz)
    else:
        parts = (between(row["not_before"], row["not_after"], tz), _who(row), _how(row))
        text = " · ".join(part for part in parts if part)
    return folded(text, target.width).split("\n")


def _gap(row: Row, tz: str) -> str:
    start = clock(row["not_before"], tz) if row["not_before"] else "an unknown moment"
    end = clock(row["not_after"], tz) if row["not_after"] else "now"
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
        what += f" ({row['note']})" if row["note"] else ""
        return f"{what}, with {_counted(together)}" if together else what
    text = ""
    if row["before"] is not None or row["after"] is not None:
        text = arrow(row["before"], row["after"], width)
    if row["event"] == "stated":
        notes = [note for note in (row["reference"], row["note"]) if note]
        text = fitted("; ".join([part for part in (text, *notes) if part]) or row["kind"], width)
    return text
