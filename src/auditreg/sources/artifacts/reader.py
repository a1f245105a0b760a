"""Reads the model files of versions: MLmodel, requirements, the list of files.

A version whose files cannot be read is a row that says so, and counts as not read; an outage does
not stop an extraction. Local folders are read directly (`local.py`), everything else through MLflow's own
artifact repositories (`remote.py`), and only the small files are fetched unless weights are to be hashed.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from auditreg.errors import redact_uri
from auditreg.sources.artifacts.errors import (
    NoModelFiles,
    Outage,
    ProgramError,
    Unreachable,
    Unreadable,
    in_one_line,
)
from auditreg.sources.artifacts.local import Folder, sha256
from auditreg.sources.artifacts.remote import RemoteFolder, Stores, bounded_clients, store_name
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

NOT_HASHED_ELSEWHERE = (
    "model files of live versions in a store elsewhere, not hashed: weights exchanged for others of "
    "the same size would not show"
)
"""What is left out of a reading that hashes on this machine's disks only."""

NOT_HASHED_LARGE = (
    "model files of live versions of more than 2 GiB, not hashed: weights exchanged for others of the "
    "same size would not show"
)
"""What is left out of the same reading because it would take too long each night."""

MAX_LOCAL = 2 * 2**30
"""Bytes of one version that are hashed unasked: a core takes two seconds for them."""

MANIFESTS = ("local", "live", "all", "none")
"""Whose files may be hashed; see `ArtifactReader`."""

OTHER_REASONS = "model files not read, for other reasons"
"""Sums up the reasons beyond the first `_REASONS`."""

HASHED = "+sha256"
"""Ends the marker of files that were hashed too."""

