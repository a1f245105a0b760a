"""Stores that many tests begin with, made once and kept below `.pytest_cache`.

A store is made again when what makes it changes: MLflow, a script, the code of this repository. The
processes of a run share it, and so do later runs. `make clean` throws all of them away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[1]
CAPTURE = sorted((ROOT / "capture/src").rglob("*.py"))
"""What a store with a journal depends on."""

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()} {time.time()}"
"""Which run of the tests this process belongs to."""

_KEPT = 4
"""How many of one name stay: two runs at once may be of different code."""


class Stores:
    """Folders by name and by what they are made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, make: Callable[[Path], None], causes: Iterable[object] = ()) -> Path:
        """The folder of that name; `make` fills it if it is not there or was changed.

        Args:
            name: what it holds.
            make: is called with the empty folder.
            causes: what it depends on besides MLflow's version: files by their content, anything
                else by its text.
        """
        digest = hashlib.sha256(f"{version('mlflow')}\n{self._folder}\n".encode())
        for cause in causes:
            content = cause.read_bytes() if isinstance(cause, Path) else str(cause).encode()
            digest.update(hashlib.sha256(content).digest())
        folder = self._folder / f"{name}-{digest.hexdigest()[:16]}"
        seal, given = folder.with_suffix(".sha256"), folder.with_suffix(".run")
        with FileLock(f"{self._folder / name}.lock"):
            # What another process of this run was given must not be made anew under its hands.
            if given.exists() and given.read_text() == RUN:
                return folder
            if not seal.exists() or seal.read_text() != _digest(folder):
                self._remove_old(name)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                seal.write_text(_digest(folder))
            given.write_text(RUN)
        return folder

    def _remove_old(self, name: str) -> None:
        seals = sorted(self._folder.glob(f"{name}-*.sha256"), key=lambda seal: seal.stat().st_mtime)
        for seal in seals[:-_KEPT]:
            seal.unlink()
            seal.with_suffix(".run").unlink(missing_ok=True)
            shutil.rmtree(seal.with_suffix(""), ignore_errors=True)


def _digest(folder: Path) -> str:
    """Over every file, so that a test that wrote into a store spoils no later run."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.endswith(("-wal", "-shm")):  # of readers
            total.update(f"{file.relative_to(folder)}\n".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program and give its output: MLflow warns, keeps global state and leaves connections open."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, **environment}, cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def make_empty(folder: Path) -> None:
    """A database with MLflow's tables and nothing in them, that no capture has seen."""
    address = f"sqlite:///{folder / 'mlflow.db'}"
    run("-m", "mlflow", "db", "upgrade", address, cwd=folder, AUDITREG_CAPTURE="off")
