"""A registry that four clients change while it is read: the truth of one moment, or a doubt."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.errors import ExitCode, SourceError
from auditreg.sources import open_source
from auditreg.sources.rest import RestSource
from tests.capture.replay import replay
from tests.capture.tables import Row, dump, journal, last_id
from tests.servers.mlflow_server import MlflowServer
from tests.servers.postgres import postgres
from tests.sources.conftest import has_capture, made, require
from tests.sources.lying import Answer, Query, registry, standing_in
from tests.sources.moving import COMMIT, Movers, facts, lost_or_false, moments, staged
from tests.sources.reading import everything, rows, run_sql

READINGS = int(os.environ.get("AUDITREG_TEST_READINGS", "150"))
KINDS = [
    "sqlite in WAL mode",
    pytest.param("sqlite", marks=pytest.mark.slow),
    pytest.param("postgresql", marks=pytest.mark.slow),
]
LONG = [pytest.param(READINGS, marks=pytest.mark.slow, id="slow")]


@contextmanager
def moved(kind: str, folder: Path, *, shown: bool, seed: int) -> Iterator[tuple[str, Movers]]:
    """The address of a database, and the clients that change it through its server."""
    require(has_capture(), "auditreg-capture is not installed")
    with ExitStack() as stack:
        if kind.startswith("sqlite"):
            # In memory where there is such a place: the writers are not to wait for a disk.
            memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
            place = stack.enter_context(TemporaryDirectory(prefix="auditreg-", dir=memory))
            made(Path(place, "mlflow.db"))
            if kind == "sqlite in WAL mode":  # readers and writers do not wait for each other
                run_sql(Path(place, "mlflow.db"), "pragma journal_mode = wal")
            database = f"sqlite:///{place}/mlflow.db"
        else:
            database = stack.enter_context(postgres()).database("mlflow")
        settings = {"AUDITREG_CAPTURE_READERS": "*"} if shown else {}
        server = MlflowServer(folder / "server", database, settings=settings)
        stack.enter_context(server)
        yield database, stack.enter_context(Movers(server, seed=seed))


@pytest.mark.parametrize("shown", [True, False], ids=["its journal", "no journal"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("readings", [6, *LONG])
def test_rest_is_the_truth_of_one_moment_or_a_doubt(
    tmp_path: Path, kind: str, shown: bool, readings: int
):
    rng = random.Random(readings)
    outcome: Counter[str] = Counter()
    read = []
    with moved(kind, tmp_path, shown=shown, seed=readings) as (database, movers):
        for _ in range(readings):
            low = last_id(database)
            with movers.bursts(rng), RestSource(movers.server.uri).read() as reading:
                assert (reading.journal is not None) == shown
                tables = {name: rows(reading, name) for name in TABLES}
                completeness = reading.completeness()
                ids = low, last_id(database)
                times = reading.started_at, reading.ended_at
                read.append((staged(tables), ids, times, completeness))
            outcome["complete" if completeness.complete else "doubtful"] += 1
        final = everything(RestSource(movers.server.uri))
        told = journal(database)
        held = dump(database)
        assert movers.answers[200] > readings
    assert replay(told) == held
    for found, ids, times, completeness in read:
        if completeness.complete:
            check(kind, found, told, ids, times)
        else:
            assert all("changed" in one or "grew" in one or "leaves out" in one
                       or "more than once" in one for one in completeness.doubts)  # fmt: skip
    assert final[1].complete
    assert set(staged(final[0])) == facts(held, tombstones=False)
    print(f"{kind}: {outcome}, {len(told)} rows in the journal, {dict(movers.answers)}")


TABLES = (
    "registered_models", "registered_model_tags", "model_versions", "model_version_tags", "aliases",
)  # fmt: skip


def check(
    kind: str, found: list, told: list[Row], ids: tuple[int, int], times: tuple[int, int]
) -> None:
    """A complete reading: nothing twice, nothing lost, all of it true at once."""
    assert len(set(found)) == len(found)
    if kind.startswith("sqlite"):
        held = moments(told, *ids)
        nearest = min((set(found) ^ state for state in held), key=len, default={"no state at all"})
        assert not nearest
    else:
        assert lost_or_false(found, told, *times) == []


def readable(database: str) -> bool:
    """Whether this release reads such databases directly."""
    try:
        open_source(database)
    except SourceError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("readings", [6, *LONG])
def test_sql_is_exactly_the_snapshot(tmp_path: Path, kind: str, readings: int):
    if kind == "postgresql" and not readable("postgresql://x/y"):
        return  # until the database part of the sources does
    rng = random.Random(readings)
    sizes = set()
    with moved(kind, tmp_path, shown=False, seed=readings) as (database, movers):
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

    def moving(path: str, query: Query) -> Answer:
        return registry([{"name": "m", "description": f"{next(changes)}"}], [])(path, query)

    ledger = tmp_path / "audit.duckdb"
    with standing_in(moving) as uri:
        command = ["extract", "--from", uri, "--ledger", str(ledger), "--artifacts", "none"]
        done = CliRunner().invoke(cli, command)
    assert done.exit_code == ExitCode.ERROR, done.output
    assert "the registry changed between each of 4 passes over it" in done.output


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
    far = 10 * COMMIT
    told = [
        told_of(1, 0, None, "1"),
        told_of(2, 1, None, "1", "n"),
        told_of(3, far, "1", "2"),
        told_of(4, far + 1, "1", "2", "n"),
        told_of(5, 3 * far, "2", "3"),
    ]

    def alias(version: str, name: str = "m") -> tuple:
        return ("registered_model_aliases", name, "a", version)

    early, mixed, late = (
        {alias("1"), alias("1", "n")}, {alias("1"), alias("2", "n")}, {alias("2"), alias("2", "n")}
    )  # fmt: skip
    held = list(moments(told, 2, 4))
    assert early in held
    assert late in held
    assert mixed not in held
    assert {alias("2")} not in held
    assert {alias("3"), alias("2", "n")} not in held
    assert late not in list(moments(told, 1, 3))
    assert lost_or_false(late, told, 2 * far, 2 * far) == []
    assert lost_or_false({alias("2")}, told, 2 * far, 2 * far) == [alias("2", "n")]
    assert lost_or_false({*late, alias("9")}, told, 2 * far, 2 * far) == [alias("9")]
    assert alias("1") in lost_or_false({*early}, told, 2 * far, 2 * far)
