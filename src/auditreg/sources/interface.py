"""What a source of registry state is, and the staging tables every source fills.

A source yields Arrow record batches for the tables of `STAGING`, always with these columns and
types, whatever the registry's own schema looks like; the ledger compares them with what it already
holds. `sources` never sees the ledger.

Text that is not valid Unicode is staged as `BYTES_MARK` + base64; text that happens to begin
with NUL and `$` is staged the same way, so the mark is unambiguous.
Moments are integer milliseconds since the epoch, UTC, as MLflow keeps them.
"""

# ruff: noqa: PLC0414 - declared in `auditreg.kinds`, known to sources and the ledger from here
from __future__ import annotations

import abc
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from auditreg.kinds.declaration import BOOL as BOOL
from auditreg.kinds.declaration import INT as INT
from auditreg.kinds.declaration import REAL as REAL
from auditreg.kinds.declaration import TEXT as TEXT
from auditreg.kinds.staging import READS as READS
from auditreg.kinds.staging import STAGING as STAGING
from auditreg.kinds.staging import arrow_schema as arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_MARK = "\x00$bytes:"
"""Prefix of staged text that was not valid Unicode; base64 of the bytes follows."""

DELETED = "Deleted_Internal"
"""The stage MLflow gives a version's tombstone."""

JOURNAL = "journal"
"""The staging table of what `auditreg-capture` wrote."""

