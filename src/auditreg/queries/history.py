"""Everything on record about a model, as one list of events, oldest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.models import Grade
from auditreg.queries.change_groups import (
    Change,
    Parts,
    change_of,
    count_parts,
    main_changes_of_parts,
    request_key,
)
from auditreg.queries.changes import SUCCEEDED_AT
from auditreg.queries.first_seen import first_seen_sql
from auditreg.queries.model_refs import Selection
from auditreg.queries.reader import Row, fetch_rows, interval
from auditreg.queries.record_models import record_models_sql
from auditreg.sql import moment_literal

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    *("not_before", "not_after", "event", "model", "version", "kind", "item", "change"),
    *("before", "after", "actor", "actor_from", "known", "request", "reference", "note"),
    *("source", "registry", "workspace", "subject", "seq"),
)
"""Columns of the rows of `history_rows`."""

_CHANGED = ("change", "first seen")
"""Events that are changes of the registry, seen or captured."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the record: when it can have happened, and what was known by a moment."""

    since: datetime | None = None
    until: datetime | None = None
    known_at: datetime | None = None

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether an event happened, or may have happened, in the half-open span."""
        first, last = row["not_before"], row["not_after"]
        return (self.since is None or last is None or last >= self.since) and (
            self.until is None or first is None or first < self.until
        )

    @property
    def known_sql(self) -> str:
        """The moment of `known_at` as SQL, NULL where there is none."""
        return "null::TIMESTAMP" if self.known_at is None else moment_literal(self.known_at)


def history_rows(
    connection: duckdb.DuckDBPyConnection, selection: Selection, span: Span | None = None
) -> list[Row]:
    """The events of models and versions, with the gaps of the record around them.

    Args:
        connection: a reader of the ledger.
        selection: the models and versions.
        span: the part of the record; all of it when None.
    """
    span = span or Span()
    arguments = {"models": list(selection.owners)}
    rows: list[Row] = []
    for text in (_CHANGES, _FIRST_SEEN, _STATED, _DEPLOYED):
        rows += _rows(connection, text.replace("[known]", span.known_sql), arguments)
    numbers = _numbers(selection)
    rows = [row for row in rows if span.holds(row) and _belongs(row, selection, numbers)]
    around = _rows(connection, _AROUND.replace("[known]", span.known_sql), arguments)
    rows += _gaps(around, rows, span)
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[object, ...]:
    last = row["succeeded_at"] or row["not_after"] or row["not_before"]
    return (
        row["event"] != "beginning",
        last is None,
        str(last),
        row["succeeded_at"] is None,
        str(row["not_before"] or ""),
        row["seq"] if row["seq"] is not None else -1,
    )


def _numbers(selection: Selection) -> frozenset[tuple[str, str]]:
    """Model and number of the selected versions."""
    return frozenset((m, n) for m, _, n in (v.partition("/") for v in selection.versions))


def _belongs(row: Row, selection: Selection, numbers: frozenset[tuple[str, str]]) -> bool:
    """Whether an event is about the selection; an alias is about both versions it points to."""
    if not selection.versions or selection.covers(row["subject"] or ""):
        return True
    owner = (row["subject"] or "").replace(":", "/").partition("/")[0]
    pointed = [row["before"], row["after"]] if row["kind"] == "alias" else []
    return any(
        number in (*pointed, str(row["version"] or "")) and owner in (model, "")
        for model, number in numbers
    )


def _gaps(around: Sequence[Row], rows: Sequence[Row], span: Span) -> list[Row]:
    """The beginning of the record, and when the server ran without capture.

    Only from the first event on: what was before the model was there says nothing about it.
    """
    starts = [row["not_before"] or row["not_after"] for row in rows]
    first = min((start for start in starts if start is not None), default=None)
    kept = []
    for row in around:
        if row["event"] == "beginning":
            blind = any(
                event["not_before"] is None or event["not_before"] < row["not_after"]
                for event in rows
            )
            started = span.since is None or span.since < row["not_after"]
            if blind and started:
                kept.append(row)
        elif (
            first is not None
            and span.holds(row)
            and (row["not_after"] is None or row["not_after"] >= first)
        ):
            kept.append(row)
    return kept


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One row of the history, with what came or went along with it."""

    row: Row
    together: Parts = ()


