"""Keeping the typed tables in step with the log: only what changed, or all of it anew."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.config import calendar
from auditreg.ledger import definitions, kind_sql, schema
from auditreg.ledger.settings import refresh_settings

if TYPE_CHECKING:
    import duckdb

BATCHES = {"run": 50_000, "logged_model": 50_000}
"""How many entries of a kind are decoded at once, where one may be large."""

MANY = 5_000
"""From so many states of a kind on, a reading's own rows fill the tables, not its entries."""

LAST = "max_by(seq, (observed_at, place, seq))"
"""SQL for the last entry of a subject: they stand in the order of the source."""

_LATEST_ROWS = """(
    select l.subject, l.registry, l.workspace, l.model, l.version, l.op, l.entry, l.seq, l.actor,
           l.grade, 'certain' as certainty, 'only' as candidate, b.lo as not_before, b.hi as not_after
    from ledger.log l join {bounds} b using (seq)
    where l.kind = '{kind}' and l.entry is not null
)"""
"""The rows a state table is decoded from: last entries with the bounds of their beginning."""


_STAGED_ROWS = """(
    select n.subject, b.registry, n.workspace, n.model, n.version, n.op, n.seq,
           null::VARCHAR as actor, 'observed' as grade, 'certain' as certainty,
           'only' as candidate, b.lo as not_before, b.hi as not_after, n.item, n.place
    from numbered n join bounds b using (seq)
)"""
"""The same rows for entries of the reading that is still staged, without their text."""


def renew(con: duckdb.DuckDBPyConnection) -> None:
    """Bring a ledger written by another release to this one; fields it did not know get their tags."""
    if schema.renew(con):
        _refresh_settings(con)


def take_over(con: duckdb.DuckDBPyConnection) -> None:
    """Fill a new ledger with what another release's holds, which is attached as `old`."""
    schema.take_over(con)
    _refresh_settings(con)


def refresh(
    con: duckdb.DuckDBPyConnection, first_new: int, *, late: bool = False, staged: bool = False
) -> None:
    """Bring every derived table up to date with the entries from `first_new` on.

    Args:
        con: a writable connection to the ledger.
        first_new: the first sequence number that is not in the derived tables yet.
        late: whether a reading older than known ones was among them, so that the bounds of
            other entries may have moved; then everything is rebuilt.
        staged: whether the staging tables of the reading and `numbered` are still there. What they
            hold is what the entries just written say, and it need not be decoded again.
    """
    if first_new == 0 or late:
        if first_new:
            clear(con)
        rebuild(con, staged=staged)
        return
    # What follows from none of the new entries is left alone: planning takes its time too.
    kinds, captured = _new_kinds(con, first_new)
    changed = not kinds.isdisjoint(schema.REGISTRY_KINDS)
    if changed:
        _replace_heads(con, first_new)
    _refresh_events(con, first_new, kinds, captured=captured)
    if captured or "extraction" in kinds:
        _refresh_recorded(con)
    if changed:
        _insert_states(con, "touched", staged=staged)
    if not kinds.isdisjoint(("policy", "extraction")):
        _refresh_settings(con)


def _new_kinds(con: duckdb.DuckDBPyConnection, first_new: int) -> tuple[set[str], bool]:
    """The kinds of the entries from `first_new` on; whether any is a row of a server's journal."""
    rows = con.execute(
        "select kind, coalesce(bool_or(source like 'journal-%'), false) from ledger.log "
        "where seq >= ? and entry is not null group by kind",
        [first_new],
    ).fetchall()
    return {kind for kind, _ in rows}, any(captured for _, captured in rows)


