"""The changes of a registry: of a period, by kind and person, or of its models alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError
from auditreg.kinds.changes import FILTERS
from auditreg.models import Grade
from auditreg.queries.change_groups import Change, change_of, count_kinds
from auditreg.queries.first_seen import dated_sql
from auditreg.queries.reader import Reader, interval

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
"""SQL: when the next model of the name was created. What the earlier model lost meanwhile is listed
before that moment."""


def change_rows(
    connection: duckdb.DuckDBPyConnection, selected: ChangeFilter
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of the changes a filter lets through, oldest first.

    Within a span, what the first reading of a registry found is among them where MLflow's own times
    date it; without one they are what came after that reading.
    """
    where, values = selected.where()
    spanned = selected.since is not None or selected.until is not None
    dated = f" union all by name {dated_sql()}" if spanned else ""
    cursor = connection.execute(
        f"select * exclude (succeeded_at) from (select c.*, {SUCCEEDED_AT} as succeeded_at "
        f"from (from changes{dated}) c where {where}) "
        "order by coalesce(succeeded_at, changed_not_after), succeeded_at is null, observed_at, seq, item",
        values,
    )
    return tuple(column[0] for column in cursor.description or ()), cursor.fetchall()


_OF_MODELS = f"""
with changed as (
    select *, false as first_seen from changes_as_of({{t}})
    union all by name
    select *, true as first_seen from ({dated_sql()})
    where changed_not_before < {{t}} or changed_not_after <= {{t}}
)
select seq, changed_not_before, changed_not_after, observed_at, model, version, subject,
       kind, item, before, after, actor, actor_from, request, uncaptured, grade, first_seen
from (select c.*, {SUCCEEDED_AT} as succeeded_at from changed c)
where kind in ('registered_model', 'registered_model_tag', 'model_version', 'model_version_tag',
               'alias')
  and split_part(replace(subject, ':', '/'), '/', 1)
      not in (select model_subject from prompt_models_as_of({{t}}))
order by coalesce(succeeded_at, changed_not_after, observed_at), succeeded_at is null, seq, item
"""
_RENAMED = """
select request, kind, count(distinct subject) as rows
from journal
where kind <> 'registered_model' and request in (
    select request from changes_as_of({t}) where kind = 'registered_model' and item = 'name')
group by request, kind order by request, kind
"""


def read_changes(reader: Reader) -> list[Change]:
    """Every change of a model, version, tag or alias by the reader's moment, oldest first."""
    rows = reader.rows("changes", "What changed in the registry", _OF_MODELS)
    changes = [
        change_of(
            row,
            when=interval(row, "changed_"),
            grade=Grade(row["grade"]),
            uncaptured=row["uncaptured"],
            first_seen=row["first_seen"],
        )
        for row in rows
    ]
    if not any(change.item == "name" and change.request for change in changes):
        return changes
    moved: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in reader.rows("journal", "What moved along with a rename", _RENAMED):
        moved[row["request"]].append((row["kind"], row["rows"]))
    return [
        replace(change, together=count_kinds(moved[change.request]))
        if change.item == "name" and change.request
        else change
        for change in changes
    ]
