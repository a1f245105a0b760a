"""The player that makes the recording: its clock, and a play compared with what ships."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from auditreg import resources
from auditreg.demo import recording
from tests.stores import ROOT, run
from tools.demo.clock import SimulatedClock, outside

START = datetime(2026, 4, 1, 7, 0, tzinfo=UTC)
SHIPPED = resources.recorded_demo() / recording.ARCHIVE


def test_the_clock_never_goes_back():
    clock = SimulatedClock(START)
    clock.advance(90)
    assert clock.now == START + timedelta(seconds=90)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.move_to(START)


def test_a_time_outside_the_calendar_is_noticed(tmp_path):
    database = tmp_path / "store.db"
    inside = int(START.timestamp() * 1000)
    with closing(sqlite3.connect(database)) as store:
        store.execute("create table runs (start_time bigint, created_at bigint, step bigint)")
        store.execute("insert into runs values (?, null, 7)", (inside,))
        store.commit()
        assert outside(database, START, START) == []
        store.execute("insert into runs values (?, ?, 7)", (inside + 1, inside - 1))
        store.commit()
    assert outside(database, START, START) == [
        f"runs.start_time = {inside + 1}",
        f"runs.created_at = {inside - 1}",
    ]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    """A recording made just now."""
    output = tmp_path_factory.mktemp("play") / "recording.tar.xz"
    run("-m", "tools.demo", "--output", output, cwd=ROOT)
    return output


def rows(database: bytes, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's rows. Metrics are rounded: processors differ in the last digits."""
    file = folder / "read.db"
    file.write_bytes(database)
    with closing(sqlite3.connect(file)) as store:
        tables = store.execute("select name from sqlite_schema where type = 'table'").fetchall()
        return {
            table: sorted(
                (
                    tuple(round(cell, 3) if isinstance(cell, float) else cell for cell in row)
                    for row in store.execute(f'select * from "{table}"')
                ),
                key=repr,
            )
            for (table,) in tables
        }


@pytest.mark.integration
def test_a_new_play_gives_what_is_recorded(played, tmp_path):
    shipped, new = dict(recording.members(SHIPPED)), dict(recording.members(played))
    assert list(new) == list(shipped)
    for name, content in shipped.items():
        if name.endswith(".db"):
            was, became = rows(content, tmp_path), rows(new[name], tmp_path)
            assert became.keys() == was.keys(), name
            for table in was:
                assert became[table] == was[table], (name, table)
        elif name.endswith("/MLmodel"):
            was, became = yaml.safe_load(content), yaml.safe_load(new[name])
            for key in ("artifact_path", "model_id", "run_id", "signature", "utc_time_created"):
                assert became.get(key) == was.get(key), (name, key)


@pytest.mark.integration
def test_nothing_of_the_machine_is_recorded(played, tmp_path):
    (*_, (_, last)) = recording.members(played)
    tables = rows(last, tmp_path)
    text = json.dumps(tables, default=str) + "".join(
        content.decode() for name, content in recording.members(played) if name.endswith("/MLmodel")
    )
    for mark in (str(played.parent), str(ROOT), "/tmp/", Path.home().as_posix()):
        assert mark not in text
    users = {row[1] for row in tables["tags"] if row[0] == "mlflow.user"}
    assert users == {"pshah", "tellwood", "mkowalczyk", "dokafor"}


@pytest.mark.integration
def test_mlflow_finds_the_recorded_registry_and_its_models_predict(demo_files, tmp_path):
    program = """
import sys, mlflow.pyfunc
from mlflow import MlflowClient
from tools.demo.calendar import LAST
from tools.demo.portfolio import extract
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
assert len(client.search_registered_models()) == 10, "the prompt is not among the models"
assert [prompt.name for prompt in client.search_prompts()] == ["broker-referral-summary"]
version = client.get_model_version_by_alias("motor-frequency-glm", "champion")
assert (int(version.version), version.current_stage) == (4, "Production")
_, holdout = extract("motor", LAST)
for name in ("motor-frequency-glm/4", "motor-frequency-gbm/3"):
    loaded = mlflow.pyfunc.load_model(f"models:/{name}")
    predicted = loaded.predict(holdout[loaded.metadata.get_input_schema().input_names()])
    young = holdout["driver_age"] < 25
    assert 0 < predicted.min() and predicted[young].mean() > predicted[~young].mean(), name
"""
    # MLflow migrates what it opens, so it gets a copy.
    database = tmp_path / "mlflow.db"
    database.write_bytes((demo_files.folder / "mlflow.db").read_bytes())
    before = set(demo_files.folder.rglob("*"))
    try:
        run("-c", program, f"sqlite:///{database}", cwd=ROOT, MLFLOW_DISABLE_TELEMETRY="true")
    finally:  # MLflow leaves a note beside each model it loads by its registered name
        for left in set(demo_files.folder.rglob("registered_model_meta")) - before:
            left.unlink()
