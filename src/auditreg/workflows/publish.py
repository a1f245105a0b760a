"""Publishing: dated read-only copies of the ledger, with a manifest, where auditors read them.

A copy is made, verified and given its tables in the temporary folder, written under a hidden name,
read back and compared through its SHA-256, and renamed; only then the manifest names it. Nothing
relies on hard links or symbolic links, so that the folder may be a network or bucket mount.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from auditreg.errors import AuditregError, ConfigError, VerificationError
from auditreg.files import draft_of, locked, sync_folder, write_whole
from auditreg.queries.status import LedgerStatus, ledger_status
from auditreg.workflows.publication import LATEST, MANIFEST, SUMS, Copy, Manifest, manifest_of

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.sources.interface import Progress

_BLOCK = 1 << 20
_DRAFT = "publishing"
_LOCK = ".publish.lock"
_LOCK_SECONDS = 60.0
_TRIES = 5
_NOTHING = "Nothing was published; the copies that are there are as they were."


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did.

    `copy` is the newest copy and `file` its path; `new` says whether it was made now. `copies` is how
    many the manifest names, `notes` what a reader should know.
    """

    file: Path
    copy: Copy
    new: bool
    copies: int
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the last reading of every registry in the copy left nothing in doubt."""
        return self.copy.complete


def publish_ledger(
    config: Config,
    ledger: Ledger,
    folder: Path | None = None,
    *,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Published:
    """Put a copy of the ledger into a folder, unless the newest copy there already says the same.

    Args:
        config: the settings; `[publish]` names the folder.
        ledger: the ledger.
        folder: the folder, instead of the settings'.
        now: the moment of publishing, UTC.
        progress: told about phases.

    Raises:
        ConfigError: no folder is named.
        LedgerError: there is no ledger, or it cannot be opened.
        VerificationError: the ledger does not verify, or the newest copy is not what was published.
        AuditregError: the folder or a file in it cannot be written.
    """
    place = folder or (config.resolve(config.publish.folder) if config.publish.folder else None)
    if place is None:
        raise ConfigError(
            "No folder to publish to is named.",
            state=_NOTHING,
            hint="auditreg publish DIR, or publish.folder in auditreg.toml.",
        )
    moment = (now or datetime.now(UTC)).replace(tzinfo=None, microsecond=0)
    with ledger.reader() as con:
        state = ledger_status(con)
    with _explained(place), locked(place / _LOCK, _LOCK_SECONDS, _busy(place)):
        manifest = manifest_of(place)
        _clear_drafts(place, manifest)
        newest = manifest.newest
        notes: tuple[str, ...] = ()
        if newest is not None and (newest.tree_size, newest.root) == (state.tree_size, state.root):
            _still_there(place, newest)
            copy = newest
        else:
            copy, notes = _copy(place, manifest, ledger, moment, progress)
            manifest.add(copy)
        manifest.write(place)
        _pending(place, copy.file).unlink(missing_ok=True)
        return Published(
            file=place / copy.file,
            copy=copy,
            new=copy is not newest,
            copies=len(manifest.copies),
            notes=notes,
        )


def _still_there(place: Path, copy: Copy) -> None:
    """The newest copy must be what was published, before it is said to be enough.

    Raises:
        VerificationError: it is gone, or other bytes.
    """
    path = place / copy.file
    digest = _digest(path) if path.is_file() else None
    if digest != copy.sha256:
        raise VerificationError(
            f"{path} {'is not what was published' if digest else 'was published and is gone'}.",
            state=_NOTHING,
            hint="Find out what changed it. Move it and manifest.json away, and publish again.",
        )


def _copy(
    place: Path, manifest: Manifest, ledger: Ledger, moment: datetime, progress: Progress | None
) -> tuple[Copy, tuple[str, ...]]:
    """A verified copy under its final name, with what the manifest says of it.

    It is made in the temporary folder: a bucket mount may not let DuckDB write into a file.
    """
    from auditreg.ledger.copies import hold_tables
    from auditreg.resources import tool_version

    draft = draft_of(place / ledger.path.name, _DRAFT)
    with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:
        made = Path(folder) / ledger.path.name
        state = _state_copied(ledger, made)
        _verify(made, state, progress)
        hold_tables(made)
        try:
            digest, size = _transferred(made, draft)
            notes = _read_only(draft)
            name = _free_name(place, manifest, ledger.path.stem, state.sealed_at or moment)
            write_whole(_pending(place, name), digest.encode())
            draft.replace(place / name)
            sync_folder(place)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    return Copy.of(state, name, digest, size, moment, tool_version()), notes


def _state_copied(ledger: Ledger, copy: Path) -> LedgerStatus:
    """Copy the ledger as one sealed state; how it stands.

    A writer replaces the file, it never changes it: what is open stays one sealed state. The file
    copied and the one asked about are the same if the path still leads to it once both are open.
    """
    for _ in range(_TRIES):
        with ledger.path.open("rb") as source, ledger.reader() as con:
            if not os.path.samestat(os.fstat(source.fileno()), ledger.path.stat()):
                continue
            state = ledger_status(con)
            _copy_bytes(source, copy)
            return state
    raise AuditregError(
        f"{ledger.path} was replaced each time it was to be copied.",
        state=_NOTHING,
        hint="Wait until the commands that write to it have ended, and publish again.",
    )


def _transferred(made: Path, draft: Path) -> tuple[str, int]:
    """Bring a finished copy to the folder; its SHA-256 and size, as read back from there."""
    with made.open("rb") as source:
        digest = _copy_bytes(source, draft)
    if _digest(draft) != digest:
        raise AuditregError(
            f"What was written to {draft.parent} is not what is read from it.",
            state=_NOTHING,
            hint="Check the disk or the network mount, and publish again.",
        )
    return digest, draft.stat().st_size


def _copy_bytes(source: BinaryIO, draft: Path) -> str:
    sha = hashlib.sha256()
    with draft.open("xb") as target:
        while block := source.read(_BLOCK):
            sha.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return sha.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(draft: Path, state: LedgerStatus, progress: Progress | None) -> None:
    """Recompute the copy's hashes and roots: what does not verify is not handed to auditors.

    Raises:
        VerificationError: as said.
    """
    from auditreg.ledger.store import Ledger
    from auditreg.ledger.verify import verify

    verification = verify(
        Ledger(draft), state_too=False, expected=(state.tree_size, state.root), progress=progress
    )
    if not verification.ok:
        raise VerificationError(
            f"The ledger does not verify: {verification.problems[0].what}",
            state=_NOTHING,
            hint="auditreg verify tells everything that is wrong.",
        )


def _read_only(draft: Path) -> tuple[str, ...]:
    try:
        draft.chmod(0o444)
    except OSError as error:  # bucket mounts often keep no modes
        return (f"The folder keeps no modes ({error.strerror}): the copy can be written to.",)
    return ()


def _free_name(place: Path, manifest: Manifest, stem: str, at: datetime) -> str:
    """A name with the moment of the last seal, to the second where the minute is taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "ledger"
    names = [f"{plain}-{at:%Y-%m-%dT%H%MZ}", f"{plain}-{at:%Y-%m-%dT%H%M%SZ}"]
    for name in (*names, *(f"{names[-1]}-{number}" for number in range(2, 1_000))):
        file = f"{name}.duckdb"
        if file not in manifest.names and not (place / file).exists():
            return file
    raise AuditregError(
        f"Every name for a copy of {at:%Y-%m-%d %H:%M} is taken.",
        state=_NOTHING,
        hint=f"Look into {place}: something else writes there.",
    )


