"""Real MLflow stores and a real tracking server for the tests of `auditreg.sources`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.mlflow_server import MlflowServer
from tests.servers.process import require
from tests.sources.databases import my_server, pg_server, registries
from tests.stores import CAPTURE, Stores, run

__all__ = ["my_server", "pg_server", "registries"]


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


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real tracking server over `store`."""
    require(importlib.util.find_spec("uvicorn"), "mlflow server needs uvicorn")
    # Nobody logs in here, so nobody is an administrator.
    readers = {"AUDITREG_CAPTURE_READERS": "*"}
    folder = tmp_path_factory.mktemp("server")
    with MlflowServer(folder, f"sqlite:///{store}", settings=readers) as running:
        yield running.uri
