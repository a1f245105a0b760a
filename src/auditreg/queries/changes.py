"""What changed: the changes of a period, by kind and person, and what differs between two moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError
from auditreg.queries.model_refs import literal

if TYPE_CHECKING:
    import duckdb

KINDS: Mapping[str, str] = {
    "stage": "kind = 'model_version' and item = 'stage'",
    "alias": "kind = 'alias'",
    "tag": "kind in ('registered_model_tag', 'model_version_tag')",
    "description": "kind in ('registered_model', 'model_version') and item = 'description'",
    "version": "kind = 'model_version' and item = 'version'",
    "model": "kind = 'registered_model' and item in ('model', 'name')",
    "source": "kind = 'model_version' and item = 'source'",
    "status": "kind = 'model_version' and item = 'status'",
    "run": "kind = 'run' or kind = 'model_version' and item = 'run'",
    "logged-model": "kind = 'logged_model'",
    "artifact": "kind = 'model_artifact'",
    "account": "kind = 'principal'",
    "right": "kind = 'permission'",
}
"""What a change can be of, and how the view `changes` says so."""

DIFFERENCES = (
    *("registry", "workspace", "model", "version", "field", "before", "after", "certainty"),
    *("subject",),
)
"""Columns of the rows of `difference_rows`."""

_ABOUT = (
    *("subject", "model_subject", "registry", "workspace", "model", "version", "kind"),
    *("live", "possibly_live", "deleted", "uncertain_fields", "certainty"),
)
"""Columns of the inventory that are compared in another way, or say what a row is about."""

_CLOCKS = ("last_updated_at", "last_updated")
"""MLflow's time of the last update moves with every other change."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes are asked for; each part is optional, and all of them have to hold."""

    since: datetime | None = None
    until: datetime | None = None
    kinds: tuple[str, ...] = ()
    actor: str | None = None
    uncaptured: bool = False

    def where(self) -> tuple[str, dict[str, object]]:
        """SQL of the conditions, and its parameters.

        Raises:
            UsageError: there is no such kind.
        """
        parts = ["true"]
        values: dict[str, object] = {}
        if self.since is not None:
            parts.append("coalesce(changed_not_after, 'infinity') >= $since::TIMESTAMP")
            values["since"] = self.since
        if self.until is not None:
            parts.append("coalesce(changed_not_before, '-infinity') < $until::TIMESTAMP")
            values["until"] = self.until
        if self.kinds:
            unknown = sorted(set(self.kinds) - set(KINDS))
            if unknown:
                raise UsageError(
                    f"There is no kind of change {unknown[0]!r}.",
                    hint=f"Kinds: {', '.join(KINDS)}.",
                )
            parts.append(" or ".join(f"({KINDS[kind]})" for kind in self.kinds))
        if self.actor is not None:
            parts.append(
                "lower(trim(actor)) = lower(trim($actor)) or person_of(actor) = person_of($actor)"
            )
            values["actor"] = self.actor
        if self.uncaptured:
            parts.append("uncaptured")
        return " and ".join(f"({part})" for part in parts), values