_CHUNK = 1024
_GROUP = 32
_REASONS = 20
"""Reasons for which files were not read that are told apart."""
_EXAMPLE = 200
"""Characters of a place that is given as an example."""
_NOT_LIVE = frozenset({None, "", "None", "Archived", DELETED})
_OF_VALUES = (ArithmeticError, LookupError, RecursionError, ValueError)
"""What a value nobody thought of raises: a doubt about its version, and no end of the reading."""
_VERSION_COLUMNS = ("workspace", "model", "version", "stage", "source", "storage_location")
PROMPT_TAG = "mlflow.prompt.is_prompt"
"""Tag of a registered model that is a prompt: it has no files, only a text in its tags, and a word as its source.

A version with a place as its source has files, whatever somebody tags its model.
"""
_PLACE = re.compile(r"[/\\:]")
_WINDOWS = re.compile(r"/?[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """A version whose artifacts may be looked for, and where they are (None: nobody knows)."""

    workspace: str
    model: str
    version: int
    location: str | None
    live: bool
    prompt: bool = False


@dataclass(slots=True)
class _Unread:
    """The versions whose files were not read for one reason, with the place of the first of them."""

    reason: str
    place: str
    store: str = ""
    outage: bool = False
    versions: int = 0


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


def versions_to_read(
    versions: Iterable[pa.RecordBatch],
    aliases: Iterable[pa.RecordBatch],
    model_tags: Iterable[pa.RecordBatch],
    places: Mapping[str, Any],
) -> list[VersionFiles]:
    """The versions that are not deleted. `live` are those with an alias or in a stage."""
    aliased = {
        (row["workspace"], row["model"], row["version"])
        for batch in aliases
        for row in batch.to_pylist()
    }
    prompts = {
        (row["workspace"], row["model"])
        for batch in model_tags
        for row in batch.to_pylist()
        if row["key"] == PROMPT_TAG and str(row["value"]).lower() == "true"
    }
    listed = []
    for batch in versions:
        for row in batch.select(list(_VERSION_COLUMNS)).to_pylist():
            if row["stage"] == DELETED:
                continue
            key = (row["workspace"], row["model"], row["version"])
            live = key in aliased or row["stage"] not in _NOT_LIVE
            location = resolve(row["source"], row["storage_location"], places)
            prompt = key[:2] in prompts and not _PLACE.search(location or "")
            listed.append(VersionFiles(*key, location, live, prompt))
    return listed


class ArtifactReader:
    """Reads the artifacts of many versions with a few threads.

    Args:
        versions: `all`, or `live` for those with an alias or in a stage other than None and
            Archived; the others get a row in state `not_looked_at`.
        manifest: of which versions the SHA-256 of every file is taken too, which reads all of them:
            `local`, of live ones on this machine's disks, unless they are large; `live`, of live ones
            wherever they are, which downloads those elsewhere; `all`; or `none`.
        threads: how many versions are read at once.
        tracking_uri: the server that `mlflow-artifacts:` locations are relative to.
    """

    def __init__(
        self,
        *,
        versions: str = "all",
        manifest: str = "none",
        threads: int = 8,
        tracking_uri: str | None = None,
    ) -> None:
        self._live_only = versions == "live"
        self._manifest = manifest
        self._threads = threads
        self._tracking_uri = tracking_uri
        self._known: dict[tuple[str, str, int], str] = {}
        self._begin()

    versions_to_read = staticmethod(versions_to_read)

    def _begin(self) -> None:
        self._stores = Stores(self._tracking_uri)
        self._lock = threading.Lock()
        self._unread: dict[tuple[str, str], _Unread] = {}
        self._errors: dict[str, _Unread] = {}
        self._states: Counter[str] = Counter()
        self._not_hashed: Counter[str] = Counter()
        self._bytes = 0

    @property
    def options(self) -> dict[str, str]:
        """The options of the reading; where files are hashed, also how many bytes that were."""
        options = {"artifacts": "live" if self._live_only else "all", "manifest": self._manifest}
        if self._manifest == "local":
            options["hashed up to"] = str(MAX_LOCAL)
        if self._manifest != "none":
            options["bytes hashed"] = str(self._bytes)
        return options

    @property
    def counts(self) -> tuple[int, int]:
        """Versions whose files the last reading had to read, and those whose files it did read.

        Read is also what a look tells to be missing, broken or unchanged. Not read is what nobody
        could look at. Versions that were not to be looked at, and prompts, are in neither number.
        """
        looked_for = self._states.total() - self._states["not_looked_at"] - self._states["prompt"]
        return looked_for, looked_for - self._states["unreachable"]

    @property
    def left_out(self) -> dict[str, int]:
        """What the last reading did not read, by reason: the number of versions it concerns."""
        reasons = sorted(
            self._unread.values(), key=lambda unread: (-unread.versions, unread.reason)
        )
        left_out = {self._line(unread): unread.versions for unread in reasons[:_REASONS]}
        counted = {
            OTHER_REASONS: sum(unread.versions for unread in reasons[_REASONS:]),
            **self._not_hashed,
            NOT_LIVE: self._states["not_looked_at"],
            UNCHANGED: self._states["unchanged"],
        }
        return left_out | {reason: number for reason, number in counted.items() if number}

    def _line(self, unread: _Unread) -> str:
        given_up = self._stores.given_up.get(unread.store) if unread.outage else None
        reason = given_up or unread.reason
        if unread.store.endswith("://") or not unread.store:
            return f"model files not read, for instance {unread.place}: {reason}"
        return f"model files in {unread.store} not read: {reason}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """Errors that no outage raises, and that kept files from being read."""
        return tuple(
            f"the files of {error.versions:,} versions (for instance {error.place}) could not be read: "
            f"{error.reason}. No store that is down raises this: auditreg or a package it uses is "
            "wrong, or the store answered what its client does not expect"
            for error in self._errors.values()
        )

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
        self, versions: Sequence[VersionFiles], progress: Callable[[str, int, int | None], None]
    ) -> Iterator[pa.RecordBatch]:
        """A row per version, in their order, as batches of `model_artifacts`."""
        self._begin()
        remaining, done = iter(versions), 0
        with bounded_clients(), ThreadPoolExecutor(self._threads, "artifacts") as pool:
            while chunk := list(islice(remaining, _CHUNK)):
                # A task per version would cost more than looking at one that is not there.
                groups = [chunk[start : start + _GROUP] for start in range(0, len(chunk), _GROUP)]
                rows: list[dict[str, Any]] = []
                for group in pool.map(self._rows, groups):
                    rows += group
                    progress("model_artifacts", done + len(rows), len(versions))
                yield from batches("model_artifacts", rows, IncompletenessLog(), _CHUNK)
                done += len(chunk)
        self._known = {}  # it holds for one reading

    def _rows(self, versions: list[VersionFiles]) -> list[dict[str, Any]]:
        return [self.row(version) for version in versions]

    def row(self, version: VersionFiles) -> dict[str, Any]:
        """The `model_artifacts` row of one version."""
        row: dict[str, Any] = {
            "workspace": version.workspace,
            "model": version.model,
            "version": version.version,
            "location": _shown(version.location) if version.location else None,
        }
        if version.prompt or (self._live_only and not version.live):
            with self._lock:
                self._states["prompt" if version.prompt else "not_looked_at"] += 1
            return {**row, "state": "not_looked_at"}
        try:
            row |= self._look(version)
        except Unreadable as error:
            row |= {"state": "unreadable", "problem": f"MLmodel cannot be read: {error}"}
        except NoModelFiles as error:
            row |= {"state": "no_mlmodel", "problem": str(error)}
        except Unreachable as error:
            row |= {"state": "unreachable", "problem": str(error)}
            self._count_unread(row, error)
        except OSError as error:  # of this machine's disk: stores raise the others
            row |= {"state": "unreachable", "problem": in_one_line(error)}
            self._count_unread(row, Outage(row["problem"]))
        except (ProgramError, *_OF_VALUES) as error:
            reason = str(error) if isinstance(error, ProgramError) else in_one_line(error)
            row |= {"state": "unreachable", "problem": reason}
            self._count_error(row, reason)
        with self._lock:
            self._states[row["state"]] += 1
        return row

    def _look(self, version: VersionFiles) -> dict[str, Any]:
        location = version.location
        if not location or location.startswith(BYTES_MARK):
            raise Unreachable("the registry does not say where the files are")
        folder = self._folder(location)
        # Before the files are read: what changes meanwhile is read again the next time.
        marker = folder.marker(location)
        not_hashed = self._not_hashed_because(version, folder)
        if marker is not None:
            marker += HASHED if not_hashed is None else ""
            if not version.live and self._same(version, marker):
                return {"state": "unchanged"}
        columns = folder.read(self._hash if not_hashed is None else None)
        if not_hashed:
            with self._lock:
                self._not_hashed[not_hashed] += 1
        return {**columns, "marker": marker}

    def _not_hashed_because(
        self, version: VersionFiles, folder: Folder | RemoteFolder
    ) -> str | None:
        """Why the files of a version are not hashed, None where they are; empty where nobody asked."""
        if self._manifest == "none" or (self._manifest != "all" and not version.live):
            return ""
        if self._manifest != "local":
            return None
        if isinstance(folder, RemoteFolder):
            return NOT_HASHED_ELSEWHERE
        return NOT_HASHED_LARGE if folder.size > MAX_LOCAL else None

    def _same(self, version: VersionFiles, marker: str) -> bool:
        """Whether this is what the ledger has; a ledger entry with hashes also counts where none are
        asked for.
        """
        known = self._known.get((version.workspace, version.model, version.version), "")
        return known in (marker, marker + HASHED)

    def _folder(self, location: str) -> Folder | RemoteFolder:
        try:
            parts = urlsplit(location)
        except ValueError:
            raise Unreachable("the location is no address that can be read") from None
        path = url2pathname(parts.path) if parts.scheme == "file" else location
        if "\x00" in location + path:
            raise Unreachable("the location holds a character that no path has")
        # One letter is a Windows drive, not a scheme.
        if parts.scheme != "file" and len(parts.scheme) > 1:
            return self._stores.open(location)
        if parts.netloc not in ("", "localhost") or path.startswith(("\\\\", "//")):
            raise Unreachable("the files are on another machine")
        if os.name != "nt" and _WINDOWS.match(path):
            raise Unreachable("the files are on a Windows machine")
        return Folder(path)

    def _hash(self, path: Path) -> str:
        return sha256(path, self._count_bytes)

    def _count_bytes(self, number: int) -> None:
        with self._lock:
            self._bytes += number

    def _count_unread(self, row: Mapping[str, Any], error: Unreachable) -> None:
        """Count a version under the reason why its files were not read."""
        place = str(row["location"] or f"{row['model']}/{row['version']}")[:_EXAMPLE]
        place = "".join(sign if sign.isprintable() else "\ufffd" for sign in place)
        outage = isinstance(error, Outage)
        store = _store(row["location"])
        if not outage and store.endswith("://"):
            store = ""  # a reason that holds for every path, whatever it begins with
        with self._lock:
            unread = self._unread.setdefault(
                (store, "" if outage else str(error)), _Unread(str(error), place, store, outage)
            )
            unread.versions += 1

    def _count_error(self, row: Mapping[str, Any], reason: str) -> None:
        with self._lock:
            error = self._errors.setdefault(
                reason.partition(":")[0], _Unread(reason, f"{row['model']}/{row['version']}")
            )
            error.versions += 1


def _store(location: str | None) -> str:
    """The store of a location; it ends in `//` where that names no host or bucket."""
    try:
        return store_name(location or "")
    except ValueError:
        return ""


def _shown(location: str) -> str:
    """A location as it is kept: without a password, and without what follows a `?` in an address."""
    address, mark, _ = location.partition("?")
    hidden = mark and "://" in address and not address.startswith("file:")
    return redact_uri(f"{address}?***" if hidden else location)
