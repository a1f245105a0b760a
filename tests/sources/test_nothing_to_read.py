"""What is no registry, or an empty one, is called what it is, and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from auditreg.errors import ExitCode, NothingToAudit, SourceError, UsageError
from auditreg.sources import open_source
from auditreg.sources.database.schema_versions import HEADS
from tests.cli.running import run
from tests.sources.lying import registry, standing_in
from tests.sources.reading import run_sql

RUN = (
    "insert into runs (run_uuid, experiment_id, status, lifecycle_stage) "
    "values ('{}', 1, 'FINISHED', 'active')"
)
TABLES_BY_FEATURE = {
    "aliases": ["registered_model_aliases"],
    "data sets of runs": ["inputs", "input_tags", "datasets"],
    "logged models": [
        "logged_models", "logged_model_params", "logged_model_metrics", "logged_model_tags",
    ],
}  # fmt: skip


@pytest.fixture
def database(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))


def refused(*arguments: str) -> NothingToAudit:
    with pytest.raises(NothingToAudit) as caught:
        run("extract", *arguments)
    assert caught.value.exit_code == ExitCode.NOTHING
    return caught.value


@pytest.mark.parametrize("runs", ["linked", "all"])
def test_a_store_with_runs_and_no_model_is_called_one(database, runs):
    run_sql(database, "insert into experiments (name, lifecycle_stage) values ('claims', 'active')",
            *[RUN.format(name) for name in "abc"])  # fmt: skip
    error = refused("--from", "sqlite:///mlflow.db", "--runs", runs)
    assert error.what == (
        f"sqlite:///mlflow.db is an MLflow store (schema {HEADS[-1]}) with 1 experiment and 3 runs, "
        "and holds no registered model."
    )
    assert "mlflow.register_model" in error.hint
    assert [path.name for path in Path().iterdir()] == ["mlflow.db"]


def test_a_server_without_models_is_called_one(database):
    with standing_in(registry([], [])) as uri:
        assert " is a tracking server of MLflow" in refused("--from", uri).what


def test_that_no_workspace_chosen_holds_a_model_says_which_were_chosen(database):
    run_sql(database, "insert into registered_models (workspace, name) values ('claims', 'motor')")
    Path("auditreg.toml").write_text(
        '[[source]]\nname = "s"\nuri = "sqlite:///mlflow.db"\nworkspaces = { only = ["pricing"] }\n'
    )
    what = refused().what
    assert what.endswith("no registered model of the workspaces to be read (only pricing).")


def test_the_address_mlflow_would_use_is_mentioned_and_not_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for value, mentioned in (("", False), ("http://ann:s3cret@mlflow", True)):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", value)
        with pytest.raises(UsageError, match="No registry is named") as caught:
            run("extract")
        assert ('--from "$MLFLOW_TRACKING_URI"' in caught.value.hint) == mentioned
        assert "s3cret" not in str(caught.value)


def test_a_pointer_of_git_lfs_is_called_one(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 40960\n")
    with pytest.raises(SourceError, match="pointer of Git LFS") as caught:
        open_source(str(path)).read()
    assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize("features", [["logged models"], list(TABLES_BY_FEATURE)])
def test_what_an_older_mlflow_does_not_have_is_one_line(database, features):
    for feature in features:
        run_sql(database, *[f"drop table {table}" for table in TABLES_BY_FEATURE[feature]])
    with open_source("sqlite:///mlflow.db").read() as reading:
        lines = [line for line in reading.info.cannot_show if "no tables for them" in line]
        assert lines == [
            f"{', '.join(features)}: this MLflow (schema {HEADS[-1]}) has no tables for them"
        ]
        assert "logged_model" not in reading.kinds()
