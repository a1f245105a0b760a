"""Model files in a store elsewhere, read through MLflow's own artifact repositories.

Whoever registers a version chooses its location, and MLflow sends credentials with each request, so
only places that this machine's settings name are asked. What a store lists is bounded and believed no
further than that.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from auditreg.sources.artifacts.errors import (
    NoModelFiles,
    Outage,
    ProgramError,
    Unreachable,
    Unreadable,
    in_one_line,
    is_outage,
)
from auditreg.sources.artifacts.local import (
    MAX_FILES,
    MAX_FOLDERS,
    SMALL,
    FileHasher,
    FileListing,
    change_marker,
    folder_columns,
    small_file,
)
from auditreg.sources.artifacts.mlmodel import MAX_BYTES, MAX_SMALL_BYTES

MAX_HASHED = 64 * 2**30
"""Bytes of one file that are downloaded at most to be hashed."""

_SPARE = 2**30
"""Bytes of the temporary folder that stay free while files are downloaded."""

_MAX_PATH = 4_000
_MAX_DEPTH = 32
_GIVE_UP = 3.0
_REFUSED = 0.1
"""What counts towards giving a store up: an answer that refuses one version says less of the next
than no answer at all."""

_SERVERS = frozenset({"mlflow-artifacts", "http", "https"})
_STORES: dict[str, re.Pattern[str]] = {
    "s3": re.compile(r"[^@:]+"),
    "gs": re.compile(r"[^@:]+"),
    # The host is in the location: it has to be the provider's.
    "r2": re.compile(r"[^@:]+@[^@:]+\.r2\.cloudflarestorage\.com"),
    "wasbs": re.compile(
        r"[^@:]+@[^@:/]+\.blob\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)"
    ),
    "abfss": re.compile(
        r"[^@:]+@[^@:/]+\.dfs\.(core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|fabric\.microsoft\.com)"
    ),
    # Without a host it is the cluster this machine is set up for.
    "hdfs": re.compile(r""),
    "viewfs": re.compile(r""),
}
"""Schemes that are read, and what may stand between `://` and the path."""

_PACKAGES = {
    "boto3": "pip install 'auditreg[s3]'",
    "google": "pip install google-cloud-storage",
    "azure": "pip install azure-storage-blob azure-storage-file-datalake azure-identity",
}
_INSTALLED = ("auditreg", "mlflow")
"""Packages that are there: a module of theirs that is missing is another release's."""


class Repository(Protocol):
    """What is used of MLflow's artifact repositories."""

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """The entries of one folder: `path`, `is_dir`, `file_size`."""

    def _download_file(self, remote_file_path: str, local_path: str) -> None: ...


