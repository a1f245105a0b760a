"""Capture's journal in a database: all of it once, exactly, at the cost of what is new."""

from __future__ import annotations

import base64
import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditreg.sources.capture_journal import holes, joined, ranges_of
from auditreg.sources.database.journal import StoredJournal
from auditreg.sources.database.queries import Queries
from auditreg.sources.database.source import SqlSource
from auditreg.sources.database.sqlite import SQLite
from auditreg.sources.interface import BYTES_MARK
from tests.sources.journals import ID, TABLE, add, change, entry, identity, journal_in, start
from tests.sources.reading import in_another_process, rows, run_sql, sqlite_source

Range = tuple[int, int]
BEGINNING = (identity(), start())


@pytest.fixture
def copy(empty_store: Path, tmp_path: Path) -> Path:
    """An empty store to write to."""
    return Path(shutil.copy(empty_store, tmp_path / "copy.db"))


def source(path: Path) -> SqlSource:
    return sqlite_source(path)


def new_ids(path: Path, *sealed: Range) -> list[int]:
    with source(path).read() as reading:
        reading.skip_journal(sealed)
        listed = [row["id"] for row in rows(reading, "journal")]
        completeness = reading.completeness()
    assert completeness.complete
    assert completeness.counts["journal"] == (len(listed), len(listed))
    return listed


def test_every_column_comes_back_as_it_stands(copy):
    written = [*BEGINNING, change(3), change(4, workspace=None, actor=None, claimed="mallory")]
    journal_in(copy, *written)
    with source(copy).read() as reading:
        assert reading.journal == ID
        assert rows(reading, "journal") == written
        assert reading.journal_ranges() == [(1, 4)]
        assert reading.completeness().complete
        assert reading.info.clock_offset_ms is None
        limits = reading.info.cannot_show
    assert "who changed what, and what stood there before" not in limits
    assert limits[0] == (
        "changes from before capture first started on 2026-09-21 at 14:13 UTC, and who made "
        "changes that did not go through the server"
    )


def test_a_store_without_capture_shows_no_journal_and_is_complete(copy):
    with source(copy).read() as reading:
        assert reading.journal is None
        assert reading.journal_ranges() == []
        reading.skip_journal([(1, 5)])
        assert rows(reading, "journal") == []
        assert reading.completeness().complete
        assert reading.info.cannot_show[0] == "who changed what, and what stood there before"


WITHOUT_ACTOR = TABLE.replace(" actor varchar(256),", "").replace(" client", " customer")
BROKEN = {
    "empty": (TABLE, (), "has no row that says which journal it is"),
    "columns": (WITHOUT_ACTOR, (), "has no column actor, client"),
    "no identity": (TABLE, (start(),), "has no row that says which journal it is"),
    "null": (TABLE, (entry(1, "journal"),), "cannot be understood"),
    "no json": (TABLE, (entry(1, "journal", after_row="{"),), "cannot be understood"),
    "deep": (TABLE, (entry(1, "journal", after_row="[" * 99_999),), "cannot be understood"),
    "list": (TABLE, (entry(1, "journal", after_row="[1]"),), "cannot be understood"),
    "no id": (TABLE, (identity(journal="x'; drop table runs"),), "cannot be understood"),
    "blob": (TABLE, (entry(1, "journal", after_row=b"\xff\xfe"),), "cannot be understood"),
}


@pytest.mark.parametrize(("table", "rows_in", "says"), BROKEN.values(), ids=BROKEN)
def test_a_journal_that_is_not_one_is_a_doubt_and_never_an_abort(copy, table, rows_in, says):
    run_sql(copy, table)
    if rows_in:
        add(copy, *rows_in)
    with source(copy).read() as reading:
        assert reading.journal is None
        assert rows(reading, "journal") == []
        assert reading.journal_ranges() == []
        (doubt,) = reading.completeness().doubts
        assert doubt.startswith("the journal in the table auditreg_journal could not be read: ")
        assert says in doubt
        assert reading.info.cannot_show[0] == "who changed what, and what stood there before"
        assert "auditreg" not in " ".join(reading.info.cannot_show)


def test_the_first_identity_counts_and_a_view_is_no_journal(copy, tmp_path):
    other = Path(shutil.copy(copy, tmp_path / "other.db"))
    journal_in(copy, start(3), identity(5, "f" * 32), identity(7))
    with source(copy).read() as reading:
        assert reading.journal == "f" * 32
    run_sql(other, "create view auditreg_journal as select 1 as id, 'journal' as operation")
    with source(other).read() as reading:
        assert (reading.journal, reading.completeness().complete) == (None, True)


@pytest.mark.parametrize("moment", [None, "never", 2**62, -(2**62), 1.5])
def test_a_start_at_an_impossible_time_is_left_out_of_the_words(copy, moment):
    table = TABLE.replace("server_time bigint not null", "server_time")
    journal_in(copy, identity(), start(at=moment), table=table)
    with source(copy).read() as reading:
        assert reading.info.cannot_show[0].startswith("changes from before capture first started,")


def test_text_that_is_not_unicode_is_staged_as_everywhere(copy):
    journal_in(copy, *BEGINNING, change(3, actor=b"\xff\x00", after_row="\x00$x", item="é\u202e"))
    with source(copy).read() as reading:
        listed = rows(reading, "journal")[-1]
        assert reading.completeness().complete
    assert listed["actor"] == BYTES_MARK + base64.b64encode(b"\xff\x00").decode()
    assert listed["after_row"] == BYTES_MARK + base64.b64encode(b"\x00$x").decode()
    assert listed["item"] == "é\u202e"


