"""What the doctor's checks share: their answer, and how they look without being harmed themselves."""

from __future__ import annotations

import enum
import importlib.metadata
import os
import subprocess
import sys
from dataclasses import dataclass

_CHILD_SECONDS = 120


class DoctorStatus(enum.StrEnum):
    """How a part of the installation is."""

    OK = "ok"
    MISSING = "missing"
    """Something auditreg cannot do without; ends in exit code 2."""
    WARNING = "warning"
    """Something only a part of auditreg needs, or that is not there yet."""
    OPTIONAL = "optional"
    """Not installed, and needed only where such a registry or store is to be read."""


@dataclass(frozen=True)
class DoctorCheck:
    """One answer of the doctor."""

    name: str
    status: DoctorStatus
    found: str
    """What is there, with its version."""
    means: str = ""
    """What works and what does not."""
    repair: str = ""
    """The command that repairs it."""


def version(distribution: str) -> str | None:
    """The release of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def in_child(program: str, *arguments: str) -> tuple[bool, str]:
    """Run a small program in a fresh interpreter, blind to files of this folder named like modules.

    Returns:
        Whether it ended well, and the last line it printed or complained with.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CHILD_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUTF8": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return False, str(error)
    worked = done.returncode == 0
    lines = [line.strip() for line in (done.stdout if worked else done.stderr).splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return worked, last or ("" if worked else f"ended with status {done.returncode}")
