"""Nothing about a ledger's file decides what it says: its name, and what is attached beside it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import LedgerError
from auditreg.ledger import schema
from auditreg.ledger.store import Ledger
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry

DUCKDBS = [Path(f) for f in os.environ.get("AUDITREG_TEST_DUCKDBS", "").split(os.pathsep) if f]

REFUSED = [
    "ledger.duckdb", "LEDGER.db", "ledger", "ledger.2026.duckdb", "main.duckdb", "Main.duckdb",
    "system.duckdb", "SYSTEM.db", "temp", "Temp.duckdb", ":memory:", "md:audit.duckdb",
    "sqlite:audit.db", "a\nb.duckdb", "n" * 201, "\udcff.duckdb",
]  # fmt: skip

WORKING = [
    "audit.duckdb", "AUDIT", "memory.duckdb", "inventory.duckdb", "changes.duckdb", "as_of.duckdb",
    "select.duckdb", "log.duckdb", "pg_catalog.duckdb", "information_schema.duckdb", ".duckdb",
    "two words.duckdb", "a-b.duckdb", "2026.duckdb", "-a.duckdb", "a.b.c.duckdb", "o'x.duckdb",
    'q"x.duckdb', "x;y.duckdb", "x*y[1].duckdb", "%41#?.duckdb", "\u00c4\u65e5\u672c.duckdb",
    "my ledger.duckdb", "ledger-2026.duckdb", "2026-11-28T10:00.duckdb", "n" * 200,
]  # fmt: skip

STATEMENTS = (
    "select version from ledger.format",
    "select count(*) from ledger.log",
    "select count(*) from changes",
    "select count(*) from main.changes",
    "select count(*) from inventory",
    "select count(*) from promotions",
    "select count(*) from aliases_as_of(as_of())",
    "select count(*) from ledger.timeline(null, null::TIMESTAMP)",
    "select setting('timezone')",
)

PROGRAM = """
import duckdb, json, sys
job = json.load(sys.stdin)
found = {}
if "names" in job:
    for name in job["names"]:
        with duckdb.connect(job["folder"] + "/" + name, read_only=True) as con:
            found[name] = [con.execute(text).fetchall() for text in job["statements"]]
else:
    for using in (None, "a", "b"):
        con = duckdb.connect()
        for alias, path in job["files"].items():
            con.execute(f"attach '{path}' as {alias} (read_only)")
        if using:
            con.execute(f"use {using}")
        for alias in job["files"]:
            for relation in job["relations"]:
                rows = con.execute(f"from {alias}.{relation}").fetchall()
                found[f"{using} {alias} {relation}"] = sorted(map(repr, rows))
json.dump(found, sys.stdout, default=str)
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ledger]:
    """Two ledgers that have nothing in common, in one folder."""
    folder = tmp_path_factory.mktemp("two")
    ledgers = {}
    for alias, models in (("a", ["motor"]), ("b", ["home", "boat"])):
        ledger, registry = Ledger(folder / f"{alias}.duckdb"), Registry()
        for model in models:
            registry.create(model)
            registry.version(model)
            registry.stage(model, 1, "Production")
        take(ledger, registry.read())
        registry.tag(models[0], 1, "approved_by", "bo")
        registry.stage(models[0], 1, "Archived")
        take(ledger, registry.read())
        ledgers[alias] = ledger
    return ledgers


def in_duckdb(folder: Path | None, job: dict[str, object]) -> dict[str, object]:
    """What a DuckDB without auditreg answers; the tests' own where `folder` is None."""
    environment = {**os.environ, **({"PYTHONPATH": str(folder)} if folder else {})}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(job), capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, object] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_some_duckdb_cannot_read_is_refused_before_anything_is_written(
    tmp_path: Path, empty_file: Path, name: str
):
    with pytest.raises(LedgerError, match="file name") as caught, Ledger(tmp_path / name).writer():
        pass
    assert "rename" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    if len(name) < 200 and "\udcff" not in name:
        shutil.copyfile(empty_file, tmp_path / name)
        with pytest.raises(LedgerError, match="file name"):
            Ledger(tmp_path / name).connect()


@pytest.mark.parametrize("name", WORKING)
def test_every_other_name_works(tmp_path: Path, empty_file: Path, name: str):
    ledger, registry = Ledger(tmp_path / name), Registry()
    shutil.copyfile(empty_file, ledger.path)
    registry.create("motor")
    take(ledger, registry.read())
    for text in STATEMENTS:
        assert ask(ledger, text)
    with duckdb.connect(str(ledger.path), read_only=True) as con:
        assert con.execute("select count(*) from registered_models").fetchall() == [(1,)]


def relations() -> list[str]:
    return [*schema.derived_tables(), *schema.VIEWS, "ledger.log", "questions"]


def check_attached(two: dict[str, Ledger], folder: Path | None) -> None:
    names = relations()
    files = {alias: str(ledger.path) for alias, ledger in two.items()}
    found = in_duckdb(folder, {"files": files, "relations": names})
    for alias, ledger in two.items():
        for relation in names:
            alone = sorted(map(repr, ask(ledger, f"from {relation}")))
            for using in (None, "a", "b"):
                assert found[f"{using} {alias} {relation}"] == alone, (using, alias, relation)


def test_two_ledgers_attached_give_each_its_own_rows(two: dict[str, Ledger]):
    check_attached(two, None)


@pytest.mark.integration
@pytest.mark.parametrize("folder", DUCKDBS, ids=lambda folder: folder.name)
def test_other_duckdbs_know_ledgers_apart_and_open_every_name(
    two: dict[str, Ledger], folder: Path, tmp_path: Path
):
    for name in WORKING:
        shutil.copyfile(two["a"].path, tmp_path / name)
    job = {"folder": str(tmp_path), "names": WORKING, "statements": STATEMENTS}
    assert set(in_duckdb(folder, job)) == set(WORKING)
    if "1.1" not in folder.name:  # it looks up what is behind a view in the current catalog
        check_attached(two, folder)