NO_RUN_POINTED = "runs no version points to"
RUN_GONE = "runs that versions point to and that no longer exist"
NO_ARTIFACTS = {"artifacts": "none"}
NOT_READ = "{}: only the models that were named were read"
"""What a reading of a part cannot show."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is: its kind, the MLflow behind it, what it cannot show.

    `location` never holds a password. `shows_deleted` is True where tombstones of deleted
    versions are visible. `hidden_columns` (`table.column` of `STAGING`) are always NULL from this
    source: that is no evidence that there is no value, and another source's value stands.
    `clock_offset_ms` is the source's clock minus this machine's, None where it cannot be told.
    """

    kind: str
    location: str
    mlflow_version: str | None
    schema_version: str | None
    shows_deleted: bool
    cannot_show: tuple[str, ...] = ()
    hidden_columns: tuple[str, ...] = ()
    clock_offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Completeness:
    """What was asked for and what was read, compared with what the source itself says it holds.

    `counts` maps a staging table to (as the source counts it, as read); the first is None where the
    source gives no count of its own. Over REST it is what the pass before the last one listed: there
    is no other count. Of `model_artifacts` it counts versions: those whose files were to be read,
    and those whose files could be looked at. `options` maps an option to its value ("runs": "linked").
    `left_out` maps a reason to a number ("runs no version points to": 120). `gaps` counts the version
    numbers below a model's highest that no version has, `tombstones` the deleted versions that are
    still shown. `passes` is how often the source was read until two readings agreed. `complete` is
    False when any doubt is left, and `doubts` says which.
    """

    counts: dict[str, tuple[int | None, int]]
    left_out: dict[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    passes: int = 1
    options: dict[str, str] = field(default_factory=dict)
    gaps: int = 0
    tombstones: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing read is in doubt."""
        return not self.doubts


def is_of_unread_files(reason: str) -> bool:
    """Whether a reason of `Completeness.left_out` is that nobody could read model files."""
    return re.match("model files (in .* )?not read[:,]", reason) is not None


def is_of_unhashed_files(reason: str) -> bool:
    """Whether a reason of `Completeness.left_out` is that files of live versions were not hashed."""
    return re.match("model files of live versions .*, not hashed:", reason) is not None


Progress = Callable[[str, int, int | None], None]
"""Called with (phase, done, total or None) while a source reads."""


def silent(phase: str, done: int, total: int | None) -> None:
    """Report progress to nobody."""


class Reading(abc.ABC):
    """One consistent look at a registry, open for as long as it is read from.

    Use it as a context manager. `started_at` and `ended_at` are the source's moments of the
    snapshot in milliseconds UTC (equal for SQL; first and last request for REST). `journal` is
    the id of the journal that `auditreg-capture` keeps there, None where this source shows none.
    """

    info: SourceInfo
    started_at: int
    ended_at: int
    journal: str | None = None

    @abc.abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """The kinds of `READS` this reading covers completely."""

    @abc.abstractmethod
    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of one staging table of `STAGING`, in batches of its fixed schema."""

    @abc.abstractmethod
    def completeness(self) -> Completeness:
        """What was read; valid once every table has been consumed."""

    @abc.abstractmethod
    def contents(self) -> str:
        """What the source is and what else it holds, for whoever finds no model in it."""

    def skip_journal(self, sealed: Sequence[tuple[int, int]]) -> None:  # noqa: B027 (no journal)
        """Leave out of `table("journal")` the rows whose ids are in these inclusive ranges.

        Call it before the table is read; what it costs follows the rows that are left.
        """

    def known_artifacts(self, rows: Iterable[tuple[str, str, int, str]]) -> None:  # noqa: B027 (reading all again is right too)
        """Let versions that are not live, and whose files still are as known, be `unchanged`.

        Call it before `table("model_artifacts")` is read.

        Args:
            rows: workspace, model, version and the last `marker` of versions whose files could
                be read, each version once.
        """

    def journal_ranges(self) -> list[tuple[int, int]]:
        """The ids in the journal at the snapshot, skipped ones too, as inclusive ranges.

        Ascending; two ranges never touch. Rows of every operation count. Empty where this source
        shows no journal.
        """
        return []

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 (a source that holds nothing open need not say so)
        """End the snapshot and free what it holds."""


class Source(abc.ABC):
    """A place registry state can be read from."""

    @abc.abstractmethod
    def read(
        self,
        *,
        runs: str = "linked",
        names: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Reading:
        """Take one consistent look.

        Args:
            runs: `linked` for the runs versions point to, `all` for every run.
            names: models and versions as people write them, of which alone is read
                (`auditreg.sources.part`); the whole registry where there is none.
            progress: told about phases.

        Raises:
            SourceError: the registry cannot be reached, is not MLflow's, or contradicts itself.
            UsageError: a name is of no registered model.
        """


class ArtifactFiles(Protocol):
    """What a source needs of the reader of model files, which it does not otherwise know."""

    @property
    def options(self) -> dict[str, str]:
        """What was asked for, for `Completeness.options`."""

    @property
    def counts(self) -> tuple[int, int]:
        """How many versions' files the last reading had to read, and how many it did."""

    @property
    def left_out(self) -> dict[str, int]:
        """What the last reading did not read, by reason, and how many versions that concerns."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Mistakes of a program that kept files from being read, which make a reading incomplete."""

    @property
    def cannot_show(self) -> tuple[str, ...]:
        """What a reading that was asked so cannot show."""

    def know(self, rows: Iterable[tuple[str, str, int, str]]) -> None:
        """See `Reading.known_artifacts`."""

    def versions_to_read(
        self,
        versions: Iterable[pa.RecordBatch],
        aliases: Iterable[pa.RecordBatch],
        model_tags: Iterable[pa.RecordBatch],
        places: Mapping[str, Any],
    ) -> Sequence[Any]:
        """The versions that are not deleted, with the place of their files.

        Args:
            versions: the staging table `model_versions`.
            aliases: the staging table `aliases`.
            model_tags: the staging table `registered_model_tags`, which tells what is a prompt.
            places: artifact location by logged model id and by run id.
        """

    def read(self, versions: Sequence[Any], progress: Progress) -> Iterator[pa.RecordBatch]:
        """The rows of `model_artifacts`, one per version of `versions_to_read`."""


def clock() -> int:
    """This machine's time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
