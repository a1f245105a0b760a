"""Plays the whole calendar, and makes an archive of the database at each reading and the model files."""

from __future__ import annotations

import io
import lzma
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from auditreg.demo import recording
from tools.demo.calendar import CALENDAR, FIRST, LAST
from tools.demo.clock import Ids, SimulatedClock, outside, repeat_ids, simulate
from tools.demo.environment import Workstation, connect, prepare
from tools.demo.events import DemoReading
from tools.demo.player import DemoRegistry

Progress = Callable[[str, int, int], None]
"""Called after each event with what happened, its number and their count."""


def record(folder: Path, progress: Progress) -> bytes:
    """Play the calendar into a new MLflow store below `folder`; the recording of it.

    Raises:
        RuntimeError: MLflow wrote a time that is not the simulated clock's.
    """
    database, artifacts = folder / recording.DATABASE, folder / recording.ARTIFACTS
    readings: dict[datetime, bytes] = {}
    clock = SimulatedClock(FIRST)
    workstation = Workstation()
    prepare(artifacts)
    connect(f"sqlite:///{database.as_posix()}", workstation)
    simulate(clock)
    repeat_ids(Ids("Harbour & Vale"))
    registry = DemoRegistry(database, artifacts, clock, workstation)
    for number, event in enumerate(CALENDAR, 1):
        happened = registry.play(event)
        if isinstance(event, DemoReading):
            readings[clock.now] = _copy(database, artifacts.as_uri())
        progress(f"{event.at[:10]} {happened}", number, len(CALENDAR))
    strangers = outside(database, FIRST, LAST)
    if strangers:
        raise RuntimeError(f"MLflow took the time from another clock: {'; '.join(strangers[:5])}")
    return _archive(artifacts, readings)


def _copy(database: Path, artifacts: str) -> bytes:
    """The database as it stands, with the recording's address of model files, and without free pages."""
    moved, packed = (database.with_suffix(ending) for ending in (".moved", ".packed"))
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(moved)) as target:
        source.backup(target)
    recording.move(moved, artifacts, recording.PLACE)
    with closing(sqlite3.connect(moved)) as target:
        target.execute("vacuum into ?", (str(packed),))
    content = packed.read_bytes()
    moved.unlink()
    packed.unlink()
    return content


def _archive(artifacts: Path, readings: dict[datetime, bytes]) -> bytes:
    """One file, the same bytes for the same content: names sorted, nobody's user, no time."""
    files = {
        path.relative_to(artifacts.parent).as_posix(): path.read_bytes()
        for path in artifacts.rglob("*")
        if path.is_file()
    }
    members = {
        name: recording.with_address(name, content, artifacts.as_uri(), recording.PLACE)
        for name, content in sorted(files.items())
    }
    members |= {recording.member_of(moment): content for moment, content in readings.items()}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    # The window is larger than one database, so that each is stored as its difference to the last.
    return lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
