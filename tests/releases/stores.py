"""The stores that MLflow releases filled: made once, kept packed, unpacked for each test.

    AUDITREG_TEST_MLFLOWS=ENVIRONMENT:… python -m tests.releases.stores [RELEASE …]

makes them anew, each by the release itself (`story.py`). What is kept of a release is its
database file, its model files and the story's own account of what must be there.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.releases import RELEASES, interpreter

STORES = Path(__file__).with_name("stores")
STORY = Path(__file__).with_name("story.py")
MODELS = {"2.9.2": 60, "2.16.2": 60}
"""How many models a release's store has, prompts aside."""
PLACE = "/where/it/was/played"
"""Stands in a kept store for the folder that its files are in."""


@dataclass(frozen=True)
class Store:
    """A registry of one release: its database file, its folder and what must be in it."""

    folder: Path
    truth: dict[str, Any]

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / "mlflow.db"

    @property
    def uri(self) -> str:
        """The database as an address."""
        return f"sqlite:///{self.path}"


def played(python: str, folder: Path, models: int, backend: str = "") -> Store:
    """Let an interpreter's MLflow fill a new store, in an empty folder where no address is given."""
    folder.mkdir(parents=True, exist_ok=True)
    # A pickled model names the file its class was written in.
    story = Path(shutil.copy(STORY, folder))
    backend = backend or f"sqlite:///{folder}/mlflow.db"
    command = [python, "-W", "ignore", story.name, backend, ".", str(models)]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "COV", "PYTHON"))}
    quiet = {
        "AUDITREG_CAPTURE": "off", "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=kept | quiet, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    story.unlink()
    return Store(folder, json.loads((folder / "truth.json").read_text()))


def make(release: str) -> Path:
    """Play with a release and keep the result; the file it is in."""
    with tempfile.TemporaryDirectory(prefix="auditreg-story-") as temporary:
        store = played(interpreter(release), Path(temporary).resolve(), MODELS.get(release, 24))
        _move(store.folder, store.folder, PLACE)
        with closing(sqlite3.connect(store.path)) as database:
            database.execute("vacuum")
        packed = STORES / f"{release}.tar.xz"
        STORES.mkdir(exist_ok=True)
        with tarfile.open(packed, "w:xz", preset=9) as archive:
            for name in ("mlflow.db", "truth.json", "artifacts"):
                archive.add(store.folder / name, name, filter=_nobodys)
    return packed


def unpacked(release: str, folder: Path) -> Store:
    """A release's store, ready to be used in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(STORES / f"{release}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    _move(folder, PLACE, folder)
    return Store(folder, json.loads((folder / "truth.json").read_text()))


def _move(folder: Path, old: object, new: object) -> None:
    """Say of everything that was in the folder `old` that it is in `new`."""
    truth = folder / "truth.json"
    truth.write_text(truth.read_text().replace(str(old), str(new)))
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute("pragma foreign_keys = off")
        tables = "select name from sqlite_master where type = 'table'"
        for (table,) in database.execute(tables).fetchall():
            for column in database.execute(f'pragma table_info("{table}")').fetchall():
                name = column[1]
                database.execute(
                    f'update "{table}" set "{name}" = replace("{name}", ?1, ?2) '
                    f'where typeof("{name}") = \'text\' and instr("{name}", ?1)',
                    (str(old), str(new)),
                )


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    entry.mtime = 0
    return entry


if __name__ == "__main__":
    for wanted in sys.argv[1:] or RELEASES:
        print(f"{make(wanted)}: {(STORES / f'{wanted}.tar.xz').stat().st_size} bytes")
