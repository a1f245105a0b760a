"""Proving that a ledger is what was written: every leaf, every root, every derived table.

What this proves and what not: that the log is internally whole and that every other table follows
from it. Whoever can rewrite the whole file can make a whole new log; only a root kept elsewhere
(in a report, a mail, a commit) shows that, so `expected_root` compares with one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditreg.errors import AuditregError, LedgerError, first_line
from auditreg.ledger import entries
from auditreg.ledger.file_checks import is_damaged
from auditreg.ledger.merkle import Tree
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify_tables import compare_with_log

if TYPE_CHECKING:
    import duckdb

    from auditreg.sources.interface import Progress

SHOWN = 20
"""Problems of one sort that are named one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not verify; `seq` names the entry where it is one entry."""

    what: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found.

    `entries` is the size of the log, `erased` how many of its texts were erased with proof,
    `roots` how many sealed roots were recomputed, `tables` how many derived tables were compared.
    """

    path: Path
    entries: int
    erased: int
    roots: int
    tables: int
    root: str
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything verifies."""
        return not self.problems


def verify(
    ledger: Ledger,
    *,
    state_too: bool = True,
    expected: tuple[int, str] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Recompute everything about a ledger that can be recomputed.

    Args:
        ledger: the ledger; opened read-only.
        state_too: also rebuild the derived tables and compare them.
        expected: a tree size and root kept elsewhere; the log must still begin that way.
        progress: told about phases.

    Raises:
        LedgerError: there is no ledger, or it is one of a newer release.
    """
    import duckdb

    report = progress or entries.silent
    tree = Tree()
    tables = 0
    try:
        opened = ledger.connect(replay=True)
    except LedgerError as error:
        if error.__cause__ is None or not is_damaged(ledger.path, error.__cause__):
            raise
        damage = Problem(f"The file is damaged and cannot be opened: {first_line(error.__cause__)}")
        return Verification(ledger.path, 0, 0, 0, 0, tree.root().hex(), (damage,))
    with contextlib.closing(opened) as con:
        erased, roots, problems = _check_log(con, tree, expected, report)
    if state_too and not problems:
        report("rebuilding tables", 0, None)
        try:
            tables, different = compare_with_log(ledger.path)
            problems += map(Problem, different)
        except (duckdb.Error, AuditregError, ValueError, TypeError, KeyError) as error:
            problems.append(Problem(f"The derived tables cannot be rebuilt: {first_line(error)}"))
    if ledger.write_ahead_log.exists():
        problems.append(
            Problem(
                f"Beside the file lies {ledger.write_ahead_log.name}: another program wrote to the "
                "ledger and has not finished. Nothing of that belongs to the record."
            )
        )
    return Verification(
        path=ledger.path,
        entries=tree.size,
        erased=erased,
        roots=roots,
        tables=tables,
        root=tree.root().hex(),
        problems=tuple(problems),
    )


def _check_log(
    con: duckdb.DuckDBPyConnection, tree: Tree, expected: tuple[int, str] | None, report: Progress
) -> tuple[int, int, list[Problem]]:
    """Erased entries, sealed roots, and what is wrong with either or any other entry."""
    import duckdb

    problems: list[Problem] = []
    erased = roots = 0
    try:
        entries.prepare(con)
        report("hashing entries", 0, None)
        problems += _check_sequence(con)
        problems += _check_leaves(con)
        problems += _check_headers(con)
        erased, missing = _check_erased(con)
        problems += missing
        report("recomputing roots", 0, None)
        roots, wrong = _check_roots(con, tree, expected)
        problems += wrong
    except (duckdb.Error, ValueError) as error:
        problems += _damaged(con, error)
    return erased, roots, problems


def _listed(
    con: duckdb.DuckDBPyConnection, query: str, say: Callable[[Any], str]
) -> Iterator[Problem]:
    """A problem per row of `query` (its first column is the entry), the rest counted."""
    rows = con.execute(query).fetchmany(SHOWN + 1)
    for row in rows[:SHOWN]:
        yield Problem(say(row), row[0])
    if len(rows) > SHOWN:
        total = entries.number(con, f"select count(*) from ({query})")
        yield Problem(f"... and {total - SHOWN} more entries of that sort.")


