"""Builds the stores the source tests read, through MLflow's own client.

A program of its own: MLflow warns, keeps global state and leaves connections open, none of which
belongs into the process under test. `python filled.py URI FOLDER` fills a registry.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from model_files import model_folder


def fill(uri: str, folder: Path) -> None:
    """A small registry with one of everything, through MLflow's own client."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("pricing", artifact_location=str(folder / "exp"))
    runs = [client.create_run(experiment, run_name=f"run {n}").info.run_id for n in range(5)]
    for run_id in runs:
        client.log_param(run_id, "depth", "7")
        client.log_param(run_id, "odd key/1.2", "a'b\"c\nd")
        for key, value in {
            "auc": 0.1 + 0.2,
            "nan": math.nan,
            "inf": math.inf,
            "ninf": -math.inf,
        }.items():
            client.log_metric(run_id, key, value, timestamp=1_700_000_000_000, step=3)
        client.set_tag(run_id, "mlflow.user", "alice")
    dataset = Dataset("claims", "d1", "local", json.dumps({"uri": "x.csv"}), '{"a": 1}', None)
    client.log_inputs(
        runs[0], [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
    )
    client.log_inputs(runs[1], [DatasetInput(dataset, [])])
    client.set_terminated(runs[0], "FINISHED", end_time=1_700_000_100_000)
    logged = client.create_logged_model(
        experiment,
        name="motor",
        source_run_id=runs[1],
        tags={"a": "b"},
        params={"p": "1"},
        model_type="agent",
    )
    client.log_metric(runs[1], "mae", 1.5, model_id=logged.model_id)
    client.finalize_logged_model(logged.model_id, "READY")
    model_folder(Path(logged.artifact_location.removeprefix("file://")))

    client.create_registered_model("motor", tags={"owner": "ann"}, description="Motor price")
    local = str(model_folder(folder / "plain"))
    client.create_model_version("motor", local, run_id=runs[0], description="first")
    client.create_model_version("motor", local, run_id=runs[2], tags={"x": "y"})
    client.create_model_version("motor", f"models:/{logged.model_id}")
    client.create_model_version("motor", "models:/motor/1")
    client.create_model_version("motor", str(folder / "nowhere"), run_id=runs[3])
    client.set_model_version_tag("motor", "1", "validated_in", runs[3])
    client.set_model_version_tag("motor", "1", "note", "q\"uo'te\n\u202eRTL \U0001f9ea e\u0301")
    client.set_registered_model_alias("motor", "champion", "1")
    client.set_registered_model_alias("motor", "challenger", "3")
    client.transition_model_version_stage("motor", "1", "Production")
    client.delete_model_version("motor", "2")
    client.delete_run(runs[3])
    client.create_registered_model("empty model")
    mlflow.set_registry_uri(uri)
    client.register_prompt("greeting", "Hello {{name}}", tags={"t": "1"})
    client.set_prompt_alias("greeting", "live", 1)


if __name__ == "__main__":
    fill(sys.argv[1], Path(sys.argv[2]))
