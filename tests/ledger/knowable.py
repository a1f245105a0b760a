"""What can be known of a registry from the readings taken in: the reference the ledger is held to.

`Knowable` knows the truth (every change, with when it committed) and the evidence (what each
reading showed, what each row of the journal in one of them says). It judges the ledger's answer
about one row of the registry at one moment:

- `certain` must be the truth; `seen_same` what the evidence before and after the moment shows;
  `not_seen_since` and `unknown` the last and the first evidence;
- `uncertain` must list the truth, or there was more than one change between the pieces of evidence;
- what was recorded between two readings of the journal, capture on throughout, must be `certain`.

Not judged, since nothing could tell: what was changed behind MLflow's back and undone before
anything saw it, or hidden by a change that no journal has and that moved the row's update time;
what was changed and undone after the servers were killed and before one was known to start; and
the tags of deleted versions where a reading was made by REST, which does not show them.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from tests.ledger.captured import CapturedRegistry, Change, Image, Look, Row
from tests.ledger.histories import ABSENT

Answer = tuple[Hashable, str, str]
"""What the ledger says: value, certainty, candidate."""


def fact(kind: str, image: Image | None) -> Hashable:
    """The value a table of the ledger shows of a row; `ABSENT` where it is not there."""
    if image is None or image.get("current_stage") == "Deleted_Internal":
        return ABSENT
    if kind == "registered_model":
        return (image["name"], image["description"])
    if kind == "model_version":
        return (image["current_stage"], image["description"])
    value: Hashable = image["version" if kind == "alias" else "value"]
    return value


def _keeps_time(change: Change) -> bool:
    """Whether it was made behind MLflow's back and left the row's update time."""
    times = [image.get("last_updated_time") for image in (change.before, change.after) if image]
    return change.how == "tamper" and len(times) == 2 and times[0] == times[1]


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a row stood so at a moment; `place` orders what shares one. `look` is the reading's."""

    moment: int
    place: float
    image: Image | None
    look: Look | None = None


