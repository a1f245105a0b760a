"""What differs in the inventory between two moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.queries.reader import as_of, fetch_rows

if TYPE_CHECKING:
    import duckdb

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


def difference_rows(
    connection: duckdb.DuckDBPyConnection, first: datetime, second: datetime
) -> list[tuple[object, ...]]:
    """What the inventory says differently at two moments: a row per version and field.

    Where the record leaves several values possible at one of the moments, all of them are given,
    and `certainty` says at which.
    """
    before, after = InventorySnapshot(connection, first), InventorySnapshot(connection, second)
    subjects = before.rows.keys() | after.rows.keys()
    columns = next(iter((*before.rows.values(), *after.rows.values())), {})
    fields = ("live", *(name for name in columns if name not in (*_ABOUT, *_CLOCKS)))
    return [
        row
        for subject in sorted(subjects, key=lambda subject: _order(subject, before, after))
        for row in _differences(subject, before, after, fields)
    ]


class InventorySnapshot:
    """The inventory at a moment, and every value that is possible where it leaves one open."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
        self.rows = {
            row["subject"]: row for row in fetch_rows(connection, f"from {as_of('inventory', at)}")
        }
        self._models: set[str] = set()
        self._models = {
            row["model_subject"] for row in self.rows.values() if self.existed(row["subject"])
        }
        self._possible: dict[tuple[str, str], list[str]] = defaultdict(list)
        if any(row["uncertain_fields"] for row in self.rows.values()):
            self._read_possible(connection, at)

    def _read_possible(self, connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
        values = connection.execute(
            f"""
            select subject, field, value from {as_of("fields", at)} where rank = 1
            union select subject, 'stage', stage from {as_of("model_versions", at)}
            union select subject, 'aliases', alias from {as_of("aliases", at)}
            order by all
            """
        ).fetchall()
        for subject, field, value in values:
            self._possible[subject, field].append(str(value))

    def existed(self, subject: str) -> bool:
        """Whether it existed, or may have."""
        row = self.rows.get(subject)
        if row is None:
            # A model has a row of its own only while it has no version.
            return subject in self._models
        return not row["deleted"] or self._open(row, "deleted")

    def doubt(self, subject: str) -> bool:
        """Whether it may also not have existed."""
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
    existed_before, existed_after = before.existed(subject), after.existed(subject)
    if not existed_before and not existed_after:
        return []
    doubts = [before.doubt(subject), after.doubt(subject)]
    rows: list[tuple[object, ...]] = []
    if existed_before != existed_after or any(doubts):
        what = "model" if row["version"] is None else "version"
        presence = [
            "possibly present" if doubt else ("present" if existed else None)
            for existed, doubt in zip((existed_before, existed_after), doubts, strict=True)
        ]
        if presence[0] != presence[1]:
            rows.append((*about, what, *presence, _certainty(*doubts), subject))
    if existed_before != existed_after or subject not in before.rows or subject not in after.rows:
        return rows
    for part in ("model", "workspace"):  # a renamed or moved model keeps its subject
        values = before.rows[subject][part], after.rows[subject][part]
        if values[0] != values[1]:
            rows.append((*about, part, *values, "certain", subject))
    for field in fields:
        (old, old_open), (new, new_open) = before.value(subject, field), after.value(subject, field)
        if old != new:
            rows.append((*about, field, old, new, _certainty(old_open, new_open), subject))
    return rows


def _certainty(before: bool, after: bool) -> str:
    if before and after:
        return "uncertain at both"
    return "uncertain before" if before else ("uncertain after" if after else "certain")
