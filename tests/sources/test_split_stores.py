"""A registry in a database of its own: runs are read where they are, or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditreg.cli import cli

PROGRAM = """
from mlflow import MlflowClient

client = MlflowClient("sqlite:///backend.db", "sqlite:///registry.db")
run = client.create_run("0").info.run_id
client.create_registered_model("motor")
client.create_model_version("motor", "s3://nowhere/motor", run_id=run)
client.set_registered_model_alias("motor", "champion", "1")
print(run)
"""


pytestmark = pytest.mark.integration  # every test plays a firm with MLflow


@pytest.fixture
def split(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two databases of one server, in the working folder; gives the id of the version's run."""
    monkeypatch.chdir(tmp_path)
    for name in ("backend.db", "registry.db"):
        shutil.copy(empty_store, name)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    return done.stdout.split()[-1]


def auditreg(*arguments: str) -> str:
    """What a command prints, whatever it ends in; its errors are raised."""
    done = CliRunner().invoke(cli, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def run_ids() -> list[str]:
    """The runs the ledger holds now."""
    text = auditreg("query", "select run_id from runs", "--format", "json")
    return [row["run_id"] for row in json.loads(text)]


def extract(*options: str) -> str:
    return auditreg("extract", "--from", "sqlite:///registry.db", "--artifacts", "none", *options)


def run_status() -> list[str]:
    """The answer of the rule about runs, whatever it is."""
    text = auditreg("check", "--all", "--rule", "run-linked", "--format", "json")
    return [finding["status"] for finding in json.loads(text)["findings"]]


def test_the_runs_are_read_from_the_tracking_database(split):
    extract("--tracking-from", "sqlite:///backend.db")
    assert run_ids() == [split]
    assert run_status() == ["pass"]


def test_runs_nobody_looked_for_are_not_read_and_accuse_nobody(split):
    text = extract()
    assert "no longer exist" not in text
    assert "tracking_uri" in text
    assert run_status() == ["not_evidenced"]


def test_runs_known_from_elsewhere_are_not_gone(split):
    extract("--tracking-from", "sqlite:///backend.db")
    assert "gone" not in extract()
    assert run_ids() == [split]
    assert run_status() == ["pass"]


REGISTER = """
from mlflow import MlflowClient

client = MlflowClient("sqlite:///backend.db", "sqlite:///registry.db")
run = client.create_run("0").info.run_id
client.create_model_version("motor", "s3://nowhere/motor", run_id=run)
client.set_registered_model_alias("motor", "champion", "2")
"""


def test_a_version_newer_than_the_last_look_at_runs_is_not_accused(split):
    extract("--tracking-from", "sqlite:///backend.db")
    subprocess.run([sys.executable, "-c", REGISTER], check=True, capture_output=True)
    extract()
    assert run_status() == ["not_evidenced"]