class Knowable:
    """The truth about a registry and the evidence in some of its readings.

    Args:
        registry: what happened.
        looks: the readings taken in.
    """

    def __init__(self, registry: CapturedRegistry, looks: Sequence[Look]) -> None:
        self.registry = registry
        self.looks = sorted(looks, key=lambda look: look.at)
        self.sealed = {
            (look.reading.journal, number)
            for look in looks
            if look.reading.journal is not None
            for number in look.journal_ids
        }
        self.by_row: dict[Row, list[Change]] = {}
        for change in registry.changes:
            self.by_row.setdefault(change.row, []).append(change)
        self._evidence = {row: self._evidence_of(row) for row in self.by_row}
        self.tolerance = max(abs(offset) for offset in registry.offsets)
        self._alive = self._proofs_of_life()
        self._blank = {row: list(self._invisible(row)) for row in self.by_row}

    def known(self, change: Change) -> bool:
        """Whether its row of the journal was taken in."""
        return change.journal in self.sealed

    # The truth.

    def at(self, row: Row, ms: int) -> Hashable:
        """The value at a moment."""
        past = [change for change in self.by_row.get(row, ()) if change.when <= ms]
        return fact(row.kind, past[-1].after) if past else ABSENT

    def possible(self, row: Row, ms: int) -> set[Hashable]:
        """The values an answer may give: one, or those a change under way or a clock leaves open."""
        low, high = ms - self.tolerance, ms + self.tolerance
        return {self.at(row, low)} | {
            fact(row.kind, change.after)
            for change in self.by_row.get(row, ())
            if change.began <= high and low <= change.when
        }

    # The evidence.

    def _evidence_of(self, row: Row) -> list[Evidence]:
        found = []
        for change in self.by_row[row]:
            if self.known(change):
                found += [
                    Evidence(change.when, change.order - 0.1, change.before),
                    Evidence(change.when, change.order, change.after),
                ]
        for look in self.looks:
            image = look.rows.get(row)
            if image is not None or look.complete:
                found.append(Evidence(look.moment, look.order + 0.2, image, look))
        return sorted(found, key=lambda evidence: (evidence.moment, evidence.place))

    def around(self, row: Row, ms: int) -> tuple[Evidence | None, Evidence | None]:
        """The evidence next to a moment: the last one not after it, the first one not before it."""
        evidence = self._evidence.get(row, [])
        place = bisect.bisect_right(evidence, ms, key=lambda e: e.moment)
        before = evidence[place - 1] if place else None
        if before is not None and before.moment == ms:
            return before, before
        return before, evidence[place] if place < len(evidence) else None

    def _between(self, row: Row, low: Evidence | None, high: Evidence | None) -> list[Change]:
        return [
            change
            for change in self.by_row.get(row, ())
            if (low is None or change.order > low.place)
            and (high is None or change.order < high.place)
        ]

    def _invisible(self, row: Row) -> Iterable[tuple[int, int]]:
        """Spans in which a change behind MLflow's back cannot be seen, or not when it was."""
        for first in self._evidence[row][:1]:
            if any(_keeps_time(change) for change in self._between(row, None, first)):
                yield 0, first.moment
        for low, high in itertools.pairwise(self._evidence[row]):
            changes = self._between(row, low, high)
            if not any(x.how == "tamper" or self._unnoticed(x) for x in changes):
                continue
            same = fact(row.kind, low.image) == fact(row.kind, high.image)
            if same or self._misdated(changes, low, high):
                yield low.moment, high.moment

    def _unnoticed(self, change: Change) -> bool:
        """Whether it was made after the servers were killed, and no start since was taken in."""
        return any(
            low <= change.when
            and (high is None or change.when < high)
            and low not in self.registry.declared
            and not any(first >= low for first, _, _ in self._alive)
            for low, high in self.registry.off[1:]
        )

    def _misdated(self, changes: Sequence[Change], low: Evidence, high: Evidence) -> bool:
        """Whether a change that moved the update time stands beside one that did not."""
        times = [image and image.get("last_updated_time") for image in (low.image, high.image)]
        still = any(_keeps_time(change) for change in changes)
        return high.look is not None and still and times[0] != times[1]

    def _proofs_of_life(self) -> list[tuple[int, int, str]]:
        """From the start of each server process to the last thing it recorded, and its journal."""
        spans: dict[str, tuple[int, int, str]] = {}
        rows = {
            (look.reading.journal, row["id"]): row
            for look in self.looks
            if look.reading.journal is not None
            for row in look.reading._rows["journal"]
        }
        for (journal, _), row in rows.items():
            if row["operation"] == "start":
                spans[row["process"]] = (row["server_time"], row["server_time"], journal)
        for row in rows.values():
            if row["process"] in spans:
                first, last, journal = spans[row["process"]]
                spans[row["process"]] = (first, max(last, row["server_time"]), journal)
        return list(spans.values())

    def must_be_certain(self, row: Row, ms: int) -> bool:
        """Whether the journal leaves no doubt about a moment."""
        journalled = [x for x in self.looks if x.complete and x.reading.journal is not None]
        before = [look for look in journalled if look.at <= ms]
        after = [look for look in journalled if look.started >= ms]
        if not before or not after or self.tolerance:
            return False
        low, high = before[-1], after[0]
        if low.reading.journal != high.reading.journal:
            return False
        if not self._recording(low.at, high.at):
            return False
        changes = [x for x in self.by_row.get(row, ()) if x.order <= high.order]
        made = [change for change in changes if change.when <= ms]
        if made and not self.known(made[-1]):
            return False
        changes = [change for change in changes if change.order > low.order]
        if any(not self.known(change) or change.began != change.when for change in changes):
            return False
        return any(first <= low.at and last >= ms for first, last, _ in self._alive)

    def tampered(self) -> Iterable[tuple[Change, Image | None, Image | None]]:
        """What must be told as changed behind MLflow's back: the change, the row before and after."""
        if self.tolerance:
            return
        for row, evidence in self._evidence.items():
            for low, high in itertools.pairwise(evidence):
                changes = self._between(row, low, high)
                blank = (low.moment, high.moment) in self._blank[row]
                span = (low.moment, high.moment)
                only = changes and all(change.how == "tamper" for change in changes)
                if only and not blank and self._recording(*span) and self._enclosed(*span):
                    yield changes[-1], low.image, high.image

    def _recording(self, low: int, high: int) -> bool:
        """Whether capture was on all the time and missed nothing."""
        return not any(
            a <= high and (b is None or b >= low) for a, b in self.registry.off
        ) and not any(low <= missed <= high for missed in self.registry.missed)

    def _enclosed(self, low: int, high: int) -> bool:
        """Whether a journal that had begun before was read after."""
        return any(
            look.at >= high and look.reading.journal == journal
            for first, _, journal in self._alive
            if first <= low
            for look in self.looks
        )

    # The verdict.

    def wrong(self, row: Row, ms: int, answers: Sequence[Answer]) -> str:
        """Why an answer about a row at a moment is wrong; empty where it is right."""
        possible = self.possible(row, ms)
        if self.must_be_certain(row, ms) and not self.hidden(row):
            said = {(value, certainty) for value, certainty, _ in answers} or {(ABSENT, "certain")}
            if said != {(self.at(row, ms), "certain")}:
                return f"recorded by the server, so certainly {self.at(row, ms)}"
        if any(low <= ms <= high for low, high in self._blank.get(row, ())):
            return ""
        if self.hidden(row):
            return ""
        certainties = {certainty for _, certainty, _ in answers}
        if len(answers) > 1 and certainties != {"uncertain"}:
            return "several answers that are not all uncertain"
        if not answers:
            return self._wrong_silence(row, ms, possible)
        if certainties == {"uncertain"}:
            return self._wrong_uncertain(row, ms, answers, possible)
        ((value, certainty, _),) = answers
        if certainty == "certain":
            return "" if value in possible else f"not certain: {possible}"
        return "" if self._under_way(row, ms) else self._wrong_seen(row, ms, value, certainty)

    def hidden(self, row: Row) -> bool:
        """Whether it is a tag of a version once deleted, and not all readings show such."""
        version = Row("model_version", row.model, row.version)
        return (
            row.kind == "model_version_tag"
            and any(not look.reading.info.shows_deleted for look in self.looks)
            and any(
                change.after is not None and change.after["current_stage"] == "Deleted_Internal"
                for change in self.by_row.get(version, ())
            )
        )

    def _under_way(self, row: Row, ms: int) -> bool:
        """Whether a change, or a reading, was under way then: before and after are not defined."""
        low, high = ms - self.tolerance, ms + self.tolerance
        return any(
            change.began <= high and low <= change.when and change.began < change.when
            for change in self.by_row.get(row, ())
        ) or any(
            look.started - self.tolerance <= ms <= look.at + self.tolerance
            and (look.started < look.at or self.tolerance)
            for look in self.looks
        )

    def _facts(self, row: Row, ms: int) -> tuple[Hashable | None, Hashable | None]:
        before, after = self.around(row, ms)
        return (
            None if before is None else fact(row.kind, before.image),
            None if after is None else fact(row.kind, after.image),
        )

    def _wrong_silence(self, row: Row, ms: int, possible: set[Hashable]) -> str:
        before, after = self._facts(row, ms)
        unseen = before in (None, ABSENT) and after in (None, ABSENT)
        return "" if unseen or ABSENT in possible else f"no answer, but {possible}"

    def _wrong_seen(self, row: Row, ms: int, value: Hashable, certainty: str) -> str:
        before, after = self._facts(row, ms)
        later = self.around(row, ms)[1]
        # That an incomplete reading saw it again may be left unsaid.
        unsaid = later is not None and later.look is not None and not later.look.complete
        last = after is None or (unsaid and before == after)
        expected = {
            "seen_same": before if before == after else "no two equal pieces of evidence",
            "not_seen_since": before if last else "later evidence",
            "unknown": after if before is None else "earlier evidence",
        }[certainty]
        return "" if value == expected else f"{certainty} {value}, but {expected}"

    def _wrong_uncertain(
        self, row: Row, ms: int, answers: Sequence[Answer], possible: set[Hashable]
    ) -> str:
        values = {value for value, _, _ in answers}
        if values & possible or (ABSENT in possible and len(answers) == 1):
            return ""
        before, after = self.around(row, ms)
        facts = [fact(row.kind, None if before is None else before.image)]
        facts += [fact(row.kind, x.after) for x in self._between(row, before, after)]
        if sum(a != b for a, b in itertools.pairwise(facts)) > 1:
            return ""
        return f"{possible} not among {values}"
