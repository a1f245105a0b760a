"""Reads a registry through a running MLflow tracking server.

There is no snapshot over REST, and paging by offset skips rows when somebody writes meanwhile,
so the registry is read again until two passes agree, every model is collected in three ways
(the list, its versions, its latest versions), and every disagreement is a doubt.

Every row stood so at some moment between the reading's start and its end. The rows of the registry
itself (models, versions, tags, aliases) stood so all at once: `registry.py` says when, and why. Runs,
logged models and model files are read after that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from auditreg.errors import SourceError
from auditreg.sources.interface import (
    JOURNAL,
    NO_ARTIFACTS,
    READS,
    RUN_GONE,
    ArtifactFiles,
    Completeness,
    Progress,
    Reading,
    Source,
    SourceInfo,
    clock,
    silent,
)
from auditreg.sources.permissions import RIGHTS, RIGHTS_NOT_READ, AccessReader, Rights
from auditreg.sources.server.bulk_runs import ahead, or_none
from auditreg.sources.server.client import STATE, Server
from auditreg.sources.server.journal import ServedJournal
from auditreg.sources.server.named import NamedModels
from auditreg.sources.server.permissions import rights_of_server
from auditreg.sources.server.registry import TABLES, RegistryScanner, RegistryState, first_names
from auditreg.sources.server.runs import RunReader
from auditreg.sources.server.visibility import Visibility, visibility
from auditreg.sources.staging import IncompletenessLog, batches

if TYPE_CHECKING:
    import pyarrow as pa

CANNOT_SHOW = (
    "deleted versions (only the gaps their numbers leave)",
    "deleted logged models",
    "when a run was deleted",
    "where a version's files were when it was registered (storage_location)",
    "how many runs no version points to",
)
CHANGED_BACK = (
    "a tag or alias that was changed and changed back while the registry was read, or a model without "
    "versions that was made just then: two looks that agree need not show it"
)
HIDDEN_COLUMNS = ("model_versions.storage_location", "runs.deleted_time")
"""Columns that are always NULL from this source: no evidence that there is no value."""
YOUNGER = {
    "data sets and inputs of runs": "2.4",
    "logged models": "3.0",
}
"""What MLflow has had only since a release: an older server shows none."""
LONG = 60.0
"""Seconds after which the registry is looked at once more when everything else was read."""


class RestSource(Source):
    """A tracking server and its registry.

    Args:
        uri: http or https address.
        artifacts: reads the model files of versions; None leaves them out.
        workspaces: those to read; None for all that the server shows this user.
        access: reads users and rights; None asks the server alone.
        threads: how many requests are under way at once.
        timeout: seconds to wait for one answer.
        retries: how often a request that failed for the moment is tried again.
        now: the clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        uri: str,
        *,
        artifacts: ArtifactFiles | None = None,
        workspaces: Sequence[str] | None = None,
        access: AccessReader | None = None,
        threads: int = 8,
        timeout: float = 60,
        retries: int = 3,
        now: Callable[[], int] = clock,
    ) -> None:
        self._server = Server(uri, timeout=timeout, retries=retries)
        self._artifacts = artifacts
        self._workspaces = workspaces
        self._access = access or AccessReader()
        self._threads = threads
        self._now = now

    def read(
        self,
        *,
        runs: str = "linked",
        names: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> RestReading:
        """Read the registry until it stands still, or once what is named. See `Source.read`."""
        # First a request that every server answers: one that is not there is no missing journal.
        workspaces, unseen = self._chosen(self._server.workspaces())
        journal = ServedJournal(self._server, self._now, wanted=not names)
        pool = ThreadPoolExecutor(self._threads, "rest")
        try:
            scanner = RegistryScanner(self._server, workspaces, pool, progress)
            registry = (
                NamedModels(self._server, workspaces).read(names)
                if names
                else scanner.read_until_stable(journal.is_unchanged)
            )
            registry.doubts += tuple(
                f"workspace {name}: the server does not show it to this user" for name in unseen
            )
            return RestReading(
                self._server,
                scanner,
                registry,
                journal,
                rights=RIGHTS_NOT_READ if names else rights_of_server(self._server, self._access),
                all_runs=runs == "all" and not names,
                artifacts=self._artifacts,
                pool=pool,
                threads=self._threads,
                now=self._now,
                progress=progress,
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _chosen(
        self, shown: tuple[str | None, ...]
    ) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
        """The workspaces to read, and those asked for that the server does not show this user.

        Asked for one that is not his, a server may answer with empty lists: that is no answer.
        """
        unseen: tuple[str, ...] = ()
        if self._workspaces is not None:
            named = {name or "default": name for name in shown}
            unseen = tuple(sorted(set(self._workspaces).difference(named)))
            shown = tuple(named[name] for name in dict.fromkeys(self._workspaces) if name in named)
        if not shown:
            raise SourceError(
                f"{self._server.location} shows this user no workspace that is to be read.",
                state=STATE,
                hint="Log in as somebody who may read the workspaces, or name others.",
            )
        return shown, unseen


class RestReading(Reading):
    """One look through a tracking server; made by `RestSource.read`.

    The registry is in memory; runs and logged models are fetched when one of their tables is asked
    for. `ended_at` moves with the last request, so read it after the tables.
    """

    def __init__(  # noqa: PLR0913 - what the source was told, and what it has read so far
        self,
        server: Server,
        scanner: RegistryScanner,
        registry: RegistryState,
        journal: ServedJournal,
        *,
        rights: Rights,
        all_runs: bool,
        artifacts: ArtifactFiles | None,
        pool: ThreadPoolExecutor,
        threads: int,
        now: Callable[[], int],
        progress: Progress | None,
    ) -> None:
        self._server = server
        self._scanner = scanner
        self._registry = registry
        self._journal = journal
        self._rights = rights
        self.journal = journal.id
        self._all_runs = all_runs
        self._artifacts = artifacts
        self._now = now
        self._report = progress or silent
        self._pool = pool
        self._threads = threads
        self.started_at = journal.requested_at
        self.ended_at = now()
        self._registry_read_at = time.monotonic()
        self._staging = IncompletenessLog()
        self._runs = RunReader(
            server, registry, all_runs, pool, threads, self._staging, self._report
        )
        self._changed_later: list[str] | None = None
        self._counts: dict[str, tuple[int | None, int]] = {}
        # Of what is named it is known whether this user may read it: the server says so.
        self._visible = visibility(server) if registry.part is None else None
        version = server.version()
        self.info = SourceInfo(
            kind="rest",
            location=server.location,
            mlflow_version=version,
            schema_version=None,
            shows_deleted=False,
            cannot_show=(
                *journal.cannot_show,  # first: nobody else says that the journal was not found
                *CANNOT_SHOW,
                *(self._visible.cannot_show() if self._visible else ()),
                *(artifacts.cannot_show if artifacts else ()),
                *rights.cannot_show,
                *_too_old(version),
                *(() if journal.exact or registry.part is not None else (CHANGED_BACK,)),
            ),
            hidden_columns=HIDDEN_COLUMNS,
            clock_offset_ms=journal.clock_offset_ms,
        )

    def kinds(self) -> tuple[str, ...]:
        """All kinds; logged models and rights where the server has them, artifacts if asked for."""
        self._load()
        hidden = {"logged_model"} if self._runs.no_logged_models else set()
        if self._artifacts is None:
            hidden.add("model_artifact")
        if not self._rights.shown:
            hidden |= {"principal", "permission"}
        return tuple(kind for kind in READS if kind not in hidden)

    def contents(self) -> str:
        """See `Reading.contents`."""
        return f"a tracking server of MLflow {self.info.mlflow_version or ''}".rstrip()

    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """See `Reading.table`."""
        if name == "model_artifacts":
            yield from self._model_artifacts()
            return
        if name == JOURNAL and self.journal is None:
            return
        if name in RIGHTS:
            if self._rights.shown:
                self._counts[name] = self._rights.counts[name]
                yield from self._rights.tables[name]
            return
        read, parts = 0, self._batches(name)
        for batch in parts:
            read += batch.num_rows
            yield batch
        self._counts[name] = (self._counted(name), read)
        if name == JOURNAL:
            self.ended_at = self._now()

    def _batches(self, name: str) -> Iterator[pa.RecordBatch]:
        if name in TABLES:
            return batches(name, self._registry.rows(name), self._staging)
        if name == JOURNAL:
            return batches(name, self._journal.rows(), self._staging)
        self._load()
        return self._runs.table(name)

    def _counted(self, name: str) -> int | None:
        """How many rows the server has of a table, where it listed them twice or counts them."""
        if name in TABLES:
            return self._registry.counts_before.get(name)
        if name == JOURNAL:
            return self._journal.expected()
        return self._runs.runs_counted if name == "runs" else None

    def _load(self) -> None:
        if not self._runs.loaded:
            self._runs.load()
            self.ended_at = self._now()

    def skip_journal(self, sealed: Sequence[tuple[int, int]]) -> None:
        """See `Reading.skip_journal`."""
        self._journal.skip(sealed)

    def known_artifacts(self, rows: Iterable[tuple[str, str, int, str]]) -> None:
        """See `Reading.known_artifacts`."""
        if self._artifacts is not None:
            self._artifacts.know(rows)

    def journal_ranges(self) -> list[tuple[int, int]]:
        """See `Reading.journal_ranges`."""
        return self._journal.ranges()

    def completeness(self) -> Completeness:
        """See `Reading.completeness`.

        Where no journal tells what was changed since, and reading the rest took long, the registry
        is read once more: what was moved meanwhile is a doubt.
        """
        if self._changed_later is None:
            self._changed_later = list(self._changed_since())
        expected, read = self._counts.get(JOURNAL, (0, 0))
        missing = [f"journal: the server counts {expected} rows, {read} were read"]
        short = expected not in (None, read)
        left_out = {RUN_GONE: self._runs.gone} if self._runs.gone else {}
        if self._artifacts is not None:
            left_out |= self._artifacts.left_out
        return Completeness(
            counts=dict(self._counts),
            left_out=left_out,
            doubts=(
                *self._registry.doubts,
                *(_refused(self._visible) if self._visible else ()),
                *self._runs.doubts(),
                *self._journal.doubts,
                *(missing if short else ()),
                *self._rights.doubts,
                *self._staging.sentences(),
                *self._changed_later,
                *(self._artifacts.doubts if self._artifacts else ()),
            ),
            passes=self._registry.passes,
            options={
                "runs": "all" if self._all_runs else "linked",
                **({} if self._registry.part is None else {"models": "named"}),
                **(self._artifacts.options if self._artifacts else NO_ARTIFACTS),
            },
            gaps=self._registry.gaps,
        )

    def close(self) -> None:
        """Stop the threads that fetch."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._runs.close()

    def _changed_since(self) -> Iterator[str]:
        took = time.monotonic() - self._registry_read_at
        if self.journal is not None or self._registry.part is not None or took < LONG:
            return
        same = self._scanner.is_unchanged(self._registry)
        self.ended_at = self._now()
        if not same:
            yield (
                f"the registry changed while its runs and model files were read, which took "
                f"{took:.0f} s: what was read is how it stood before"
            )

    def _model_artifacts(self) -> Iterator[pa.RecordBatch]:
        if self._artifacts is None:
            return
        self._load()
        places = self._places("logged_models", "model_id", "artifact_location")
        sources = (str(row.get("source")) for row in self._registry.selected_versions())
        if any(source.startswith(("runs:/", "models:/")) for source in sources):
            places |= self._places("runs", "run_id", "artifact_uri")
        versions = self._artifacts.versions_to_read(
            self._stored_versions(),
            self._staged_again("aliases"),
            self._staged_again("registered_model_tags"),
            places,
        )
        yield from self._artifacts.read(versions, self._report)
        self._counts["model_artifacts"] = self._artifacts.counts
        self.ended_at = self._now()

    def _staged_again(self, table: str) -> Iterator[pa.RecordBatch]:
        """A table of the registry, whose doubts are counted where the table itself is read."""
        return batches(table, self._registry.rows(table), IncompletenessLog())

    def _places(self, table: str, key: str, value: str) -> dict[str, Any]:
        """Where the artifacts of runs or logged models are, by their ids."""
        places: dict[str, Any] = {}
        for batch in self._runs.table(table):
            ids, uris = batch.column(key).to_pylist(), batch.column(value).to_pylist()
            places.update(zip(ids, uris, strict=True))
        return places

    def _stored_versions(self) -> Iterator[pa.RecordBatch]:
        """Versions with the storage location of copies (source `models:/name/version`)."""

        def stored(row: dict[str, Any]) -> dict[str, Any]:
            source = str(row.get("source"))
            if not source.startswith("models:/") or source.startswith("models:/m-"):
                return row
            query = {"name": row["model"], "version": str(row["version"])}
            path, workspace = "/model-versions/get-download-uri", row["_workspace"]
            answer = or_none(lambda: self._server.get(path, query, workspace))
            uri = answer.get("artifact_uri") if isinstance(answer, dict) else None
            return {**row, "storage_location": uri}

        rows = ahead(self._pool, stored, self._registry.selected_versions(), 4 * self._threads)
        return batches("model_versions", rows, IncompletenessLog())


def _refused(known: Visibility) -> Iterable[str]:
    """The doubt about models whose reading was taken from this user."""
    if known.refused:
        names = list(known.refused)
        yield f"{len(names)} models may not be read by this user ({first_names(names)}), if they exist"


def _too_old(version: str | None) -> Iterator[str]:
    """What a server of this release knows nothing of."""
    from packaging.version import InvalidVersion, Version

    with contextlib.suppress(InvalidVersion):
        for what, since in YOUNGER.items():
            if version and Version(version) < Version(since):
                yield f"{what}: MLflow {version} has none"
