"""Prompts are in the ledger and are judged by nobody: every command says so alike, and ends in 3."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from auditreg.errors import ExitCode, NothingToAudit, UsageError
from tests.cli.running import run
from tests.sources.reading import run_sql

MODEL = "insert into registered_models (workspace, name, creation_time) values ('default', ?, 5)"
VERSION = (
    "insert into model_versions (workspace, name, version, current_stage, source, creation_time) "
    "values ('default', ?, ?, 'None', 'dummy-source', 5)"
)
ALIAS = "insert into registered_model_aliases (workspace, name, alias, version) values (?, ?, ?, 1)"
PROMPT = (
    "insert into registered_model_tags (workspace, name, key, value) "
    "values ('default', 'greet', 'mlflow.prompt.is_prompt', 'true')"
)


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose only registered model is a prompt, under the alias `production`."""
    monkeypatch.chdir(tmp_path)
    path = Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))
    run_sql(
        path, (MODEL, ("greet",)), (VERSION, ("greet", 1)), PROMPT,
        (ALIAS, ("default", "greet", "production")),
    )  # fmt: skip
    return path


@pytest.fixture
def ledger(store: Path) -> None:
    shown = run("extract", "--from", str(store)).stdout
    assert "next         auditreg inventory --kind prompt" in shown


def refused(*arguments: str) -> NothingToAudit:
    with pytest.raises(NothingToAudit) as caught:
        run(*arguments)
    assert caught.value.exit_code == ExitCode.NOTHING
    assert "auditreg inventory --kind prompt" in caught.value.hint
    return caught.value


@pytest.mark.parametrize("command", [["check"], ["check", "--as-of", "2030-01-01"], ["live"],
                                     ["report", "--format", "html", "--output", "out"]])  # fmt: skip
@pytest.mark.usefixtures("ledger")
def test_of_prompts_alone_nothing_is_judged(command):
    assert refused(*command).what == (
        "The ledger holds 1 prompt and no model; prompts are not judged."
    )
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["check", "live"])
@pytest.mark.parametrize("name", ["greet", "greet/1", "greet@production", "models:/greet/1"])
@pytest.mark.usefixtures("ledger")
def test_a_prompt_that_is_named_is_not_judged(command, name):
    assert refused(command, name).what == "greet is a prompt; prompts are not judged."


@pytest.mark.usefixtures("ledger")
def test_status_counts_models_only():
    (registry,) = json.loads(run("status", "--format", "json").stdout)
    assert registry["models"] == 0


@pytest.mark.usefixtures("ledger")
def test_history_and_inventory_tell_of_it():
    assert "alias production" in run("history", "greet").stdout
    (row,) = json.loads(run("inventory", "--kind", "prompt", "--format", "json").stdout)
    assert (row["model"], row["version"]) == ("greet", 1)


def test_beside_a_model_it_is_left_out_or_refused_by_name(store):
    run_sql(
        store, (MODEL, ("motor",)), (VERSION, ("motor", 1)),
        (ALIAS, ("default", "motor", "production")),
    )  # fmt: skip
    run("extract", "--from", str(store))
    assert "1 model " in run("check", code=1).stdout
    refused("check", "greet")
    with pytest.raises(UsageError, match="greet is a prompt; prompts are not judged") as caught:
        run("check", "motor", "greet/1")
    assert "Leave it out" in caught.value.hint
    assert {row["model"] for row in json.loads(run("live", "--format", "json").stdout)} == {"motor"}
