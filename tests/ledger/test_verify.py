"""Whatever is changed in a ledger behind auditreg's back, `verify` says so."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from auditreg.errors import ExitCode, LedgerError
from auditreg.ledger import definitions, entries, schema, state, verify_tables
from auditreg.ledger.merkle import Tree
from auditreg.ledger.policies import Policy
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import Verification, verify
from tests.ledger.book import opened
from tests.ledger.conftest import ask, leaf_hash, log_rows, take
from tests.ledger.reading import MemoryReading, Registry, run_rows, together


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty_file: Path) -> Path:
    """A ledger of some readings. Do not write to it."""
    path = tmp_path_factory.mktemp("whole") / "audit.duckdb"
    shutil.copyfile(empty_file, path)
    ledger, registry = Ledger(path), Registry()
    registry.create("motor", owner="ann", password="hunter22x")
    registry.version("motor", run_id="r1", approved_by="bo")
    registry.alias("motor", "champion", 1)
    run = run_rows(
        "r1", params={"depth": "7", "seed": "1"}, metrics={"auc": 0.5}, start_time=registry.clock
    )
    people = '{"people": [{"id": "ann", "roles": ["owner"]}]}'
    for _ in range(3):
        rows = together(registry.rows(), run)
        take(
            ledger,
            MemoryReading(rows, registry.wait()),
            policies=[Policy("settings", "effective", people)],
        )
        registry.stage("motor", 1, "Production")
        registry.tag("motor", 1, "note", str(registry.clock))
        registry.tag("motor", None, "owner", str(registry.clock))
    return path


@pytest.fixture
def copy(tmp_path: Path, whole: Path) -> Ledger:
    path = tmp_path / "audit.duckdb"
    shutil.copyfile(whole, path)
    return Ledger(path)


def tamper(ledger: Ledger, *statements: str | tuple[str, list[Any]]) -> None:
    with duckdb.connect(str(ledger.path)) as con:
        entries.prepare(con)
        for statement in statements:
            con.execute(*(statement if isinstance(statement, tuple) else (statement,)))


def only_log(ledger: Ledger, **options: Any) -> Verification:
    return verify(ledger, state_too=False, **options)


def test_what_nobody_touched_verifies(copy: Ledger):
    found = verify(copy)
    assert found.problems == ()
    assert found.ok
    assert (found.entries, found.roots, found.erased) == (len(log_rows(copy)), 3, 0)
    assert found.tables == len(definitions.derived_tables()) + 1
    tree = Tree()
    tree.extend(row[2] for row in log_rows(copy))
    assert found.root == tree.root().hex()


_OTHER = {
    "BIGINT": lambda value: 1 if value is None else value + 1,
    "BLOB": lambda value: bytes([value[0] ^ 1]) + value[1:],
    "TIMESTAMP": lambda value: "2020-01-01" if value is None else value.replace(year=2020),
    "VARCHAR": lambda value: "x" if value is None else value + " ",
}


def columns(path: Path) -> list[tuple[str, str]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(
            "select column_name, data_type from duckdb_columns() where table_name = 'log'"
        ).fetchall()


COLUMNS = ["seq", "entry", "leaf", *(name for name, _ in entries.HEADER)]


@pytest.mark.integration
@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_value_of_the_log_is_named(copy: Ledger, column: str):
    """One value of one row, for every column; NULL in its place too."""
    kinds = dict(columns(copy.path))
    assert set(kinds) == set(COLUMNS)
    rows = log_rows(copy)
    place = [name for name, _ in columns(copy.path)].index(column)
    row = random.Random(column).choice(rows)
    other = _OTHER[kinds[column]](row[place])
    changed: list[object] = [other]
    if row[place] is not None and column not in ("seq", "leaf"):
        changed.append(None)
    if kinds[column] == "TIMESTAMP" and row[place] is not None:
        changed.append(row[place].replace(microsecond=row[place].microsecond + 1))
    for value in changed:
        tamper(copy, (f"update ledger.log set {column} = ? where seq = ?", [value, row[0]]))
        found = only_log(copy)
        named = {problem.seq for problem in found.problems}
        assert not found.ok
        assert named & {row[0], row[0] + 1, other if column == "seq" else row[0]}, found.problems
        back = row[0] if column != "seq" else other
        tamper(copy, (f"update ledger.log set {column} = ? where seq = ?", [row[place], back]))
    if column != "seq":
        assert only_log(copy).ok


def test_any_character_of_any_text(copy: Ledger):
    rng = random.Random(3)
    for seq, entry, *_ in rng.sample(log_rows(copy), 8):
        place = rng.randrange(len(entry))
        other = entry[:place] + chr(ord(entry[place]) ^ 1) + entry[place + 1 :]
        tamper(copy, ("update ledger.log set entry = ? where seq = ?", [other, seq]))
        assert seq in {problem.seq for problem in only_log(copy).problems}
        tamper(copy, ("update ledger.log set entry = ? where seq = ?", [entry, seq]))
    assert only_log(copy).ok


def test_what_is_not_auditregs_is_told_and_breaks_nothing(copy: Ledger):
    tamper(
        copy,
        "create table notes (a INTEGER)",
        "create schema mine",
        "create table mine.more (b INTEGER)",
        "create view latest as select 1 as c",
        "alter table model_versions add column remark VARCHAR",
    )
    found = {problem.what.partition(" is not ")[0] for problem in verify(copy).problems}
    assert {
        "The table notes",
        "The table mine.more",
        "The column remark of model_versions",
        "The view main.latest in the file",
    } <= found
    with copy.writer() as con:
        schema.describe(con)
    with duckdb.connect(str(copy.path)) as con:
        schema.hold_tables(con)


def test_a_text_changed_together_with_its_leaf(copy: Ledger):
    seq, entry = ask(copy, "select seq, entry from ledger.log where kind = 'alias'")[0]
    other = entry.replace("champion", "champien")
    assert other != entry
    tamper(
        copy,
        (
            (
                "update ledger.log set entry = ?, leaf = ?, subject = replace(subject, 'champion', "
                "'champien') where seq = ?"
            ),
            [other, leaf_hash(other.encode()), seq],
        ),
    )
    (problem, *_) = only_log(copy).problems
    assert "rewritten together with its hash" in problem.what


CUTS: dict[str, Callable[[int], str]] = {
    "deleted": lambda seq: f"delete from ledger.log where seq = {seq}",
    "doubled": lambda seq: f"insert into ledger.log from ledger.log where seq = {seq}",
    "swapped": lambda seq: (
        f"update ledger.log set seq = case seq when {seq} then {seq + 1} else {seq} end "
        f"where seq in ({seq}, {seq + 1})"
    ),
    "closed up": lambda seq: (
        f"delete from ledger.log where seq = {seq}; "
        f"update ledger.log set seq = seq - 1 where seq > {seq}"
    ),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("seq", [0, 4, 10])
def test_rows_that_are_missing_doubled_or_moved(copy: Ledger, cut: str, seq: int):
    tamper(copy, CUTS[cut](seq))
    found = only_log(copy)
    assert not found.ok
    assert all(problem.what for problem in found.problems)


def test_an_end_cut_off_shows_against_a_root_kept_elsewhere(copy: Ledger):
    known = only_log(copy)
    kept = (known.entries, known.root)
    assert only_log(copy, expected=kept).ok
    assert not only_log(copy, expected=(known.entries, "0" * 64)).ok
    third = ask(copy, "select seq from extractions order by seq desc limit 1")[0][0]
    second = ask(copy, "select seq from extractions order by seq desc limit 1 offset 1")[0][0]
    tamper(copy, f"delete from ledger.log where seq > {second}")
    assert not only_log(copy).ok  # the frontier gives it away
    with duckdb.connect(str(copy.path)) as con:
        from auditreg.ledger import state

        con.execute("delete from ledger.frontier")
        entries.save_tree(con, entries.load_tree(con))
        state.clear(con)
        state.rebuild(con)
    assert verify(copy).ok
    (problem,) = only_log(copy, expected=kept).problems
    assert "cut off" in problem.what
    assert third > second


def test_an_end_that_was_written_anew_shows_too(copy: Ledger):
    known = only_log(copy)
    tamper(copy, "delete from ledger.frontier", "update ledger.log set leaf = leaf where false")
    (problem,) = only_log(copy).problems
    assert "frontier" in problem.what
    assert not only_log(copy, expected=(known.entries + 5, known.root)).ok


CHANGED = {
    "model_versions": "update model_versions set stage = 'Staging'",
    "aliases": "delete from aliases",
    "registered_model_tags": "insert into registered_model_tags from registered_model_tags",
    "ledger.heads": "update ledger.heads set op = 'gone' where kind = 'run'",
    "run_metrics": "update run_metrics set value = value + 1e-12",
    "ledger.fingerprints": "insert into ledger.fingerprints values (0, 'x')",
    # One row stands there twice and another is missing: as many rows as before.
    "run_params": "update run_params set key = (select min(key) from run_params), "
    "value = (select min(value) from run_params)",
    "extractions": "update extractions set complete = false where seq > 0",
    "settings": "update settings set value = '2020-01-01' where name = 'as_of'",
    "people": "update people set role = 'approver'",
    "body_members": "insert into body_members values ('ann', 'ann', 'member', null, null)",
    "authorities": "insert into authorities values ('owner', 'approve', '')",
    "live_names": "insert into live_names values ('stage', 'Staging', '')",
    "governance_fields": "update governance_fields set rank = 9",
    "policies": "update policies set text = '{}'",
    "questions": "update questions set sql = 'select 1' where id = 'live-now'",
    "rows of dictionary": "update dictionary set description = 'something else'",
    "comments": "comment on table model_versions is 'something else'",
    "live_versions": "create or replace view live_versions as "
    "select * from live_versions_as_of(as_of()) where false",
    "as_of": "create or replace macro as_of() as timestamp '2020-01-01'",
    "aliases_as_of": "create or replace macro aliases_as_of(ts, known_at := null) as table "
    "select * from aliases",
    "lower": "create macro lower(text) as 'x'",
    "timeline": "create macro main.timeline(a, b) as table select 1",
}
"""What the problem names -> what was done."""


@pytest.mark.parametrize("small", [verify_tables.SMALL, 0])
def test_every_changed_table_view_and_macro_is_named(
    copy: Ledger, monkeypatch: pytest.MonkeyPatch, small: int
):
    """Large tables are compared in another way than small ones, and as exactly."""
    monkeypatch.setattr(verify_tables, "SMALL", small)
    tamper(copy, *CHANGED.values())
    assert only_log(copy).ok
    problems = [problem.what for problem in verify(copy).problems]
    assert len(problems) == len(CHANGED)
    for name in CHANGED:
        assert any(re.search(rf"(The |[ .]){name} ", what) for what in problems), name


@pytest.mark.parametrize("many", [0, 10**9])
def test_states_are_the_same_taken_kind_by_kind_and_together(
    whole: Path, monkeypatch: pytest.MonkeyPatch, many: int
):
    monkeypatch.setattr(state, "MANY", many)
    with opened(whole) as book:
        assert book.rebuilt() == book.tables()


@pytest.mark.parametrize("name", ["live_names", "timeline", "comments"])
def test_a_single_change_is_found_too(copy: Ledger, name: str):
    tamper(copy, CHANGED[name])
    (problem,) = verify(copy).problems
    assert name in problem.what


def test_a_view_that_is_missing_is_found(copy: Ledger):
    tamper(copy, "drop view changes")
    assert not verify(copy).ok


@pytest.mark.parametrize(
    "statement",
    ["drop table ledger.frontier cascade", "delete from ledger.log", "drop table people cascade"],
)
def test_what_is_missing_altogether_is_no_traceback(copy: Ledger, statement: str):
    tamper(copy, statement)
    assert not verify(copy).ok


def test_a_rewritten_log_that_makes_no_sense_is_no_traceback(copy: Ledger):
    """Whoever writes the whole log anew can put anything in it."""
    seq, entry = ask(copy, "select seq, entry from ledger.log where kind = 'policy'")[0]
    other = entry.replace('"text":"{', '"text":"[')
    assert other != entry
    leaf = leaf_hash(other.encode())
    tamper(copy, ("update ledger.log set entry = ?, leaf = ? where seq = ?", [other, leaf, seq]))
    rows = log_rows(copy)
    with duckdb.connect(str(copy.path)) as con:
        tree = Tree()
        for row in rows:
            text, own = row[1], row[2]
            if '"kind":"extraction"' in text:
                start = text.index('"root":"') + len('"root":"')
                text = text[:start] + tree.root().hex() + text[start + 64 :]
                own = leaf_hash(text.encode())
                con.execute(
                    "update ledger.log set entry = ?, leaf = ? where seq = ?", [text, own, row[0]]
                )
            tree.extend([own])
        entries.save_tree(con, tree)
    assert only_log(copy).ok
    found = verify(copy)
    assert not found.ok
    assert found.problems[0].what


def flips(length: int) -> list[int]:
    """Where bytes are changed: the headers, and anywhere."""
    rng = random.Random(7)
    return [
        *rng.sample(range(60), 12),
        *(4096 + n for n in rng.sample(range(60), 4)),
        *(8192 + n for n in rng.sample(range(60), 4)),
        *rng.sample(range(3 * 4096, length), 12),
    ]


def test_a_changed_byte_of_the_file_is_damage_and_never_a_traceback(copy: Ledger):
    """DuckDB keeps checksums; a byte it does not see is in no table anybody can read."""
    before = copy.path.read_bytes()
    expected = log_rows(copy)
    seen = 0
    for place in flips(len(before)):
        changed = bytearray(before)
        changed[place] ^= 1 << (place % 8)
        copy.path.write_bytes(changed)
        found = only_log(copy)
        if found.ok:
            assert place >= 3 * 4096
            assert log_rows(copy) == expected
        else:
            assert found.problems[0].what.startswith("The file is damaged")
            seen += 1
    assert seen >= 20


@pytest.mark.parametrize("left", [0, 5, 4096, 3 * 4096, 3 * 4096 + 262_144 + 77])
def test_a_file_cut_off_is_damage_or_no_ledger(copy: Ledger, left: int):
    before = copy.path.read_bytes()
    copy.path.write_bytes(before[:left])
    if left < 4096:
        with pytest.raises(LedgerError) as caught:
            verify(copy)
        assert caught.value.exit_code == ExitCode.ERROR
    else:
        assert "damaged" in only_log(copy).problems[0].what


def test_where_a_damaged_block_is_is_said(tmp_path: Path, empty_file: Path):
    """A ledger larger than a block: the entries of the damaged one are named."""
    ledger = Ledger(tmp_path / "audit.duckdb")
    shutil.copyfile(empty_file, ledger.path)
    registry = Registry()
    rng = random.Random(1)
    registry.create("motor", **{f"t{n}": rng.randbytes(2000).hex() for n in range(300)})
    take(ledger, registry.read())
    before = ledger.path.read_bytes()
    # Some blocks are compressed: the first text from the middle on that stands there as it is.
    texts = [registry.models["motor"].tags[f"t{n}"][:40].encode() for n in range(100, 300)]
    middle = next(place for text in texts if (place := before.find(text)) > 0)
    ledger.path.write_bytes(before[:middle] + b"X" + before[middle + 1 :])
    found = only_log(ledger)
    assert "damaged" in found.problems[0].what
    assert found.problems[-1].seq is not None


def test_what_is_no_ledger_is_an_error_not_damage(tmp_path: Path):
    path = tmp_path / "audit.duckdb"
    with pytest.raises(LedgerError, match="no ledger"):
        verify(Ledger(path))
    path.write_text("not a database\n" * 1000)
    with pytest.raises(LedgerError, match="not a ledger"):
        verify(Ledger(path))


def test_only_so_many_problems_are_listed(copy: Ledger):
    tamper(copy, "update ledger.log set actor = 'x'")
    found = only_log(copy)
    number = len(log_rows(copy))
    if number > 20:
        assert len(found.problems) == 21
        assert found.problems[-1].what == f"... and {number - 20} more entries of that sort."
    else:
        assert len(found.problems) == number
