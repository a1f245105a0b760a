"""Reads an MLflow backend store directly: complete, read-only, one snapshot, tombstones kept.

How each database is spoken to is in its own module, MLflow's tables are in `queries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from auditreg.sources.database import queries
from auditreg.sources.database.dialect import DatabaseConnection
from auditreg.sources.database.journal import Ascending, StoredJournal
from auditreg.sources.database.named import StoredNames
from auditreg.sources.database.other_registries import unread_registries
from auditreg.sources.database.permissions import rights_of_store
from auditreg.sources.database.queries import ALL_RUNS, SPECS
from auditreg.sources.database.staged import staged
from auditreg.sources.database.store import (
    REGISTRY_TABLES,
    TRACKED_TABLES,
    Store,
    linked_ids,
    unread_schemas,
)
from auditreg.sources.interface import (
    JOURNAL,
    NO_ARTIFACTS,
    NO_RUN_POINTED,
    READS,
    RUN_GONE,
    TEXT,
    ArtifactFiles,
    Completeness,
    Progress,
    Reading,
    Source,
    SourceInfo,
    clock,
    silent,
)
from auditreg.sources.part import in_part, resolve_part
from auditreg.sources.permissions import RIGHTS, RIGHTS_NOT_READ, AccessReader
from auditreg.sources.staging import (
    IncompletenessLog,
)

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_TEXT = 64 * 2**20
"""Characters of text in a batch at most, whatever the longest row: bounds memory."""


class SqlSource(Source):
    """An MLflow backend store in a database this machine can open.

    Args:
        connect: opens a fresh snapshot; raises SourceError where it cannot.
        artifacts: reads the model files of versions; None leaves them out.
        access: reads users and rights; None looks for them in this database alone.
        tracking: opens the tracking database, where the registry has one of its own.
        tracking_file: its path, where it is an SQLite file.
        now: the clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        connect: Callable[[], DatabaseConnection],
        *,
        artifacts: ArtifactFiles | None = None,
        access: AccessReader | None = None,
        tracking: Callable[[], DatabaseConnection] | None = None,
        tracking_file: str | None = None,
        now: Callable[[], int] = clock,
    ) -> None:
        self._connect = connect
        self._artifacts = artifacts
        self._access = access or AccessReader()
        self._tracking = tracking
        self._tracking_file = tracking_file
        self._now = now

    def read(
        self,
        *,
        runs: str = "linked",
        names: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> SqlReading:
        """Take the snapshot. See `Source.read`.

        While it is open SQLite makes writers wait at their commit (unless the store is in WAL
        mode), so read the tables without delay and close it.
        """
        dialect = self._connect()
        try:
            return SqlReading(
                dialect,
                "linked" if names else runs,
                names,
                self._artifacts,
                self._access,
                self._now,
                progress,
                self._tracking_of(dialect),
            )
        except BaseException:
            dialect.close()
            raise

    def _tracking_of(self, registry: DatabaseConnection) -> Callable[[], DatabaseConnection] | None:
        """What opens the tracking database.

        The registry's own file is not opened twice: its open snapshot would end.
        """
        if self._tracking is None or not registry.is_file(self._tracking_file):
            return self._tracking
        return lambda: registry


class SqlReading(Reading):
    """One snapshot of a backend store; made by `SqlSource.read`."""

    def __init__(
        self,
        dialect: DatabaseConnection,
        runs: str,
        names: Sequence[str],
        artifacts: ArtifactFiles | None,
        access: AccessReader,
        now: Callable[[], int],
        progress: Progress | None,
        connect_tracking: Callable[[], DatabaseConnection] | None,
    ) -> None:
        # The snapshot began with the first read, just now: what commits later is not in it.
        self.started_at = self.ended_at = now() - dialect.age()
        database_time = dialect.now()
        self._dialect = dialect
        self._artifacts = artifacts
        self._report = progress or silent
        self._runs = runs
        self._registry = self._tracking = Store(
            dialect, runs, tuple(SPECS) if connect_tracking is None else REGISTRY_TABLES
        )
        self._run_ids: pa.Array | None = None
        self._many: bool | None = None
        self._doubts = IncompletenessLog()
        # Before the tracking database is opened: users may be in the same file.
        self._rights = RIGHTS_NOT_READ if names else rights_of_store(dialect, access)
        self._journal = StoredJournal(dialect, wanted=not names)
        self.journal = self._journal.id
        self._counts: dict[str, tuple[int | None, int]] = {}
        self._part = resolve_part(names, StoredNames(self._registry)) if names else None
        if self._part is not None:
            self._registry.queries.restrict(self._part)
        if connect_tracking is not None:
            self._tracking = self._open_tracking(connect_tracking)
            self.ended_at = now()
        try:
            self.info = self._info(database_time)
        except BaseException:
            self.close()
            raise

    def _info(self, database_time: int | None) -> SourceInfo:
        return SourceInfo(
            kind=self._dialect.kind,
            location=self._dialect.location,
            mlflow_version=None,
            schema_version=self._registry.schema_version,
            shows_deleted=True,
            cannot_show=tuple(self._cannot_show()),
            clock_offset_ms=None if database_time is None else database_time - self.started_at,
        )

    def _open_tracking(self, connect: Callable[[], DatabaseConnection]) -> Store:
        """The tracking database, whose snapshot begins after the registry's: what a version names
        was there before the version.
        """
        ids = linked_ids(self._dialect, self._registry.queries)
        database = connect()
        try:
            store = Store(database, self._runs, TRACKED_TABLES, ids)
        except BaseException:
            database.close()
            raise
        if self._part is not None:
            store.queries.restrict(self._part)
        return store

    @property
    def _stores(self) -> tuple[Store, ...]:
        """The databases that are read, the registry's first."""
        same = self._tracking is self._registry
        return (self._registry,) if same else (self._registry, self._tracking)

    def _store(self, table: str) -> Store:
        """The database a staging table is read from."""
        return self._tracking if table in TRACKED_TABLES else self._registry

    def kinds(self) -> tuple[str, ...]:
        """The kinds whose tables this store has; model artifacts where they were asked for."""
        kinds = frozenset().union(*(store.kinds for store in self._stores))
        shown = {
            kind: kind in kinds or (tables[0] in RIGHTS and self._rights.shown)
            for kind, tables in READS.items()
        }
        shown["model_artifact"] = self._artifacts is not None
        return tuple(kind for kind, is_shown in shown.items() if is_shown)

    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """See `Reading.table`. A table this store lacks has no rows."""
        if name == "model_artifacts":
            yield from self._model_artifacts()
            return
        if not self._has(name):
            return
        if name in RIGHTS:
            self._counts[name] = self._rights.counts[name]
            yield from self._rights.tables[name]
            return
        self._counts[name] = (0, 0)
        self._doubts.forget(name)
        if name != JOURNAL:
            yield from self._rows(name)
            return
        ascending = Ascending(self._doubts)
        for part in self._journal.parts():
            for batch in self._rows(name, part):
                kept = ascending.keep(batch)
                if kept.num_rows:
                    yield kept

    def _rows(self, name: str, only: str = "") -> Iterator[pa.RecordBatch]:
        """Rows of one table, those for which `only` holds; counts them."""
        database, queries = self._store(name).database, self._store(name).queries
        all_runs = queries.may_read_all_runs(name) and self._many_linked()
        survey = queries.survey(name, only, all_runs=all_runs)
        expected, doubtful, longest = database.numbers(survey, 3)
        query = queries.rows(name, plain=not doubtful, only=only, all_runs=all_runs)
        size = max(64, min(65_536, BATCH_TEXT // (longest + 64)))
        linked = self._linked_runs() if all_runs else None
        counted, read = self._counts[name]
        expected += counted or 0
        for raw in database.stream(query.select, query.types, size):
            if linked is not None:
                chosen = _of_runs(raw, linked)
                expected -= raw.num_rows - chosen.num_rows
                raw = chosen
            batch, left_out = staged(name, raw, self._doubts)
            read += batch.num_rows + left_out
            self._counts[name] = (expected, read)
            self._report(name, read, expected)
            if batch.num_rows:
                yield batch
        self._counts[name] = (expected, read)

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
        """See `Reading.completeness`. Rows left out count as read; `doubts` names them."""
        left_out = {}
        if self._has("runs") and self._part is None:
            (unlinked,) = self._tracking.database.numbers(self._tracking.queries.unlinked_runs())
            left_out = {NO_RUN_POINTED: unlinked}
        if self._has("runs"):
            left_out |= {RUN_GONE: self._runs_gone()}
        if self._artifacts is not None:
            left_out |= self._artifacts.left_out
        problem = [self._journal.problem] if self._journal.problem else []
        doubts = [
            f"{table}: the database counts {expected} rows, {read} were read"
            for table, (expected, read) in self._counts.items()
            if expected != read and table not in (*RIGHTS, "model_artifacts")
        ]
        return Completeness(
            counts=dict(self._counts),
            left_out={reason: number for reason, number in left_out.items() if number},
            doubts=(
                *doubts,
                *self._doubts.sentences(),
                *(str(table) for store in self._stores for table in store.withheld),
                *(limit for store in self._stores for limit in store.database.limits()),
                *self._rights.doubts,
                *problem,
                *(self._artifacts.doubts if self._artifacts else ()),
            ),
            options={
                "runs": self._runs,
                **({} if self._part is None else {"models": "named"}),
                **self._tracking_location(),
                **(self._artifacts.options if self._artifacts else NO_ARTIFACTS),
            },
            gaps=self._dialect.numbers(self._registry.queries.gaps())[0],
            tombstones=self._dialect.numbers(self._registry.queries.tombstones())[0],
        )

    def contents(self) -> str:
        """See `Reading.contents`."""
        return self._tracking.contents()

    def close(self) -> None:
        """End the snapshot; the file is free for others again."""
        for store in self._stores:
            store.database.close()

    def _tracking_location(self) -> dict[str, str]:
        """Where runs were read, if not where the registry was."""
        if self._tracking is self._registry:
            return {}
        return {"tracking": self._tracking.database.location}

    def _runs_gone(self) -> int:
        """How many runs that versions name as theirs no longer exist."""
        queries = self._registry.queries
        if self._tracking is self._registry:
            return self._dialect.numbers(queries.missing_runs())[0]
        named = set(self._dialect.texts(queries.named_runs()))
        return len(named) - self._tracking.count_runs(named)

    def _many_linked(self) -> bool:
        """Whether so many runs are linked that reading all is cheaper than looking them up."""
        if self._part is not None:
            return False
        if self._many is None:
            (total,) = self._tracking.database.numbers(ALL_RUNS)
            self._many = len(self._linked_runs()) * queries.WHOLE_SHARE > total
        return self._many

    def _linked_runs(self) -> pa.Array:
        """The ids of the linked runs."""
        import pyarrow as pa

        if self._run_ids is None:
            database, queries = self._tracking.database, self._tracking.queries
            run_id = database.value("r.run_uuid", TEXT)
            linked = queries.within("r.run_uuid", "runs")
            select = f"select {run_id} as t from runs r where {linked}"
            batches = database.stream(select, {"t": TEXT}, 65_536)
            columns = [batch.column(0) for batch in batches] or [pa.nulls(0, pa.string())]
            self._run_ids = pa.concat_arrays(columns)
        return self._run_ids

    def _has(self, table: str) -> bool:
        if table == JOURNAL:
            return self.journal is not None
        if table in RIGHTS:
            return self._rights.shown
        return self._store(table).shows(table)

    def _cannot_show(self) -> Iterator[str]:
        yield self._journal.cannot_show()  # before what an old store lacks, which may be long
        yield from unread_schemas(self._dialect, self._tracking.database)
        for store in self._stores:
            yield from store.cannot_show()
        yield from unread_registries(self._dialect, self._registry.schema_version)
        yield from self._artifacts.cannot_show if self._artifacts else ()
        yield from self._rights.cannot_show

    def _model_artifacts(self) -> Iterator[pa.RecordBatch]:
        if self._artifacts is None:
            return
        # All of them before anything else is asked: a connection answers one query at a time.
        versions = self._artifacts.versions_to_read(
            in_part(self.table("model_versions"), self._part),
            self.table("aliases"),
            self.table("registered_model_tags"),
            self._places(),
        )
        yield from self._artifacts.read(versions, self._report)
        self._counts["model_artifacts"] = self._artifacts.counts

    def _places(self) -> dict[str, Any]:
        """Where the artifacts of runs and logged models are, by their ids."""
        places: dict[str, Any] = {}
        for table, key, value in (
            ("logged_models", "model_id", "artifact_location"),
            ("runs", "run_id", "artifact_uri"),
        ):
            for batch in self.table(table):
                ids, uris = batch.column(key).to_pylist(), batch.column(value).to_pylist()
                places.update(zip(ids, uris, strict=True))
        return places


def _of_runs(rows: pa.RecordBatch, run_ids: pa.Array) -> pa.RecordBatch:
    """The rows that belong to one of the runs."""
    import pyarrow.compute as pc

    return rows.filter(pc.is_in(rows.column("run_id"), value_set=run_ids))
