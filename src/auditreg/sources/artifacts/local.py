"""A model folder on this machine, and what is made of any model folder's files.

Symbolic links are not followed and pipes are not opened: whoever may write into an artifact store
would otherwise choose what auditreg reads.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditreg.sources.artifacts import mlmodel
from auditreg.sources.artifacts.errors import NoModelFiles, Unreachable, Unreadable
from auditreg.sources.artifacts.safe_yaml import to_json

MAX_FILES = 10_000
"""Files of one version that are listed at most."""

MAX_FOLDERS = 1_000
"""Folders of one version that are looked into at most."""

SMALL = ("requirements.txt", "python_env.yaml", "conda.yaml")
"""The files beside MLmodel that are read; the last only where the others say nothing."""

_PIECE = 1024 * 1024


@dataclass(slots=True)
class FileListing:
    """The files of a folder, and what is not among them.

    `whole` is whether every file is listed: nothing was left out. `places` are where the files of a
    folder on this machine can be opened, in the order of `files`.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was left out of the list."""
        return not self.notes


FileHasher = Callable[[Path], str]
"""Takes the SHA-256 of a file, hexadecimal."""


def folder_columns(
    raw: bytes, listing: FileListing, small: Callable[[str], bytes | None]
) -> dict[str, Any]:
    """The staging columns of a model folder.

    Args:
        raw: the MLmodel.
        listing: the folder's files.
        small: the content of another file, None where it cannot be had.

    Raises:
        Unreadable: MLmodel cannot be understood.
    """
    columns = mlmodel.read_mlmodel(raw)
    lines, python = None, columns["python_version"]
    if (content := small("requirements.txt")) is not None:
        lines = mlmodel.requirement_lines(content)
    if python is None and (content := small("python_env.yaml")) is not None:
        python = mlmodel.python_env(content)
    if (lines is None or python is None) and (content := small("conda.yaml")) is not None:
        named, pip = mlmodel.conda(content)
        python, lines = python or named, pip if lines is None else lines
    columns["python_version"] = python
    if lines is not None:
        columns |= mlmodel.requirements(lines)
    notes, example = list(listing.notes), columns["input_example"]
    # Named in MLmodel is not there: only a file that exists is an input example.
    if example is not None and example not in {file["path"] for file in listing.files}:
        columns["input_example"] = None
        notes.append("MLmodel names an input example that is not among the files")
    return {
        **columns,
        **sums(listing),
        "state": "read",
        "problem": "; ".join(notes) or None,
    }


def sums(listing: FileListing) -> dict[str, Any]:
    """The list itself, the size of it all, and a digest over it where every file was hashed."""
    files = sorted(listing.files, key=lambda file: str(file["path"]))
    sizes, listed = [file["size"] for file in files], to_json(files)
    hashed = listing.whole and all("sha256" in file for file in files)
    return {
        "files": listed,
        "files_size_bytes": sum(sizes) if listing.whole and None not in sizes else None,
        "manifest_sha256": hashlib.sha256(listed.encode()).hexdigest() if hashed else None,
    }


def change_marker(location: str, *state: object) -> str:
    """A digest that stays the same while the location and the given state do."""
    return hashlib.sha256(
        "\x1f".join((location, *map(str, state))).encode("utf-8", "replace")
    ).hexdigest()[:32]


class Folder:
    """A model folder on this machine.

    Making one costs one look at the disk, and its marker another.

    Raises:
        NoModelFiles: there is no such folder where it should be.
        Unreachable: nothing of its surroundings is there either, or it may not be read.
        Unreadable: it is a symbolic link.
    """

    def __init__(self, path: str) -> None:
        self._root = Path(os.path.abspath(path))  # noqa: PTH100 (asks the disk nothing)
        try:
            self._status = self._root.lstat()
        except PermissionError:
            raise Unreachable("the folder may not be read") from None
        except (FileNotFoundError, NotADirectoryError):
            # An empty mount point has no folder above the model's; a deleted model has.
            if self._root.parent.is_dir():
                raise NoModelFiles("the folder is not there any more, or never was") from None
            raise Unreachable("there is no such folder on this machine") from None
        if stat.S_ISLNK(self._status.st_mode):
            raise Unreadable("the model folder is a symbolic link, which is not followed")
        if not stat.S_ISDIR(self._status.st_mode):
            raise NoModelFiles("the location is a file, not a model folder")

    def marker(self, location: str) -> str | None:
        """The state of MLmodel and of the folder's own entries; None without an MLmodel."""
        with contextlib.suppress(OSError):
            model = (self._root / "MLmodel").lstat()
            return change_marker(
                location, self._status.st_mtime_ns, model.st_mtime_ns, model.st_size
            )
        return None

    def read(self, hasher: FileHasher | None) -> dict[str, Any]:
        """The folder's columns; with `hasher`, the SHA-256 of every file too."""
        if not os.access(self._root, os.R_OK | os.X_OK):
            raise Unreachable("the folder may not be read")
        raw = small_file(self._root, "MLmodel", mlmodel.MAX_BYTES)
        if raw is None:
            raise NoModelFiles("the folder holds no MLmodel")
        if hasher is not None:
            _hash(self._listing, hasher)
        return folder_columns(raw, self._listing, self._small)

    @property
    def size(self) -> int:
        """The bytes of the listed files."""
        return sum(file["size"] for file in self._listing.files)

    @functools.cached_property
    def _listing(self) -> FileListing:
        return _files(self._root)

    def _small(self, name: str) -> bytes | None:
        with contextlib.suppress(Unreadable, OSError):
            return small_file(self._root, name, mlmodel.MAX_SMALL_BYTES)
        return None


