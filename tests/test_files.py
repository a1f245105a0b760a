"""A file is there as a whole or not at all, and one writer works at a time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auditreg import files
from auditreg.errors import AuditregError
from auditreg.files import locked, write_whole

BUSY = AuditregError("It is busy.", state="Nothing was written.", hint="Wait.")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.txt"


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_is_written_and_replaced(path):
    write_whole(path, b"first\r\n")
    write_whole(path, b"second\n")
    assert path.read_bytes() == b"second\n"
    assert names(path) == ["document.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(path, monkeypatch, step):
    write_whole(path, b"first")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(path) == ["document.txt"]


def test_a_writer_killed_before_the_end_leaves_what_was_there(path):
    write_whole(path, b"first")
    program = (
        "import os, signal, sys; from pathlib import Path; from auditreg.files import write_whole;"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "write_whole(Path(sys.argv[1]), b'second')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_new_file_replaces_none(path, monkeypatch, links):
    if not links:

        def no_links(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    write_whole(path, b"first", new=True, mode=0o600)
    with pytest.raises(FileExistsError):
        write_whole(path, b"second", new=True)
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["document.txt"]


def test_a_second_writer_waits_and_then_says_so(path):
    lock = path.with_suffix(".lock")
    second = locked(lock, 0.05, BUSY)
    with locked(lock, 1, BUSY), pytest.raises(AuditregError, match="busy"), second:
        pytest.fail("two writers at once")
    with locked(lock, 0.05, BUSY):
        pass


def test_a_failure_gives_the_lock_back(path):
    lock = path.with_suffix(".lock")
    with pytest.raises(ValueError, match="failed"), locked(lock, 1, BUSY):
        raise ValueError("failed")
    with locked(lock, 0.05, BUSY):
        pass


def test_a_folder_that_cannot_be_synced_is_no_error(path, monkeypatch):
    def refused(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(files, "_sync", refused)
    write_whole(path, b"first")
    assert path.read_bytes() == b"first"
