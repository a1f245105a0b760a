"""Installing capture adds one package and moves nothing; removing it leaves nothing."""

from __future__ import annotations

import difflib
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.servers.environment import CAPTURE, capture_wheel, overlay, pip
from tests.servers.process import require

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an MLflow server's environment, without capture."""
    return overlay(tmp_path_factory.mktemp("image") / "venv", without=("auditreg",))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution as it is published."""
    require((CAPTURE / "pyproject.toml").exists(), "the sources of auditreg-capture are not here")
    return capture_wheel(tmp_path_factory.mktemp("wheel"))


def _works(python: str, statement: str) -> bool:
    return (
        subprocess.run([python, "-c", statement], capture_output=True, check=False).returncode == 0
    )


def test_one_line_of_pip_freeze_differs(environment: str, wheel: Path):
    before = pip(environment, "freeze").splitlines()
    assert any(line.startswith("mlflow") for line in before)
    # No index: whatever it needed would have to be there already, and nothing can be upgraded.
    pip(environment, "install", "--quiet", "--no-index", str(wheel))
    after = pip(environment, "freeze").splitlines()
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert len(changed) == 1
    assert changed[0].startswith("+ auditreg-capture")
    assert _works(environment, "import auditreg_capture")
    pip(environment, "uninstall", "--quiet", "--yes", "auditreg-capture")
    assert pip(environment, "freeze").splitlines() == before
    assert not _works(environment, "import auditreg_capture")


def test_it_needs_nothing(wheel: Path):
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = packed.read(name).decode()
    assert "Name: auditreg-capture" in metadata
    assert "Requires-Dist" not in metadata
