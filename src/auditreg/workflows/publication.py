"""The manifest of a folder of published copies: what each file is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from auditreg.errors import VerificationError
from auditreg.files import write_whole

if TYPE_CHECKING:
    from auditreg.queries.status import LedgerStatus

SCHEMA: Literal["auditreg.publication/1"] = "auditreg.publication/1"
MANIFEST, SUMS, LATEST = "manifest.json", "SHA256SUMS", "latest.txt"

CopyName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.duckdb$")]
"""A name of a file in the folder itself: a manifest that somebody changed leads nowhere else."""


class CopyExtraction(msgspec.Struct, frozen=True, kw_only=True):
    """The last reading of one registry in a copy. Moments are UTC."""

    registry: str
    source: str
    observed_at: datetime
    complete: bool
    doubts: tuple[str, ...]
    last_complete_at: datetime | None
    tree_size: int
    root: str


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One published copy. `tree_size` and `root` stand over every entry of it. Moments are UTC."""

    file: CopyName
    sha256: str
    bytes: int
    published_at: datetime
    sealed_at: datetime | None
    tree_size: int
    root: str
    complete: bool
    extractions: tuple[CopyExtraction, ...]
    policy: str | None
    tool_version: str

    @classmethod
    def of(
        cls, state: LedgerStatus, name: str, sha256: str, size: int, moment: datetime, tool: str
    ) -> Copy:
        """The copy of a ledger that stands as `state`."""
        return cls(
            file=name,
            sha256=sha256,
            bytes=size,
            published_at=moment.replace(tzinfo=UTC),
            sealed_at=_aware(state.sealed_at),
            tree_size=state.tree_size,
            root=state.root,
            complete=state.complete,
            extractions=tuple(
                CopyExtraction(
                    registry=reading.registry,
                    source=reading.source,
                    observed_at=reading.observed_at.replace(tzinfo=UTC),
                    complete=reading.complete,
                    doubts=reading.doubts,
                    last_complete_at=_aware(reading.complete_at),
                    tree_size=reading.tree_size,
                    root=reading.root,
                )
                for reading in state.registries
            ),
            policy=state.policy,
            tool_version=tool,
        )


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest's file."""

    schema: Literal["auditreg.publication/1"] = SCHEMA
    latest: CopyName | None
    copies: tuple[Copy, ...]


@dataclass
class Manifest:
    """The copies of a folder in the order they were published."""

    copies: list[Copy] = field(default_factory=list)

    @property
    def newest(self) -> Copy | None:
        """The copy published last."""
        return self.copies[-1] if self.copies else None

    @property
    def names(self) -> set[str]:
        """Every name the manifest ever gave; none is given twice."""
        return {copy.file for copy in self.copies}

    def add(self, copy: Copy) -> None:
        """Put a copy at the end."""
        self.copies.append(copy)

    def write(self, place: Path) -> None:
        """Write the manifest, then the files that follow from it, each as a whole if it differs.

        Killed in between, the next publishing writes what is missing, also where nothing is new.
        """
        newest = self.newest
        document = _Document(latest=newest.file if newest else None, copies=tuple(self.copies))
        texts = {
            MANIFEST: json.dumps(msgspec.to_builtins(document), indent=2),
            SUMS: "\n".join(f"{copy.sha256}  {copy.file}" for copy in self.copies),
            LATEST: newest.file if newest else "",
        }
        for name, text in texts.items():
            path, content = place / name, f"{text}\n".encode()
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)


def manifest_of(place: Path) -> Manifest:
    """The manifest of a folder; an empty one where there is none yet.

    Raises:
        VerificationError: it is no manifest, or names a file outside of the folder.
    """
    path = place / MANIFEST
    if not path.exists():
        return Manifest()
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VerificationError(
            f"{path} is not a manifest that auditreg wrote.",
            state="Nothing was published.",
            hint="Find out what changed it. Move it away to begin a new one.",
        ) from error
    return Manifest(list(document.copies))


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
