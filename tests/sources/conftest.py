"""Real MLflow stores and a real tracking server for the tests of `auditreg.sources`."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.databases import my_server, pg_server, registries
from tests.stores import CAPTURE, Stores, run

__all__ = ["my_server", "pg_server", "registries"]


def require(condition: object, reason: str) -> None:
    """Skip where something is missing on this machine; in CI that is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


def has_capture() -> bool:
    """Whether auditreg-capture is installed beside MLflow, which then loads it by itself."""
    try:
        importlib.metadata.distribution("auditreg-capture")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.fixture(scope="session")
def store(kept_stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file of a filled store, with a journal where capture is installed.

    Do not write to it, except as the server does that runs over it.
    """
    here = Path(__file__).parent
    scripts = [here / "filled.py", here / "model_files.py"]

    def make(folder: Path) -> None:
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        settings = {"MLFLOW_TRACKING_URI": uri, "AUDITREG_CAPTURE": "strict"}
        run(scripts[0], uri, folder, cwd=folder, **settings)

    kept = kept_stores.get("filled", make, [*scripts, *CAPTURE, has_capture()])
    return Path(shutil.copy(kept / "mlflow.db", tmp_path_factory.mktemp("store")))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real tracking server over `store`."""
    require(importlib.util.find_spec("uvicorn"), "mlflow server needs uvicorn")
    folder = tmp_path_factory.mktemp("server")
    uri = f"http://127.0.0.1:{free_port()}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}",
        "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1",
        "--port", uri.rsplit(":", 1)[1], "--workers", "1",
    ]  # fmt: skip
    # Nobody logs in here, so nobody is an administrator.
    environment = {**os.environ, "AUDITREG_CAPTURE_READERS": "*"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment,
        )  # fmt: skip
        try:
            _wait(uri, process, folder / "log")
            yield uri
        finally:
            _end(process)


def _wait(uri: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    require(False, f"mlflow server did not start: {log.read_text()[-500:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    # The server starts workers of its own; they share the session it was started in. It holds
    # nothing worth a slow farewell.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
