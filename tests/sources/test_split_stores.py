"""A registry in a database of its own: runs are read where they are, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.config import SourceSettings
from auditreg.errors import SourceError
from auditreg.sources import open_source
from auditreg.sources.database import queries
from auditreg.sources.database.queries import SPECS
from auditreg.sources.database.sqlite import SQLite
from auditreg.sources.database.store import ELSEWHERE, TRACKED_TABLES
from auditreg.sources.interface import STAGING
from tests.servers.process import run_warm
from tests.sources.databases import DATABASES
from tests.sources.reading import everything, rows, run_sql

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
    return run_warm("-c", PROGRAM, cwd=tmp_path).split()[-1]


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
    assert run_status() == ["undecided"]


def test_runs_known_from_elsewhere_are_not_gone(split):
    extract("--tracking-from", "sqlite:///backend.db")
    assert "gone" not in extract()
    assert run_ids() == [split]
    assert run_status() == ["pass"]


@pytest.fixture
def alone(store: Path, tmp_path: Path) -> str:
    """The address of a registry without the runs that its versions name."""
    path = Path(shutil.copy(store, tmp_path / "alone.db"))
    run_sql(path, *(f"delete from {SPECS[table].base}" for table in TRACKED_TABLES))
    return f"sqlite:///{path}"


@pytest.mark.parametrize("share", [0, 10**9], ids=["looked up", "picked from all"])
@pytest.mark.parametrize("database", DATABASES)
def test_what_belongs_to_runs_is_read_from_any_tracking_database(
    database, share, registries, alone, monkeypatch
):
    """As from one database; a second account of it says the same."""
    monkeypatch.setattr(queries, "WHOLE_SHARE", share)
    expected, _ = everything(open_source(registries["sqlite"], artifacts="none"))
    settings = SourceSettings(uri=alone, tracking_uri=registries[database])
    with open_source(settings, artifacts="none").read() as reading:
        tables = {table: rows(reading, table) for table in STAGING}
        account = reading.completeness()
        assert account.complete
        assert account == reading.completeness()
        assert ELSEWHERE not in reading.info.cannot_show
    for table in TRACKED_TABLES:
        assert expected[table], table
        assert sorted(map(repr, tables[table])) == sorted(map(repr, expected[table])), table


def test_both_databases_are_closed_after_an_error(alone, store, monkeypatch):
    def fails(*_):
        raise SourceError("lost", state="", hint="")

    closed = []
    close = SQLite.close
    monkeypatch.setattr(SQLite, "close", lambda self: (closed.append(self.location), close(self)))
    monkeypatch.setattr("auditreg.sources.database.source.unread_registries", fails)
    settings = SourceSettings(uri=alone, tracking_uri=f"sqlite:///{store}")
    with pytest.raises(SourceError, match="lost"):
        open_source(settings, artifacts="none").read()
    assert set(closed) == {alone, f"sqlite:///{store}"}


REGISTER = """
from mlflow import MlflowClient

client = MlflowClient("sqlite:///backend.db", "sqlite:///registry.db")
run = client.create_run("0").info.run_id
client.create_model_version("motor", "s3://nowhere/motor", run_id=run)
client.set_registered_model_alias("motor", "champion", "2")
"""


def test_a_version_newer_than_the_last_look_at_runs_is_not_accused(split):
    extract("--tracking-from", "sqlite:///backend.db")
    run_warm("-c", REGISTER, cwd=Path.cwd())
    extract()
    assert run_status() == ["undecided"]


def test_of_a_named_version_the_tracking_database_shows_its_run_alone(split):
    settings = SourceSettings(uri="sqlite:///registry.db", tracking_uri="sqlite:///backend.db")
    with open_source(settings, artifacts="none").read(names=["motor/1"]) as reading:
        assert [row["run_id"] for row in rows(reading, "runs")] == [split]
    with open_source(settings, artifacts="none").read(names=["motor/2"]) as reading:
        assert not rows(reading, "runs")
        assert len(rows(reading, "model_versions")) == 1
