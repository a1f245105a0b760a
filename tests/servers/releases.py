"""MLflow's older releases, each in an environment of its own, and servers of them.

`make releases` makes the environments from the lists in `tests/releases/requirements` and names
their folders (`…/mlflow-2.9.2`) in AUDITREG_TEST_MLFLOWS, separated like paths.
"""

from __future__ import annotations

import os
from pathlib import Path

from packaging.version import Version

from tests.servers.mlflow_server import MlflowServer
from tests.servers.process import require

REQUIREMENTS = Path(__file__).parents[1] / "releases" / "requirements"
RELEASES = tuple(sorted((file.stem for file in REQUIREMENTS.glob("*.txt")), key=Version))
"""The older releases that are tested, the oldest first."""

ORDINARY = next(release for release in RELEASES if release.startswith("2.9."))
"""The one the ordinary run has beside the newest."""


def interpreter(release: str) -> str:
    """The Python that has this release of MLflow; skips (fails in CI) where there is none."""
    folders = os.environ.get("AUDITREG_TEST_MLFLOWS", "").split(os.pathsep)
    for folder in map(Path, filter(None, folders)):
        python = folder / "bin" / "python"
        if folder.name == f"mlflow-{release}" and python.exists():
            return str(python)
    require(False, f"MLflow {release} has no environment in AUDITREG_TEST_MLFLOWS")
    raise AssertionError


def server(release: str, folder: Path, backend: str) -> MlflowServer:
    """A server of this release over a store; use it as a context manager."""
    python = interpreter(release)
    # The oldest ones look for gunicorn on the path.
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "GIT_PYTHON_REFRESH": "quiet"}
    return MlflowServer(folder, backend, python=python, settings=settings)
