"""What surrounds MLflow while the demo is played: its settings, and whose machine a run starts on.

MLflow keeps its settings, the tracking address and the tags of "the current user" in the environment
and in module variables. The player is a process of its own, so they are set and never put back.
"""

from __future__ import annotations

import logging
import os
import socket
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# With these MLflow neither talks to anybody nor draws anything. Installed beside MLflow, capture
# starts with the store; the firm switches it on in July.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
    "AUDITREG_CAPTURE": "off",
}


class Workstation:
    """Where a run is started: the tags MLflow's client adds to runs and logged models by itself.

    It stands in for MLflow's context providers, which would record the user and the git checkout of
    whoever plays the demo, and has their interface.
    """

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}

    def in_context(self) -> bool:
        """Always: this is the only provider during the demo."""
        return True

    def tags(self) -> dict[str, str]:
        """What the client at this workstation records."""
        return dict(self._tags)

    def sit_down(self, tags: Mapping[str, str]) -> None:
        """Somebody else starts to work, with another checkout."""
        self._tags = dict(tags)


def stand_in(module: types.ModuleType, **replaced: object) -> types.ModuleType:
    """A module like the given one but for some names; the real one is not touched."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    copy.__dict__.update(replaced)
    return copy


def prepare(artifacts: Path) -> None:
    """Set the environment, before mlflow is imported: its telemetry starts then."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "_MLFLOW_")):
            del os.environ[name]
    # Without a root MLflow writes the working directory into the default experiment.
    os.environ.update(_SETTINGS, _MLFLOW_SERVER_ARTIFACT_ROOT=artifacts.as_uri())
    # Stages are deprecated and still what firms use: MLflow warns at every transition.
    warnings.simplefilter("ignore")


def connect(store_uri: str, workstation: Workstation) -> None:
    """Import what the play needs, and let MLflow write to the demo's store from `workstation`."""
    import auditreg_capture.process
    import auditreg_capture.recording
    import auditreg_capture.runtime
    import mlflow.data.pandas_dataset
    import mlflow.sklearn
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store
    from mlflow.tracking.context.registry import _run_context_provider_registry as providers

    for name in ("mlflow", "alembic", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.ERROR)
    providers._registry = [workstation]
    mlflow.set_tracking_uri(store_uri)
    # The journal names the server's machine and process.
    capture: Any = auditreg_capture.process
    capture.socket = stand_in(socket, gethostname=lambda: "mlflow.harbourvale.example")
    capture.os = stand_in(os, getpid=lambda: 1)
