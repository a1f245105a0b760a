"""A registry that four clients change while it is read: the truth of one moment, or a doubt."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from auditreg.cli import cli
from auditreg.errors import ExitCode
from auditreg.sources import Completeness, open_source
from auditreg.sources.server.source import RestSource
from tests.capture.replay import replay
from tests.capture.tables import Row, dump
from tests.servers.mlflow_server import MlflowServer
from tests.servers.postgres import postgres
from tests.servers.process import require
from tests.sources.conftest import has_capture
from tests.sources.lying import Answer, Query, registry, standing_in
from tests.sources.moving import (
    Fact,
    Movers,
    committed,
    facts,
    length,
    moments,
    staged,
    untrue,
)
from tests.sources.reading import everything, rows, run_sql

READINGS = int(os.environ.get("AUDITREG_TEST_READINGS", "150"))
HOW_MANY = [4, pytest.param(READINGS, marks=pytest.mark.slow, id="slow")]
FAST = "sqlite in WAL mode"


def registries(*shown: bool) -> Any:
    """The argument `moved`: each database, with its journal shown to the reader or not."""
    cases = [
        pytest.param(
            (kind, way),
            id=f"{kind}, {'its' if way else 'no'} journal",
            marks=[] if kind == FAST else pytest.mark.slow,
        )
        for kind in (FAST, "sqlite", "postgresql")
        for way in shown
    ]
    return pytest.mark.parametrize("moved", cases, indirect=True, scope="module")


@pytest.fixture(scope="module")
def moved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moved]:
    """A database, and the clients that change it through its server."""
    require(has_capture(), "auditreg-capture is not installed")
    kind, shown = request.param
    with ExitStack() as stack:
        if kind.startswith("sqlite"):
            # In memory where there is such a place: the writers are not to wait for a disk.
            memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
            place = stack.enter_context(TemporaryDirectory(prefix="auditreg-", dir=memory))
            if kind == FAST:  # readers and writers do not wait for each other
                run_sql(Path(place, "mlflow.db"), "pragma journal_mode = wal")
            database = f"sqlite:///{place}/mlflow.db"
        else:
            database = stack.enter_context(postgres()).database("mlflow")
        settings = {"AUDITREG_CAPTURE_READERS": "*"} if shown else {}
        server = MlflowServer(tmp_path_factory.mktemp("server"), database, settings=settings)
        stack.enter_context(server)
        yield Moved(kind, shown, database, stack.enter_context(Movers(server)))


class Moved(NamedTuple):
    """A registry that is changed while it is read."""

    kind: str
    shown: bool
    database: str
    movers: Movers


class Read(NamedTuple):
    """What one reading found, and how long the journal was before and after it."""

    found: list[Fact]
    completeness: Completeness
    ranges: list[tuple[int, int]]
    low: int
    high: int


@pytest.mark.integration
@registries(True, False)
@pytest.mark.parametrize("readings", HOW_MANY)
def test_rest_is_the_truth_of_one_moment_or_a_doubt(moved: Moved, readings: int):
    rng = random.Random(readings)
    database, movers = moved.database, moved.movers
    done = Counter(movers.answers)
    read = [one_reading(moved, rng) for _ in range(readings)]
    final = everything(RestSource(movers.server.uri))
    told = committed(database)
    held = dump(database)
    assert replay(sorted(told, key=lambda row: row["id"])) == held
    wrong = [one for one in read if one.completeness.complete and not_as_it_was(moved, one, told)]
    print(summary(moved, read, movers.answers - done, len(wrong)))
    assert not wrong, [not_as_it_was(moved, one, told) for one in wrong]
    for one in read:
        for doubt in one.completeness.doubts:
            assert any(word in doubt for word in DOUBTS), doubt
    assert (movers.answers - done)[200] > readings
    if readings > 10:
        assert len({one.completeness.complete for one in read}) == 2, "too quiet, or too busy"
    assert final[1].complete
    assert set(staged(final[0])) == facts(held, tombstones=False)


TABLES = (
    "registered_models", "registered_model_tags", "model_versions", "model_version_tags", "aliases",
)  # fmt: skip
DOUBTS = ("changed", "grew", "leaves out", "more than once")
"""A word of each doubt about a registry that does not stand still."""


def one_reading(moved: Moved, rng: random.Random) -> Read:
    """Read the registry once over REST, while the clients change it."""
    low = length(moved.database)
    source = RestSource(moved.movers.server.uri)
    with moved.movers.bursts(rng), source.read() as reading:
        assert (reading.journal is not None) == moved.shown
        found = staged({name: rows(reading, name) for name in TABLES})
        completeness = reading.completeness()
        return Read(found, completeness, reading.journal_ranges(), low, length(moved.database))


def not_as_it_was(moved: Moved, one: Read, told: list[Row]) -> object:
    """What of a reading was lost, doubled or false."""
    doubled = [fact for fact, times in Counter(one.found).items() if times > 1]
    held: Iterable[set[Fact]] = moments(told, one.low, one.high)
    if moved.shown:
        # The journal it read with the rows, whatever was committed since: exactly that state.
        ids = {n for first, last in one.ranges for n in range(first, last + 1)}
        sealed = sorted((row for row in told if row["id"] in ids), key=lambda row: row["id"])
        assert one.low <= len(sealed) <= one.high
        held = [facts(replay(sealed), tombstones=False)]
    return doubled or untrue(one.found, held, back=not moved.shown)


def summary(moved: Moved, read: list[Read], answers: Counter[int], wrong: int) -> str:
    """The figures of a run."""
    complete = sum(one.completeness.complete for one in read)
    passes = Counter(one.completeness.passes for one in read)
    wrote = sum(one.high > one.low for one in read)
    meanwhile = sum(one.high - one.low for one in read)
    return (
        f"\n{moved.kind}, journal {'shown' if moved.shown else 'not shown'}: {len(read)} readings, "
        f"{complete} complete, {len(read) - complete} doubtful, {wrong} wrong; passes "
        f"{dict(sorted(passes.items()))}; {meanwhile} rows journaled during {wrote} of them; "
        f"answers {dict(answers)}"
    )


@pytest.mark.integration
@registries(True)
@pytest.mark.parametrize("readings", HOW_MANY)
def test_sql_is_exactly_the_snapshot(moved: Moved, readings: int):
    rng = random.Random(readings)
    sizes = set()
    database, movers = moved.database, moved.movers
    movers.go()
    for _ in range(readings):
        time.sleep(rng.uniform(0, 0.3))
        tables, completeness = everything(open_source(direct(database), artifacts="none"))
        assert completeness.complete
        told = [decoded(row) for row in tables["journal"]]
        found = staged(tables)
        assert len(set(found)) == len(found)
        # The journal and the tables of one snapshot: what the one leads to, the other holds.
        assert set(found) == facts(replay(told), tombstones=True)
        sizes.add(len(told))
    movers.pause()
    assert set(staged(everything(open_source(direct(database)))[0])) == facts(
        dump(database), tombstones=True
    )
    print(f"\n{moved.kind}, SQL: {readings} readings, {max(sizes) - min(sizes)} rows journaled")
    assert len(sizes) > readings / 2, "the registry stood still"


def direct(database: str) -> str:
    """The address for reading a database directly."""
    return database.replace("postgresql+psycopg2", "postgresql")


def decoded(row: Row) -> Row:
    """A row of the journal with its images as objects."""
    images = ("before_row", "after_row")
    return {**row, **{name: row[name] and json.loads(row[name]) for name in images}}


def test_a_reading_that_cannot_be_sure_ends_in_exit_code_2(tmp_path: Path):
    changes = iter(range(10_000))

    moves: list[bool] = []

    def moving(path: str, query: Query) -> Answer:
        model = {"name": "m", "description": f"{next(changes)}" if moves else "at rest"}
        return registry([model] if moves else [model, {"name": "n"}], [])(path, query)

    def extract() -> Result:
        command = ["extract", "--from", uri, "--ledger", str(tmp_path / "audit.duckdb")]
        return CliRunner().invoke(cli, [*command, "--artifacts", "none", "--format", "json"])

    def models(done: Result) -> tuple[int, dict[str, int]]:
        (found,) = json.loads(done.stdout)["extractions"]
        return found["counts"]["registered_models"]["read"], found["changes"]["registered_model"]

    with standing_in(moving) as uri:
        at_rest = extract()
        moves.append(True)
        doubtful = extract()
        moves.clear()
        again = extract()
    assert (at_rest.exit_code, again.exit_code) == (ExitCode.OK, ExitCode.OK)
    assert doubtful.exit_code == ExitCode.ERROR, doubtful.output
    assert "the registry changed between each of 4 passes over it" in doubtful.output
    # The model that was not seen is not gone, and so not new when it is seen again.
    assert models(doubtful) == (1, {"new": 0, "changed": 1, "gone": 0})
    assert models(again) == (2, {"new": 0, "changed": 1, "gone": 0})


def told_of(number: int, at: int, before: str | None, after: str | None, name: str = "m") -> Row:
    """A row of a journal: the alias `a` of a model, and where it pointed."""

    def image(version: str | None) -> Row | None:
        row = {"workspace": "default", "name": name, "alias": "a", "version": version}
        return None if version is None else row

    operation = "insert" if before is None else "delete" if after is None else "update"
    return {
        "id": number, "server_time": at, "request": f"r{number}", "operation": operation,
        "table_name": "registered_model_aliases", "before_row": image(before),
        "after_row": image(after), "workspace": "default", "name": name, "item": "a",
        "version": None,
    }  # fmt: skip


def test_the_harness_knows_a_lost_row_a_false_one_and_a_mixture():
    told = [
        told_of(1, 0, None, "1"),
        told_of(2, 1, None, "1", "n"),
        told_of(3, 2, "1", "2"),
        told_of(4, 3, "1", "2", "n"),
        told_of(5, 4, "2", "3"),
    ]

    early, mixed, late = (
        {alias("1"), alias("1", "n")}, {alias("1"), alias("2", "n")}, {alias("2"), alias("2", "n")}
    )  # fmt: skip

    def wrong(found: set[Fact], low: int, high: int) -> set[Fact]:
        by_both = [untrue(found, moments(told, low, high), back=back) for back in (False, True)]
        assert by_both[0] == by_both[1]
        return by_both[0]

    assert wrong(early, 2, 4) == wrong(late, 2, 4) == set()
    assert wrong(mixed, 2, 4)
    assert wrong({alias("2")}, 2, 4)
    assert wrong({alias("3"), alias("2", "n")}, 2, 4)
    assert wrong(late, 1, 3)
    assert wrong({*late, alias("9", "other")}, 2, 4)


def test_the_harness_excuses_what_was_changed_back_and_nothing_else():
    told = [
        told_of(1, 0, None, "1"),
        told_of(2, 1, None, "1", "n"),
        told_of(3, 2, "1", "2"),
        told_of(4, 3, "1", "2", "n"),
        told_of(5, 4, "2", "1"),
    ]
    never = {alias("1"), alias("1", "n")}, {alias("1"), alias("2", "n")}
    held = list(moments(told, 3, 4))
    assert all(untrue(found, held, back=True) for found in never)
    held = list(moments(told, 2, 4))
    assert untrue({alias("1"), alias("2", "n")}, held, back=True), "not yet changed back"
    held = list(moments(told, 3, 5))
    assert untrue({alias("2"), alias("3", "n")}, held, back=True)
    returned = [*told[:2], *told[2:5:2], told[3]]
    held = list(moments(returned, 2, 5))
    assert untrue({alias("2"), alias("2", "n")}, held, back=False)
    assert not untrue({alias("2"), alias("2", "n")}, held, back=True)
    assert untrue({alias("3"), alias("2", "n")}, held, back=True)
    assert untrue({alias("2"), alias("3", "n")}, held, back=True)


def alias(version: str, name: str = "m") -> Fact:
    """The alias of `told_of` as it is read."""
    return ("registered_model_aliases", name, "a", version)
