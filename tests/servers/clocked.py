"""A configuration of gunicorn under which an MLflow server takes the time from a file.

The server is MLflow's own, started as ever; its worker alone believes that it is another day. Every
module of MLflow 2.9 asks `mlflow.utils.time.get_current_time_millis`, and that function looks `time`
up in its own module when it is called. The file holds milliseconds and is read at each call.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

CLOCK = "ESTATE_CLOCK"
"""The environment variable that names the file."""


def post_worker_init(worker: object) -> None:
    """Called by gunicorn in the worker, before it answers anything."""
    import mlflow.utils.time

    clock = Path(os.environ[CLOCK])

    def now() -> float:
        # Half a millisecond more: MLflow cuts off what follows the millisecond.
        return (int(clock.read_text()) + 0.5) / 1000

    mlflow.utils.time.time = SimpleNamespace(time=now)
