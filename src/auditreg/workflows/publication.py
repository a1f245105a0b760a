"""The manifest of a folder of published copies: what each file is, and which of them stay."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from auditreg.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.queries.status import LedgerStatus

SCHEMA: Literal["auditreg.publication/1"] = "auditreg.publication/1"
MANIFEST, SUMS, LATEST = "manifest.json", "SHA256SUMS", "latest.txt"

CopyName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.duckdb$")]
"""A name of a file in the folder itself: a manifest that was tampered with leads nowhere else."""
_DAYS = {"d": 1, "w": 7, "y": 366}


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
                    registry=one.registry,
                    source=one.source,
                    observed_at=one.observed_at.replace(tzinfo=UTC),
                    complete=one.complete,
                    doubts=one.doubts,
                    last_complete_at=_aware(one.complete_at),
                    tree_size=one.tree_size,
                    root=one.root,
                )
                for one in state.registries
            ),
            policy=state.policy,
            tool_version=tool,
        )


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that retention removed: that it was there stays on record."""

    file: CopyName
    sha256: str
    published_at: datetime
    tree_size: int
    root: str
    removed_at: datetime


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest's file."""

    schema: Literal["auditreg.publication/1"] = SCHEMA
    latest: CopyName | None
    copies: tuple[Copy, ...]
    removed: tuple[Retired, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """Which copies stay. A copy stays if one of the rules keeps it; without a rule, all stay.

    Args:
        days: those published within so many days.
        last: so many of the newest.
        quarterly: the last one of every fiscal quarter.
        timezone: of the quarters.
        fiscal_year_start_month: of the quarters.
    """

    days: int | None = None
    last: int | None = None
    quarterly: bool = False
    timezone: str = "UTC"
    fiscal_year_start_month: int = 1

    @classmethod
    def of(cls, config: Config) -> Keep:
        """The rules of the settings."""
        publish, calendar = config.publish, config.calendar
        return cls(
            publish.keep_days,
            publish.keep_last,
            publish.keep_quarterly,
            calendar.timezone,
            calendar.fiscal_year_start_month,
        )

    def kept(self, copies: list[Copy], moment: datetime) -> set[str]:
        """The files that stay, out of copies in the order they were published."""
        if self.days is None and self.last is None and not self.quarterly:
            return {copy.file for copy in copies}
        stay = {copy.file for copy in copies[-(self.last or 1) :]}
        if self.days is not None:
            since = moment.replace(tzinfo=UTC) - timedelta(days=self.days)
            stay |= {copy.file for copy in copies if copy.published_at >= since}
        if self.quarterly:
            last = {self._quarter(copy): copy.file for copy in copies}
            stay |= set(last.values())
        return stay

    def _quarter(self, copy: Copy) -> str:
        from auditreg.config.calendar import quarter_of

        at = copy.published_at.astimezone(UTC).replace(tzinfo=None)
        return quarter_of(at, self.timezone, self.fiscal_year_start_month).days


def days_of(text: str) -> int:
    """`90d`, `12w` or `7y` as days; a year counts 366, so that nothing goes too early.

    Raises:
        UsageError: it is none of them.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})([dwy])", text)
    if not match:
        raise UsageError(
            f"{text!r} is no span of days.",
            state="Nothing was published.",
            hint="Write 90d, 12w or 7y.",
        )
    return int(match[1]) * _DAYS[match[2]]


@dataclass
class Manifest:
    """The copies of a folder in the order they were published, and those that were removed."""

    copies: list[Copy] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)

    @property
    def newest(self) -> Copy | None:
        """The copy published last."""
        return self.copies[-1] if self.copies else None

    @property
    def names(self) -> set[str]:
        """Every name the manifest ever gave; none is given twice."""
        return {copy.file for copy in self.copies} | {one.file for one in self.retired}

    def add(self, copy: Copy) -> None:
        """Put a copy at the end."""
        self.copies.append(copy)

    def retire(self, keep: Keep, moment: datetime) -> tuple[str, ...]:
        """Take out what no rule keeps, never the newest; the names taken out."""
        stay = keep.kept(self.copies, moment)
        leaving = [copy for copy in self.copies[:-1] if copy.file not in stay]
        for copy in leaving:
            self.retired.append(
                Retired(
                    file=copy.file,
                    sha256=copy.sha256,
                    published_at=copy.published_at,
                    tree_size=copy.tree_size,
                    root=copy.root,
                    removed_at=moment.replace(tzinfo=UTC),
                )
            )
        self.copies = [copy for copy in self.copies if copy not in leaving]
        return tuple(copy.file for copy in leaving)

    def write(self, place: Path) -> None:
        """Write the manifest, then the files that follow from it, each as a whole.

        A retired copy leaves the manifest's list before its file goes: killed in between, the next
        publishing removes the file.
        """
        newest = self.newest
        document = _Document(
            latest=newest.file if newest else None,
            copies=tuple(self.copies),
            removed=tuple(self.retired),
        )
        text = json.dumps(msgspec.to_builtins(document), indent=2) + "\n"
        write_whole(place / MANIFEST, text.encode())
        sums = "".join(f"{copy.sha256}  {copy.file}\n" for copy in self.copies)
        write_whole(place / SUMS, sums.encode())
        write_whole(place / LATEST, f"{newest.file if newest else ''}\n".encode())


def manifest_of(place: Path) -> Manifest:
    """The manifest of a folder; an empty one where there is none yet.

    Raises:
        VerificationError: it is no manifest, or names a file outside of the folder.
    """
    path = place / MANIFEST
    if not path.exists():
        return Manifest()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise VerificationError(
            f"{path} is not a manifest that auditreg wrote.",
            state="Nothing was published, nothing was removed.",
            hint="Find out who changed it. Move it away to begin a new one.",
        ) from error
    return Manifest(list(found.copies), list(found.removed))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file durably, as a whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.publishing")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
