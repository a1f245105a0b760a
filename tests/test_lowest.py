"""The oldest releases that pyproject.toml allows are releases that auditreg was run on."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers.mlflow_server import MlflowServer
from tests.servers.process import require
from tests.stores import ROOT

PYTHON = os.environ.get("AUDITREG_TEST_LOWEST", "")
EXTRAS = ("postgresql", "mysql", "s3")


def test_what_is_run_on_are_the_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = map(Requirement, (*project["dependencies"], *(r for e in EXTRAS for r in extras[e])))
    lines = (ROOT / "tests/lowest.txt").read_text(encoding="utf-8").splitlines()
    installed = {
        canonicalize_name(r.name): next(iter(r.specifier)).version
        for r in map(Requirement, (line for line in lines if not line.startswith("#")))
    }
    for requirement in declared:
        [lower] = [s.version for s in requirement.specifier if s.operator == ">="]
        parts = installed[canonicalize_name(requirement.name)].split(".")
        bound = lower.split(".")
        assert parts[: len(bound)] == bound, requirement
        assert set(parts[len(bound) :]) <= {"0"}, requirement


def auditreg(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command shows on the oldest releases; warnings of things to come are errors."""
    done = subprocess.run(
        [PYTHON, "-W", "error::DeprecationWarning:auditreg", "-m", "auditreg", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def read(small_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger that the oldest releases made from a database."""
    require(PYTHON, "AUDITREG_TEST_LOWEST names no Python with the oldest releases")
    folder = tmp_path_factory.mktemp("lowest")
    auditreg(folder, "extract", "--from", f"sqlite:///{small_registry}")
    return folder


@pytest.mark.integration
def test_every_kind_of_command_works_on_them(read: Path) -> None:
    assert json.loads(auditreg(read, "check", "--format", "json", code=1))["summary"]
    assert "verified" in auditreg(read, "verify")
    for command in ("inventory", "live", "history home", "changes", "status", "questions"):
        assert auditreg(read, *command.split()), command
    for form in ("json", "csv", "markdown"):
        assert auditreg(read, "inventory", "--format", form)
    assert "published" in auditreg(read, "publish", "copies")
    assert auditreg(read, "query", "select count(*) from inventory")
    shown = auditreg(
        read, "report", "--draft", "--format", "html", "--format", "pdf", "--output", "out"
    )
    assert "report.html" in shown
    assert (read / "out/report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.integration
def test_a_server_shows_them_the_same(read: Path, small_registry: Path, tmp_path: Path) -> None:
    store = tmp_path / "mlflow.db"
    store.write_bytes(small_registry.read_bytes())
    settings = {"AUDITREG_CAPTURE": "off"}
    with MlflowServer(tmp_path, f"sqlite:///{store}", settings=settings) as server:
        auditreg(tmp_path, "extract", "--from", server.uri)
    columns = "select model, version, stage, aliases, owner from inventory order by all"
    assert auditreg(tmp_path, "query", columns) == auditreg(read, "query", columns)
