"""Files that are there as a whole or not at all, and a lock for one writer at a time."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


def draft_of(path: Path, ending: str = "draft") -> Path:
    """A hidden name beside a file that nobody else uses, for what is to replace the file."""
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.{ending}")


def write_whole(
    path: Path, content: bytes, *, durable: bool = True, mode: int = 0o666, new: bool = False
) -> None:
    """Write a file as a whole or not at all.

    Args:
        path: the file; an existing one is replaced.
        content: its bytes.
        durable: force it to disk, so that it survives a loss of power.
        mode: the file's mode, less the umask.
        new: replace no file: whoever makes it first wins.

    Raises:
        FileExistsError: `new`, and the file exists.
        OSError: it cannot be written; an existing file is as it was.
    """
    draft = draft_of(path)
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(handle)
        if new:
            _name_new(draft, path)
        else:
            draft.replace(path)
        if durable:
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends


def _name_new(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        draft.replace(path)


def sync_file(path: Path) -> None:
    """Force what was written to a file to disk, where it may be opened."""
    with contextlib.suppress(PermissionError):
        _sync(path)


def sync_folder(folder: Path) -> None:
    """Make names given in a folder durable; Windows and some mounts cannot."""
    with contextlib.suppress(OSError):
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(file: Path, seconds: float, busy: Exception) -> Iterator[None]:
    """Hold the lock of a lock file.

    Raises:
        Exception: `busy`, where another process still holds it after so many seconds.
        OSError: the file cannot be made, or its file system has no locks.
    """
    import filelock

    lock = filelock.FileLock(file, timeout=seconds)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise busy from error
    except NotImplementedError as error:  # how older releases of filelock say it
        raise OSError(errno.ENOSYS, "The file system has no locks") from error
    try:
        yield
    finally:
        lock.release()