def change_rows(
    connection: duckdb.DuckDBPyConnection, wanted: ChangeFilter
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of the changes asked for, oldest first."""
    where, values = wanted.where()
    cursor = connection.execute(
        f"select * from changes where {where} "  # noqa: S608 - conditions of our own, values bound
        "order by changed_not_after, observed_at, seq, item",
        values,
    )
    return tuple(column[0] for column in cursor.description or ()), cursor.fetchall()


def difference_rows(
    connection: duckdb.DuckDBPyConnection, first: datetime, second: datetime
) -> list[tuple[object, ...]]:
    """What the inventory says differently at two moments: a row per version and field.

    Where the record leaves several values possible at one of the moments, all of them are given,
    and `certainty` says at which.
    """
    before, after = InventorySnapshot(connection, first), InventorySnapshot(connection, second)
    columns = [name for name in before.columns if name not in (*_ABOUT, *_CLOCKS)]
    found: list[tuple[object, ...]] = []
    subjects = before.rows.keys() | after.rows.keys()
    for subject in sorted(subjects, key=lambda one: _order(one, before, after)):
        found += _differences(subject, before, after, ("live", *columns))
    return found


class InventorySnapshot:
    """The inventory at a moment, and every value that is possible where it leaves one open."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
        moment = literal(at)
        cursor = connection.execute(f"from inventory_as_of({moment})")
        self.columns = [column[0] for column in cursor.description or ()]
        rows = (dict(zip(self.columns, row, strict=True)) for row in cursor.fetchall())
        self.rows = {row["subject"]: row for row in rows}
        self._models: set[str] = set()
        self._models = {
            row["model_subject"] for row in self.rows.values() if self.there(row["subject"])
        }
        self._possible: dict[tuple[str, str], list[str]] = defaultdict(list)
        if any(row["uncertain_fields"] for row in self.rows.values()):
            self._read_possible(connection, moment)

    def _read_possible(self, connection: duckdb.DuckDBPyConnection, moment: str) -> None:
        values = connection.execute(
            f"""
            select subject, field, value from fields_as_of({moment}) where rank = 1
            union select subject, 'stage', stage from model_versions_as_of({moment})
            union select subject, 'aliases', alias from aliases_as_of({moment})
            order by all
            """  # noqa: S608 - a moment of our own
        ).fetchall()
        for subject, field, value in values:
            self._possible[subject, field].append(str(value))

    def there(self, subject: str) -> bool:
        """Whether it stood there, or may have."""
        row = self.rows.get(subject)
        if row is None:
            # A model has a row of its own only while it has no version.
            return subject in self._models
        return not row["deleted"] or self._open(row, "deleted")

    def doubt(self, subject: str) -> bool:
        """Whether it may also have not been there."""
        row = self.rows.get(subject)
        return row is not None and self._open(row, "deleted")

    def value(self, subject: str, field: str) -> tuple[object, bool]:
        """The value of a field, and whether the record leaves it open."""
        row = self.rows[subject]
        if field == "live":
            return ("possibly" if row["possibly_live"] else bool(row["live"])), row["possibly_live"]
        if not self._open(row, field):
            return row.get(field), False
        possible = self._possible.get((subject, field), [])
        return (" or ".join([*possible, "none"] if len(possible) < 2 else possible), True)

    @staticmethod
    def _open(row: Mapping[str, Any], field: str) -> bool:
        return field in (row["uncertain_fields"] or "").split(", ")


def _order(subject: str, before: InventorySnapshot, after: InventorySnapshot) -> tuple[object, ...]:
    row = after.rows.get(subject) or before.rows[subject]
    return (row["registry"], row["workspace"] or "", row["model"], row["version"] or 0, subject)


def _differences(
    subject: str, before: InventorySnapshot, after: InventorySnapshot, fields: Sequence[str]
) -> list[tuple[object, ...]]:
    row = after.rows.get(subject) or before.rows[subject]
    about = (row["registry"], row["workspace"], row["model"], row["version"])
    was, now = before.there(subject), after.there(subject)
    if not was and not now:
        return []
    doubts = [before.doubt(subject), after.doubt(subject)]
    found: list[tuple[object, ...]] = []
    if was != now or any(doubts):
        what = "model" if row["version"] is None else "version"
        said = [
            "possibly present" if doubt else ("present" if there else None)
            for there, doubt in zip((was, now), doubts, strict=True)
        ]
        if said[0] != said[1]:
            found.append((*about, what, *said, _certainty(*doubts), subject))
    if was != now or subject not in before.rows or subject not in after.rows:
        return found
    if before.rows[subject]["model"] != after.rows[subject]["model"]:
        names = before.rows[subject]["model"], after.rows[subject]["model"]
        found.append((*about, "model", *names, "certain", subject))
    for field in fields:
        (old, old_open), (new, new_open) = before.value(subject, field), after.value(subject, field)
        if old != new:
            found.append((*about, field, old, new, _certainty(old_open, new_open), subject))
    return found


def _certainty(before: bool, after: bool) -> str:
    if before and after:
        return "uncertain at both"
    return "uncertain before" if before else ("uncertain after" if after else "certain")
