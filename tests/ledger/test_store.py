"""The file: readers and writers beside each other, what is left behind, what is no ledger."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import AuditregError, LedgerError
from auditreg.ledger import draft, store
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry


@pytest.fixture
def filled(ledger: Ledger, registry: Registry) -> Ledger:
    registry.create("motor")
    take(ledger, registry.read())
    return ledger


def says(error: AuditregError) -> None:
    assert error.what.endswith((".", '"')) or error.what
    assert error.state
    assert error.hint


def left_over(ledger: Ledger) -> list[str]:
    return sorted(
        path.name
        for path in ledger.path.parent.iterdir()
        if path.name.startswith(f".{ledger.path.name}")
    )


def test_a_ledger_that_is_not_there_is_made(tmp_path: Path, registry: Registry):
    ledger = Ledger(tmp_path / "new" / "folder" / "audit.duckdb")
    assert not ledger.exists
    registry.create("motor")
    take(ledger, registry.read())
    assert ledger.exists
    assert verify(ledger).ok


def test_the_file_is_of_the_form_that_duckdb_1_1_opens(filled: Ledger, registry: Registry):
    query = "select tags['storage_version'] from duckdb_databases() where database_name = 'audit'"
    assert ask(filled, query) == [("v1.0.0+",)]
    registry.tag("motor", None, "a", "b")
    take(filled, registry.read())
    assert ask(filled, query) == [("v1.0.0+",)]


@pytest.mark.parametrize("bound", ["FEW", "SHORT"])
def test_what_is_changed_is_compressed_only_where_there_is_much(
    filled: Ledger, registry: Registry, monkeypatch: pytest.MonkeyPatch, bound: str
):
    def tags(number: int) -> set[str]:
        for n in range(300):
            registry.tag("motor", None, f"a longer key {number}.{n}", "the same value")
        take(filled, registry.read())
        segments = "select distinct compression from pragma_storage_info('registered_model_tags')"
        return {how for (how,) in ask(filled, segments)}

    assert tags(1) <= {"Uncompressed", "Constant", "Empty Validity"}
    monkeypatch.setattr(draft, bound, 0)
    assert tags(2) & {"Dictionary", "DICT_FSST", "FSST", "RLE", "BitPacking"}
    assert verify(filled).ok


def test_an_entry_without_text_cannot_be_written(filled: Ledger):
    before = ask(filled, "select count(*) from ledger.log")
    with pytest.raises(duckdb.ConstraintException, match="leaf"), filled.writer() as con:
        con.execute(
            "insert into ledger.log by name select max(seq) + 1 as seq, null as entry, "
            "unhex(sha256(chr(0) || null)) as leaf from ledger.log"
        )
    assert ask(filled, "select count(*) from ledger.log") == before


def test_an_open_reader_is_neither_in_the_way_nor_disturbed(filled: Ledger, registry: Registry):
    query = "select count(*) from ledger.log"
    with filled.reader() as con:
        before = con.execute(query).fetchone()
        registry.tag("motor", None, "a", "b")
        take(filled, registry.read())
        assert con.execute(query).fetchone() == before
        assert con.execute("select count(*) from registered_model_tags").fetchone() == (0,)
    assert ask(filled, query) == [(before[0] + 2,)]


def test_a_reader_can_come_while_somebody_writes(filled: Ledger):
    with filled.writer() as con:
        con.execute("update settings set value = 'x' where name = 'timezone'")
        assert ask(filled, "select setting('timezone')") != [("x",)]
    assert ask(filled, "select setting('timezone')") == [("x",)]


def test_a_reader_cannot_write(filled: Ledger):
    with filled.reader() as con, pytest.raises(duckdb.Error):
        con.execute("delete from ledger.log")


def test_a_second_writer_waits_for_the_first(filled: Ledger, registry: Registry):
    registry.tag("motor", None, "one", "1")
    first = registry.read()
    registry.tag("motor", None, "two", "2")
    second = registry.read()
    threads = [threading.Thread(target=take, args=(filled, r)) for r in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask(filled, "select key from registered_model_tags order by 1") == [("one",), ("two",)]
    assert ask(filled, "select count(*) from extractions") == [(3,)]
    assert verify(filled).ok


def test_a_writer_that_waits_too_long_says_so(filled: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "LOCK_TIMEOUT_S", 0.1)
    before = filled.path.read_bytes()
    with filled.writer():
        with (
            pytest.raises(LedgerError, match="Another auditreg process") as caught,
            filled.writer(),
        ):
            pass
        says(caught.value)
    assert ask(filled, "select count(*) from extractions") == [(1,)]
    assert len(before) > 0


def leave_wal(path: Path, statement: str) -> None:
    """Write to a file and die before it is checkpointed."""
    program = (
        "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]); "
        "con.execute(sys.argv[2]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(path), statement], check=True)
    assert Path(f"{path}.wal").exists()


def test_a_write_ahead_log_somebody_left_is_set_aside(filled: Ledger, registry: Registry):
    leave_wal(filled.path, "insert into live_names values ('stage', 'x', '')")
    wal = Path(f"{filled.path}.wal")
    assert wal.exists()
    assert not verify(filled).ok
    take(filled, registry.read())
    assert not wal.exists()
    (note,) = filled.notes
    (aside,) = filled.path.parent.glob("*.aside")
    assert aside.name in note
    assert ask(filled, "select count(*) from live_names where name = 'x'") == [(0,)]
    assert verify(filled).ok


def test_nobody_judges_what_another_program_did_not_finish(filled: Ledger):
    """DuckDB would replay it, a writer sets it aside: what is read must be what is sealed."""
    leave_wal(filled.path, "delete from registered_models")
    with pytest.raises(LedgerError, match="open for writing, or ended") as caught:
        filled.connect()
    says(caught.value)
    assert "Close that program" in caught.value.hint
    assert "sets audit.duckdb.wal aside" in caught.value.hint
    assert "audit.duckdb.wal" in verify(filled).problems[-1].what
    filled.set_wal_aside()
    assert len(filled.notes) == 1
    assert ask(filled, "select count(*) from registered_models") == [(1,)]
    assert verify(filled).ok


def test_a_write_ahead_log_of_another_file_is_an_error_with_a_way_out(filled: Ledger):
    other = filled.path.with_name("other.duckdb")
    make_duckdb(other)
    leave_wal(other, "insert into t values (2)")
    Path(f"{other}.wal").rename(f"{filled.path}.wal")
    with pytest.raises(LedgerError, match="write-ahead log") as caught:
        filled.connect()
    says(caught.value)
    with filled.writer():
        pass
    assert verify(filled).ok


def test_a_damaged_block_is_an_error_of_the_ledger_wherever_it_is_met(
    filled: Ledger, registry: Registry
):
    texts = {f"t{n}": random.Random(n).randbytes(2000).hex() for n in range(300)}
    registry.create("home", **texts)
    take(filled, registry.read())
    before = filled.path.read_bytes()
    middle = next(
        place for n in range(100, 300) if (place := before.find(texts[f"t{n}"][:40].encode())) > 0
    )
    filled.path.write_bytes(before[:middle] + b"X" + before[middle + 1 :])
    damaged = filled.path.read_bytes()
    every_text = "select sum(length(entry)) from ledger.log"
    with pytest.raises(LedgerError, match="is damaged") as caught:
        ask(filled, every_text)
    says(caught.value)
    with pytest.raises(LedgerError, match="is damaged"), filled.writer() as con:
        con.execute(every_text).fetchall()
    with pytest.raises(LedgerError, match="is damaged"):
        filled.erase(0, "asked")
    assert filled.path.read_bytes() == damaged
    with pytest.raises(duckdb.Error, match="damaged"):
        ask(filled, "select damaged from registered_models")


def test_what_killed_writers_left_is_cleared(filled: Ledger):
    folder = filled.path.parent
    (folder / f".{filled.path.name}.99999.draft").write_bytes(b"half")
    (folder / f".{filled.path.name}.99999.draft.wal").write_bytes(b"half")
    spill = folder / f".{filled.path.name}.99999.draft.tmp"
    spill.mkdir()
    (spill / "block").write_bytes(b"half")
    other = folder / ".other.duckdb.1.draft"
    other.write_bytes(b"somebody else's")
    assert len(left_over(filled)) == 3
    with filled.writer():
        pass
    assert left_over(filled) == []
    assert other.exists()


def test_an_error_inside_a_write_changes_nothing(filled: Ledger):
    before = filled.path.read_bytes()

    def fails() -> None:
        with filled.writer() as con:
            con.execute("delete from ledger.log")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert filled.path.read_bytes() == before
    assert left_over(filled) == []
    with filled.writer():
        pass


def test_the_rights_of_the_file_stay(filled: Ledger, registry: Registry):
    filled.path.chmod(0o640)
    take(filled, registry.read())
    assert filled.path.stat().st_mode & 0o777 == 0o640


def make_text(path: Path) -> None:
    path.write_text("hello\n" * 5000)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table registered_models (name text)")
        database.commit()


def make_duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("create table t as select 1 as a")


@pytest.mark.parametrize("make", [make_text, make_folder, make_sqlite, make_duckdb])
@pytest.mark.parametrize("fresh", [False, True])
def test_what_is_no_ledger_is_refused(tmp_path: Path, make: Callable[[Path], None], fresh: bool):
    path = tmp_path / "audit.duckdb"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    ledger = Ledger(path)
    with pytest.raises(LedgerError) as caught:
        ledger.connect()
    says(caught.value)
    with pytest.raises(LedgerError) as caught, ledger.writer(fresh=fresh):
        pass
    says(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert left_over(ledger) == []


def test_a_newer_ledger_is_refused(filled: Ledger):
    with filled.writer() as con:
        con.execute("update ledger.format set version = version + 1, written_by = '9.9'")
    for use in (filled.connect, lambda: verify(filled), filled.writer().__enter__):
        with pytest.raises(LedgerError, match=r"newer auditreg \(9\.9\)") as caught:
            use()
        says(caught.value)
        assert "Upgrade" in caught.value.hint


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    for ledger in (
        Ledger(tmp_path / "file" / "audit.duckdb"),
        Ledger(tmp_path / "file" / "x" / "a"),
    ):
        with pytest.raises(LedgerError) as caught, ledger.writer():
            pass
        says(caught.value)


def test_a_folder_that_cannot_be_written_to(filled: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(LedgerError, match="cannot be written to") as caught, filled.writer():
        pass
    says(caught.value)


@pytest.mark.parametrize(
    "step", ["ingest.refuse_replacement", "ingest._seal", "store.Ledger._replace"]
)
@pytest.mark.parametrize("key_file", ["audit.duckdb.key", "elsewhere/hash.key"])
def test_a_first_write_that_fails_leaves_no_file_behind(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, step: str, key_file: str
):
    registry.create("motor", password="hunter22x")
    reading, key = registry.read(), tmp_path / key_file

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(f"auditreg.ledger.{step}", fail)
        with pytest.raises(OSError, match="broken"):
            take(Ledger(tmp_path / "audit.duckdb"), reading, key_file=key)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    take(Ledger(tmp_path / "audit.duckdb"), registry.read(), key_file=key)
    made = key.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(f"auditreg.ledger.{step}", fail)
        with pytest.raises(OSError, match="broken"):
            take(Ledger(tmp_path / "audit.duckdb"), registry.read(), key_file=key)
    assert key.read_bytes() == made
    assert (tmp_path / "audit.duckdb").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_as_one_when_it_is_written(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch, number: int
):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    before = sorted(filled.path.parent.iterdir())
    with pytest.raises(LedgerError, match="file system has no locks") as caught, filled.writer():
        pass
    assert "docs/operations.md" in caught.value.hint
    assert sorted(filled.path.parent.iterdir()) == before
    new = Ledger(filled.path.with_name("new.duckdb"))
    with pytest.raises(LedgerError, match="file system has no locks"), new.writer():
        pass
    assert sorted(filled.path.parent.iterdir()) == before


@pytest.mark.parametrize(
    "answer",
    [
        "No locks available. See also https://duckdb.org/",
        "File locks are not supported for this file system, cannot open the file in read-write mode.",
    ],
)
def test_a_file_system_without_locks_is_told_as_one_when_it_is_read(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch, answer: str
):
    """What DuckDB answered where `fcntl` was made to fail."""

    def refuse(*_: object, **__: object) -> None:
        raise duckdb.IOException(f'IO Error: Could not set lock on file "/mnt/a.duckdb": {answer}')

    monkeypatch.setattr("duckdb.connect", refuse)
    with pytest.raises(LedgerError, match="file system has no locks") as caught:
        filled.connect()
    assert "docs/operations.md" in caught.value.hint


def test_a_file_that_cannot_be_replaced(filled: Ledger, monkeypatch: pytest.MonkeyPatch):
    """As on Windows, while another program has it open."""
    monkeypatch.setattr(store, "REPLACE_TIMEOUT_S", 0.1)

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "in use")

    before = filled.path.read_bytes()
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(LedgerError, match="held open") as caught, filled.writer():
        pass
    says(caught.value)
    assert filled.path.read_bytes() == before
    assert left_over(filled) == []


def test_there_is_no_ledger(tmp_path: Path):
    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path / "audit.duckdb").connect()
    says(caught.value)
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "audit.duckdb").erase(0, "why")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_ledger_stays_a_link(ledger: Ledger, tmp_path: Path, registry: Registry):
    link = tmp_path / "link.duckdb"
    link.symlink_to(ledger.path)
    registry.create("motor")
    take(Ledger(link), registry.read())
    assert link.is_symlink()
    with ledger.reader() as con:
        assert con.execute("select count(*) from registered_models").fetchall() == [(1,)]
