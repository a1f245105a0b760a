"""Writing the entries of a reading: one per state that is new, different or gone, in whole blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditreg.ledger import entries, kind_sql, schema
from auditreg.ledger.intake import Intake
from auditreg.sources.interface import Progress

BLOCK = 122_880
"""Entries that are written at once: a block of DuckDB's, since only whole ones go straight to the file.

Writing several blocks at once leaves each thread a partial block, and merging those compresses the rows twice.
"""

HEAVY = {"run": BLOCK // 3, "logged_model": BLOCK // 3}
"""How many are written at once at most of what holds lists: bounds the memory of an extraction."""

FEW = 5_000
"""Up to this many entries of a heavy kind are written together with the light kinds."""


def append_states(intake: Intake, report: Progress) -> None:
    """Append the changed and vanished states."""
    con, appender = intake.con, intake.appender
    shared = {
        "registry": intake.registry,
        "source": intake.reading.info.kind,
        "observed_at": intake.observed,
        "recorded_at": intake.recorded_at,
    }
    puts = dict(con.execute("select kind, count(*) from changed group by kind").fetchall())
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
            from batch t join ({state_bodies(kinds)}) b using (seq)
            """,
            shared,
        )
    if len(batches) > 1:
        con.execute("commit")
    _append_vanished(intake, low, shared)


def _append_vanished(intake: Intake, base: int, shared: Mapping[str, object]) -> None:
    """Append that states are gone, from the place `base` on."""
    if intake.con.execute("select 1 from vanished limit 1").fetchone():
        intake.appender.append(
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
            {"base": base, **{name: value for name, value in shared.items() if name != "registry"}},
        )


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


def state_bodies(kinds: Sequence[str]) -> str:
    """SQL for (seq, body) of the states in `batch`."""
    return " union all ".join(
        f"(with todo as (select * from batch where kind = '{kind}') select * from ({kind_sql.body(kind)}))"
        for kind in kinds
    )
