"""The past of a case: promotions, changes, capture and what ran, and how they become rows."""
# ruff: noqa: S608 - the names in SQL are those of the ledger's own tables and columns
# ruff: noqa: DTZ001 - moments in the ledger are UTC and naive

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import duckdb

CREATED = datetime(2026, 8, 1, 9)
"""When models, versions and runs of a case were created, unless it says otherwise."""

JOURNAL = "journal-0123456789ab"
"""The server's journal in a case."""


class CaseTag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tag and since when it has its value.

    `at`: the server recorded when it was set, and `actor` by whom; otherwise readings bound it.
    """

    value: str
    at: datetime | None = None
    actor: str | None = None
    actor_from: str | None = "basic-auth"
    claimed: str | None = None
    not_before: datetime | None = CREATED
    not_after: datetime = CREATED


class CasePromotion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version that became live between two moments, or when the server says (`at`), by whom."""

    version: str
    live_not_before: datetime | None = None
    live_not_after: datetime = CREATED
    live_via: str = "stage Production"
    at: datetime | None = None
    actor: str | None = None
    actor_from: str | None = "basic-auth"
    ended_not_before: datetime | None = None
    ended_not_after: datetime | None = None


class CaseChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `changes`. `of` is `model/version` or `model`; other words as the table has them.

    `at`: the server recorded it; otherwise it lies between two moments. `seen`: when a reading
    first showed the value before, where this is a tag's first change.
    """

    of: str
    item: str
    before: str | None = None
    after: str | None = None
    kind: str = "model_version_tag"
    at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    actor: str | None = None
    actor_from: str | None = "basic-auth"
    uncaptured: bool = False
    seen: datetime | None = None


class CaseCapture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server process that kept the journal."""

    started_at: datetime = CREATED
    stopped_at: datetime | None = None


class CaseGap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time when the registry may have changed without a row in the journal."""

    start: datetime
    end: datetime | None = None
    reason: str = "no server with capture"
    detail: str | None = None


class CaseDeployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ran where, as imported."""

    model: str | None = None
    version: int | None = None
    digest: str | None = None
    system: str = "rating engine"
    environment: str | None = None
    running_from: datetime = CREATED
    running_until: datetime | None = None


_MARKS = {
    "model_version_tag": ":tag:{item}",
    "registered_model_tag": ":tag:{item}",
    "alias": ":alias:{item}",
    "model_artifact": ":artifact",
}


def reading_rows(
    connection: duckdb.DuckDBPyConnection,
    readings: Mapping[str, Sequence[datetime]],
    as_of: datetime,
    kinds: Sequence[str],
) -> None:
    """Rows of `extractions`: that of `as_of` and the others, all of them complete."""
    for registry, moments in (("default", (as_of,)), *readings.items()):
        for moment in moments:
            insert(
                connection,
                "extractions",
                registry=registry,
                source="sql",
                observed_at=moment,
                started_at=moment,
                recorded_at=moment,
                kinds=",".join(kinds),
                complete=True,
            )


def tag_rows(
    connection: duckdb.DuckDBPyConnection, tag: CaseTag, subject: str
) -> dict[str, object]:
    """What a state table says of a tag, and its row of the journal, where there is one."""
    if tag.at is None:
        return {"value": tag.value, "not_before": tag.not_before, "not_after": tag.not_after}
    row = connection.execute("select count(*) from journal").fetchone()
    seq = 1000 + (row[0] if row else 0)
    insert(
        connection,
        "journal",
        seq=seq,
        registry="default",
        journal=JOURNAL,
        id=seq,
        server_time=tag.at,
        operation="insert",
        subject=subject,
        actor=tag.actor,
        actor_from=tag.actor_from if tag.actor else None,
        claimed=tag.claimed,
    )
    # By it, `fields` finds how the server knows the actor. Without a kind, it is no change of anything.
    insert(
        connection, "ledger.log", seq=seq, leaf=b"", source=JOURNAL, journal=seq, actor=tag.actor
    )
    bounds = {"not_before": tag.at, "not_after": tag.at}
    return {"value": tag.value, "actor": tag.actor, "grade": "captured", "seq": seq, **bounds}


def promotion_row(
    connection: duckdb.DuckDBPyConnection, subject: str, promotion: CasePromotion, number: int
) -> None:
    """A row of the prepared table `promotions`."""
    model, _, version = promotion.version.rpartition("/")
    insert(
        connection,
        "temp.promotions",
        subject=f"{subject}+{number}",
        version_subject=subject,
        model_subject=subject.partition("/")[0],
        registry="default",
        workspace="default",
        model=model,
        version=int(version),
        live_via=promotion.live_via,
        live_not_before=promotion.at or promotion.live_not_before,
        live_not_after=promotion.at or promotion.live_not_after,
        ended_not_before=promotion.ended_not_before,
        ended_not_after=promotion.ended_not_after,
        actor=promotion.actor,
        actor_from=promotion.actor_from if promotion.actor else None,
        grade="captured" if promotion.at else "observed",
        seq=number,
    )


