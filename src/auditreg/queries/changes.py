"""The changes of a period, by kind and person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError
from auditreg.kinds.changes import FILTERS

if TYPE_CHECKING:
    import duckdb

KINDS: Mapping[str, str] = {
    name: " or ".join(
        f"kind = '{kind}'" if item is None else f"kind = '{kind}' and item = '{item}'"
        for kind, item in items
    )
    for name, items in FILTERS.items()
}
"""What a change can be of, and how the view `changes` says so."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Conditions on a change; each is optional, and all of them have to hold."""

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


SUCCEEDED_AT = """
(select min(n.created_at) from registered_models n
 where c.change = 'removed' and n.registry = c.registry and n.workspace is not distinct from c.workspace
   and n.model = c.model and n.subject <> split_part(split_part(c.subject, ':', 1), '/', 1)
   and n.created_at >= c.changed_not_before and n.created_at <= c.changed_not_after)
"""
"""SQL: when the next model of the name was created, for what an earlier one lost meanwhile.

It is told before the next one: MLflow gives a name to one model at a time.
"""


def change_rows(
    connection: duckdb.DuckDBPyConnection, selected: ChangeFilter
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of the changes a filter lets through, oldest first."""
    where, values = selected.where()
    cursor = connection.execute(
        f"select * exclude (succeeded_at) from (select c.*, {SUCCEEDED_AT} as succeeded_at "
        f"from changes c where {where}) order by coalesce(succeeded_at, changed_not_after), "
        "succeeded_at is null, observed_at, seq, item",
        values,
    )
    return tuple(column[0] for column in cursor.description or ()), cursor.fetchall()
