"""The played store as a whole: times, places, models that predict, and the same again."""

from __future__ import annotations

import os
import warnings
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from auditreg import demo
from auditreg.demo.calendar import CALENDAR
from auditreg.demo.clock import outside
from auditreg.demo.portfolio import extract
from tests.demo.playing import Played, play

pytestmark = pytest.mark.integration


def test_every_reading_is_announced_at_its_moment(played):
    assert tuple(played.readings) == demo.READINGS
    changed = sum(before != after for before, after in pairwise(played.readings.values()))
    assert changed >= len(demo.READINGS) - 5  # on some eves nothing had happened since


def test_progress_counts_every_event(played):
    assert [number for _, number, _ in played.progress] == list(range(1, len(CALENDAR) + 1))
    assert {count for _, _, count in played.progress} == {len(CALENDAR)}
    assert played.progress[-1][0] == "2026-10-05 reading"


def test_no_time_in_the_store_is_outside_the_calendar(played):
    assert outside(played.files.folder / "mlflow.db", demo.FIRST, demo.LAST) == []


@pytest.mark.parametrize(
    "column",
    [
        "registered_models.creation_time",
        "model_versions.creation_time",
        "model_versions.last_updated_time",
        "runs.start_time",
        "runs.end_time",
        "runs.deleted_time",
        "logged_models.creation_timestamp_ms",
        "logged_models.last_updated_timestamp_ms",
        "metrics.timestamp",
        "latest_metrics.timestamp",
        "experiments.creation_time",
    ],
)
def test_the_times_are_there_to_be_looked_at(played, column):
    # `outside` is content with an empty column; these must hold simulated times.
    table, name = column.split(".")
    low, high = played.rows(f"select min({name}), max({name}) from {table}")[0]
    assert demo.FIRST.timestamp() * 1000 <= low <= high <= demo.LAST.timestamp() * 1000


def test_models_are_created_when_the_calendar_says(played):
    created = dict(played.rows("select name, creation_time from registered_models"))
    moment = datetime.fromisoformat("2026-08-04T09:00:00+01:00")
    assert created["van-frequency"] == moment.timestamp() * 1000


def test_the_files_of_the_models_carry_simulated_times_too(played):
    described = list(played.files.artifacts.rglob("MLmodel"))
    assert len(described) == 26
    for path in described:
        told = yaml.safe_load(path.read_text())["utc_time_created"]
        assert "2026-04-01" < told < "2026-10-06", path


def test_nothing_is_written_outside_the_folder(played, elsewhere):
    assert list(elsewhere.iterdir()) == []
    assert {path.name for path in played.files.folder.iterdir()} == {
        "artifacts",
        "auditreg.toml",
        "deployments.jsonl",
        "mlflow.db",
        "waivers.toml",
    }
    outside_folder = played.rows(
        "select artifact_uri from runs union all select artifact_location from experiments"
        " union all select artifact_location from logged_models"
    )
    for (uri,) in outside_folder:
        assert uri.startswith(played.files.artifacts.as_uri()), uri


def test_nothing_of_the_machine_is_recorded_as_the_firms(played):
    users = {user for (user,) in played.rows("select value from tags where key = 'mlflow.user'")}
    assert users == {"pshah", "tellwood", "mkowalczyk", "dokafor"}
    for table, key, value in (
        ("tags", "key", "value"),
        ("logged_model_tags", "tag_key", "tag_value"),
    ):
        found = {
            row[0]
            for row in played.rows(
                f"select {value} from {table} where {key} like 'mlflow.source.%'"
                f" and {key} <> 'mlflow.source.git.diff'"
            )
        }
        assert not [text for text in found if text.startswith("/") or "github" in text]
        assert "https://git.harbourvale.example/pricing/models.git" in found