def change_row(
    connection: duckdb.DuckDBPyConnection, subject: str, change: CaseChange, number: int
) -> None:
    """A row of the prepared table `changes`, and one of the log where a reading saw the value."""
    model, slash, version = change.of.rpartition("/")
    changed_subject = subject + _MARKS.get(change.kind, "").format(item=change.item)
    at = change.at or change.not_after or CREATED
    insert(
        connection,
        "temp.changes",
        seq=number,
        changed_not_before=change.at or change.not_before,
        changed_not_after=at,
        observed_at=at,
        registry="default",
        workspace="default",
        model=model if slash else version,
        version=int(version) if slash else None,
        subject=changed_subject,
        kind=change.kind,
        item=change.item,
        change="added"
        if change.before is None
        else "removed"
        if change.after is None
        else "changed",
        before=change.before,
        after=change.after,
        actor=change.actor,
        actor_from=change.actor_from if change.actor else None,
        grade="captured" if change.at else "observed",
        source=JOURNAL if change.at else "sql",
        uncaptured=change.uncaptured,
    )
    if change.seen:
        insert(
            connection,
            "ledger.log",
            seq=number,
            leaf=b"",
            kind=change.kind,
            op="put",
            subject=changed_subject,
            registry="default",
            observed_at=change.seen,
        )


def write_field_history(
    connection: duckdb.DuckDBPyConnection, changes: Sequence[CaseChange]
) -> None:
    """Fill the prepared table `field_history` from the tags of the case and what was changed of them."""
    if changes:
        connection.execute(_CHANGED_TAGS)
    connection.execute(
        _STANDING_TAGS.format(changed="temp.changes" if changes else "(select null as subject)")
    )


_CHANGED_TAGS = """
insert into temp.field_history by name
with turn as (
    select split_part(c.subject, ':tag:', 1) as subject, c.registry, c.workspace, c.model, c.version,
           g.field, g.tag, g.rank, c.before, c.after, c.actor, c.actor_from, c.grade, c.seq,
           c.changed_not_before as lo, c.changed_not_after as hi, l.observed_at as seen,
           row_number() over turns as number, lead(c.changed_not_before) over turns as next_lo,
           lead(c.changed_not_after) over turns as next_hi, lead(c.actor) over turns as next_actor,
           lead(c.actor_from) over turns as next_actor_from, lead(c.grade) over turns as next_grade
    from temp.changes c join governance_fields g on g.tag = c.item and g.applies_to = ''
    left join ledger.log l on l.seq = c.seq and l.subject = c.subject
    where c.kind like '%tag'
    window turns as (partition by c.subject order by c.observed_at, c.seq)
),
stood as (
    select *, after as value, lo as set_not_before, hi as set_not_after,
           next_lo as until_not_before, next_hi as until_not_after, next_actor as until_actor,
           next_actor_from as until_actor_from, next_grade as until_grade from turn
    union all
    select * replace (null as actor, null as actor_from, 'observed' as grade, seq - 1000 as seq), before, null,
           coalesce(least(seen, lo), hi), lo, hi, actor, actor_from, grade
    from turn where number = 1
)
select subject, split_part(subject, '/', 1) as model_subject, registry, workspace, model, version, field, value,
       case when version is null then 'model tag' else 'version tag' end as found_in, tag, rank,
       set_not_before, set_not_after, until_not_before, until_not_after, until_actor, until_actor_from, until_grade,
       false as ended_with_subject, actor, actor_from, grade, seq
from stood where trim(value) <> ''
"""

_STANDING_TAGS = """
insert into temp.field_history by name
select t.owner as subject, t.model_subject, t.registry, t.workspace, t.model, t.version, g.field, t.value,
       case when t.version is null then 'model tag' else 'version tag' end as found_in, g.tag, g.rank,
       t.not_before as set_not_before, t.not_after as set_not_after, false as ended_with_subject,
       t.actor, j.actor_from, t.grade, 10000 + row_number() over () as seq
from (select subject as owner, model_subject, registry, workspace, model, version, key, value, not_before,
             not_after, actor, grade, seq from model_version_tags
      union all
      select model_subject, model_subject, registry, workspace, model, null, key, value, not_before,
             not_after, actor, grade, seq from registered_model_tags) t
join governance_fields g on g.tag = t.key and g.applies_to = ''
left join journal j on j.seq = t.seq and t.grade = 'captured'
where trim(t.value) <> '' and t.owner || ':tag:' || t.key not in (select subject from {changed} where subject is not null)
"""


