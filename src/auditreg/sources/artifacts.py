"""Reads the model files of versions: MLmodel, requirements, the list of files.

A version whose files cannot be had is a row that says so; nothing here stops an extraction.
Local folders are read directly, everything else through MLflow's own artifact repositories,
and only the small files are fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from auditreg.errors import without_password
from auditreg.sources import mlmodel
from auditreg.sources.interface import BYTES_MARK
from auditreg.sources.queries import DELETED
from auditreg.sources.staging import Doubts, batches

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_FILES = 10_000
_CHUNK = 1024
_GROUP = 32
_GIVE_UP = 3
# Where a version's files may be fetched from. Anyone who registers a version chooses its
# location, and MLflow sends its credentials along with a request: a web address is asked only
# on the tracking server's own host.
_STORES = frozenset({"s3", "r2", "gs", "wasbs", "abfss", "hdfs", "viewfs"})
_SERVERS = frozenset({"mlflow-artifacts", "http", "https"})
_NOT_LIVE = frozenset({None, "", "None", "Archived", DELETED})


@dataclass(frozen=True, slots=True)
class Version:
    """A version whose artifacts may be looked for, and where they are (None: nobody knows)."""

    workspace: str
    model: str
    version: int
    location: str | None
    live: bool


def resolve(source: str | None, storage: str | None, places: Mapping[str, Any]) -> str | None:
    """Where a version's artifacts are.

    Args:
        source: the version's `source`.
        storage: its `storage_location`: what MLflow resolved `source` to, where it kept that.
        places: artifact location by logged model id and by run id.
    """
    source = source or ""
    if source.startswith("models:/") and not source.startswith("models:/m-"):
        # A copy: MLflow keeps where its original was, which may be such an address again.
        source = storage or source
    if source.startswith("models:/m-"):
        return places.get(source.removeprefix("models:/")) or storage
    if source.startswith("runs:/"):
        run_id, _, path = source.removeprefix("runs:/").partition("/")
        base = places.get(run_id)
        return f"{base.rstrip('/')}/{path}" if base else storage
    return storage or source or None


def wanted(
    versions: Iterable[pa.RecordBatch],
    aliases: Iterable[pa.RecordBatch],
    places: Mapping[str, Any],
) -> Iterator[Version]:
    """The versions that are not deleted. `live` are those with an alias or in a stage."""
    aliased = {
        (row["workspace"], row["model"], row["version"])
        for batch in aliases
        for row in batch.to_pylist()
    }
    for batch in versions:
        for row in batch.to_pylist():
            if row["stage"] == DELETED:
                continue
            key = (row["workspace"], row["model"], row["version"])
            live = key in aliased or row["stage"] not in _NOT_LIVE
            yield Version(*key, resolve(row["source"], row["storage_location"], places), live)


class ArtifactReader:
    """Reads the artifacts of many versions with a few threads.

    Args:
        versions: `all`, or `live` for those with an alias or in a stage other than None and
            Archived; the others get a row in state `not_looked_at`.
        manifest: also take the SHA-256 of every local file, which reads all of them.
        threads: how many versions are read at once.
        tracking_uri: the server that `mlflow-artifacts:` locations are relative to.
    """

    def __init__(
        self,
        *,
        versions: str = "all",
        manifest: bool = False,
        threads: int = 8,
        tracking_uri: str | None = None,
    ) -> None:
        self._live_only = versions == "live"
        self._manifest = manifest
        self._threads = threads
        self._tracking_uri = tracking_uri
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def asked(self) -> dict[str, str]:
        """What was asked for, as a reading's account says it."""
        return {
            "artifacts": "live" if self._live_only else "all",
            "manifest": "yes" if self._manifest else "no",
        }

    def read(
        self,
        versions: Iterable[Version],
        tell: Callable[[str, int, int | None], None],
        total: int | None,
    ) -> Iterator[pa.RecordBatch]:
        """One row per version, in their order, as batches of `model_artifacts`."""
        remaining, done = iter(versions), 0
        with _bounded_http(), ThreadPoolExecutor(self._threads, "artifacts") as pool:
            while chunk := list(islice(remaining, _CHUNK)):
                # A task per version would cost more than looking at one that is not there.
                groups = [chunk[start : start + _GROUP] for start in range(0, len(chunk), _GROUP)]
                rows = (row for group in pool.map(self._rows, groups) for row in group)
                yield from batches("model_artifacts", rows, Doubts(), _CHUNK)
                done += len(chunk)
                tell("model_artifacts", done, total)

    def _rows(self, versions: list[Version]) -> list[dict[str, Any]]:
        return [self.row(version) for version in versions]

    def row(self, version: Version) -> dict[str, Any]:
        """The `model_artifacts` row of one version."""
        row: dict[str, Any] = {
            "workspace": version.workspace,
            "model": version.model,
            "version": version.version,
            "location": without_password(version.location) if version.location else None,
        }
        if self._live_only and not version.live:
            return {**row, "state": "not_looked_at"}
        try:
            return {**row, **self._look(version.location)}
        except mlmodel.Unreadable as error:
            return {**row, "state": "unreadable", "problem": f"MLmodel cannot be read: {error}"}
        except Exception as error:  # noqa: BLE001 (one version's files never stop the others)
            reason = without_password(" ".join(str(error).split()))[:300]
            return {
                **row,
                "state": "unreachable",
                "problem": f"{type(error).__name__}: {reason}" if reason else type(error).__name__,
            }

    def _look(self, location: str | None) -> dict[str, Any]:
        if not location or location.startswith(BYTES_MARK):
            return _unreachable("the registry does not say where the files are")
        parts = urlsplit(location)
        # One letter is a Windows drive, not a scheme.
        if parts.scheme == "file" or len(parts.scheme) < 2:
            path = unquote(parts.path) if parts.scheme == "file" else location
            if parts.netloc not in ("", "localhost") or path.startswith("\\\\"):
                return _unreachable("the files are on another machine")
            return _local(path, self._manifest)
        if parts.scheme in ("models", "runs"):
            return _unreachable("it points to a run or model that is not there")
        if parts.scheme in _SERVERS:
            if self._tracking_uri is None:
                return _unreachable("only the tracking server can say; read through its REST API")
            server = urlsplit(self._tracking_uri)
            inside = parts.scheme == "mlflow-artifacts" and not parts.netloc
            if not inside and (parts.hostname, parts.port) != (server.hostname, server.port):
                return _unreachable("the location is on another host than the tracking server")
        elif parts.scheme not in _STORES:
            return _unreachable(f"locations of scheme {parts.scheme} are not read")
        return self._remote(location, f"{parts.scheme}://{parts.hostname or ''}")

    def _remote(self, location: str, store: str) -> dict[str, Any]:
        with self._lock:
            if self._failures[store] >= _GIVE_UP:
                return _unreachable(f"{store} did not answer for other versions; not tried again")
        try:
            found = _fetch(location, self._tracking_uri)
        except mlmodel.Unreadable:
            raise
        except Exception:
            with self._lock:
                self._failures[store] += 1
            raise
        with self._lock:
            self._failures[store] = 0
        return found


