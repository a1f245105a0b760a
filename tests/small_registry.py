"""Makes the registry of the fixture `small_registry`: `python small_registry.py DATABASE`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The registry of a server that records nothing itself, although capture is installed here.
os.environ["AUDITREG_CAPTURE"] = "off"

import mlflow
from mlflow import MlflowClient

FORMULA = "=2+5"
ESCAPE = "red\x1b[31m\u202e"
MARKUP = "<b>x</b> | `y` [z](http://example.com)"


def make(path: Path) -> None:
    """Four models: one recorded well, one bare, one hostile, one without a version."""
    uri = f"sqlite:///{path}"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("pricing", artifact_location=str(path.parent / "runs"))
    run = client.create_run(experiment).info.run_id
    client.set_tag(run, "mlflow.user", "ann")
    for name in ("motor-frequency", "home", "hostile", "empty"):
        client.create_registered_model(name)
    source = str(path.parent)
    client.create_model_version("motor-frequency", source, run)
    client.create_model_version("motor-frequency", source, run)
    client.set_registered_model_alias("motor-frequency", "champion", "2")
    client.set_registered_model_tag("motor-frequency", "owner", "ann")
    client.create_model_version("home", source)
    client.set_registered_model_alias("home", "champion", "1")
    client.set_registered_model_tag("home", "team_owner", "pricing")
    client.create_model_version("hostile", source, description=f"{ESCAPE} {MARKUP}")
    client.set_registered_model_alias("hostile", "champion", "1")
    client.set_registered_model_tag("hostile", "owner", FORMULA)
    client.set_registered_model_tag("hostile", "purpose", f"{ESCAPE} {MARKUP}")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