class Stores:
    """The stores that versions are in: which of them answer, and how much was read.

    Args:
        tracking_uri: the server that `mlflow-artifacts:` locations are relative to.
    """

    def __init__(self, tracking_uri: str | None) -> None:
        self._tracking_uri = tracking_uri
        self._lock = threading.Lock()
        self._failures: dict[str, float] = {}
        self._given_up: dict[str, str] = {}
        self._reserved = 0

    @property
    def given_up(self) -> dict[str, str]:
        """The stores that are not asked any more, and why."""
        return dict(self._given_up)

    def open(self, location: str) -> RemoteFolder:
        """The folder at a location; nothing is asked of the store yet.

        Raises:
            Unreachable: the location is none that is asked, or its store was given up.
        """
        parts = urlsplit(location)
        self._allow(parts)
        store = store_name(location)
        if store in self._given_up:
            raise Outage(self._given_up[store])
        return RemoteFolder(location, store, self)

    def _allow(self, parts: SplitResult) -> None:
        if parts.password or parts.query or (parts.username and parts.scheme in _SERVERS):
            raise Unreachable("the location holds credentials, which are neither used nor kept")
        if ".." in unquote(parts.path).split("/"):
            raise Unreachable("the location leads upwards")
        if parts.scheme in ("models", "runs"):
            raise Unreachable("it points to a run or model that is not there")
        if parts.scheme in _SERVERS:
            if self._tracking_uri is None:
                raise Unreachable("only the tracking server can say; read through its REST API")
            inside = parts.scheme == "mlflow-artifacts" and not parts.netloc
            server = urlsplit(self._tracking_uri)
            # MLflow takes the server's scheme, and with it its port, where a location has none.
            scheme = server.scheme if parts.scheme == "mlflow-artifacts" else parts.scheme
            if not inside and _host(parts._replace(scheme=scheme)) != _host(server):
                raise Unreachable("the location is on another host than the tracking server")
        elif parts.scheme not in _STORES:
            raise Unreachable(f"locations of scheme {parts.scheme} are not read")
        elif not _STORES[parts.scheme].fullmatch(parts.netloc):
            raise Unreachable(
                f"the location names a host that {parts.scheme} files are not read from"
            )

    def repository(self, location: str) -> Repository:
        """MLflow's repository for a location; call it within `asking`."""
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository: Repository = get_artifact_repository(location, tracking_uri=self._tracking_uri)
        return repository

    @contextlib.contextmanager
    def asking(self, store: str) -> Iterator[None]:
        """Ask a store; give it up where it does not answer, several times in a row.

        Raises:
            Outage: the store does not answer, or refuses; a package it needs is missing.
            ProgramError: its client, or what calls it, is wrong.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, ImportError) and (missing := _missing(error)):
                self._give_up(store, missing)
                raise Outage(missing) from error
            if not is_outage(error):
                raise ProgramError(in_one_line(error)) from error
            self._count_failure(store, error)
            raise Outage(in_one_line(error)) from error
        with self._lock:
            self._failures[store] = 0

    def _count_failure(self, store: str, error: Exception) -> None:
        with self._lock:
            failures = self._failures.get(store, 0) + (_REFUSED if _answered(error) else 1)
            self._failures[store] = failures
        if failures >= _GIVE_UP:
            self._give_up(store, f"it failed for several versions in a row; {in_one_line(error)}")

    def _give_up(self, store: str, reason: str) -> None:
        with self._lock:
            self._given_up.setdefault(store, reason)

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[bool]:
        """Whether so many bytes fit into the temporary folder beside what others download."""
        with self._lock:
            free = shutil.disk_usage(tempfile.gettempdir()).free - self._reserved
            fits = size <= MAX_HASHED and size + _SPARE <= free
            self._reserved += size if fits else 0
        try:
            yield fits
        finally:
            with self._lock:
                self._reserved -= size if fits else 0


class RemoteFolder:
    """A model folder in a store; made by `Stores.open`."""

    def __init__(self, location: str, store: str, stores: Stores) -> None:
        self._location = location
        self._store = store
        self._stores = stores
        self._top: list[Any] | None = None
        self._opened: Repository | None = None

    @property
    def _repository(self) -> Repository:
        if self._opened is None:
            self._opened = self._stores.repository(self._location)
        return self._opened

    def _listed(self) -> list[Any]:
        if self._top is None:
            with self._stores.asking(self._store):
                self._top = self._repository.list_artifacts(None)
        return self._top

    def marker(self, location: str) -> str | None:
        """The names and sizes at the top of the folder, which is all that MLflow's listing tells."""
        entries = sorted(
            (str(entry.path), bool(entry.is_dir), str(entry.file_size)) for entry in self._listed()
        )
        return change_marker(location, *entries) if entries else None

    def read(self, hasher: FileHasher | None) -> dict[str, Any]:
        """The folder's columns; with `hasher`, the SHA-256 of every file too, one after the other.

        Raises:
            NoModelFiles: there is no MLmodel.
            Unreadable: MLmodel cannot be understood.
        """
        listing = self._walk()
        sizes = {file["path"]: file["size"] for file in listing.files}
        if "MLmodel" not in sizes:
            raise NoModelFiles("the location holds no MLmodel")
        with tempfile.TemporaryDirectory(prefix="auditreg-") as scratch:

            def fetch(name: str, limit: int) -> bytes | None:
                if (sizes[name] or 0) > limit:
                    raise Unreadable(f"{name} is larger than {limit // 1024} KiB")
                self._download(name, Path(scratch, "small"))
                return small_file(Path(scratch), "small", limit)

            def small(name: str) -> bytes | None:
                with contextlib.suppress(Unreadable):
                    return fetch(name, MAX_SMALL_BYTES) if name in sizes and name in SMALL else None
                return None

            raw = fetch("MLmodel", MAX_BYTES)
            if hasher is not None:
                self._hash(listing, Path(scratch, "file"), hasher)
            return folder_columns(raw or b"", listing, small)

    def _download(self, name: str, to: Path) -> None:
        # One request; `download_artifacts` would first list what is known to be a file.
        with self._stores.asking(self._store):
            self._repository._download_file(name, str(to))

    def _hash(self, listing: FileListing, to: Path, hasher: FileHasher) -> None:
        """Download each file, hash it and delete it; one that does not fit is said to be missing."""
        left_out = changed = failed = 0
        for file in listing.files:
            with self._stores.room(file["size"] or 0) as fits:
                if not fits or file["size"] is None or failed >= _GIVE_UP:
                    left_out += failed < _GIVE_UP
                    failed += failed >= _GIVE_UP
                    continue
                try:
                    self._download(file["path"], to)
                    if to.stat().st_size == file["size"]:
                        file["sha256"] = hasher(to)
                    else:
                        changed += 1
                except (Unreachable, OSError):  # an archived file says nothing of the others
                    failed += 1
                finally:
                    to.unlink(missing_ok=True)
        if left_out:
            listing.notes.append(f"{left_out} file(s) are too large to be downloaded and hashed")
        if failed:
            listing.notes.append(f"{failed} file(s) could not be downloaded to be hashed")
        if changed:
            listing.notes.append(f"{changed} file(s) are not as long as the store lists them")

    def _walk(self) -> FileListing:
        """Every file, folder by folder, within bounds."""
        listing, odd = FileListing(), 0
        folders: list[tuple[str, list[Any]]] = [("", self._listed())]
        entered = {""}
        while folders:
            folder, entries = folders.pop()
            subfolders: list[str] = []
            for entry in entries:
                path = str(entry.path)
                if not _inside(path, folder):
                    odd += 1
                elif entry.is_dir:
                    subfolders.append(path)
                elif len(listing.files) < MAX_FILES:
                    size = entry.file_size
                    listing.files.append(
                        {"path": path, "size": size if isinstance(size, int) else None}
                    )
                else:
                    listing.notes.append(f"only the first {MAX_FILES} files are listed")
                    return listing
            for path in sorted(set(subfolders) - entered):
                if len(entered) >= MAX_FOLDERS:
                    listing.notes.append(f"only the first {MAX_FOLDERS} folders are looked into")
                    return listing
                entered.add(path)
                with self._stores.asking(self._store):
                    folders.append((path, self._repository.list_artifacts(path)))
        if odd:
            listing.notes.append(f"{odd} name(s) the store lists are none of a file in this folder")
        return listing