def test_the_models_predict(played):
    import mlflow.pyfunc

    _, holdout = extract("motor", demo.LAST)
    for model, version in (("motor-frequency-glm", 4), ("motor-frequency-gbm", 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = mlflow.pyfunc.load_model(str(played.artifacts(model, version)))
        columns = loaded.metadata.get_input_schema().input_names()
        predicted = loaded.predict(holdout[columns])
        assert len(predicted) == len(holdout)
        assert 0 < predicted.min() < predicted.max() < 5
        # The model has learnt something: young drivers cost more.
        young = holdout["driver_age"] < 25
        assert predicted[young].mean() > predicted[~young].mean()


def test_every_model_orders_risks_better_than_chance(played):
    gini = played.rows("select r.name, m.value from metrics m join runs r using (run_uuid)"
                       " where m.key = 'test_gini'")  # fmt: skip
    assert len(gini) == 29
    assert [name for name, value in gini if not 0.05 < value < 0.8] == []


def test_the_client_finds_what_it_expects(played):
    from mlflow import MlflowClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = MlflowClient(played.files.store_uri)
        models = {model.name: model for model in client.search_registered_models()}
        version = client.get_model_version_by_alias("motor-frequency-glm", "champion")
        run = client.get_run(version.run_id)
        prompts = client.search_prompts()
    assert len(models) == 10, "the prompt is not among the models"
    assert [prompt.name for prompt in prompts] == ["broker-referral-summary"]
    assert version.version in (4, "4")
    assert version.current_stage == "Production"
    assert {data.tags[0].value for data in run.inputs.dataset_inputs} == {"training", "test"}
    assert run.data.tags["mlflow.source.git.dirty"] == "false"
    assert run.info.status == "FINISHED"


def _registry(played: Played) -> dict[str, list[tuple]]:
    """Everything in the store, but for where the store is."""
    tables = [name for (name,) in played.rows("select name from sqlite_master where type='table'")]
    # Ids of requests and processes are the journal's own, and new in every play.
    journal = "server_time, operation, table_name, name, version, item, actor"
    shown = {"auditreg_journal": journal}
    here = played.files.folder
    return {
        table: sorted(
            tuple(
                value.replace(here.as_uri(), "").replace(str(here), "")
                if isinstance(value, str)
                else str(value)
                for value in row
            )
            for row in played.rows(f'select {shown.get(table, "*")} from "{table}"')
        )
        for table in tables
    }


@pytest.mark.slow
def test_two_plays_give_the_same_and_the_caller_finds_mlflow_as_it_was(
    played, tmp_path, monkeypatch, capfd
):
    import mlflow
    from mlflow.tracking import fluent
    from mlflow.tracking.context import registry as context

    # A caller with a store, an experiment and settings of its own.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    monkeypatch.setenv("MLFLOW_RUN_ID", "of the caller")
    monkeypatch.setattr(fluent, "_active_experiment_id", "77")
    theirs = object()
    fluent._active_run_stack.set([theirs])
    mlflow.set_tracking_uri((tmp_path / "theirs").as_uri())
    providers = list(context._run_context_provider_registry)
    environment = dict(os.environ)
    capfd.readouterr()
    try:
        again = play(tmp_path / "second")
        assert fluent._active_run_stack.get() == [theirs]
        assert mlflow.get_tracking_uri() == (tmp_path / "theirs").as_uri()
        assert fluent._active_experiment_id == "77"
        assert list(context._run_context_provider_registry) == providers
        assert dict(os.environ) == environment
    finally:
        fluent._active_run_stack.set([])
        mlflow.set_tracking_uri(None)
    assert not (tmp_path / "theirs").exists()
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")

    assert again.readings == played.readings
    one, other = _registry(played), _registry(again)
    assert one.keys() == other.keys()
    for table in one:
        assert one[table] == other[table], table
    assert len(_models(again)) == 26
    assert _models(played) == _models(again)


def _models(played: Played) -> dict[Path, bytes]:
    root = played.files.artifacts
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("model.pkl"))}