def _check_sequence(con: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Every number from 0 on stands there once."""
    yield from _listed(
        con,
        "select seq from (select seq, lag(seq, 1, -1) over (order by seq) as before "
        "from ledger.log) where seq <> before + 1 order by seq",
        lambda row: (
            f"Entry {row[0]} does not follow the one before it: an entry is missing or "
            "stands there twice."
        ),
    )


def _check_leaves(con: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Every leaf is the hash of its entry's bytes."""
    yield from _listed(
        con,
        "select seq from ledger.log where entry is not null "
        "and leaf is distinct from unhex(sha256(chr(0) || entry)) order by seq",
        lambda row: f"Entry {row[0]} was changed: its text does not have the hash that was sealed.",
    )


def _check_headers(con: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Every projected column is what the entry says."""
    times = [name for name, kind in entries.HEADER if kind == "time"]
    finer = " or ".join(f"epoch_us({name}) % 1000 <> 0" for name in times)
    yield from _listed(
        con,
        f"select seq from ledger.log where entry is not null and ({finer} "
        f"or starts_with(entry, {entries.header_sql()}) is distinct from true) order by seq",
        lambda row: f"Entry {row[0]}: a column beside its text was changed.",
    )


def _check_erased(con: duckdb.DuckDBPyConnection) -> tuple[int, list[Problem]]:
    """A missing text has an `erased` entry with the same leaf, and no column left."""
    proof = (
        "select json_extract(entry, '$.body.erased_seq')::BIGINT as erased_seq, "
        "json_extract_string(entry, '$.body.leaf') as leaf "
        "from ledger.log where kind = 'erased' and entry is not null"
    )
    query = (
        "select l.seq from ledger.log l where l.entry is null and not exists "
        f"(select 1 from ({proof}) p where p.erased_seq = l.seq and p.leaf = lower(hex(l.leaf)))"
    )
    problems = list(
        _listed(
            con,
            f"{query} order by l.seq",
            lambda row: f"Entry {row[0]} has lost its text, and no entry says that it was erased.",
        )
    )
    left = " or ".join(f"{name} is not null" for name, _ in entries.HEADER)
    problems += _listed(
        con,
        f"select seq from ledger.log where entry is null and ({left}) order by seq",
        lambda row: f"Entry {row[0]} was erased, but one of its columns is still filled.",
    )
    return entries.number(con, "select count(*) from ledger.log where entry is null"), problems


def _check_roots(
    con: duckdb.DuckDBPyConnection, tree: Tree, expected: tuple[int, str] | None
) -> tuple[int, list[Problem]]:
    """Every root sealed in an event, the kept one and the frontier follow from the leaves.

    Grows `tree` over the whole log.
    """
    sealed: list[tuple[int, str, int | None]] = [
        (size, root, seq)
        for seq, size, root in con.execute(
            "select seq, json_extract(entry, '$.body.tree_size')::BIGINT as size, "
            "json_extract_string(entry, '$.body.root') as root from ledger.log "
            "where kind in ('extraction', 'check', 'report', 'import') and entry is not null order by size"
        ).fetchall()
        if size is not None
    ]
    if expected is not None:
        sealed = sorted([*sealed, (*expected, None)], key=lambda item: item[0])
    problems: list[Problem] = []
    pending = iter(sealed)
    sealed_root = next(pending, None)
    query = con.execute("select leaf from ledger.log order by seq")
    while True:
        while sealed_root is not None and sealed_root[0] == tree.size:
            if tree.root().hex() != sealed_root[1]:
                problems.append(_wrong_root(*sealed_root))
            sealed_root = next(pending, None)
        batch_size = 100_000 if sealed_root is None else min(100_000, sealed_root[0] - tree.size)
        rows = query.fetchmany(max(batch_size, 1))
        if not rows:
            break
        tree.extend(leaf for (leaf,) in rows)
    if sealed_root is not None:
        problems.append(
            Problem(
                f"The log ends at entry {tree.size - 1}, but a root was sealed over "
                f"{sealed_root[0]} entries: its end was cut off.",
                sealed_root[2],
            )
        )
    stored_frontier = con.execute("select height, hash from ledger.frontier order by height desc")
    if stored_frontier.fetchall() != tree.frontier and not problems:
        problems.append(Problem("ledger.frontier does not follow from the leaves of the log."))
    return len(sealed), problems


def _wrong_root(size: int, root: str, seq: int | None) -> Problem:
    if seq is None:
        return Problem(
            f"The first {size} entries do not have the root {root[:16]}… that was kept elsewhere: "
            "the record was rewritten after it was published."
        )
    return Problem(
        f"The first {size} entries do not have the root that entry {seq} sealed: one of them was "
        "rewritten together with its hash.",
        seq,
    )


def _damaged(con: duckdb.DuckDBPyConnection, error: Exception) -> list[Problem]:
    """Which entries of a damaged file cannot be read, by reading them in ever smaller ranges."""
    import duckdb

    def readable(low: int, high: int) -> bool:
        try:
            con.execute(
                "select sum(hash(entry)), sum(hash(leaf)) from ledger.log "
                "where seq >= ? and seq < ?",
                [low, high],
            ).fetchall()
        except duckdb.Error:
            return False
        return True

    first = f"The file is damaged: {first_line(error)}"
    try:
        end = entries.size(con)
    except duckdb.Error:
        return [Problem(first), Problem("No entry of the log can be read.")]
    low, high = 0, end
    if readable(low, high):
        return [Problem(first)]
    while high - low > 1:
        middle = (low + high) // 2
        if readable(low, middle):
            low = middle
        else:
            high = middle
    return [
        Problem(first),
        Problem(f"Entry {low} and those stored in the same block cannot be read.", low),
    ]