def _pending(place: Path, name: str) -> Path:
    """The marker of a copy that the manifest does not name yet; it holds the copy's SHA-256."""
    return place / f".{name}.pending"


@contextlib.contextmanager
def _explained(place: Path) -> Iterator[None]:
    """Errors of the system, as what they mean for publishing."""
    try:
        if place.exists() and not place.is_dir():
            raise AuditregError(
                f"{place} is a file, not a folder.",
                state=_NOTHING,
                hint="Name a folder of its own for the copies.",
            )
        place.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise AuditregError(
            f"{place} cannot be published to: {error.strerror or error}.",
            state=_NOTHING,
            hint="A copy needs as much free space as the ledger, there and in the temporary folder "
            "(TMPDIR), and the right to write there.",
        ) from error


def _busy(place: Path) -> AuditregError:
    return AuditregError(
        f"Another auditreg process has been publishing to {place} for a minute.",
        state=_NOTHING,
        hint="Wait for it to end and run the command again.",
    )


def _clear_drafts(place: Path, manifest: Manifest) -> None:
    """Remove what a killed publisher left; the lock says none is alive.

    A copy under its final name that the manifest does not name yet is made anew.
    """
    for pattern in (f".*.{_DRAFT}*", *(f".{name}.*.draft" for name in (MANIFEST, SUMS, LATEST))):
        for leftover in place.glob(pattern):
            leftover.unlink(missing_ok=True)
    for marker in place.glob(".*.duckdb.pending"):
        copy = place / marker.name.removeprefix(".").removesuffix(".pending")
        if (
            copy.name not in manifest.names
            and copy.is_file()
            and _digest(copy).encode() == marker.read_bytes()
        ):
            with contextlib.suppress(OSError):
                copy.chmod(0o644)  # Windows removes no read-only file
            copy.unlink()
        marker.unlink()
