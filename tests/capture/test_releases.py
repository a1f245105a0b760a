"""The oldest MLflow that capture supports, in an environment of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capture.replay import replay
from tests.capture.tables import changes, dump, journal
from tests.servers.environment import capture_wheel, overlay, pip
from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.servers.played_29 import play
from tests.servers.releases import ORDINARY, interpreter
from tests.sources.lying import quick

pytestmark = pytest.mark.releases


@pytest.fixture
def old_python(tmp_path: Path) -> str:
    """A copy of the old MLflow's environment, with capture in it."""
    python = overlay(tmp_path / "venv", base=interpreter(ORDINARY))
    pip(python, "install", "--quiet", "--no-index", "--no-deps", str(capture_wheel(tmp_path)))
    return python


@pytest.mark.parametrize("app", [None, "basic-auth"])
def test_mlflow_2_9_is_captured(old_python: str, tmp_path: Path, app: str | None):
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with MlflowServer(tmp_path, database, python=old_python, app=app, workers=2) as server:
        user = ADMIN if app else None
        # Under basic-auth, 2.9 cannot create a model whose name was used before.
        without = ["delete_model"] if app else []
        truth = play(server, seed=3, models=6, steps=120, user=user, without=without)
    rows = journal(database)
    assert replay(rows) == dump(database)
    actors = {(row["actor"], row["actor_from"]) for row in changes(rows)}
    assert actors == {(ADMIN[0], "basic-auth") if app else (None, None)}
    assert {row["workspace"] for row in changes(rows)} == {"default"}
    (version,) = {row["after_row"]["mlflow"] for row in rows if row["operation"] == "start"}
    assert version.startswith("2.9.")
    assert len({row["request"] for row in changes(rows)}) >= len(truth.events) * 0.95


def test_the_journal_of_a_release_whose_api_has_no_prefix_is_read(old_python: str, tmp_path: Path):
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    server = MlflowServer(
        tmp_path,
        database,
        python=old_python,
        options=["--static-prefix", "/mlflow"],
        health="/health",
        settings={"AUDITREG_CAPTURE_READERS": "*"},
    )
    with server:
        server.call("POST", "registered-models/create", {"name": "motor"})
        with quick(server.uri).read() as reading:
            read = [row["id"] for batch in reading.table("journal") for row in batch.to_pylist()]
    assert read == [row["id"] for row in journal(database)]
