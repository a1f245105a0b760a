"""What a ledger tells, in the terms of the reference model, and what is wrong in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.ledger.captured import Change, Image, Look, Row
from tests.ledger.histories import ABSENT
from tests.ledger.knowable import Answer, Knowable
from tests.ledger.reading import EPOCH, START, moment

if TYPE_CHECKING:
    import duckdb

_TABLES = {
    "registered_model": (
        "registered_models",
        "subject, null, null",
        "case when not deleted then [model, description] end",
    ),
    "registered_model_tag": ("registered_model_tags", "model_subject, null, key", "value"),
    "model_version": (
        "model_versions",
        "model_subject, version, null",
        "case when not deleted then [stage, description] end",
    ),
    "model_version_tag": ("model_version_tags", "model_subject, version, key", "value"),
    "alias": ("aliases", "model_subject, null, alias", "version"),
}


def _ms(when: datetime | None) -> int | None:
    return None if when is None else round((when - EPOCH).total_seconds() * 1000)


def _born(con: duckdb.DuckDBPyConnection) -> dict[str, int | None]:
    """Subject of each model -> its creation time, by which the tests know it."""
    return {
        subject: _ms(created)
        for subject, created in con.execute(
            "select distinct subject, created_at from ledger.log where kind = 'registered_model'"
        ).fetchall()
    }


def answers(
    con: duckdb.DuckDBPyConnection, asked: Sequence[int]
) -> dict[int, dict[Row, list[Answer]]]:
    """What is said of every row at each moment, all moments of a table in one query."""
    born = _born(con)
    found: dict[int, dict[Row, list[Answer]]] = {ms: {} for ms in asked}
    for kind, (table, item, value) in _TABLES.items():
        for at, subject, version, name, told, certainty, candidate in con.execute(
            f"select ts, said.* from (select unnest($1::TIMESTAMP[]) as ts) m, lateral "
            f"(select {item}, {value}, certainty, candidate from {table}_as_of(m.ts)) said",
            [[moment(ms) for ms in asked]],
        ).fetchall():
            row = Row(kind, born[subject], version, name)
            fact = tuple(told) if isinstance(told, list) else ABSENT if told is None else told
            found[_ms(at)].setdefault(row, []).append((fact, certainty, candidate))
    return found


def asked_singly(con: duckdb.DuckDBPyConnection, ms: int) -> int:
    """How many rows the tables hold at a moment when each is asked about it alone."""
    counts = [
        con.execute(f"select count(*) from {table}_as_of(?)", [moment(ms)]).fetchone()
        for table, _, _ in _TABLES.values()
    ]
    return sum(count[0] for count in counts if count)


_LATEST = (
    """select 'registered_model', model, null, null, description, epoch_ms(last_updated_at)
    from registered_models where not deleted""",
    "select 'registered_model_tag', model, null, key, value, null from registered_model_tags",
    """select 'model_version', model, version, stage, concat_ws('|', description, run_id, source),
    epoch_ms(last_updated_at) from model_versions where not deleted""",
    """select 'model_version_tag', t.model, t.version, key, value, null
    from model_version_tags t join model_versions v using (subject) where not v.deleted""",
    "select 'alias', model, version, alias, null, null from aliases",
)


def wrong_rows(con: duckdb.DuckDBPyConnection, look: Look) -> list[str]:
    """Where the latest state is not what the latest reading showed."""
    told: Counter[tuple[Any, ...]] = Counter()
    for query in _LATEST:
        told.update(con.execute(query).fetchall())
    shown: Counter[tuple[Any, ...]] = Counter()
    gone = {
        (row.model, row.version)
        for row, image in look.rows.items()
        if image.get("current_stage") == "Deleted_Internal"
    }
    for row, image in look.rows.items():
        if (row.model, row.version) in gone:
            continue
        texts = (image.get("description"), image.get("run_id"), image.get("source"))
        value = {
            "registered_model": (None, image.get("description")),
            "model_version": (
                image.get("current_stage"),
                "|".join(text for text in texts if text is not None),
            ),
            "alias": (image.get("alias"), None),
        }.get(row.kind, (image.get("key"), image.get("value")))
        shown[
            row.kind, image["name"], image.get("version"), *value, image.get("last_updated_time")
        ] += 1
    return [
        f"{row}: told {told[row]}, shown {shown[row]}"
        for row in told | shown
        if told[row] != shown[row]
    ]


# Changes.

Told = tuple[str, str | None, str | None]
"""A changed item: its name, before and after."""

_ITEMS = {
    "registered_model": {"description": "description", "name": "name"},
    "model_version": {
        "stage": "current_stage",
        "description": "description",
        "source": "source",
        "run": "run_id",
        "status": "status",
    },
}


def items(kind: str, before: Image | None, after: Image | None) -> list[Told]:
    """What a change of a row is told as, item by item."""
    either = after or before
    if either is None:
        return []
    if kind not in _ITEMS:
        name, column = ("alias", "version") if kind == "alias" else ("key", "value")
        values = [str(image[column]) if image else None for image in (before, after)]
        return [(either[name], *values)] if values[0] != values[1] else []
    deleted = [not x or x.get("current_stage") == "Deleted_Internal" for x in (before, after)]
    found: list[Told] = []
    if deleted[0] != deleted[1]:
        name = "model" if kind == "registered_model" else "version"
        found.append((name, *(None if gone else "present" for gone in deleted)))
    if deleted[1]:
        return found
    assert after is not None
    for item, column in _ITEMS[kind].items():
        old = before[column] if before and not deleted[0] else None
        first = deleted[0] and (item != "stage" or after[column] == "None")
        if old != after[column] and not first:
            found.append((item, old, after[column]))
    return found


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A row of the view `changes`."""

    row: Row
    told: Told
    low: int | None
    high: int | None
    actor: str | None
    grade: str
    uncaptured: bool

    def spans(self, change: Change, tolerance: int) -> bool:
        """Whether it may be that change, as far as its item and time go."""
        return (
            self.row == change.row
            and self.told[0]
            in {item for item, _, _ in items(self.row.kind, change.before, change.after)}
            and (self.low is None or self.low <= change.when + tolerance)
            and (self.high is None or change.began - tolerance <= self.high)
        )

    def __str__(self) -> str:
        span = [at and at - START for at in (self.low, self.high)]
        return (
            f"{self.row} {self.told} {span} {self.actor} {self.grade} uncaptured {self.uncaptured}"
        )