def group_events(rows: Sequence[Row]) -> list[list[HistoryEvent]]:
    """The rows as events: registrations and removals as one, and what one request did together.

    Only neighbours are put together, so that the events stay in the order of time.
    """
    places = [place for place, row in enumerate(rows) if row["event"] in _CHANGED]
    changes = [_change(rows[place]) for place in places]
    main_changes = main_changes_of_parts(changes)
    together = count_parts(changes, main_changes)
    by_place = dict(zip(places, range(len(places)), strict=True))
    groups: list[list[HistoryEvent]] = []
    last: object = None
    for place, row in enumerate(rows):
        number = by_place.get(place)
        if number is None:
            key: tuple[object, ...] = (place,)
            event = HistoryEvent(row)
        elif number in main_changes:
            continue
        else:
            key = (row["event"], *request_key(changes[number]))
            event = HistoryEvent(row, together.get(number, ()))
        if key == last:
            groups[-1].append(event)
        else:
            groups.append([event])
        last = key
    return groups


def _change(row: Row) -> Change:
    uncaptured = row["known"] == "uncaptured"
    grade = Grade.OBSERVED if uncaptured else Grade(row["known"])
    return change_of(row, when=interval(row), grade=grade, uncaptured=uncaptured)


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, arguments: Mapping[str, object]
) -> list[Row]:
    rows = fetch_rows(connection, sql, arguments)
    return [
        {name: row.get(name) for name in (*COLUMNS, "observed_at", "succeeded_at")} for row in rows
    ]


_CHANGES = """
select changed_not_before as not_before, changed_not_after as not_after, 'change' as event,
       model, version, kind, item, change, before, after, actor, actor_from,
       case when uncaptured then 'uncaptured' else grade end as known, request,
       case when succeeded_at is not null and kind = 'registered_model'
            then 'the earlier model of this name' end as note,
       source, registry, workspace, subject, seq, observed_at, succeeded_at
from (select c.*, [succeeded_at] as succeeded_at
      from changes_as_of(null, known_at := [known]) c
      where list_contains($models::VARCHAR[], split_part(replace(subject, ':', '/'), '/', 1)))
""".replace("[succeeded_at]", SUCCEEDED_AT)

_FIRST_SEEN = f"""
select changed_not_before as not_before, changed_not_after as not_after, 'first seen' as event,
       model, version, kind, item, change, before, after, grade as known, source, registry,
       workspace, subject, seq, observed_at
from ({
    first_seen_sql(
        "list_contains($models::VARCHAR[], split_part(replace(t.subject, ':', '/'), '/', 1))",
        known="[known]",
    )
})
"""

_STATED = f"""
with about as ({record_models_sql("history_records", "happened_at")})
select happened_at as not_before, happened_at as not_after, 'stated' as event, model, version,
       what as kind, coalesce(item, what) as item, before, after, actor, grade as known,
       reference, note, system || ' (' || file || ')' as source, registry, workspace, subject, seq
from (select r.* replace (coalesce(r.model_subject, a.model_subject) as model_subject)
      from history_records r left join about a using (seq))
where list_contains($models::VARCHAR[], model_subject)
  and ([known] is null or recorded_at <= [known])
"""

_DEPLOYED = f"""
with deployment as (
    from deployments_as_of(timestamp '9999-12-31', known_at := [known])
),
model_by_name as ({record_models_sql("deployment", "running_from")}),
version_by_digest as (
    select distinct d.seq, a.subject, a.version
    from deployment d join model_artifacts a
      on lower(a.mlmodel_sha256) = d.digest or contains(a.files, d.digest)
    where d.digest is not null and list_contains($models::VARCHAR[], a.model_subject)
),
deployment_of_model as (
    select d.*, v.subject as about, coalesce(d.version, v.version) as number
    from deployment d left join version_by_digest v using (seq) left join model_by_name m using (seq)
    where v.seq is not null or list_contains($models::VARCHAR[], m.model_subject)
)
select moment as not_before, moment as not_after, event, model, number as version,
       'deployment' as kind, concat_ws(' ', system, environment) as item, digest as after,
       grade as known, reference, system || ' (' || file || ')' as source,
       registry, workspace, about as subject, seq
from (select *, running_from as moment, 'deployment began' as event from deployment_of_model
      union all
      select *, running_until, 'deployment ended' from deployment_of_model
      where running_until is not null)
"""

_AROUND = """
with place as (
    select distinct registry from ledger.log
    where kind = 'registered_model' and list_contains($models::VARCHAR[], subject)
)
select gap_start as not_before, gap_end as not_after, 'gap' as event, 'capture' as kind,
       reason as item, detail as note, journal as source, registry
from capture_gaps_as_of(null, known_at := [known]) join place using (registry)
union all
select null, min(observed_at), 'beginning', 'reading', null, null, null, registry
from extractions join place using (registry)
where complete and ([known] is null or recorded_at <= [known])
group by registry
"""
