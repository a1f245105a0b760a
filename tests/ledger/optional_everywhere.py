"""A program: every kind gets a column that one source cannot show, and one that all can.

It runs in a process of its own, because everything follows from the kinds when it is imported.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from auditreg.kinds import registry
from auditreg.kinds.declaration import INT, Column

ADDED = (
    Column("extra", meaning="What a server hides", optional=True, item="extra"),
    Column("extra_number", INT, "A number that all show", optional=True, item="extra number"),
)
registry.KINDS = tuple(
    replace(kind, table=replace(kind.table, columns=(*kind.table.columns, *ADDED)))
    for kind in registry.KINDS
)

# ruff: noqa: E402 - what follows from the kinds is imported when they are complete
from auditreg.kinds.registry import KINDS
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.conftest import take
from tests.ledger.reading import START, MemoryReading, Rows
from tests.ledger.staged_rows import rows_of_every_kind

TABLES = [kind.table.name for kind in KINDS]
ALL = {(kind.name, "put"): 1 for kind in KINDS}


def read(rows: Rows, at: int, *, served: bool = False) -> MemoryReading:
    """A reading a number of hours later; a served one hides `extra`."""
    moment = START + 10**10 + at * 3_600_000
    if not served:
        return MemoryReading(rows, moment)
    shown = {
        table: [{**row, "extra": None} if table in TABLES else row for row in listed]
        for table, listed in rows.items()
    }
    hidden = tuple(f"{table}.extra" for table in TABLES)
    return MemoryReading(shown, moment, source="rest", hidden=hidden)


def changed(rows: Rows, column: str, value: object) -> Rows:
    """The rows with another value in the first row of every kind."""
    firsts = {name: [{**rows[name][0], column: value}, *rows[name][1:]] for name in TABLES}
    return rows | firsts


def extras(ledger: Ledger) -> dict[str, list[object]]:
    """The values of both columns by state table."""
    query = "select extra, extra_number from {} where extra is not null or extra_number is not null"
    with ledger.reader() as con:  # once for all: a ledger with other columns is renewed to be read
        return {
            name: sorted(con.execute(query.format(name)).fetchall(), key=repr) for name in TABLES
        }


def known_first(folder: Path) -> None:
    """What a database showed stays known while a server hides it."""
    rows, ledger = rows_of_every_kind(), Ledger(folder / "known.duckdb")
    take(ledger, read(rows, 1))
    known = extras(ledger)
    assert all(known.values())
    assert take(ledger, read(rows, 2, served=True)).changes == {}
    assert take(ledger, read(rows, 3)).changes == {}
    assert extras(ledger) == known
    other = changed(rows, "extra", "another")
    assert take(ledger, read(other, 4)).changes == ALL
    assert take(ledger, read(other, 5, served=True)).changes == {}
    assert all("another" in dict(values) for values in extras(ledger).values())
    assert verify(ledger).ok


def hidden_first(folder: Path) -> None:
    """What was never shown is no reason to overlook what was: the two stand side by side."""
    rows, ledger = rows_of_every_kind(), Ledger(folder / "hidden.duckdb")
    take(ledger, read(rows, 1, served=True))
    other = changed(rows, "extra_number", 7)
    assert take(ledger, read(other, 2, served=True)).changes == ALL
    assert all((None, 7) in values for values in extras(ledger).values())
    assert take(ledger, read(other, 3)).changes == {}
    assert all(any(text for text, _ in values) for values in extras(ledger).values())
    assert verify(ledger).ok


if __name__ == "__main__":
    known_first(Path(sys.argv[1]))
    hidden_first(Path(sys.argv[1]))
