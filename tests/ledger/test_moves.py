"""MLflow's own commands that move models to other workspaces, past the server and its journal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from auditreg.ledger.ingest import IngestSummary
from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from tests.ledger.conftest import ask, take
from tests.servers.process import run_warm
from tests.sources.reading import run_sql

pytestmark = pytest.mark.integration

SUBJECTS = "select model, subject from registered_models order by all"
MOVES = "select model, item, before, after, uncaptured from changes order by seq"


def test_models_moved_by_mlflow_keep_their_history(
    ledger: Ledger, small_registry: Path, tmp_path: Path
):
    database = tmp_path / "mlflow.db"
    shutil.copy(small_registry, database)
    uri = f"sqlite:///{database}"

    def read() -> IngestSummary:
        with open_source(uri, artifacts="none").read() as reading:
            return take(ledger, reading)

    read()
    before = ask(ledger, SUBJECTS)
    run_sql(database, "insert into workspaces (name) values ('team-a')")
    run_warm(
        *("-m", "mlflow", "db", "move-resources", uri, "--from", "default", "--to", "team-a"),
        *("--resource-type", "registered_models", "--name", "home", "-y"),
    )
    assert not any(op == "gone" for _, op in read().changes)
    assert ask(ledger, SUBJECTS) == before
    there = ("home", "workspace", "default", "team-a", False)
    assert ask(ledger, MOVES) == [there]
    live = "select model, workspace from live_versions order by all"
    assert ("home", "team-a") in ask(ledger, live)
    run_warm("-m", "mlflow", "db", "migrate-to-default-workspace", uri, "-y")
    read()
    assert ask(ledger, SUBJECTS) == before
    assert ask(ledger, MOVES) == [there, ("home", "workspace", "team-a", "default", False)]
    assert ("home", "default") in ask(ledger, live)