def _unreachable(problem: str) -> dict[str, Any]:
    return {"state": "unreachable", "problem": problem}


def _no_mlmodel(problem: str) -> dict[str, Any]:
    return {"state": "no_mlmodel", "problem": problem}


def _local(path: str, manifest: bool) -> dict[str, Any]:
    root = Path(path).resolve()
    if not root.is_dir():
        if root.exists():
            return _no_mlmodel("the location is a file, not a model folder")
        return _unreachable("there is no such folder on this machine")
    if not os.access(root, os.R_OK | os.X_OK):
        return _unreachable("the folder may not be read")
    raw = _small_file(root, "MLmodel", mlmodel.MAX_BYTES)
    if raw is None:
        return _no_mlmodel("the folder holds no MLmodel")
    files, note = _files(root, manifest)
    read = {name: _optional(root, name) for name in ("requirements.txt", "python_env.yaml")}
    return _found(raw, files, read, note)


def _found(
    raw: bytes, files: list[dict[str, Any]], small: Mapping[str, bytes | None], note: str | None
) -> dict[str, Any]:
    """The columns for a model folder whose MLmodel was had."""
    columns = mlmodel.read_mlmodel(raw)
    if (requirements := small["requirements.txt"]) is not None:
        columns["requirements"] = mlmodel.read_requirements(requirements)
    if columns["python_version"] is None and (env := small["python_env.yaml"]) is not None:
        columns["python_version"] = mlmodel.read_python_env(env)
    example = columns["input_example"]
    # Named in MLmodel is not there: only a file that exists is an input example.
    if example is not None and example not in {file["path"] for file in files}:
        columns["input_example"] = None
        note = note or "MLmodel names an input example that is not among the files"
    return {**columns, "files": mlmodel.to_json(files), "state": "read", "problem": note}


