"""A ledger opens and answers alike in every DuckDB from 1.1 on, without auditreg.

Where other DuckDBs are installed (`pip install --target FOLDER duckdb==…`), name their folders in
AUDITREG_TEST_DUCKDBS, separated like paths.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from auditreg.ledger import definitions, schema
from auditreg.ledger.store import Ledger
from auditreg.rules.parse import builtin_rules
from tests.ledger import test_people, test_seal
from tests.ledger.book import Book
from tests.ledger.conftest import ask, take
from tests.ledger.reading import MemoryReading, Registry, run_rows, together
from tests.servers.process import require

FOLDERS = [Path(f) for f in os.environ.get("AUDITREG_TEST_DUCKDBS", "").split(os.pathsep) if f]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, list[str]]:
    """A ledger of several readings and a check, and moments to ask about."""
    ledger, registry = Ledger(tmp_path_factory.mktemp("filled") / "audit.duckdb"), Registry()
    registry.create("motor", owner="ann", **{"mlflow.note": "q\"uo'te\n\u202e \U0001f9ea"})
    registry.create("home")
    registry.create("greeting", **{"mlflow.prompt.is_prompt": "true"})
    moments = []
    for number in range(1, 4):
        registry.version("motor", run_id=f"r{number}", approved_by="bo")
        registry.version("home")
        registry.alias("motor", "champion", number)
        registry.stage("home", number, "Production")
        registry.tag("motor", 1, "note", str(number))
        runs = [
            run_rows(
                f"r{n}", params={"depth": "7"}, metrics={"auc": 0.1 + 0.2, "nan": float("nan")},
                start_time=registry.clock if n == 1 else 10**18,
            )
            for n in range(1, number + 1)
        ]  # fmt: skip
        data = {"run_datasets": [{"run_id": "r1", "name": "claims", "digest": "d"}]}
        files = {"model_artifacts": [weights("motor", 1, str(number)), weights("home", 1, "same")]}
        asked = {"artifacts": "all", "manifest": "all"}
        reading = MemoryReading(
            together(registry.rows(), *runs, data, files), registry.wait(), asked=asked
        )
        settings = test_people.policy(test_people.SETTINGS + test_people.AUTHORITIES)
        take(ledger, reading, policies=[settings])
        moments += [registry.clock - 2500, registry.clock, registry.clock + 500]
    registry.delete_version("motor", 3)
    registry.rename("home", "house")
    take(ledger, registry.read())
    seal(ledger)
    ledger.erase(ask(ledger, "select max(seq) from ledger.log where kind = 'alias'")[0][0], "x")
    return ledger, [f"make_timestamp({ms} * 1000)" for ms in moments]


def weights(model: str, number: int, content: str) -> dict[str, Any]:
    """Files of a version: MLmodel, which stays, and weights with that content."""
    listed = [{"path": "model.pkl", "sha256": content, "size": 1}]
    return {
        "workspace": "default", "model": model, "version": number, "state": "read",
        "mlmodel_sha256": "ab", "files": json.dumps(listed, separators=(",", ":")),
        "files_size_bytes": 1, "manifest_sha256": content,
    }  # fmt: skip


def seal(ledger: Ledger) -> None:
    subject = ask(ledger, "select subject from model_versions limit 1")[0][0]
    with ledger.writer() as con:
        one, two = (test_seal.answer(rule, subject) for rule in test_seal.RULES)
        test_seal.check(Book(con), 1, one, two)
        test_seal.check(Book(con), 2, two, closings=[test_seal.closed(one)])


def queries(moments: list[str]) -> dict[str, str]:
    """Everything a reader can ask: tables, views, macros, questions."""
    names = [*definitions.derived_tables(), *definitions.VIEWS, "ledger.log", "ledger.readings()"]
    asked = {name: f"select * from {name}" for name in (*names, "dictionary", "questions")}
    for name in (*definitions.state_tables(), *definitions.VIEWS):
        asked[f"{name} between"] = f"select * from {name}_as_of({moments[3]})"
    for name in ("inventory", "promotions"):
        asked[f"{name} at first"] = f"select * from {name}_as_of({moments[1]})"
        known = f"known_at := {moments[4]}"
        asked[f"{name} known"] = f"select * from {name}_as_of({moments[1]}, {known})"
    asked |= {f"question {id_}": sql for id_, _, sql in schema.questions()}
    asked |= {f"rule {rule.id}": rule.text for rule in builtin_rules()}
    asked["finding_history"] = "from finding_history"
    asked["findings_as_of"] = "from findings_as_of('2026-02-01', known_at := '2999-01-01')"
    asked["finding_movement"] = "from finding_movement('2026-02-01', '2026-02-02')"
    asked["scalars"] = (
        "select as_of(), period_start(), period_end(), setting('timezone'), person_of(' BO '), "
        "is_service('bo')"
    )
    asked["people"] = "select " + ", ".join(test_people.MACROS)
    return asked


def answers(ledger: Ledger, asked: dict[str, str], path: Path | None, *how: str) -> dict[str, Any]:
    program = Path(__file__).with_name("answers.py")
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), str(ledger.path), *how],
        input=json.dumps(asked), capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_OURS: dict[Path, dict[str, Any]] = {}


def ours(ledger: Ledger, moments: list[str]) -> dict[str, Any]:
    """The answers of the DuckDB the tests run on, asked for once, with rules as a check runs them."""
    if ledger.path not in _OURS:
        _OURS[ledger.path] = answers(ledger, queries(moments), None, "tables")
    return _OURS[ledger.path]


@pytest.mark.integration
def test_everything_that_can_be_asked_has_an_answer(filled: tuple[Ledger, list[str]]):
    ledger, moments = filled
    found = ours(ledger, moments)
    assert found["version"] == duckdb.__version__
    told = found["answers"]
    for name in (
        "inventory",
        "promotions",
        "changes",
        "file_states",
        "file_changes",
        "file_knowledge",
        "findings",
        "finding_history",
        "findings_as_of",
        "finding_movement",
        "run_metrics",
        "inventory between",
    ):
        assert told[name], name
    assert len(told["inventory between"]) > len(told["inventory at first"])


def _part(asked: dict[str, str], number: int, parts: int) -> dict[str, str]:
    """One of so many parts of the queries."""
    return dict(list(asked.items())[number::parts])


@pytest.mark.integration
def test_every_other_duckdb_gives_the_same_answers(filled: tuple[Ledger, list[str]]):
    require(FOLDERS, "AUDITREG_TEST_DUCKDBS names no other DuckDB")
    ledger, moments = filled
    asked = queries(moments)
    expected = ours(ledger, moments)["answers"]
    oldest, *newer = FOLDERS
    # What works in the oldest and in this one works between them: those answer a part of it each, and
    # improve the plans. This one is asked the rules as somebody would paste them, too.
    parts: dict[Path | None, dict[str, str]] = {oldest: asked}
    parts |= {folder: _part(asked, number, len(newer)) for number, folder in enumerate(newer)}
    parts[None] = {name: query for name, query in asked.items() if name.startswith("rule ")}

    def found_in(folder: Path | None) -> dict[str, Any]:
        return answers(ledger, parts[folder], folder, *([] if folder in newer else ["plain"]))

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(found_in, parts))
    for folder, theirs in zip(parts, found, strict=True):
        assert (theirs["version"] == duckdb.__version__) == (folder is None), folder
        different = {
            name: (theirs["answers"][name], expected[name])
            for name in parts[folder]
            if theirs["answers"][name] != expected[name]
        }
        assert not different, theirs["version"]
