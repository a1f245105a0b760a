"""Why an extraction comes before `mlflow gc`: what gc removes, only an earlier reading shows."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.cli.running import run
from tests.servers.process import run_warm

STORE = "sqlite:///mlflow.db"
MAKE = """
import sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
run = client.create_run(client.create_experiment("pricing", artifact_location="runs")).info.run_id
client.log_param(run, "depth", "7")
client.create_registered_model("motor")
client.create_model_version("motor", ".", run)
kept = client.create_run("0").info.run_id
client.create_model_version("motor", ".", kept)
print(kept)
"""
DELETE = """
import sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1], registry_uri=sys.argv[1])
client.delete_run(client.get_model_version("motor", "1").run_id)
"""


def mlflow(*arguments: str) -> str:
    return run_warm(*arguments, cwd=Path.cwd(), MLFLOW_TRACKING_URI=STORE)


def extract(ledger: str) -> None:
    run("extract", "--from", STORE, "--ledger", ledger)


def asked(ledger: str, sql: str) -> list[tuple]:
    with duckdb.connect(ledger, read_only=True) as con:
        return con.execute(sql).fetchall()


@pytest.mark.integration
def test_a_run_removed_for_good_is_shown_only_where_it_was_read_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = mlflow("-c", MAKE, STORE).split()[-1]
    extract("before.duckdb")
    mlflow("-c", DELETE, STORE)
    mlflow("-m", "mlflow", "gc", "--backend-store-uri", STORE)
    extract("before.duckdb")
    extract("after.duckdb")
    assert asked("before.duckdb", "select key, value from run_params") == [("depth", "7")]
    deleted = "select deleted, run_id = '" + kept + "' from runs order by deleted"
    assert asked("before.duckdb", deleted) == [(False, True), (True, False)]
    kinds = "select op, count(*) from ledger.log where kind = 'run' group by op order by op"
    assert asked("before.duckdb", kinds) == [("gone", 1), ("put", 2)]
    assert asked("after.duckdb", "select run_id from runs") == [(kept,)]
    assert asked("after.duckdb", "select count(*) from run_params") == [(0,)]
    for ledger in ("before.duckdb", "after.duckdb"):
        [(left_out,)] = asked(ledger, "select left_out from extractions order by seq desc limit 1")
        assert json.loads(left_out) == {"runs that versions point to and that no longer exist": 1}
    assert not list(Path().glob("*.draft"))