def test_rows_without_an_operation_or_an_id_are_doubts(copy):
    journal_in(
        copy,
        *BEGINNING,
        entry(3, None),
        entry(4, None),
        entry(None, "update"),
        entry(5) | {"id": "five"},
        change(6, version="one"),
        change(6, actor="eve"),
        table=TABLE.replace(" primary key autoincrement", "").replace(" not null", ""),
    )
    with source(copy).read() as reading:
        listed = rows(reading, "journal")
        doubts = reading.completeness().doubts
        assert reading.journal_ranges() == [(1, 4), (6, 6)]
    assert [row["id"] for row in listed] == [1, 2, 3, 4, 6]
    assert [row["operation"] for row in listed[2:4]] == [None, None]
    assert doubts == (
        "2 row(s) of journal were left out: id is missing or not of type int64",
        "2 row(s) of journal have no operation",
        "1 row(s) of journal were left out: another row has the same id",
        "1 value(s) of journal.version are not of type int64 and were read as missing",
    )


def test_rows_come_in_the_order_of_their_ids(copy):
    table = TABLE.replace(" primary key autoincrement", "")
    journal_in(copy, change(9), start(), change(30), change(7), identity(), table=table)
    assert new_ids(copy) == [1, 2, 7, 9, 30]
    assert new_ids(copy, (2, 7)) == [1, 9, 30]


@pytest.mark.parametrize(
    ("sealed", "expected"),
    [
        ([], [1, 2, 3, 6, 7, 12]),
        ([(1, 3)], [6, 7, 12]),
        ([(6, 6), (1, 2)], [3, 7, 12]),
        ([(1, 4), (3, 6), (8, 11)], [7, 12]),
        ([(1, 12)], []),
        ([(-(2**63), 2**63 - 1)], []),
        ([(-(2**63), 5), (8, 2**63 - 1)], [6, 7]),
        ([(5, 1)], [1, 2, 3, 6, 7, 12]),
        ([(n, n) for n in range(1, 2_000, 2)], [2, 6, 12]),
    ],
)
def test_only_what_is_not_sealed_is_read(copy, sealed, expected):
    journal_in(copy, *BEGINNING, *map(change, (3, 6, 7, 12)))
    assert new_ids(copy, *sealed) == expected


def test_ids_at_the_ends_of_64_bits_are_read_and_skipped(copy):
    low, high = -(2**63), 2**63 - 1
    journal_in(copy, change(low), *BEGINNING, change(high))
    assert new_ids(copy) == [low, 1, 2, high]
    assert new_ids(copy, (1, high)) == [low]
    assert new_ids(copy, (low, low)) == [1, 2, high]
    with source(copy).read() as reading:
        assert reading.journal_ranges() == [(low, low), (1, 2), (high, high)]


def test_reading_what_is_new_is_a_search_in_the_primary_key(copy):
    journal_in(copy, *BEGINNING, *map(change, range(3, 500)))
    dialect = SQLite(str(copy))
    try:
        journal = StoredJournal(dialect)
        journal.skip([(1, 100), (102, 490)])
        parts = journal.parts()
        assert len(parts) == 2
        for part in parts:
            for plain in (True, False):
                query = Queries(dialect, "linked").rows("journal", plain=plain, only=part)
                plan = dialect.plan(query.select)
                assert "SEARCH b USING INTEGER PRIMARY KEY" in plan
                assert "SCAN" not in plan
                assert "TEMP B-TREE" not in plan
    finally:
        dialect.close()


def test_what_commits_later_with_a_lower_id_is_found(copy):
    journal_in(copy, *BEGINNING, change(5))
    assert new_ids(copy, (1, 2), (5, 5)) == []
    add(copy, change(4), change(6))
    assert new_ids(copy, (1, 2), (5, 5)) == [4, 6]


def test_the_journal_is_of_the_same_snapshot_as_the_tables(copy):
    run_sql(copy, "pragma journal_mode = wal")
    journal_in(copy, *BEGINNING)
    with source(copy).read() as reading:
        insert = "insert into registered_models (workspace, name) values ('default', 'after')"
        in_another_process(copy, insert)
        in_another_process(copy, "delete from auditreg_journal")
        assert rows(reading, "registered_models") == []
        assert [row["id"] for row in rows(reading, "journal")] == [1, 2]
        assert reading.journal_ranges() == [(1, 2)]


def test_a_large_journal_is_not_held_in_memory(copy):
    large = "x" * 2_000_000
    journal_in(copy, *BEGINNING, *[change(n, after_row=large) for n in range(3, 103)])
    with source(copy).read() as reading:
        sizes = [batch.num_rows for batch in reading.table("journal")]
    assert sum(sizes) == 102
    assert max(sizes) <= 64


@given(st.lists(st.integers(1, 60), max_size=40), st.data())
@settings(max_examples=200, deadline=None)
def test_ranges_and_holes_are_exact(ids, data):
    ranges = ranges_of(pa.array(ids, pa.int64()))
    assert [n for first, last in ranges for n in range(first, last + 1)] == sorted(set(ids))
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(ranges))
    split = sorted(data.draw(st.lists(st.sampled_from(ranges or [(1, 1)]), max_size=3)))
    assert joined([*ranges, *split]) == (ranges or joined(split))
    outside = {
        n
        for first, last in holes(ranges)
        for n in range(0 if first is None else first, 62 if last is None else last + 1)
    }
    assert outside == set(range(62)) - set(ids)


def test_ids_from_a_real_sqlite_sequence_are_never_used_twice(copy):
    journal_in(copy, *BEGINNING, change(3))
    run_sql(copy, "delete from auditreg_journal where id = 3")
    row = change(0)
    row["id"] = None
    add(copy, row)
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("select max(id) from auditreg_journal").fetchone() == (4,)
    with source(copy).read() as reading:
        assert reading.journal_ranges() == [(1, 2), (4, 4)]