def _replace_heads(con: duckdb.DuckDBPyConnection, first_new: int) -> None:
    """Put the last entries of subjects with new ones into `touched` and the heads.

    What the state tables held of them goes.
    """
    kinds = ", ".join(f"'{kind}'" for kind in schema.REGISTRY_KINDS)
    new = f"from ledger.log where seq >= {int(first_new)} and kind in ({kinds})"
    con.execute(
        f"""
        create or replace temp table touched as
        select subject, any_value(kind) as kind, {LAST} as seq
        from ledger.states(null, null::TIMESTAMP)
        where subject in (select subject {new})
        group by subject
        """
    )
    con.execute("delete from touched where seq in (select seq from ledger.erased_states())")
    con.execute(
        "create or replace temp table replaced as "
        "select h.seq, h.kind from ledger.heads h join touched t using (subject)"
    )
    outdated = {kind for (kind,) in con.execute("select distinct kind from replaced").fetchall()}
    for table, (kind, _) in definitions.state_tables().items():
        if kind in outdated:
            con.execute(
                f"delete from {table} where seq in (select seq from replaced where kind = '{kind}')"
            )
    con.execute("delete from ledger.heads where subject in (select subject from touched)")
    _insert_heads(con, "touched")


def clear(con: duckdb.DuckDBPyConnection) -> None:
    """Empty every derived table."""
    tables = (*definitions.derived_tables(), "ledger.heads")
    con.execute("; ".join(f"delete from {table}" for table in tables))


def rebuild(con: duckdb.DuckDBPyConnection, *, staged: bool = False) -> None:
    """Derive every table, all of them empty, from the log alone; `staged` as for `refresh`."""
    schema.renew_fingerprints(con)
    kinds, captured = _new_kinds(con, 0)
    _refresh_events(con, 0, kinds, captured=captured)
    _refresh_recorded(con)
    listed = ", ".join(f"'{kind}'" for kind in schema.REGISTRY_KINDS)
    con.execute(
        f"""
        create or replace temp table touched as
        select subject, any_value(kind) as kind, max(seq) as seq, count(*) as entries
        from ledger.log where kind in ({listed})
        group by subject
        """
    )
    if con.execute(
        "select 1 from touched where entries > 1 union all select 1 from erasures limit 1"
    ).fetchone():
        con.execute(
            f"""
            update touched set seq = last.seq
            from (select subject, {LAST} as seq
                  from ledger.states(null, null::TIMESTAMP) group by subject) last
            where touched.subject = last.subject and touched.seq <> last.seq
            """
        )
        con.execute("delete from touched where seq in (select seq from ledger.erased_states())")
    _insert_heads(con, "touched")
    _insert_states(con, "touched", staged=staged)
    _refresh_settings(con)


def _insert_heads(con: duckdb.DuckDBPyConnection, subjects: str) -> None:
    con.execute(
        f"""
        insert into ledger.heads
        select l.subject, l.kind, l.registry, l.workspace, l.model, l.seq, l.op, l.observed_at,
               coalesce(f.fingerprint, l.fingerprint), l.secrets
        from ledger.log l join {subjects} using (seq) left join ledger.fingerprints f using (seq)
        """
    )


def _refresh_events(
    con: duckdb.DuckDBPyConnection, first_new: int, kinds: set[str], *, captured: bool
) -> None:
    """Add auditreg's own events; of findings and waivers the last of each subject counts."""
    new = f"(select * from ledger.log where seq >= {int(first_new)} and entry is not null)"
    for table, (kind, text) in definitions.event_tables().items():
        if kind in kinds or (table == "journal" and captured):
            con.execute(f"insert into {table} {text.replace('{log}', new)}")
    for table, (kind, text) in definitions.last_tables().items():
        if kind not in kinds:
            continue
        last = definitions.last_entries(kind, f"seq >= {int(first_new)}")
        con.execute(
            f"delete from {table} where seq in (select o.seq from ledger.log o join ledger.log n "
            f"on o.subject = n.subject and o.kind = '{kind}' and n.kind = '{kind}' "
            f"where n.seq >= {int(first_new)} and o.seq < n.seq)"
        )
        con.execute(f"insert into {table} by name {text.replace('{log}', last)}")


