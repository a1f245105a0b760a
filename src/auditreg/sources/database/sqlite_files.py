"""The files of an SQLite database, read so that their folder stays as it is.

In WAL mode SQLite makes a `-wal` and a `-shm` beside a database that it reads. They stay, belong to
the reader's account and keep a program of another account from writing. In a folder that may not be
written to, SQLite gives up. So a database is read in one of three ways:

- as SQLite does it (`mode=ro`), in the default journal mode, and in WAL mode while a program has the
  database open: all files are there then, and their locks make the snapshot.
- as a file that does not change (`immutable=1`), where nobody has it open and nothing is in its
  `-wal`. That it did not change is checked.
- from a copy in a private temporary folder: where a `-wal` or a journal is left of a program that has
  ended, and where the file system has no locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from auditreg.errors import NO_LOCKS, SourceError
from auditreg.sources.database.dialect import UNRECORDED

if sys.platform != "win32":
    import fcntl

PATIENCE_MS = 20_000
"""How long a writer that is committing is waited for."""

ATTEMPTS = 5
"""How often a database that changes while it is copied is copied anew."""

_BESIDE = ("-wal", "-journal")
"""What holds a part of the content beside the database itself."""

_TICK_NS = 100_000_000
"""A file that changed less than this ago may change again without a new time."""

# Bytes of the files that SQLite locks; see its os_unix.c.
_PENDING, _SHARED, _SHARED_LENGTH = 0x40000000, 0x40000002, 510
_CONNECTED = 128

_Stamp = tuple[tuple[int, int, int] | None, ...]


def milliseconds() -> int:
    """A clock that only goes forward."""
    return time.monotonic_ns() // 1_000_000


class DatabaseFile:
    """An SQLite database's file, and how it is opened.

    `uri` is what SQLite is to open; `is_private` says that nobody else can.

    Args:
        path: the file; it is there and begins as an SQLite database does.

    Raises:
        SourceError: the files cannot be read, or change all the time.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = Path(path).resolve()
        self._descriptor: int | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._taken_at: int | None = None
        self._stamp: _Stamp | None = None
        self.uri = _uri(self._file, "mode=ro")
        self.is_private = False
        try:
            self._choose_way_to_open()
        except BaseException:
            self.close()
            raise

    def _choose_way_to_open(self) -> None:
        # Before the lock: closing any descriptor of a file ends the locks of the process on it.
        is_wal_mode = _is_wal_mode(self._file)
        if not self._lock():
            self.copy()
        elif not is_wal_mode:
            # SQLite locks it itself; a second lock could keep a writer waiting that it waits for.
            self._unlock()
        elif self._in_use():
            pass
        elif _size(self._beside("-wal")):
            self.copy()
        else:
            self._taken_at, self._stamp = self._settled((self._file,))
            self.uri = _uri(self._file, "mode=ro&immutable=1")

    def copy(self) -> None:
        """Read a copy from now on.

        Raises:
            SourceError: the files cannot be copied, or change whenever they are.
        """
        self.uri = ""
        files = (self._file, *(self._beside(suffix) for suffix in _BESIDE))
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.2 * attempt)
            self._folder = tempfile.TemporaryDirectory(prefix="auditreg-")
            target = Path(self._folder.name) / "copy.db"
            taken, stamp = self._settled(files)
            self._copy_files(files, target)
            if _stamp(files) == stamp:
                # Writable, so that SQLite can undo or take in what was left beside the database.
                options = "mode=rw" if sys.platform == "win32" else "mode=rw&vfs=unix-none"
                self.uri, self._taken_at, self.is_private = _uri(target, options), taken, True
                return
            self._folder.cleanup()
        self._folder = None
        raise SourceError(
            f"The SQLite database {self.path} changes while it is copied, {ATTEMPTS} times in a row.",
            state=UNRECORDED,
            hint="It needs to be copied because it was not closed properly, or because its file "
            "system has no locks: try again when nobody writes to it, or read a backup of it.",
        )

    def check_unchanged(self) -> None:
        """Refuse what was read if the file changed meanwhile.

        Raises:
            SourceError: it did.
        """
        if self._stamp is not None and _stamp((self._file,)) != self._stamp:
            raise SourceError(
                f"The SQLite database {self.path} changed while it was read.",
                state=UNRECORDED,
                hint="A program wrote to it that was not there when the reading began: try again.",
            )

    def age(self) -> int:
        """How many milliseconds ago the files were as they are read."""
        return 0 if self._taken_at is None else milliseconds() - self._taken_at

    def close(self) -> None:
        """Let the files go, and remove a copy."""
        self._unlock()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.cleanup()

    def _beside(self, suffix: str) -> Path:
        return self._file.with_name(self._file.name + suffix)

    def _lock(self) -> bool:
        """Hold SQLite's shared lock, so that no program tidies up; False where there are no locks."""
        if sys.platform == "win32":
            return True
        self._descriptor = os.open(self._file, os.O_RDONLY)
        deadline = milliseconds() + PATIENCE_MS
        while True:
            try:
                _lock_shared(self._descriptor)
                return True
            except OSError as error:
                if error.errno in NO_LOCKS:
                    return False
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
            if milliseconds() > deadline:
                raise SourceError(
                    f"The SQLite database {self.path} could not be read: database is locked.",
                    state=UNRECORDED,
                    hint="Another program holds the database: try again, or read a copy of it.",
                )
            time.sleep(0.05)

    def _unlock(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _in_use(self) -> bool:
        """Whether a program has the database open in WAL mode, with all its files."""
        shm = self._beside("-shm")
        if _size(self._beside("-wal")) is None or _size(shm) is None:
            return False
        if sys.platform == "win32":
            return True
        try:
            with shm.open("rb") as file:
                return _is_locked(file.fileno(), _CONNECTED)
        except OSError:
            return False

    def _settled(self, files: tuple[Path, ...]) -> tuple[int, _Stamp]:
        """The state of files, and when it was looked at: a change after that shows."""
        stamp = _stamp(files)
        now = time.time_ns()
        if any(part is not None and now - part[2] < _TICK_NS for part in stamp):
            time.sleep(_TICK_NS / 1e9)
            stamp = _stamp(files)
        return milliseconds(), stamp

    def _copy_files(self, files: tuple[Path, ...], target: Path) -> None:
        for file, suffix in zip(files, ("", *_BESIDE), strict=True):
            try:
                shutil.copyfile(file, target.with_name(target.name + suffix))
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = error.strerror or error
                if error.errno in (errno.EACCES, errno.EPERM):
                    raise SourceError(
                        f"{file} cannot be opened: {reason}.",
                        state=UNRECORDED,
                        hint="A part of the database is in it: check who may read the file.",
                    ) from error
                raise SourceError(
                    f"The SQLite database {self.path} was not closed properly, or its file system has "
                    f"no locks, and it cannot be copied to {target.parent}: {reason}.",
                    state=UNRECORDED,
                    hint="Set TMPDIR to a folder with room for it, or read a backup of it.",
                ) from error


def _uri(file: Path, options: str) -> str:
    absolute = file.as_posix()
    if not absolute.startswith("/"):
        absolute = "/" + absolute  # C:/… on Windows
    return f"file:{quote(absolute)}?{options}"


def _is_wal_mode(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(20)[19:] == b"\x02"


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def _stamp(files: tuple[Path, ...]) -> _Stamp:
    """What differs where a file was written to; None for a file that is not there."""
    stamps: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
        except FileNotFoundError:
            stamps.append(None)
        else:
            stamps.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(stamps)


if sys.platform != "win32":

    def _lock_shared(descriptor: int) -> None:
        """Take the lock every reader of an SQLite database holds, behind a writer that waits."""
        shared = fcntl.LOCK_SH | fcntl.LOCK_NB
        fcntl.lockf(descriptor, shared, 1, _PENDING)
        try:
            fcntl.lockf(descriptor, shared, _SHARED_LENGTH, _SHARED)
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _PENDING)

    def _is_locked(descriptor: int, byte: int) -> bool:
        """Whether another process has a lock on a byte of a file."""
        # struct flock: its order differs between Linux and the BSDs.
        linux = sys.platform.startswith("linux")
        layout = "hhqqi4x" if linux else "qqihh8x"
        request = (fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        fields = request if linux else (byte, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(layout, *fields))
        kind: int = struct.unpack(layout, answer)[0 if linux else 3]
        return kind != fcntl.F_UNLCK
