"""What was live, as sentences. Every name in it may be hostile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.formats.escape import escape_control
from auditreg.formats.terminal.text import between, clock, folded, moment_judged
from auditreg.models import Certainty

if TYPE_CHECKING:
    from auditreg.formats.interface import OutputTarget
    from auditreg.queries.live_versions import LiveAnswer, LiveVersion
    from auditreg.queries.model_refs import Selection


_APPROVED = ("holds", "contested", "unidentified", "after going live")
"""Verdicts of a record that somebody approved, whatever that is worth."""


def sentences(answers: Sequence[LiveAnswer], selection: Selection, target: OutputTarget) -> bytes:
    """One line per model, and one per version where several are possible; wrapped on a terminal."""
    from rich.text import Text

    from auditreg.formats.terminal.layout import render

    alone = len(answers) == 1
    tz = target.timezone
    lines = [line for answer in answers for line in _lines(answer, selection, tz, alone=alone)]
    return render([Text(folded(line, target.width)) for line in lines], target)


def _lines(answer: LiveAnswer, selection: Selection, tz: str, *, alone: bool) -> Iterator[str]:
    name = escape_control(answer.model)
    if not alone:
        name += (
            f" ({escape_control(answer.registry)}, workspace {escape_control(answer.workspace)})"
        )
    if len(answer.versions) == 1:
        [live] = answer.versions
        yield f"{name}: {_claim(answer, selection, tz)}, {_details(live, tz)}; {_how_sure(answer, live, tz)}."
        return
    sure = _how_sure(answer, answer.versions[-1] if answer.versions else None, tz)
    yield f"{name}: {_claim(answer, selection, tz)}; {sure}."
    for live in answer.versions:
        yield f"  version {live.version}: {_details(live, tz)}."


def _claim(answer: LiveAnswer, selection: Selection, tz: str) -> str:
    """What was live, in half a sentence."""
    was = "is" if answer.at is None else "was"
    when = _when(answer, tz)
    numbers = [v.partition("/")[2] for v in selection.versions if v.startswith(answer.subject)]
    if not answer.versions:
        if not answer.existed:
            return f"nothing {was} live {when}: there was no such model, by the record"
        what = f"version {' or '.join(numbers)} {was} not" if numbers else f"nothing {was}"
        return f"{what} live {when}"
    sure = [f"version {live.version}" for live in answer.versions if live.sure]
    possible = [f"version {live.version}" for live in answer.versions if not live.sure]
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


def _when(answer: LiveAnswer, tz: str) -> str:
    if answer.at is not None:
        return f"at {moment_judged(answer.at, tz)}"
    last = answer.last_reading
    return f"at the last reading ({clock(last, tz)})" if last else "at the last reading"


def _details(live: LiveVersion, tz: str) -> str:
    parts = [
        f"via {escape_control(live.via)}",
        f"since {_bound(live.not_before, live.not_after, tz)}",
    ]
    if live.ended_not_after is not None:
        parts.append(f"until {_bound(live.ended_not_before, live.ended_not_after, tz)}")
    if live.actor is None:
        captured = live.grade == "captured"
        why = "the server knew no user" if captured else "nothing captured it"
        parts.append(f"put there by: not recorded, {why}")
    else:
        how = f" ({_named_by(live.actor_from)})" if live.actor_from else ""
        parts.append(f"put there by {escape_control(live.actor)}{how}")
    return "; ".join([*parts, _approval(live)])


def _named_by(actor_from: str) -> str:
    """How the server knows the name; one that a program gave itself is no more than stated."""
    return "as stated by the client" if actor_from == "program" else escape_control(actor_from)


def _bound(first: datetime | None, last: datetime | None, tz: str) -> str:
    when = between(first, last, tz)
    return when if first == last else f"some moment {when}"


def _approval(live: LiveVersion) -> str:
    """Who approved it and whether that holds; a record that was no approval is not called one."""
    approval = live.approval
    if approval is None or approval.verdict == "none":
        return "approved by: no record"
    who = f" by {escape_control(approval.approver)}" if approval.approver else ""
    if approval.stated:
        who += f" on {escape_control(approval.stated)}"
    if approval.verdict in _APPROVED:
        return f"approved{who} ({escape_control(approval.words)})"
    return f"approval: {escape_control(approval.words)}{f' (recorded:{who})' if who else ''}"


def _how_sure(answer: LiveAnswer, live: LiveVersion | None, tz: str) -> str:
    certainty = answer.certainty if live is None else live.certainty
    words = certainty.words
    if live is not None and live.grade == "captured" and certainty is Certainty.CERTAIN:
        words += ", recorded by the server"
    if certainty is Certainty.NOT_SEEN_SINCE and answer.last_reading is not None:
        words += f" {clock(answer.last_reading, tz)}"
    if certainty is Certainty.UNKNOWN and answer.first_reading is not None:
        words += f": the first reading is of {clock(answer.first_reading, tz)}"
    return f"evidence: {words}"