def small_file(root: Path, name: str, limit: int) -> bytes | None:
    """A regular file directly in `root`, or None where there is none.

    Raises:
        Unreadable: it is a symbolic link, a device, or larger than `limit`.
    """
    path = root / name
    try:
        if path.is_symlink():
            raise Unreadable(f"{name} is a symbolic link, which is not followed")
        handle = _opened(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if handle is None:
        raise Unreadable(f"{name} is not a regular file")
    with os.fdopen(handle, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise Unreadable(f"{name} is larger than {limit // 1024} KiB")
    return raw


def sha256(path: Path, count: Callable[[int], None]) -> str:
    """The SHA-256 of a regular file, hexadecimal; `count` gets the number of bytes read.

    Raises:
        OSError: it cannot be read, or is a link or a device by now.
    """
    handle = _opened(path)
    if handle is None:
        raise OSError("not a regular file")
    digest = hashlib.sha256()
    with os.fdopen(handle, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            count(len(piece))
    return digest.hexdigest()


def _opened(path: Path) -> int | None:
    """A regular file, opened without following a link or hanging on a pipe; None for anything else.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)  # a folder cannot even be made a file object
    return None


def _files(root: Path) -> FileListing:
    """The folder's regular files, and how many links and devices are not among them."""
    listing, links = FileListing(), 0
    closed: list[OSError] = []
    for number, (folder, folders, names) in enumerate(os.walk(root, onerror=closed.append)):
        folders.sort()
        links += sum(Path(folder, name).is_symlink() for name in folders)
        if number == MAX_FOLDERS:
            listing.notes.append(f"only the first {MAX_FOLDERS} folders are looked into")
            break
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                links += 1
                continue
            if len(listing.files) == MAX_FILES:
                listing.notes.append(f"only the first {MAX_FILES} files are listed")
                return listing
            relative = os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "replace")
            listing.files.append({"path": relative, "size": status.st_size})
            listing.places.append(path)
    if closed:
        listing.notes.append(f"{len(closed)} folder(s) may not be read")
    if links:
        listing.notes.append(f"{links} symbolic link(s) or devices not followed")
    return listing


def _hash(listing: FileListing, hasher: FileHasher) -> None:
    """Add the SHA-256 of every listed file that can be read."""
    unread = 0
    for file, path in zip(listing.files, listing.places, strict=True):
        try:
            file["sha256"] = hasher(path)
        except OSError:
            unread += 1
    if unread:
        listing.notes.append(f"{unread} file(s) could not be read to be hashed")
