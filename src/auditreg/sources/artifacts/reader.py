"""Reads the model files of versions: MLmodel, requirements, the list of files.

A version whose files cannot be had is a row that says so; nothing here stops an extraction.
Local folders are read directly (`folders.py`), everything else through MLflow's own artifact
repositories (`stores.py`), and only the small files are fetched unless a manifest is asked for.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from auditreg.errors import redact_uri
from auditreg.sources.artifacts.local import Folder, NotReached, NotThere, sha256
from auditreg.sources.artifacts.remote import (
    RemoteFolder,
    Stores,
    bounded_clients,
    in_one_line,
    store_of,
)
from auditreg.sources.artifacts.safe_yaml import Unreadable
from auditreg.sources.interface import BYTES_MARK, DELETED
from auditreg.sources.staging import IncompletenessLog, batches

if TYPE_CHECKING:
    import pyarrow as pa

UNCHANGED = "model files not read again, unchanged since"
"""What is left out of a reading because the ledger has it and its marker is the same."""

NOT_LIVE = "model files of versions that are not live, not looked at"
"""What is left out of a reading that was asked for the files of live versions."""

NOT_LIVE_UNSEEN = (
    "model files of versions that are not live: nobody looked, so what stands there is of an "
    "earlier reading, or unknown"
)

HASHED = "+sha256"
"""Ends the marker of files that were hashed too."""

_CHUNK = 1024
_GROUP = 32
_NOT_LIVE = frozenset({None, "", "None", "Archived", DELETED})
_VERSION_COLUMNS = ("workspace", "model", "version", "stage", "source", "storage_location")
_WINDOWS = re.compile(r"/?[A-Za-z]:[\\/]")


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
        for row in batch.select(list(_VERSION_COLUMNS)).to_pylist():
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
        manifest: also take the SHA-256 of every file, which reads (and downloads) all of them.
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
        self._known: dict[tuple[str, str, int], str] = {}
        self._begin()

    versions_to_read = staticmethod(wanted)

    def _begin(self) -> None:
        self._stores = Stores(self._tracking_uri)
        self._lock = threading.Lock()
        self._unreached: Counter[str] = Counter()
        self._unchanged = 0
        self._not_live = 0
        self._bytes = 0

    @property
    def asked(self) -> dict[str, str]:
        """What was asked for, as a reading's account says it; with what a manifest cost."""
        asked = {
            "artifacts": "live" if self._live_only else "all",
            "manifest": "yes" if self._manifest else "no",
        }
        return asked | ({"bytes hashed": str(self._bytes)} if self._manifest else {})

    @property
    def left_out(self) -> dict[str, int]:
        """What the last reading did not look at, and how many versions that concerns."""
        left_out = {
            f"model files in {store} not looked at: {reason}": self._unreached[store]
            for store, reason in sorted(self._stores.given_up.items())
        }
        left_out |= {NOT_LIVE: self._not_live} if self._not_live else {}
        return left_out | ({UNCHANGED: self._unchanged} if self._unchanged else {})

    @property
    def cannot_show(self) -> tuple[str, ...]:
        """What a reading that was asked so cannot show."""
        return (NOT_LIVE_UNSEEN,) if self._live_only else ()

    def know(self, rows: Iterable[tuple[str, str, int, str]]) -> None:
        """Take what is known of earlier readings. See `Reading.known_artifacts`."""
        self._known = {
            (workspace, model, version): marker for workspace, model, version, marker in rows
        }

    def read(
        self,
        versions: Iterable[Version],
        tell: Callable[[str, int, int | None], None],
        total: int | None,
    ) -> Iterator[pa.RecordBatch]:
        """One row per version, in their order, as batches of `model_artifacts`."""
        self._begin()
        remaining, done = iter(versions), 0
        with bounded_clients(), ThreadPoolExecutor(self._threads, "artifacts") as pool:
            while chunk := list(islice(remaining, _CHUNK)):
                # A task per version would cost more than looking at one that is not there.
                groups = [chunk[start : start + _GROUP] for start in range(0, len(chunk), _GROUP)]
                rows = (row for group in pool.map(self._rows, groups) for row in group)
                yield from batches("model_artifacts", rows, IncompletenessLog(), _CHUNK)
                done += len(chunk)
                tell("model_artifacts", done, total)
        self._known = {}  # it holds for one reading

    def _rows(self, versions: list[Version]) -> list[dict[str, Any]]:
        return [self.row(version) for version in versions]

    def row(self, version: Version) -> dict[str, Any]:
        """The `model_artifacts` row of one version."""
        location = version.location
        row: dict[str, Any] = {
            "workspace": version.workspace,
            "model": version.model,
            "version": version.version,
            "location": _shown(location) if location else None,
        }
        if self._live_only and not version.live:
            with self._lock:
                self._not_live += 1
            return {**row, "state": "not_looked_at"}
        try:
            return {**row, **self._look(version)}
        except Unreadable as error:
            state, problem = "unreadable", f"MLmodel cannot be read: {error}"
        except NotThere as error:
            state, problem = "no_mlmodel", str(error)
        except NotReached as error:
            state, problem = "unreachable", str(error)
        except Exception as error:  # noqa: BLE001 (one version's files never stop the others)
            state, problem = "unreachable", in_one_line(error)
        if state == "unreachable" and location:
            self._count_unreached(location)
        return {**row, "state": state, "problem": problem}

    def _look(self, version: Version) -> dict[str, Any]:
        location = version.location
        if not location or location.startswith(BYTES_MARK):
            raise NotReached("the registry does not say where the files are")
        folder = self._folder(location)
        # Before the files are read: what changes meanwhile is read again the next time.
        marker = folder.marker(location)
        if marker is not None:
            marker += HASHED if self._manifest else ""
            if not version.live and self._same(version, marker):
                return {"state": "unchanged"}
        return {**folder.look(self._hash if self._manifest else None), "marker": marker}

    def _same(self, version: Version, marker: str) -> bool:
        """Whether this is what the ledger has; hashes it has beyond what is asked for are welcome."""
        known = self._known.get((version.workspace, version.model, version.version), "")
        if known not in (marker, marker + HASHED):
            return False
        with self._lock:
            self._unchanged += 1
        return True

    def _folder(self, location: str) -> Folder | RemoteFolder:
        parts = urlsplit(location)
        # One letter is a Windows drive, not a scheme.
        if parts.scheme != "file" and len(parts.scheme) > 1:
            return self._stores.open(location)
        path = url2pathname(parts.path) if parts.scheme == "file" else location
        if parts.netloc not in ("", "localhost") or path.startswith(("\\\\", "//")):
            raise NotReached("the files are on another machine")
        if os.name != "nt" and _WINDOWS.match(path):
            raise NotReached("the files are on a Windows machine")
        return Folder(path)

    def _hash(self, path: Path) -> str:
        return sha256(path, self._count_bytes)

    def _count_bytes(self, number: int) -> None:
        with self._lock:
            self._bytes += number

    def _count_unreached(self, location: str) -> None:
        try:
            store = store_of(location)
        except ValueError:
            return
        with self._lock:
            self._unreached[store] += 1


def _shown(location: str) -> str:
    """A location as it is kept: without a password, and without what follows a `?` in an address."""
    address, mark, _ = location.partition("?")
    hidden = mark and "://" in address and not address.startswith("file:")
    return redact_uri(f"{address}?***" if hidden else location)
