"""Erasing: the text is gone from the file, the log still verifies, and it does not come back."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import UsageError
from auditreg.ledger.erase import drop_erased
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.book import KEY
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, log_rows, take
from tests.ledger.reading import Registry, moment

PERSONAL = "Ottilie Zwingenberger-Quast, born 1961"


@pytest.fixture
def told(ledger: Ledger, registry: Registry) -> Ledger:
    registry.create("motor", owner="ann")
    registry.version("motor", note="plain")
    take(ledger, registry.read())
    registry.tag("motor", 1, "note", PERSONAL)
    take(ledger, registry.read())
    return ledger


def number(ledger: Ledger, kind: str = "model_version_tag") -> int:
    return ask(ledger, "select max(seq) from ledger.log where kind = ?", kind)[0][0]


def test_the_text_is_gone_and_the_log_verifies(told: Ledger):
    before = log_rows(told)
    seq = number(told)
    assert PERSONAL.encode() in told.path.read_bytes()
    erased = told.erase(seq, "a person asked for it")
    assert (erased.seq, erased.kind, erased.also_in) == (seq, "model_version_tag", ())
    assert PERSONAL.encode() not in told.path.read_bytes()
    after = log_rows(told)
    assert after[seq] == (seq, None, before[seq][2], *[None] * (len(before[0]) - 3))
    assert [row for row in after if row[0] != seq][: len(before) - 1] == [
        row for row in before if row[0] != seq
    ]
    found = verify(told)
    assert found.problems == ()
    assert found.erased == 1
    assert ask(told, "select erased_seq, reason from erasures") == [(seq, "a person asked for it")]


def test_no_table_shows_it_and_nothing_older_stands_in_its_place(told: Ledger, registry: Registry):
    first = moment(registry.clock - 2500)
    told.erase(number(told), "asked")
    assert ask(told, "select value from model_version_tags") == []
    now = moment(registry.clock)
    assert ask(told, "select value from model_version_tags_as_of(?)", now) == []
    assert ask(told, "select value from model_version_tags_as_of(?)", first) == [("plain",)]
    dumped = "".join(
        repr(ask(told, f'from "{name}"'))
        for (name,) in ask(told, "select view_name from duckdb_views() where not internal "
                                 "and schema_name = 'main'")
    )  # fmt: skip
    assert PERSONAL not in dumped


def test_it_does_not_come_back_but_another_value_does(told: Ledger, registry: Registry):
    told.erase(number(told), "asked")
    assert dict(take(told, registry.read()).changes) == {}
    assert PERSONAL.encode() not in told.path.read_bytes()
    registry.tag("motor", 1, "note", "another")
    assert dict(take(told, registry.read()).changes) == {("model_version_tag", "put"): 1}
    assert ask(told, "select value from model_version_tags") == [("another",)]
    registry.tag("motor", 1, "note", PERSONAL)
    take(told, registry.read())
    assert PERSONAL.encode() not in told.path.read_bytes()
    assert verify(told).ok


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_was_erased_before_a_column_was_declared_does_not_come_back(parts: int):
    """Every optional column since then is one more part of the fingerprint."""
    then = ":".join(("f00", "a1", "b2")[:parts])
    with duckdb.connect() as con:
        con.execute("create table erasures as select ? as value_hmac", [KEY.hash(f"m/1\n{then}")])
        con.execute(
            "create table changed as select unnest(['m/1', 'm/2', 'm/3']) as subject, "
            "'f00:a1:b2' as fingerprint, false as same_content"
        )
        con.execute("create table vanished (subject VARCHAR, kind VARCHAR, previous_seq BIGINT)")
        con.execute("create table known as select subject, 'alias' as kind, 0 as seq, 'put' as op "
                    "from changed where subject <> 'm/2'")  # fmt: skip
        drop_erased(con, KEY)
        assert con.execute("select subject from changed").fetchall() == [("m/2",), ("m/3",)]
        assert con.execute("from vanished").fetchall() == [("m/1", "alias", 0)]


def test_a_value_set_back_to_an_erased_one_leaves_nothing_else_as_current(
    told: Ledger, registry: Registry
):
    told.erase(number(told), "asked")
    for value in ("another", PERSONAL):
        registry.tag("motor", 1, "note", value)
        done = take(told, registry.read())
    assert dict(done.changes) == {("model_version_tag", "gone"): 1}
    assert ask(told, "select value from model_version_tags") == []
    assert dict(take(told, registry.read()).changes) == {}
    registry.tag("motor", 1, "note", "a third")
    take(told, registry.read())
    assert ask(told, "select value from model_version_tags") == [("a third",)]
    assert PERSONAL.encode() not in told.path.read_bytes()
    assert verify(told).ok


def texts(ledger: Ledger) -> list[tuple[int, ...]]:
    """The entries that hold it. DuckDB may compress what stands in the file."""
    return ask(ledger, "select seq from ledger.log where contains(entry, ?)", PERSONAL)


def captured(*steps: tuple[object, ...]) -> CapturedRegistry:
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    registry.version("motor")
    for step in steps:
        registry.tag("motor", 1, *step)
    return registry


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [
        ((), ("another",), False),
        *(
            pytest.param(*story, marks=pytest.mark.integration)
            for story in (
                ((), ("another", PERSONAL), False),
                ((), (None, PERSONAL), True),
                (("plain",), (None,), False),
                (("plain",), ("another", PERSONAL), True),
                (("plain",), (None, PERSONAL), False),
            )
        ),
    ],
)
def test_what_a_servers_journal_tells_of_it_does_not_bring_it_back(
    ledger: Ledger, before: tuple[str, ...], after: tuple[str | None, ...], apart: bool
):
    registry = captured(*(("note", value) for value in before))
    take(ledger, registry.look().reading)
    registry.tag("motor", 1, "note", PERSONAL)
    take(ledger, registry.look().reading)
    ledger.erase(number(ledger), "asked")
    for value in after:
        registry.tag("motor", 1, "note", value)
        if apart:
            take(ledger, registry.look().reading)
    assert take(ledger, registry.look().reading).unexplained == 0
    held = [] if after[-1] in {None, PERSONAL} else [after[-1]]
    assert ask(ledger, "select value from model_version_tags") == [(value,) for value in held]
    assert texts(ledger) == []
    rows = ask(ledger, "select operation, actor from journal where kind = 'model_version_tag'")
    assert len(rows) == len(before) + len(after)
    assert {actor for _, actor in rows} == {"alice"}
    assert ask(ledger, "select count(*) from changes where uncaptured") == [(0,)]
    assert verify(ledger).ok
    assert dict(take(ledger, registry.look().reading).changes) == {}


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["registered_model", "model_version"])
def test_a_journal_that_is_read_only_later_does_not_bring_it_back(ledger: Ledger, kind: str):
    """What set an erased state is on record without the state: that it is gone would be untrue."""
    registry = captured()
    registry.describe("motor", 1 if kind == "model_version" else None, PERSONAL)
    take(ledger, registry.look(journal=False).reading)
    ledger.erase(number(ledger, kind), "asked")
    take(ledger, registry.look().reading)
    assert texts(ledger) == []
    assert ask(ledger, f"select description, deleted from {kind}s where description is not null "
                       "or deleted") == []  # fmt: skip
    assert ask(ledger, "select actor, operation from journal where info like '%erased%'") == [
        ("alice", "update")
    ]
    registry.describe("motor", 1 if kind == "model_version" else None, "another")
    take(ledger, registry.look().reading)
    assert ask(ledger, f"select description, deleted from {kind}s") == [("another", False)]
    assert texts(ledger) == []
    assert verify(ledger).ok


def test_every_entry_of_a_thing_can_be_erased(told: Ledger):
    seqs = ask(told, "select seq from ledger.log where kind = 'model_version_tag' order by seq")
    assert len(seqs) == 2
    for (seq,) in seqs:
        told.erase(seq, "asked")
        assert ask(told, "select count(*) from model_version_tags") == [
            (len(seqs) - 1 - (seq == seqs[1][0]),)
        ]
        assert verify(told).ok
    assert verify(told).erased == 2


def test_other_entries_with_the_same_text_are_named(ledger: Ledger, registry: Registry):
    registry.create("motor", owner=PERSONAL, other="x " + PERSONAL)
    take(ledger, registry.read())
    rows = ask(ledger, "select seq from ledger.log where kind = 'registered_model_tag' order by 1")
    by_subject = dict(ask(ledger, "select split_part(subject, ':tag:', 2), seq from ledger.log "
                                  "where kind = 'registered_model_tag'"))  # fmt: skip
    assert len(rows) == 2
    assert ledger.erase(by_subject["owner"], "asked").also_in == (by_subject["other"],)


@pytest.mark.slow
def test_no_old_block_of_a_large_ledger_remains(tmp_path: Path, empty_file: Path):
    """The log is copied without the text, not with it and then changed."""
    ledger = Ledger(tmp_path / "audit.duckdb")
    shutil.copyfile(empty_file, ledger.path)
    registry, rng = Registry(), random.Random(5)
    long = rng.randbytes(5000).hex()  # so long that DuckDB stores it as it is
    registry.create("motor", **{"a note": long})
    rows = registry.rows()
    rows["registered_model_tags"] += [
        {"workspace": "default", "model": "motor", "key": f"k{n}", "value": rng.randbytes(20).hex()}
        for n in range(130_000)
    ]
    from tests.ledger.reading import MemoryReading

    take(ledger, MemoryReading(rows, registry.wait()))
    ((seq,),) = ask(ledger, "select seq from ledger.log where contains(entry, ?)", long)
    assert long[100:200].encode() in ledger.path.read_bytes()
    ledger.erase(seq, "asked")
    assert long[100:200].encode() not in ledger.path.read_bytes()
    assert verify(ledger, state_too=False).ok


def test_a_missing_text_that_nobody_erased_does_not_verify(told: Ledger):
    seq = number(told)
    columns = ", ".join(
        f"{name} = null" for (name,) in ask(told, "select column_name from duckdb_columns() where "
        "table_name = 'log' and column_name not in ('seq', 'leaf')")
    )  # fmt: skip
    with duckdb.connect(str(told.path)) as con:
        con.execute(f"update ledger.log set {columns} where seq = {seq}")
    (problem,) = verify(told, state_too=False).problems
    assert problem.seq == seq
    assert "lost its text" in problem.what


def test_a_column_left_after_an_erasure_does_not_verify(told: Ledger):
    seq = number(told)
    told.erase(seq, "asked")
    with duckdb.connect(str(told.path)) as con:
        con.execute(f"update ledger.log set subject = 'x' where seq = {seq}")
    assert [problem.seq for problem in verify(told, state_too=False).problems] == [seq]


def test_what_may_not_be_erased_is_refused(told: Ledger):
    seq = number(told)
    told.erase(seq, "asked")
    before = told.path.read_bytes()
    refused = (number(told, "extraction"), number(told, "erased"), 10_000, -1, seq)
    for entry, reason in [*((n, "asked") for n in refused), (0, " ")]:
        with pytest.raises(UsageError) as caught:
            told.erase(entry, reason)
        assert caught.value.state
        assert caught.value.hint
    assert told.path.read_bytes() == before
    assert [path.name for path in told.path.parent.iterdir() if "draft" in path.name] == []