def told_changes(con: duckdb.DuckDBPyConnection) -> list[ToldChange]:
    """The view `changes`."""
    born, found = _born(con), []
    for (
        subject,
        kind,
        version,
        item,
        before,
        after,
        low,
        high,
        actor,
        grade,
        uncaptured,
    ) in con.execute(
        "select split_part(split_part(subject, ':', 1), '/', 1), kind, version, item, before, "
        "after, changed_not_before, changed_not_after, actor, grade, uncaptured from changes"
    ).fetchall():
        row = Row(
            kind,
            born[subject],
            None if kind in ("alias", "registered_model", "registered_model_tag") else version,
            None if kind in _ITEMS else item,
        )
        told = (item, before, after)
        found.append(ToldChange(row, told, _ms(low), _ms(high), actor, grade, bool(uncaptured)))
    return found


def wrong_flags(con: duckdb.DuckDBPyConnection, known: Knowable) -> list[str]:
    """Changes told as uncaptured that the journal has, or that were made while capture was off."""
    causes = [
        change
        for change in known.registry.changes
        if change.journal is None
        # Where the server's clock is another, its times do not say what was within a gap.
        and (known.tolerance or not known.registry.declared_off(change.when))
    ]
    return [
        f"not uncaptured: {told}"
        for told in told_changes(con)
        if told.uncaptured and not any(told.spans(change, known.tolerance) for change in causes)
    ]


def wrong_changes(con: duckdb.DuckDBPyConnection, known: Knowable) -> list[str]:
    """Recorded changes not told exactly once; changes told twice; tampering not told as that."""
    found = told_changes(con)
    wrong = list(_wrongly_recorded(known, [told for told in found if told.grade == "captured"]))
    others = [told for told in found if told.grade != "captured"]
    unexplained = [change for change in known.registry.changes if not known.known(change)]
    wrong += [
        f"nothing unrecorded happened: {told}"
        for told in others
        if not any(told.spans(change, known.tolerance) for change in unexplained)
        and not known.hidden(told.row)
    ]
    for change, before, after in known.tampered():
        for item in items(change.row.kind, before, after):
            flagged = [
                told
                for told in others
                if told.uncaptured and told.told == item and told.spans(change, known.tolerance)
            ]
            if len(flagged) != 1:
                wrong.append(
                    f"uncaptured {item} of {change.row} at {change.when - START}: {len(flagged)} times"
                )
    return wrong


def _wrongly_recorded(known: Knowable, found: Iterable[ToldChange]) -> Iterable[str]:
    expected: Counter[tuple[Any, ...]] = Counter()
    loose = bool(known.tolerance) or any(
        change.began != change.when for change in known.registry.changes
    )
    for change in known.registry.changes:
        if known.known(change):
            for item in items(change.row.kind, change.before, change.after):
                at = None if loose else change.served
                expected[change.row, item, at, at, change.actor] += 1
    told = Counter(
        (x.row, x.told, None if loose else x.low, None if loose else x.high, x.actor) for x in found
    )
    for what in expected | told:
        if expected[what] != told[what]:
            row, item, low, high, actor = what
            span = [at and at - START for at in (low, high)]
            yield f"recorded {row} {item} {span} {actor}: told {told[what]}, not {expected[what]}"