def _small_file(root: Path, name: str, limit: int) -> bytes | None:
    """A regular file directly in `root`, or None where there is none.

    Raises:
        Unreadable: it is a symbolic link, a device, or larger than `limit`.
    """
    path = root / name
    try:
        # Neither follow a link out of the folder nor hang on a pipe.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        if path.is_symlink():
            raise mlmodel.Unreadable(f"{name} is a symbolic link, which is not followed")
        handle = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise mlmodel.Unreadable(f"{name} is not a regular file")
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise mlmodel.Unreadable(f"{name} is larger than {limit // 1024} KiB")
    return raw


def _optional(root: Path, name: str) -> bytes | None:
    with contextlib.suppress(mlmodel.Unreadable, OSError):
        return _small_file(root, name, mlmodel.MAX_SMALL_BYTES)
    return None


def _files(root: Path, manifest: bool) -> tuple[list[dict[str, Any]], str | None]:
    """The folder's regular files by path, and a note on what was not listed."""
    files: list[dict[str, Any]] = []
    links = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        links += sum(Path(folder, name).is_symlink() for name in folders)
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                links += 1
                continue
            if len(files) == _MAX_FILES:
                return files, f"only the first {_MAX_FILES} files are listed"
            relative = path.relative_to(root).as_posix()
            entry = {"path": os.fsencode(relative).decode("utf-8", "replace")}
            files.append({**entry, "size": status.st_size, **_digest(path, manifest)})
    files.sort(key=lambda file: str(file["path"]))
    return files, f"{links} symbolic link(s) or devices not followed" if links else None


def _digest(path: Path, manifest: bool) -> dict[str, str]:
    if not manifest:
        return {}
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _fetch(location: str, tracking_uri: str | None) -> dict[str, Any]:
    """Read a model folder through MLflow's repository for its scheme: top level only."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(location, tracking_uri=tracking_uri)
    listed = [info for info in repository.list_artifacts(None) if not info.is_dir]
    sizes = {info.path: info.file_size for info in listed}
    if "MLmodel" not in sizes:
        return _no_mlmodel("the location holds no MLmodel")
    small: dict[str, bytes | None] = {"requirements.txt": None, "python_env.yaml": None}
    with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:

        def fetch(name: str, limit: int) -> bytes | None:
            if (sizes[name] or 0) > limit:
                raise mlmodel.Unreadable(f"{name} is larger than {limit // 1024} KiB")
            repository.download_artifacts(name, folder)
            return _small_file(Path(folder), name, limit)

        raw = fetch("MLmodel", mlmodel.MAX_BYTES)
        for name in small.keys() & sizes.keys():
            with contextlib.suppress(mlmodel.Unreadable):
                small[name] = fetch(name, mlmodel.MAX_SMALL_BYTES)
    if raw is None:
        return _no_mlmodel("the location holds no MLmodel")
    files = [{"path": path, "size": size} for path, size in sorted(sizes.items())]
    return _found(raw, files, small, None)


@contextlib.contextmanager
def _bounded_http() -> Iterator[None]:
    """Let MLflow's artifact client give up within seconds, unless the user set it otherwise.

    Its repositories take these only from the environment; they are put back afterwards.
    """
    bounds = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
    ours = {name: value for name, value in bounds.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