def _refresh_recorded(con: duckdb.DuckDBPyConnection) -> None:
    """Note anew when the server kept its journal: a few rows that every question needs."""
    con.execute("delete from ledger.recorded")
    if con.execute("select 1 from journal limit 1").fetchone():
        con.execute(f"insert into ledger.recorded {definitions.sql('recorded.sql')}")


def _insert_states(con: duckdb.DuckDBPyConnection, subjects: str, *, staged: bool) -> None:
    """Bring the last entries of the subjects into the state tables."""
    counted = con.execute(f"select kind, count(*) from {subjects} group by kind order by kind")
    numbers = dict(counted.fetchall())
    # To plan when states began takes longer than to compute it for a few: then once for all kinds.
    total = sum(numbers.values())
    together = total < MANY
    if together:
        _find_bounds(con, subjects, None)
    for kind, number in numbers.items():
        if not together:
            _find_bounds(con, subjects, kind)
        left = number
        if staged and number >= MANY:
            left -= _insert_staged(con, kind)
        if left:
            _insert_decoded(con, kind, total if together else number)
    con.execute("drop table if exists decoded")


def _find_bounds(con: duckdb.DuckDBPyConnection, subjects: str, kind: str | None) -> None:
    """Put into `bounds` when the states of the subjects began; of all kinds where it is None."""
    of_kind = "null" if kind is None else f"'{kind}'"
    con.execute(
        f"""
        create or replace temp table bounds as
        select t.seq, t.registry, t.lo, t.hi, row_number() over () as place
        from ledger.timeline({of_kind}, null::TIMESTAMP) t join {subjects} s using (seq)
        """
    )


def _insert_staged(con: duckdb.DuckDBPyConnection, kind: str) -> int:
    """Fill the tables of a kind from what is staged; takes those entries out of `bounds`.

    The text of an entry was made from the same rows: `verify` compares with what it says.
    """
    for table, (of, text) in definitions.state_tables().items():
        if of == kind:
            source = kind_sql.staged(table).replace("{rows}", _STAGED_ROWS)
            con.execute(f"insert into {table} by name {text.replace('{decoded}', source)}")
    [(done,)] = con.execute("delete from bounds where seq in (select seq from numbered)").fetchall()
    return int(done)


def _insert_decoded(con: duckdb.DuckDBPyConnection, kind: str, number: int) -> None:
    """Decode the entries of a kind into its state tables; `number` rows are in `bounds`.

    Entries are decoded once for all tables of their kind, and the large ones in batches: a run
    holds its parameters, metrics, tags and data sets.
    """
    batch = BATCHES.get(kind, number)
    for start in range(0, number, batch):
        chosen = f"(select * from bounds where place > {start} and place <= {start + batch})"
        rows = _LATEST_ROWS.format(bounds=chosen, kind=kind)
        tables = [(t, text) for t, (of, text) in definitions.state_tables().items() if of == kind]
        source = definitions.decoded(kind, rows)
        if len(tables) > 1:
            con.execute(
                f"create or replace temp table decoded as select * exclude (entry) from {source}"
            )
            source = "decoded"
        for table, text in tables:
            con.execute(f"insert into {table} by name {text.replace('{decoded}', source)}")


def _refresh_settings(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the settings tables from the last sealed settings and the last complete reading."""
    sealed = con.execute(
        "select text from policies where policy_kind = 'settings' order by seq desc limit 1"
    ).fetchone()
    settings = json.loads(sealed[0]) if sealed else {}
    last = con.execute("select max(observed_at) from extractions where complete").fetchone()
    as_of: datetime | None = last[0] if last else None
    period = None
    if as_of is not None:
        quarter = calendar.quarter_of(
            as_of,
            str(settings.get("timezone", "UTC")),
            int(settings.get("fiscal_year_start_month", 1)),
        )
        period = (quarter.start_utc, quarter.end_utc)
    refresh_settings(con, settings, as_of=as_of, period=period)
