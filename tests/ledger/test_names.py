"""Nothing about a ledger's file decides what it says: its name, and what is attached beside it."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import LedgerError
from auditreg.ledger import definitions, schema
from auditreg.ledger.copies import hold_tables
from auditreg.ledger.store import Ledger
from auditreg.rules.parse import builtin_rules
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry

DUCKDBS = [Path(f) for f in os.environ.get("AUDITREG_TEST_DUCKDBS", "").split(os.pathsep) if f]

REFUSED = [
    "ledger.duckdb", "LEDGER.db", "ledger", "ledger.2026.duckdb", "main.duckdb", "Main.duckdb",
    "system.duckdb", "SYSTEM.db", "temp", "Temp.duckdb", ":memory:", "md:audit.duckdb",
    "sqlite:audit.db", "a\nb.duckdb", "n" * 201, "\udcff.duckdb",
]  # fmt: skip

WORKING = [
    "audit.duckdb", "AUDIT", "memory.duckdb", "live_versions.duckdb", "changes.duckdb", "as_of.duckdb",
    "select.duckdb", "log.duckdb", "pg_catalog.duckdb", "information_schema.duckdb", ".duckdb",
    "two words.duckdb", "a-b.duckdb", "2026.duckdb", "-a.duckdb", "a.b.c.duckdb", "o'x.duckdb",
    'q"x.duckdb', "x;y.duckdb", "x*y[1].duckdb", "%41#?.duckdb", "\u00c4\u65e5\u672c.duckdb",
    "my ledger.duckdb", "ledger-2026.duckdb", "2026-11-28T10:00.duckdb", "n" * 200,
]  # fmt: skip

STATEMENTS = (
    "select version from ledger.format",
    "select count(*) from ledger.log",
    "select count(*) from live_versions",
    "select count(*) from main.live_versions",
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

def connect():
    con = duckdb.connect()
    con.execute("set enable_progress_bar = false")  # older ones print it
    con.execute("set threads = 1")
    con.execute("pragma disable_optimizer")  # names are looked up before it begins
    return con

def rows(con, statement):
    try:
        return sorted(map(repr, con.execute(statement).fetchall()))
    except duckdb.Error as error:
        return type(error).__name__

job = json.load(sys.stdin)
answers = {}
for name in job.get("names", ()):
    with duckdb.connect(job["folder"] + "/" + name, read_only=True) as con:
        answers[name] = [con.execute(text).fetchall() for text in job["statements"]]
for using in (None, *job.get("files", ())) if "files" in job else ():
    con = connect()
    for alias, path in job["files"].items():
        con.execute(f"attach '{path}' as {alias} (read_only)")
    if using:
        con.execute(f"use {using}")
        for statement in job.get("used", ()):
            answers[f"{using}: {statement}"] = rows(con, statement)
    for alias in job["files"]:
        for relation in job["relations"]:
            answers[f"{using} {alias} {relation}"] = rows(con, f"from {alias}.{relation}")
if "both" in job:
    con = connect()
    for alias, path in job["files"].items():
        con.execute(f"attach '{path}' as {alias} (read_only)")
    answers["both"] = [con.execute(text).fetchall() for text in job["both"]]
json.dump(answers, sys.stdout, default=str)
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
def test_every_other_name_works(tmp_path: Path, two: dict[str, Ledger], name: str):
    """Nothing in a ledger depends on its name, so one that was renamed is as good as a new one."""
    ledger = Ledger(tmp_path / name)
    shutil.copyfile(two["a"].path, ledger.path)
    statements = STATEMENTS if name == 'q"x.duckdb' else STATEMENTS[:4]
    with ledger.reader() as con:
        for text in statements:
            assert con.execute(text).fetchall(), text
    with duckdb.connect(str(ledger.path), read_only=True) as con:
        assert con.execute("select count(*) from registered_models").fetchall() == [(1,)]


def test_a_ledger_with_an_odd_name_takes_readings_in(tmp_path: Path, registry: Registry):
    ledger = Ledger(tmp_path / 'o\'x "q";y*[1]%41#?.duckdb')
    registry.create("motor")
    take(ledger, registry.read())
    assert ask(ledger, "select model from registered_models") == [("motor",)]


def relations() -> list[str]:
    return [*definitions.derived_tables(), *definitions.VIEWS, "ledger.log", "questions"]


def attached(ledgers: dict[str, Path], folder: Path | None, **job: object) -> dict[str, object]:
    files = {alias: str(path) for alias, path in ledgers.items()}
    return in_duckdb(folder, {"files": files, "relations": [], **job})


def paths(two: dict[str, Ledger]) -> dict[str, Path]:
    return {alias: ledger.path for alias, ledger in two.items()}


@functools.cache
def alone(path: Path, statements: tuple[str, ...], folder: Path | None = None) -> dict[str, object]:
    """What a ledger answers with nothing beside it, by statement."""
    answers = attached({"a": path}, folder, used=statements)
    return {statement: answers[f"a: {statement}"] for statement in statements}


def check_attached(
    two: dict[str, Ledger], files: dict[str, Path], folder: Path | None, names: Sequence[str]
) -> None:
    """Each ledger gives its own rows under any `use`."""
    answers = attached(files, folder, relations=names)
    for alias, ledger in two.items():
        rows = alone(ledger.path, tuple(f"from {name}" for name in names), folder)
        for relation in names:
            expected = rows[f"from {relation}"]
            for using in (None, "a", "b"):
                assert answers[f"{using} {alias} {relation}"] == expected, (using, alias, relation)


def unqualified() -> list[str]:
    """What looks names up in the current catalog: macros and questions."""
    return [
        *(f"from {name}_as_of(timestamp '2100-01-01')" for name in ("changes", "live_versions")),
        *(sql for _, _, sql in schema.questions()),
        "select as_of(), period_start(), setting('timezone'), person_of('bo')",
        f"from {MACRO}",
    ]


def every_unqualified() -> list[str]:
    """The same, whole, and some rules, which read nothing else."""
    names = (*definitions.state_tables(), *definitions.VIEWS)
    return [
        *unqualified(),
        *(f"from {name}_as_of(timestamp '2100-01-01')" for name in names),
        *(f"from {name}" for name in relations()),
        *(rule.text for rule in builtin_rules()[::4]),
    ]


def check_used(two: dict[str, Ledger], folder: Path | None, statements: list[str]) -> None:
    """After `use a`, everything tells of a, although b is attached."""
    answers = attached(paths(two), folder, used=statements)
    for alias, ledger in two.items():
        for statement, expected in alone(ledger.path, tuple(statements), folder).items():
            assert answers[f"{alias}: {statement}"] == expected, (alias, statement)


def test_two_ledgers_attached_give_each_its_own_rows(two: dict[str, Ledger]):
    check_attached(two, paths(two), None, relations())


@pytest.mark.integration
def test_every_macro_question_and_rule_tells_of_the_ledger_in_use(two: dict[str, Ledger]):
    check_used(two, None, every_unqualified())


MACRO = "inventory_as_of(timestamp '2100-01-01')"
BOTH = [
    "use a",
    f"create temp table earlier as from {MACRO}",
    "use b",
    f"create temp table later as from {MACRO}",
    "select list(model order by model) from earlier",
    "select list(model order by model) from later",
]


@pytest.mark.integration
def test_a_macro_called_by_the_name_of_another_ledger_tells_of_the_one_in_use(
    two: dict[str, Ledger],
):
    """What DuckDB cannot do, and the way that is right: docs/ledger-format.md says both."""
    answers = attached(paths(two), None, relations=[MACRO], both=BOTH)
    right = [alone(two[alias].path, (f"from {MACRO}",))[f"from {MACRO}"] for alias in ("a", "b")]
    assert [answers[f"{using} a {MACRO}"] for using in ("a", "b")] == right
    assert right[0] != right[1]
    assert answers[f"None a {MACRO}"] == "CatalogException"
    assert answers["both"][-2:] == [[[["motor"]]], [[["boat", "home"]]]]
    text = (Path(__file__).parents[2] / "docs" / "ledger-format.md").read_text()
    for statement in BOTH[:4]:
        assert statement.replace("2100-01-01", "2026-09-30 23:00:00") in text


@pytest.fixture(scope="module")
def held(two: dict[str, Ledger], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies of the two as they are published."""
    folder = tmp_path_factory.mktemp("held")
    copies = {}
    for alias, ledger in two.items():
        copies[alias] = Path(shutil.copyfile(ledger.path, folder / f"{alias}.duckdb"))
        hold_tables(copies[alias])
    return copies


