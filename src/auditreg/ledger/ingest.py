"""Taking a reading of a registry into the log: what changed, what vanished, and that it was read.

Everything is compared and written as whole sets in SQL. The log gains one entry per state that is
new or different, one `gone` per state that is no longer there, and one `extraction` event, which
carries the Merkle root over all earlier entries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import NothingToAudit, SourceError
from auditreg.ledger import capture_journal, entries, kind_sql, schema, secrets, state
from auditreg.ledger.entries import Appender, Event, now_ms, silent
from auditreg.ledger.erase import drop_erased
from auditreg.ledger.merkle import Tree
from auditreg.ledger.out_of_order import (
    reposition_by_journal,
    reposition_by_state,
    restate_next_reading,
)
from auditreg.ledger.policies import Policy, policy_digest, policy_events
from auditreg.ledger.secrets import Key, mask
from auditreg.ledger.staging import (
    Progress,
    StagedReading,
    drop_compared,
    drop_scratch,
    known_artifacts,
    stage,
)
from auditreg.ledger.workspaces import Workspaces, leave_out
from auditreg.resources import tool_version
from auditreg.sources.interface import READS, Completeness, Reading

if TYPE_CHECKING:
    import duckdb

BLOCK = 122_880
"""Entries that are written at once: a block of DuckDB's, since only whole ones go straight to the file.

Of several at once each thread would leave a rest, and joining rests compresses again what was written.
"""

HEAVY = {"run": BLOCK // 3, "logged_model": BLOCK // 3}
"""How many are written at once at most of what holds lists: bounds the memory of an extraction."""

FEW = 5_000
"""So many of a heavy kind, or fewer, are no burden."""


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What an extraction did to the ledger.

    `changes` maps (kind, `put` or `gone`) to the number of entries, `new` a kind to how many of those
    put were not known before; `first` says whether it was the registry's first reading; `observed_at` is UTC. `journal` is the id of the server's journal
    where the reading showed one, `captured` the number of its rows taken in, and `unexplained` that of
    changes the journal should have told of and did not. `clock_offset_ms` is the clock of the
    database or server minus this machine's. `prompts` counts the registered models that are prompts.
    """

    registry: str
    observed_at: datetime
    first: bool
    late: bool
    appended: int
    changes: Mapping[tuple[str, str], int]
    new: Mapping[str, int]
    counts: Mapping[str, int]
    secrets: int
    completeness: Completeness
    cannot_show: tuple[str, ...]
    root: str
    tree_size: int
    journal: str | None
    captured: int
    unexplained: int
    clock_offset_ms: int | None
    prompts: int = 0

    @property
    def complete(self) -> bool:
        """Whether the reading left nothing in doubt."""
        return self.completeness.complete