def _inside(path: str, folder: str) -> bool:
    """Whether a listed path names something directly in the folder."""
    name = path.removeprefix(f"{folder}/") if folder else path
    return (
        (not folder or name != path)
        and 0 < len(path) <= _MAX_PATH
        and path.count("/") < _MAX_DEPTH
        and name not in ("", ".", "..")
        and not any(sign in name for sign in ("/", "\x00"))
        and not re.search("[\ud800-\udfff]", name)
    )


def store_name(location: str) -> str:
    """What answers, or does not, for every location in it: scheme and host or bucket."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.hostname or ''}"


def _missing(error: ImportError) -> str | None:
    """What is missing and how to get it; None where it is not a package of a store's that is."""
    name = error.name or ""
    hint = next((line for start, line in _PACKAGES.items() if start in name), None)
    hint = hint or next((line for start, line in _PACKAGES.items() if start in str(error)), None)
    if hint is None and (
        not isinstance(error, ModuleNotFoundError) or name.partition(".")[0] in _INSTALLED
    ):
        return None
    what = f"the package {name} is missing" if name else in_one_line(error)
    return f"{what}: {hint}" if hint else what


def _host(parts: SplitResult) -> tuple[str | None, int | None]:
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return parts.hostname, parts.port or usual
    except ValueError:
        return None, None


def _answered(error: Exception) -> bool:
    """Whether the store said no to this request, rather than nothing or that it is broken."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        code = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        code = getattr(response, "status_code", None) or getattr(error, "code", None)
        code = code or getattr(error, "status_code", None)
        status_of = getattr(error, "get_http_status_code", None)  # MLflow
        code = status_of() if code is None and callable(status_of) else code
    return isinstance(code, int) and 400 <= code < 500 and code != 429


@contextlib.contextmanager
def bounded_clients() -> Iterator[None]:
    """Let the clients of stores give up within seconds, unless the user set them otherwise.

    MLflow's repositories take these only from the environment; they are put back afterwards.
    """
    bounds = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # Through the server and in one piece: no address of its choosing, no question in advance.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "AWS_MAX_ATTEMPTS": "2",
    }
    added = {name: value for name, value in bounds.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