@pytest.mark.integration
def test_two_published_copies_give_each_its_own_rows(two: dict[str, Ledger], held: dict[str, Path]):
    check_attached(two, held, None, relations())


@pytest.mark.integration
@pytest.mark.parametrize("folder", DUCKDBS, ids=lambda folder: folder.name)
def test_other_duckdbs_know_ledgers_apart_and_open_every_name(
    two: dict[str, Ledger], held: dict[str, Path], folder: Path, tmp_path: Path
):
    for name in WORKING:
        shutil.copyfile(two["a"].path, tmp_path / name)
    job = {"folder": str(tmp_path), "names": WORKING, "statements": STATEMENTS[:4]}
    assert set(in_duckdb(folder, job)) == set(WORKING)
    assert attached(paths(two), folder, both=BOTH)["both"][-2:] == [
        [[["motor"]]],
        [[["boat", "home"]]],
    ]
    if folder not in (DUCKDBS[0], DUCKDBS[-1]):  # what they do, those between them do
        return
    check_used(two, folder, [*unqualified()[:2], *unqualified()[-2:]])
    tables = ["model_versions", "aliases", "extractions", "settings", "ledger.log", "questions"]
    check_attached(two, held, folder, [*tables, *definitions.HELD])
    if "1.1" not in folder.name:  # it looks up what is behind a view in the current catalog
        check_attached(two, paths(two), folder, [*tables, *definitions.VIEWS[::3]])