def ingest(  # noqa: PLR0913 - each is one thing the caller decides
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    *,
    registry: str,
    key: Key,
    policies: Sequence[Policy],
    observed_at: datetime | None = None,
    allow_empty: bool = False,
    secret_patterns: tuple[str, ...] = (),
    workspaces: Workspaces | None = None,
    progress: Progress | None = None,
) -> IngestSummary:
    """Take one reading in, on a writable connection to (a copy of) the ledger.

    Args:
        con: from `Ledger.writer`.
        reading: an open reading.
        registry: the configured name of the registry.
        key: makes the hashes of secrets.
        policies: the governing texts in force; sealed where they changed.
        observed_at: the moment the data are from, UTC, where the source is a restored backup.
        allow_empty: take an empty registry in although the ledger knows models.
        secret_patterns: further patterns of names that hold credentials.
        workspaces: those that are taken in, all of them where it is None.
        progress: told about phases.

    Raises:
        NothingToAudit: the registry holds no model and the ledger knows none.
        SourceError: the registry is empty although the ledger knows models, or it cannot be read.
    """
    report = progress or silent
    if reading.journal:
        reading.skip_journal(capture_journal.sealed(con, registry, reading.journal))
    if observed_at is None:  # a backup's rows are compared with what was known then
        reading.known_artifacts(known_artifacts(con, registry))
    staged = stage(con, reading, report)
    completeness = leave_out(con, registry, workspaces or Workspaces(), reading.completeness())
    started, observed = _moments(reading, observed_at)
    intake = _Intake(
        con=con,
        reading=reading,
        registry=registry,
        staged=staged,
        started=started,
        observed=observed,
        late=_is_late(con, registry, observed),
        recorded_at=now_ms(),
        appender=Appender(con),
        base=entries.size(con),
    )
    first = _is_first(con, registry)
    _refuse_empty(con, registry, allow_empty=allow_empty, complete=completeness.complete)
    report("comparing", 0, None)
    replaced = _mask(con, staged, key, secret_patterns)
    intake.appender.append_events(policy_events(con, policies), intake.recorded_at)
    moved, taken = _take_journal(intake, key, secret_patterns)
    completeness = _with_journal(completeness, taken)
    covered = [kind for kind in reading.kinds() if kind in READS]
    moved |= _compare_states(intake, covered if completeness.complete else [])
    unexplained = taken.unrecorded + _unexplained(con, registry, reading.journal)
    drop_erased(con, key)
    new = dict(
        con.execute(
            "select kind, count(*) from changed where previous_seq is null group by kind"
        ).fetchall()
    )
    changes = _append_states(intake, report)
    if intake.late:
        restate_next_reading(
            con, intake.appender, registry, observed, intake.recorded_at, intake.base
        )
    report("sealing", 0, None)
    tree = entries.load_tree(con)
    appended, root, size = tree.size - intake.base, tree.root().hex(), tree.size
    body = {
        **_extraction(reading, completeness, covered),
        "started_at": round(started.replace(tzinfo=UTC).timestamp() * 1000),
        "restored": observed_at is not None,
        "journal": reading.journal,
        "journal_rows": taken.rows if reading.journal else None,
        "journal_ranges": json.dumps(taken.ranges) if reading.journal else None,
        "appended": appended,
        "tool_version": tool_version(),
        "policy": policy_digest(policies),
        "tree_size": size,
        "root": root,
    }
    _seal(intake, tree, body)
    report("building tables", 0, None)
    counts = dict(con.execute("select kind, count(*) from incoming group by kind").fetchall())
    prompts = entries.number(con, _PROMPTS)
    drop_compared(con)
    state.refresh(con, intake.base, late=intake.late or moved or taken.moved, staged=True)
    drop_scratch(con, staged)
    return IngestSummary(
        registry=registry,
        observed_at=observed,
        first=first,
        late=intake.late,
        appended=appended + 1,
        changes=changes,
        new=new,
        counts=counts,
        secrets=replaced + taken.secrets,
        completeness=completeness,
        cannot_show=reading.info.cannot_show,
        root=root,
        tree_size=size,
        journal=reading.journal,
        captured=taken.rows,
        unexplained=unexplained,
        clock_offset_ms=reading.info.clock_offset_ms,
        prompts=prompts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intake:
    """A reading on its way into the log.

    `observed` is its moment, `late` whether later readings were taken in before it, `base` the first
    sequence number it may write.
    """

    con: duckdb.DuckDBPyConnection
    reading: Reading
    registry: str
    staged: StagedReading
    started: datetime
    observed: datetime
    late: bool
    recorded_at: datetime
    appender: Appender
    base: int


def _mask(
    con: duckdb.DuckDBPyConnection,
    staged: StagedReading,
    key: Key,
    secret_patterns: tuple[str, ...],
) -> int:
    """Replace credentials in the staging tables that hold any row; the number replaced."""
    return mask(
        con,
        key,
        secret_patterns,
        staged=[table for table in secrets.STAGED if table in staged.filled],
        texts={table: names for table, names in secrets.TEXTS.items() if table in staged.filled},
    )


def _take_journal(
    intake: _Intake, key: Key, secret_patterns: tuple[str, ...]
) -> tuple[bool, capture_journal.JournalIntake]:
    """Append what the server's journal says; whether older entries moved, and what was taken."""
    reading, con = intake.reading, intake.con
    if not reading.journal:
        return False, capture_journal.JournalIntake()
    arrival = capture_journal.JournalArrival(
        intake.registry, reading.journal, reading.info.kind, intake.observed, intake.recorded_at
    )
    moved = intake.late and reposition_by_journal(
        con, intake.appender, reading, intake.registry, intake.observed, intake.recorded_at
    )
    taken = capture_journal.take(con, intake.appender, arrival, key, secret_patterns)
    return moved, taken


def _compare_states(intake: _Intake, covered: Sequence[str]) -> bool:
    """Put what is new, different or gone into `changed` and `vanished`; whether older entries moved.

    Args:
        intake: the reading.
        covered: the kinds of which what it does not show is gone.
    """
    reading, con = intake.reading, intake.con
    parameters = {
        "registry": intake.registry,
        "late": intake.late,
        "shows_deleted": reading.info.shows_deleted,
        "covered": covered,
        "observed_at": intake.observed,
        "base": intake.base,
        "hidden": list(reading.info.hidden_columns),
    }
    _compare(con, intake.staged.filled, parameters)
    moved = (
        intake.late
        and not reading.journal
        and reposition_by_state(
            con, intake.appender, intake.registry, intake.observed, intake.recorded_at
        )
    )
    if moved:
        _compare(con, intake.staged.filled, parameters)
    _refuse_doubles(con)
    return bool(moved)


def _seal(intake: _Intake, tree: Tree, body: Mapping[str, Any]) -> None:
    """Append the closing event, and keep the tree for the next append."""
    subject = f"extraction:{intake.registry}"
    closing = Event("extraction", subject, body, registry=intake.registry)
    intake.appender.append_events(
        [replace(closing, observed_at=intake.observed)], intake.recorded_at
    )
    entries.grow_tree(intake.con, tree)
    entries.save_tree(intake.con, tree)


_PROMPTS = """
select count(distinct (workspace, model)) from stage_registered_model_tags
where key = 'mlflow.prompt.is_prompt' and lower(value) = 'true'
"""


def _unexplained(con: duckdb.DuckDBPyConnection, registry: str, kept: str | None) -> int:
    """Differences that the journal should have told of: it was there at the reading before, too."""
    if not kept:
        return 0
    return entries.number(
        con,
        """
        select count(*) from (
            select kind from changed where previous_seq is not null union all
            select kind from vanished)
        where kind in (select unnest($kinds))
          and (select max_by(journal, (observed_at, seq)) from extractions
               where registry = $registry and journal is not null) = $journal
        """,
        {"kinds": list(capture_journal.KINDS), "registry": registry, "journal": kept},
    )


def _with_journal(completeness: Completeness, taken: capture_journal.JournalIntake) -> Completeness:
    """The account of the reading, with the rows of the journal that could not be read."""
    doubts = [
        f"{number} row(s) of the server's journal could not be read ({problem}); they are kept as "
        "they stood"
        for problem, number in (taken.unreadable or {}).items()
    ]
    return replace(completeness, doubts=(*completeness.doubts, *doubts)) if doubts else completeness


def _moments(reading: Reading, observed_at: datetime | None) -> tuple[datetime, datetime]:
    """Start and end of the reading; both the given moment for a restored backup."""
    if observed_at is not None:
        moment = (
            observed_at.astimezone(UTC).replace(tzinfo=None)
            if observed_at.tzinfo
            else (observed_at)
        )
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return moment, moment
    return _utc(reading.started_at), _utc(reading.ended_at)


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def _is_late(con: duckdb.DuckDBPyConnection, registry: str, observed: datetime) -> bool:
    row = con.execute(
        "select coalesce(max(observed_at) > ?, false) from extractions where registry = ?",
        [observed, registry],
    ).fetchone()
    return bool(row and row[0])


def _is_first(con: duckdb.DuckDBPyConnection, registry: str) -> bool:
    row = con.execute("select count(*) from extractions where registry = ?", [registry]).fetchone()
    return not (row and row[0])


def _refuse_empty(
    con: duckdb.DuckDBPyConnection, registry: str, *, allow_empty: bool, complete: bool
) -> None:
    """An empty list is never an answer by itself."""
    if entries.number(con, "select count(*) from stage_registered_models"):
        return
    known = con.execute(
        "select count(*) from registered_models where registry = ? and not deleted", [registry]
    ).fetchone()
    number = known[0] if known else 0
    if number and not (allow_empty and complete):
        raise SourceError(
            f"The registry holds no models, but the ledger knows {number} of registry {registry}.",
            state="The ledger was not changed.",
            hint="Check the URI. If they really were all deleted, say so with --allow-empty.",
        )
    if not number and not allow_empty:
        raise NothingToAudit(
            "The registry holds no registered models.",
            state="The ledger was not changed.",
            hint="Check the URI; `auditreg demo` shows the tool on a registry that has some.",
        )


def _compare(
    con: duckdb.DuckDBPyConnection, filled: Collection[str], parameters: Mapping[str, object]
) -> None:
    """Run ingest.sql, without the steps that would find nothing: a staging table is empty."""
    for statement in schema.statements(schema.ingest_sql()):
        if "temp macro" not in statement and _may_matter(statement, filled):
            used = {name: value for name, value in parameters.items() if f"${name}" in statement}
            con.execute(statement, used)


def _may_matter(statement: str, filled: Collection[str]) -> bool:
    """Whether the staging table that a step of ingest.sql is about holds any row."""
    if made := re.match(r"create or replace temp table (\w+)", statement):
        name = _BESIDE.get(made[1])
    elif kind := re.match(r"insert into incoming\s[^;]*?\bselect '(\w+)',", statement):
        name = READS[kind[1]][0]
    else:
        table = re.match(r"update stage_(\w+)", statement)
        name = table[1] if table else None
    return name is None or name in filled


_BESIDE = {"run_child": "runs", "held": "model_artifacts"}
"""Tables of ingest.sql that only steps about one staging table read."""


def _refuse_doubles(con: duckdb.DuckDBPyConnection) -> None:
    """A row that stands in a reading twice would be two states at once."""
    double = con.execute(
        "select any_value(kind), any_value(coalesce(model, item)), count(*) from incoming "
        "group by subject having count(*) > 1 limit 1"
    ).fetchone()
    if double:
        kind, name, number = double
        raise SourceError(
            f"The registry showed one {kind.replace('_', ' ')} of {name} {number} times.",
            state="The ledger was not changed.",
            hint="Read it again; if it stays so, two rows of its database contradict each other.",
        )


def _append_states(intake: _Intake, report: Progress) -> dict[tuple[str, str], int]:
    """Append the changed and vanished states; entries per kind and op."""
    con, appender = intake.con, intake.appender
    shared = {
        "registry": intake.registry,
        "source": intake.reading.info.kind,
        "observed_at": intake.observed,
        "recorded_at": intake.recorded_at,
    }
    puts = dict(con.execute("select kind, count(*) from changed group by kind").fetchall())
    gones = dict(con.execute("select kind, count(*) from vanished group by kind").fetchall())
    con.execute(
        "create or replace temp table numbered as select *, $base::BIGINT - 1 + row_number() "
        "over (order by list_position($kinds, kind), workspace, model, version, item, subject) "
        "as seq from changed",
        {"base": entries.size(con), "kinds": list(schema.REGISTRY_KINDS)},
    )
    batches, low = list(_batches(puts)), entries.size(con)
    # In one transaction blocks fill up across statements, and go to the file when they are whole.
    if len(batches) > 1:
        con.execute("begin")
    for kinds, number in batches:
        report(f"writing {kinds[0].replace('_', ' ')}s", 0, number)
        con.execute(
            "create or replace temp table batch as select * from numbered "
            "where seq >= $low and seq < $high",
            {"low": low, "high": low + number},
        )
        low += appender.append(
            f"""
            select t.seq, $recorded_at::TIMESTAMP as recorded_at, $source as source, t.kind,
                   t.op, t.subject, $registry as registry, t.workspace, t.model, t.version,
                   $observed_at::TIMESTAMP as observed_at, null::TIMESTAMP as valid_at,
                   t.created_at, t.changed_at, null as actor, 'observed' as grade,
                   t.fingerprint, t.secrets, null::BIGINT as journal, b.body
            from batch t join ({_bodies(kinds)}) b using (seq)
            """,
            shared,
        )
    if len(batches) > 1:
        con.execute("commit")
    if gones:
        appender.append(
            """
            select $base::BIGINT - 1 + row_number() over (order by l.seq) as seq,
                   $recorded_at::TIMESTAMP as recorded_at, $source as source, l.kind, 'gone' as op,
                   l.subject, l.registry, l.workspace, l.model, l.version,
                   $observed_at::TIMESTAMP as observed_at, null::TIMESTAMP as valid_at,
                   l.created_at, null::TIMESTAMP as changed_at, null as actor,
                   'observed' as grade, null as fingerprint, null as secrets,
                   null::BIGINT as journal, coalesce(ledger_body(l.entry), '{}') as body
            from vanished v join ledger.log l on l.seq = v.previous_seq
            """,
            {"base": low, **{name: value for name, value in shared.items() if name != "registry"}},
        )
    return {
        **{(kind, "put"): number for kind, number in puts.items()},
        **{(kind, "gone"): number for kind, number in gones.items()},
    }


def _batches(puts: Mapping[str, int]) -> Iterator[tuple[list[str], int]]:
    """What is written at once: (kinds, entries), in the order of the log.

    Light kinds share whole blocks, also because planning a statement takes longer than writing a
    few entries; a heavy kind goes by itself.
    """
    kinds: list[str] = []
    room = BLOCK
    for kind in schema.REGISTRY_KINDS:
        left = puts.get(kind, 0)
        if kind in HEAVY and left > FEW:
            if kinds:
                yield kinds, BLOCK - room
                kinds, room = [], BLOCK
            for start in range(0, left, HEAVY[kind]):
                yield [kind], min(HEAVY[kind], left - start)
            continue
        while left:
            kinds.append(kind)
            taken = min(left, room)
            left, room = left - taken, room - taken
            if not room:
                yield kinds, BLOCK
                kinds, room = [], BLOCK
    if kinds:
        yield kinds, BLOCK - room


def _bodies(kinds: Sequence[str]) -> str:
    """SQL for (seq, body) of the states in `batch`."""
    return " union all ".join(
        f"(with todo as (select * from batch where kind = '{kind}') select * from ({kind_sql.body(kind)}))"
        for kind in kinds
    )


def _extraction(
    reading: Reading, completeness: Completeness, covered: Sequence[str]
) -> dict[str, Any]:
    """What the closing event says of the source, and of how completely it was read."""
    info = reading.info
    return {
        "source_kind": info.kind,
        "location": info.location,
        "mlflow_version": info.mlflow_version,
        "schema_version": info.schema_version,
        "kinds": ",".join(covered),
        "complete": completeness.complete,
        "doubts": json.dumps(completeness.doubts),
        "counts": json.dumps(completeness.counts),
        "left_out": json.dumps(completeness.left_out),
        "cannot_show": json.dumps(info.cannot_show),
        "passes": completeness.passes,
        "asked": json.dumps(completeness.asked),
        "gaps": completeness.gaps,
        "tombstones": completeness.tombstones,
        "clock_offset_ms": info.clock_offset_ms,
    }
