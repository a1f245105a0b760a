"""Everything on record about a model, as one list of events, oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.queries.model_refs import ModelRef, literal

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    *("not_before", "not_after", "event", "model", "version", "kind", "item", "change"),
    *("before", "after", "actor", "actor_from", "known", "request", "reference", "note"),
    *("source", "registry", "workspace", "subject", "seq"),
)
"""Columns of the rows of `history_rows`."""

Row = dict[str, Any]

_TAGS = ("registered_model_tag", "model_version_tag")
_BORN = (("registered_model", "model"), ("model_version", "version"))


@dataclass(frozen=True, slots=True)
class Span:
    """What of the record is wanted: when it can have happened, and what was known by a moment."""

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
        return "null::TIMESTAMP" if self.known_at is None else literal(self.known_at)


def history_rows(
    connection: duckdb.DuckDBPyConnection, asked: ModelRef, span: Span | None = None
) -> list[Row]:
    """The events of what was named, with the gaps of the record around them.

    Args:
        connection: a reader of the ledger.
        asked: the models and versions.
        span: what of the record is wanted; all of it when None.
    """
    span = span or Span()
    arguments = {"models": list(asked.models), "name": asked.name}
    rows: list[Row] = []
    for text in (_CHANGES, _FIRST_SEEN, _STATED, _DEPLOYED):
        rows += _rows(connection, text.replace("[known]", span.known_sql), arguments)
    numbers = _numbers(asked)
    rows = [row for row in rows if span.holds(row) and _belongs(row, asked, numbers)]
    around = _rows(connection, _AROUND.replace("[known]", span.known_sql), arguments)
    rows += _gaps(around, rows, span)
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[object, ...]:
    last = row["not_after"] or row["not_before"]
    return (
        row["event"] != "beginning",
        last is None,
        str(last),
        str(row["not_before"] or ""),
        row["seq"] if row["seq"] is not None else -1,
    )


def _numbers(asked: ModelRef) -> frozenset[tuple[str, str]]:
    """Model and number of the versions asked for."""
    return frozenset((m, n) for m, _, n in (v.partition("/") for v in asked.versions or ()))


def _belongs(row: Row, asked: ModelRef, numbers: frozenset[tuple[str, str]]) -> bool:
    """Whether an event is about what was named; an alias is about both versions it points to."""
    if asked.versions is None:
        return True
    if asked.covers(row["subject"] or ""):
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
                one["not_before"] is None or one["not_before"] < row["not_after"] for one in rows
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


def folded(rows: Iterable[Row]) -> list[tuple[Row, int]]:
    """Events with the tags that were set in the moment of a registration counted there.

    A version that is registered appears with all its tags. Listed one by one, they hide what
    somebody changed in what was there already.
    """
    every = list(rows)
    born = {
        row["subject"]: row
        for row in every
        if (row["kind"], row["item"]) in _BORN and row["change"] == "added"
    }
    tags: Counter[str] = Counter()
    kept = []
    for row in every:
        owner = (row["subject"] or "").partition(":")[0]
        if (
            row["kind"] in _TAGS
            and row["change"] == "added"
            and owner in born
            and _together(born[owner], row)
        ):
            tags[owner] += 1
        else:
            kept.append(row)
    return [(row, tags[row["subject"]] if row is born.get(row["subject"]) else 0) for row in kept]


def _together(registration: Row, tag: Row) -> bool:
    """Whether a tag may have been set in the moment its owner was registered."""
    if registration["request"] is not None or tag["request"] is not None:
        return bool(registration["request"] == tag["request"])
    if tag["not_before"] is None or registration["not_after"] is None:
        return True
    return bool(tag["not_before"] <= registration["not_after"])


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, arguments: Mapping[str, object]
) -> list[Row]:
    used = {name: value for name, value in arguments.items() if f"${name}" in sql}
    cursor = connection.execute(sql, used)
    names = [column[0] for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [{name: row.get(name) for name in COLUMNS} for row in found]


_CHANGES = """
select changed_not_before as not_before, changed_not_after as not_after, 'change' as event,
       model, version, kind, item, change, before, after, actor, actor_from,
       case when uncaptured then 'uncaptured' else grade end as known, request,
       source, registry, workspace, subject, seq
