"""The journal of `auditreg-capture` as it stands in a database, in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditreg.sources.capture_journal import (
    WITHOUT,
    Hole,
    Range,
    holes,
    joined,
    journal_id,
    limits,
    ranges_of,
)
from auditreg.sources.database.dialect import DatabaseConnection
from auditreg.sources.database.queries import SPECS
from auditreg.sources.interface import INT, JOURNAL, NOT_READ, STAGING, TEXT
from auditreg.sources.staging import IncompletenessLog

if TYPE_CHECKING:
    import pyarrow as pa

_TABLE = SPECS[JOURNAL].base
_MIN = -(2**63)
_PROBED = 200
"""Holes looked into by one query."""
_FIRST_ROWS = 1_000
"""Rows at the journal's beginning among which its first start is looked for."""


class Ascending:
    """Lets rows through whose id is above all before it, and counts the others."""

    def __init__(self, doubts: IncompletenessLog) -> None:
        self._last = _MIN
        self._first = True
        self._doubts = doubts

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of the batch that go on ascending."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not batch.num_rows:
            return batch
        ids = batch.column("id")
        highest = pc.cumulative_max(ids, start=self._last)
        before = pa.concat_arrays([pa.array([self._last], pa.int64()), highest[:-1]])
        fresh = pc.greater(ids, before)
        if self._first:
            # The lowest possible id is above nothing, and yet the first.
            fresh = pa.concat_arrays([pa.array([True]), fresh[1:]])
        self._first, self._last = False, highest[-1].as_py()
        kept = batch.filter(fresh)
        if kept.num_rows < batch.num_rows:
            self._doubts.double(JOURNAL, batch.num_rows - kept.num_rows)
        return kept


class StoredJournal:
    """The journal in one snapshot of a database.

    `id` is None where there is none, where it is not `wanted`, or where `problem` says why it cannot
    be read.
    """

    def __init__(self, dialect: DatabaseConnection, *, wanted: bool = True) -> None:
        self._dialect = dialect
        self._wanted = wanted
        self._sealed: list[Range] = []
        self.problem: str | None = None
        self.id: str | None = None
        self._hidden = False
        if not wanted:
            return
        columns = dialect.columns(_TABLE)
        denied = sorted(dialect.denied(_TABLE, frozenset(STAGING[JOURNAL])))
        if not columns and not (denied and dialect.tells_hidden):
            self._hidden = bool(denied)
            return
        if denied:
            self.problem = _unreadable(
                f"this user has no right to {', '.join(denied)}; {dialect.grant(_TABLE, denied)}"
            )
            return
        missing = [name for name in STAGING[JOURNAL] if name not in columns]
        if missing:
            self.problem = _unreadable(f"it has no column {', '.join(missing)}")
            return
        self.id, self.problem = self._identity()

    def cannot_show(self) -> str:
        """What remains unseen, in words."""
        if not self._wanted:
            return NOT_READ.format("the server's journal")
        if self._hidden:
            return f"{WITHOUT}: this user cannot see whether there is a journal, {_TABLE}"
        return WITHOUT if self.id is None else limits(self._first_start())

    def skip(self, sealed: Sequence[Range]) -> None:
        """Leave these ids out of `parts`."""
        self._sealed = joined(sealed)

    def parts(self) -> list[str]:
        """Conditions, in ascending order of the ids, that together find every new row.

        Each is a range of the primary key. Ids are given before a transaction commits, so there
        may be new rows between those known. Nearly all holes are empty; one query on the key shows
        which are not.
        """
        if self.id is None:
            return []
        conditions = [_within(hole) for hole in holes(self._sealed)]
        if len(conditions) == 1:
            return conditions
        occupied: list[str] = []
        for start in range(0, len(conditions), _PROBED):
            chunk = conditions[start : start + _PROBED]
            probes = (
                f"select case when exists (select 1 from {_TABLE} b where {condition}) "
                f"then {place} else -1 end as n0"
                for place, condition in enumerate(chunk)
            )
            occupied_places = [
                place
                for batch in self._dialect.stream(" union all ".join(probes), {"n0": INT}, 1024)
                for place in batch.column(0).to_pylist()
            ]
            occupied += [chunk[place] for place in sorted(occupied_places) if place >= 0]
        return occupied

    def ranges(self) -> list[Range]:
        """See `Reading.journal_ranges`."""
        import pyarrow as pa

        if self.id is None:
            return []
        select = f"select {self._dialect.value('b.id', INT)} as id from {_TABLE} b"
        parts = [batch.column(0) for batch in self._dialect.stream(select, {"id": INT}, 65_536)]
        return ranges_of(pa.concat_arrays(parts)) if parts else []

    def _identity(self) -> tuple[str | None, str | None]:
        value = self._dialect.value("b.after_row", TEXT)
        rows = self._dialect.texts(
            f"select * from (select {value} as t from {_TABLE} b where b.operation = 'journal' "
            "order by b.id limit 1) first_row"
        )
        if not rows:
            return None, _unreadable("it has no row that says which journal it is")
        identity = journal_id(rows[0])
        if identity is None:
            return None, _unreadable("its row that says which journal it is cannot be understood")
        return identity, None

    def _first_start(self) -> int | None:
        value = self._dialect.value("b.server_time", INT)
        (moment,) = self._dialect.numbers(
            f"select n0 from (select {value} as n0, b.operation as operation, b.id as id "
            f"from {_TABLE} b order by b.id limit {_FIRST_ROWS}) first_rows "
            "where operation = 'start' order by id limit 1"
        )
        return moment or None


def _within(hole: Hole) -> str:
    first, last = hole
    bounds = [] if first is None else [f"b.id >= {first}"]
    if last is not None:
        bounds.append(f"b.id <= {last}")
    return " and ".join(bounds)


def _unreadable(why: str) -> str:
    return f"the journal in the table {_TABLE} could not be read: {why}"