def write_file_changes(
    connection: duckdb.DuckDBPyConnection, changes: Sequence[CaseChange]
) -> None:
    """Fill the prepared table `file_changes` from the changes of model files that the case tells.

    Those of item `files` were seen by digest where they name one, else by size; MLmodel stands alone.
    """
    if changes:
        connection.execute(_FILE_CHANGES)


_FILE_CHANGES = """
insert into temp.file_changes by name
with turn as (
    select *, last_value(case when after is null then before end ignore nulls) over earlier as lost,
           last_value(case when after is null then changed_not_before end ignore nulls) over earlier as lost_at
    from temp.changes where kind = 'model_artifact'
    window earlier as (partition by subject, item order by observed_at, seq
                       rows between unbounded preceding and 1 preceding)
)
select split_part(subject, ':', 1) as subject, split_part(subject, '/', 1) as model_subject, registry,
       workspace, model, version, coalesce(before, lost) as before, after, observed_at, grade, source, seq,
       file_level(case when item = 'MLmodel' then 3 when contains(after, 'SHA-256') then 1 else 2 end) as level,
       case item when 'files' then split_part(after, ' ', 1) else item end as files,
       case when before is null then lost_at else changed_not_before end as changed_not_before,
       changed_not_after
from turn where after is not null and coalesce(before, lost) <> after
"""


def write_file_knowledge(
    connection: duckdb.DuckDBPyConnection, changes: Sequence[CaseChange], as_of: datetime
) -> None:
    """Fill the prepared table `file_knowledge` from the files of the case and their changes."""
    changed = "temp.changes" if changes else _NO_CHANGES
    connection.execute(_FILE_KNOWLEDGE.format(changed=changed), {"as_of": as_of})


_NO_CHANGES = """
(select null as subject, null as kind, null as before, null::TIMESTAMP as changed_not_after, null as seq where false)
"""

_FILE_KNOWLEDGE = """
insert into temp.file_knowledge by name
with changed as (
    select subject, max(changed_not_after) as at from temp.file_changes group by subject
),
first_read as (
    select split_part(subject, ':', 1) as subject, min_by(before is null, (changed_not_after, seq)) as late,
           min(changed_not_after) as at
    from {changed} where kind = 'model_artifact' group by all
)
select a.subject, a.model_subject, a.registry, a.workspace, a.model, a.version, file_level(rank) as level, rank,
       coalesce(c.at, case when f.late then f.at end, a.not_before) as known_not_before,
       coalesce(c.at, case when f.late then f.at end, a.not_after) as known_not_after,
       coalesce(a.last_read_at, $as_of) as last_read_at
from (select *, unnest([1, 2, 3]) as rank from model_artifacts where mlmodel_sha256 is not null) a
left join changed c on c.subject = a.subject
left join first_read f on f.subject = a.subject
where rank = 3 or rank = 2 and a.files_size_bytes is not null or a.manifest_sha256 is not null
"""


def capture_rows(
    connection: duckdb.DuckDBPyConnection, captures: Sequence[CaseCapture], as_of: datetime
) -> None:
    """Rows of the prepared table `captures`."""
    for number, capture in enumerate(captures, 1):
        insert(
            connection,
            "temp.captures",
            registry="default",
            journal=JOURNAL,
            process=f"process-{number}",
            started_at=capture.started_at,
            last_seen_at=capture.stopped_at or as_of,
            stopped_at=capture.stopped_at,
        )


def gap_rows(connection: duckdb.DuckDBPyConnection, gaps: Sequence[CaseGap]) -> None:
    """Rows of the prepared table `capture_gaps`."""
    for gap in gaps:
        insert(
            connection,
            "temp.capture_gaps",
            registry="default",
            journal=JOURNAL,
            gap_start=gap.start,
            gap_end=gap.end,
            reason=gap.reason,
            detail=gap.detail,
        )


def deployment_row(
    connection: duckdb.DuckDBPyConnection, deployment: CaseDeployment, number: int
) -> None:
    """A row of `deployments`, from which `running` follows."""
    given: Mapping[str, object] = msgspec.structs.asdict(deployment)
    insert(
        connection,
        "main.deployments",
        **given,
        subject=f"deployment-{number}",
        registry="default",
        grade="asserted",
        seq=number,
    )


def insert(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    """Put one row into a table; the columns not named are NULL."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))