from changes_as_of(null, known_at := [known])
where list_contains($models::VARCHAR[], split_part(replace(subject, ':', '/'), '/', 1))
"""

_FIRST_SEEN = """
with first as (
    select t.kind, t.subject, t.seq, t.lo, t.hi, t.created_at, l.registry, l.workspace, l.model,
           l.version, l.source, l.entry
    from ledger.timeline(null, [known]) t join ledger.log l using (seq)
    where t.previous_seq is null and t.previous_reading is null and t.valid_at is null
      and t.op = 'put' and l.grade = 'observed'
      and list_contains($models::VARCHAR[], split_part(replace(t.subject, ':', '/'), '/', 1))
),
said as (
    select kind, subject, seq, created_at as not_before,
           coalesce(created_at, hi) as not_after, 'model' as item, 'present' as after,
           registry, workspace, model, version, source
    from first where kind = 'registered_model'
    union all
    select kind, subject, seq, created_at, coalesce(created_at, hi), 'version', 'present',
           registry, workspace, model, version, source
    from first where kind = 'model_version'
    union all
    select kind, subject, seq, lo, hi,
           case when json_extract_string(entry, '$.body.stage') = 'Deleted_Internal'
                then 'version' else 'stage' end,
           json_extract_string(entry, '$.body.stage'),
           registry, workspace, model, version, source
    from first where kind = 'model_version' and json_extract_string(entry, '$.body.stage') <> 'None'
    union all
    select kind, subject, seq, lo, hi, json_extract_string(entry, '$.body.key'),
           json_extract_string(entry, '$.body.value'),
           registry, workspace, model, version, source
    from first where kind in ('registered_model_tag', 'model_version_tag')
    union all
    select kind, subject, seq, lo, hi, json_extract_string(entry, '$.body.alias'),
           version::VARCHAR, registry, workspace, model, version, source
    from first where kind = 'alias'
)
select not_before, not_after, 'first seen' as event, model, version, kind, item,
       case when after = 'Deleted_Internal' then 'removed' else 'added' end as change,
       case when after = 'Deleted_Internal' then 'present' end as before,
       case when after <> 'Deleted_Internal' then after end as after,
       'observed' as known, source, registry, workspace, subject, seq
from said
"""

_STATED = """
select happened_at as not_before, happened_at as not_after, 'stated' as event, model, version,
       what as kind, coalesce(item, what) as item, before, after, actor, grade as known,
       reference, note, system || ' (' || file || ')' as source, registry, workspace, subject, seq
from history_records
where (list_contains($models::VARCHAR[], model_subject) or model_subject is null and model = $name)
  and ([known] is null or recorded_at <= [known])
"""

_DEPLOYED = """
with deployment as (
    from deployments_as_of(timestamp '9999-12-31', known_at := [known])
),
bore as (
    select distinct registry, model from ledger.log
    where kind = 'registered_model' and list_contains($models::VARCHAR[], subject)
),
held as (
    select distinct d.seq, a.subject, a.version
    from deployment d join model_artifacts a
      on lower(a.mlmodel_sha256) = d.digest or contains(a.files, d.digest)
    where d.digest is not null and list_contains($models::VARCHAR[], a.model_subject)
),
own as (
    select d.*, h.subject as about, coalesce(d.version, h.version) as number
    from deployment d left join held h using (seq)
    where h.seq is not null
       or exists (select 1 from bore b where b.registry = d.registry and b.model = d.model)
)
select moment as not_before, moment as not_after, event, model, number as version,
       'deployment' as kind, concat_ws(' ', system, environment) as item, digest as after,
       grade as known, reference, system || ' (' || file || ')' as source,
       registry, workspace, about as subject, seq
from (select *, running_from as moment, 'deployment began' as event from own
      union all
      select *, running_until, 'deployment ended' from own where running_until is not null)
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
