"""Reads a registry through a running MLflow tracking server.

There is no snapshot over REST, and paging by offset skips rows when somebody writes meanwhile,
so the registry is read again until two passes agree, every model is collected in three ways
(the list, its versions, its latest versions), and every disagreement is a doubt. Runs and
logged models are fetched one by one: by id nothing can be skipped, deleted runs are found, and
every server since MLflow 1 answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditreg.sources.access import RIGHTS, AccessReader, Rights
from auditreg.sources.interface import (
    READS,
    Completeness,
    Progress,
    Reading,
    Source,
    SourceInfo,
)
from auditreg.sources.passes import Registry, read_registry
from auditreg.sources.queries import JOURNAL
from auditreg.sources.served import ServedJournal
from auditreg.sources.server import NotThere, Refused, Server
from auditreg.sources.sql import NO_ARTIFACTS, RUN_GONE, clock
from auditreg.sources.staging import Doubts, batches

if TYPE_CHECKING:
    import pyarrow as pa

    from auditreg.sources.artifacts import ArtifactReader

_CHUNK = 256
_LOGGED_MODEL_STATUS = {
    "LOGGED_MODEL_STATUS_UNSPECIFIED": "UNSPECIFIED",
    "LOGGED_MODEL_PENDING": "PENDING",
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}
CANNOT_SHOW = (
    "deleted versions (only the gaps their numbers leave)",
    "deleted logged models",
    "when a run was deleted",
    "where a version's files were when it was registered (storage_location)",
    "how many runs no version points to",
)
HIDDEN_COLUMNS = ("model_versions.storage_location", "runs.deleted_time")
"""Columns that are always NULL from this source: no evidence that there is no value."""


class RestSource(Source):
    """A tracking server and its registry.

    Args:
        uri: http or https address.
        artifacts: reads the model files of versions; None leaves them out.
        access: reads users and rights; None asks the server alone.
        passes: how often the registry is read at most until two passes agree.
        threads: how many requests are under way at once.
        timeout: seconds to wait for one answer.
        retries: how often a request that failed for the moment is tried again.
        now: the clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        uri: str,
        *,
        artifacts: ArtifactReader | None = None,
        access: AccessReader | None = None,
        passes: int = 4,
        threads: int = 8,
        timeout: float = 60,
        retries: int = 2,
        now: Callable[[], int] = clock,
    ) -> None:
        self._server = Server(uri, timeout=timeout, retries=retries)
        self._artifacts = artifacts
        self._access = access or AccessReader()
        self._passes = passes
        self._threads = threads
        self._now = now

    def read(self, *, runs: str = "linked", progress: Progress | None = None) -> RestReading:
        """Read the registry until it stands still. See `Source.read`."""
        # First a request that every server answers: one that is not there is no missing journal.
        workspaces = self._server.workspaces()
        journal = ServedJournal(self._server, self._now)
        registry = read_registry(
            self._server, workspaces, self._passes, progress, journal.stands_still
        )
        return RestReading(
            self._server,
            registry,
            journal,
            self._access.served(self._server),
            runs,
            self._artifacts,
            self._threads,
            self._now,
            progress,
        )


class RestReading(Reading):
    """One look through a tracking server; made by `RestSource.read`.

    The registry is in memory; runs and logged models are fetched when their table is asked for.
    `ended_at` moves with the last request, so read it after the tables.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the source found first
        self,
        server: Server,
        registry: Registry,
        served: ServedJournal,
        rights: Rights,
        runs: str,
        artifacts: ArtifactReader | None,
        threads: int,
        now: Callable[[], int],
        progress: Progress | None,
    ) -> None:
        self._server = server
        self._registry = registry
        self._served = served
        self._rights = rights
        self.journal = served.id
        self._all_runs = runs == "all"
        self._artifacts = artifacts
        self._now = now
        self._progress = progress
        self._pool = ThreadPoolExecutor(threads, "rest")
        self.started_at = served.asked_at
        self.ended_at = now()
        self._staging = Doubts()
        self._doubts = list(registry.doubts)
        self._counts: dict[str, tuple[int | None, int]] = {}
        self._models: dict[str, dict[str, Any]] | None = None
        self._runs: dict[str, dict[str, Any]] = {}
        self._runs_read = False
        self._gone: set[str] = set()
        self._no_logged_models = False
        self.info = SourceInfo(
            kind="rest",
            location=server.location,
            mlflow_version=server.version(),
            schema_version=None,
            shows_deleted=False,
            cannot_show=(*CANNOT_SHOW, *rights.cannot_show, *served.cannot_show),
            hidden_columns=HIDDEN_COLUMNS,
            clock_offset_ms=served.clock_offset_ms,
        )

    def kinds(self) -> tuple[str, ...]:
        """All kinds; logged models and rights where the server has them, artifacts if asked for."""
        self._logged_models()
        hidden = {"logged_model"} if self._no_logged_models else set()
        if self._artifacts is None:
            hidden.add("model_artifact")
        if not self._rights.shown:
            hidden |= {"principal", "permission"}
        return tuple(kind for kind in READS if kind not in hidden)

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
        if name in self._registry.tables:
            rows: Iterable[dict[str, Any]] = self._registry.tables[name]
            expected: int | None = self._registry.counts[name]
        elif name == JOURNAL:
            rows, expected = self._served.rows(), self._served.expected()
        elif name.startswith("logged_model"):
            rows, expected = self._logged_model_rows(name), None
        elif name == "experiments":
            rows, expected = self._experiments(), None
        else:
            rows, expected = self._run_rows(name), None
        read = 0
        for batch in batches(name, rows, self._staging):
            read += batch.num_rows
            yield batch
        self._counts[name] = (expected, read)
        self.ended_at = self._now()

    def skip_journal(self, sealed: Sequence[tuple[int, int]]) -> None:
        """See `Reading.skip_journal`."""
        self._served.skip(sealed)

    def journal_ranges(self) -> list[tuple[int, int]]:
        """See `Reading.journal_ranges`."""
        return self._served.ranges()

    def completeness(self) -> Completeness:
        """See `Reading.completeness`."""
        left_out = {RUN_GONE: len(self._gone)}
        expected, read = self._counts.get(JOURNAL, (0, 0))
        missing = [f"journal: the server counts {expected} rows, {read} were read"]
        short = expected not in (None, read)
        return Completeness(
            counts=dict(self._counts),
            left_out={reason: number for reason, number in left_out.items() if number},
            doubts=(
                *self._doubts,
                *self._served.doubts,
                *(missing if short else ()),
                *self._rights.doubts,
                *self._staging.sentences(),
            ),
            passes=self._registry.passes,
            asked={
                "runs": "all" if self._all_runs else "linked",
                **(self._artifacts.asked if self._artifacts else NO_ARTIFACTS),
            },
            gaps=self._registry.gaps,
        )

    def close(self) -> None:
        """Stop the threads that fetch."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._runs, self._models = {}, None

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(phase, done, total)

    def _each(
        self, phase: str, ids: Iterable[tuple[str, str | None]], fetch: Callable[..., Any]
    ) -> Iterator[tuple[str, Any]]:
        """(id, what the server has for it or None), a bounded number of requests at a time."""
        wanted = list(ids)
        remaining, done = iter(wanted), 0
        while chunk := list(islice(remaining, _CHUNK)):
            found = self._pool.map(lambda one: _or_none(fetch, *one), chunk)
            yield from zip((one[0] for one in chunk), found, strict=True)
            done += len(chunk)
            self._tell(phase, done, len(wanted))
        self.ended_at = self._now()

    def _logged_models(self) -> dict[str, dict[str, Any]]:
        if self._models is None:
            self._models = {}

            def fetch(model_id: str, workspace: str | None) -> Any:
                return self._server.get(f"/logged-models/{quote(model_id, safe='')}", {}, workspace)

            ids = self._registry.logged_models
            try:
                for model_id, answer in self._each("logged_models", ids.items(), fetch):
                    if answer is not None:
                        self._models[model_id] = answer.get("model", {})
            except Refused:
                # A server older than logged models does not know the request.
                self._no_logged_models = True
        return self._models

    def _logged_model_rows(self, table: str) -> Iterator[dict[str, Any]]:
        for model_id, model in self._logged_models().items():
            info, data = model.get("info", {}), model.get("data", {})
            if table == "logged_models":
                status = info.get("status")
                yield {
                    **info,
                    "model_id": model_id,
                    "artifact_location": info.get("artifact_uri"),
                    "creation_time": info.get("creation_timestamp_ms"),
                    "last_updated_time": info.get("last_updated_timestamp_ms"),
                    "status": _LOGGED_MODEL_STATUS.get(str(status), status),
                    "lifecycle_stage": "active",
                }
                continue
            children = {
                "logged_model_params": data.get("params", []),
                "logged_model_metrics": data.get("metrics", []),
                "logged_model_tags": info.get("tags", []),
            }
            for child in children[table]:
                yield {**child, "model_id": model_id}

    def _run_ids(self) -> dict[str, str | None]:
        ids = dict(self._registry.runs)
        for model_id, model in self._logged_models().items():
            source = model.get("info", {}).get("source_run_id")
            if source:
                ids.setdefault(source, self._registry.logged_models[model_id])
        return ids

    def _each_run(self) -> Iterator[dict[str, Any]]:
        """Every linked run, then with `all` every other; fetched once and kept."""
        if self._runs_read:
            yield from self._runs.values()
            return

        def fetch(run_id: str, workspace: str | None) -> Any:
            return self._server.get("/runs/get", {"run_id": run_id}, workspace)

        ids = self._run_ids()
        for run_id, answer in self._each("runs", ids.items(), fetch):
            if answer is not None:
                self._runs[run_id] = answer.get("run", {})
            elif run_id in self._registry.version_runs:
                self._gone.add(run_id)
        if self._all_runs:
            for run in self._other_runs():
                self._runs.setdefault(str(run.get("info", {}).get("run_id")), run)
        self._runs_read = True
        yield from self._runs.values()

    def _other_runs(self) -> Iterator[dict[str, Any]]:
        for workspace in self._registry.workspaces:
            query = {"view_type": "ALL", "max_results": 1000}
            experiments = list(
                self._server.pages("/experiments/search", query, "experiments", workspace)
            )
            for experiment in experiments:
                body = {
                    "experiment_ids": [experiment["experiment_id"]],
                    "run_view_type": "ALL",
                    "max_results": 1000,
                    "order_by": ["attributes.start_time ASC"],
                }
                seen: list[set[str]] = []
                for _ in range(2):
                    found = {
                        str(run["info"]["run_id"]): run
                        for run in self._server.post_pages("/runs/search", body, "runs", workspace)
                    }
                    seen.append(set(found))
                    yield from found.values()
                if seen[0] != seen[1]:
                    self._doubts.append(
                        f"runs of experiment {experiment['experiment_id']} changed while they "
                        "were read"
                    )

    def _run_rows(self, table: str) -> Iterator[dict[str, Any]]:
        for run in self._each_run():
            info, data = run.get("info", {}), run.get("data", {})
            run_id = info.get("run_id") or info.get("run_uuid")
            if table == "runs":
                named = {tag["key"]: tag.get("value") for tag in data.get("tags", [])}
                yield {
                    **info,
                    "run_id": run_id,
                    "name": info.get("run_name") or named.get("mlflow.runName"),
                }
                continue
            if table == "run_datasets":
                for used in run.get("inputs", {}).get("dataset_inputs", []):
                    tags = {tag["key"]: tag.get("value") for tag in used.get("tags", [])}
                    context = tags.get("mlflow.data.context")
                    yield {**used.get("dataset", {}), "run_id": run_id, "context": context}
                continue
            children = {"run_params": "params", "run_metrics": "metrics", "run_tags": "tags"}
            for child in data.get(children[table], []):
                yield {**child, "run_id": run_id}

    def _experiments(self) -> Iterator[dict[str, Any]]:
        ids: dict[str, str | None] = {}
        workspaces = self._run_ids()
        for run in self._each_run():
            info = run.get("info", {})
            if info.get("experiment_id") is not None:
                workspace = workspaces.get(info.get("run_id", ""))
                ids.setdefault(str(info["experiment_id"]), workspace)

        def fetch(experiment_id: str, workspace: str | None) -> Any:
            return self._server.get("/experiments/get", {"experiment_id": experiment_id}, workspace)

        for experiment_id, answer in self._each("experiments", ids.items(), fetch):
            experiment = (answer or {}).get("experiment", {})
            if experiment:
                workspace = experiment.get("workspace") or ids[experiment_id] or "default"
                yield {**experiment, "workspace": workspace}

    def _model_artifacts(self) -> Iterator[pa.RecordBatch]:
        if self._artifacts is None:
            return
        from auditreg.sources.artifacts import wanted

        places: dict[str, Any] = {
            model_id: model.get("info", {}).get("artifact_uri")
            for model_id, model in self._logged_models().items()
        }
        if any(
            str(version.get("source")).startswith("runs:/")
            for version in self._registry.tables["model_versions"]
        ):
            for run in self._each_run():
                info = run.get("info", {})
                places[info.get("run_id")] = info.get("artifact_uri")
        versions = wanted(self._stored_versions(), self.table("aliases"), places)
        total = len(self._registry.tables["model_versions"])
        read = 0
        for batch in self._artifacts.read(versions, self._tell, total):
            read += batch.num_rows
            yield batch
        self._counts["model_artifacts"] = (total, read)
        self.ended_at = self._now()

    def _stored_versions(self) -> Iterator[pa.RecordBatch]:
        """Versions with the storage location of copies (source `models:/name/version`)."""

        def rows() -> Iterator[dict[str, Any]]:
            for row in self._registry.tables["model_versions"]:
                source = str(row.get("source"))
                if source.startswith("models:/") and not source.startswith("models:/m-"):
                    query = {"name": row["model"], "version": str(row["version"])}
                    answer = _or_none(
                        lambda query=query, row=row: self._server.get(
                            "/model-versions/get-download-uri", query, row["_workspace"]
                        )
                    )
                    row = {**row, "storage_location": (answer or {}).get("artifact_uri")}
                yield row

        return batches("model_versions", rows(), Doubts())


def _or_none(fetch: Callable[..., Any], *arguments: Any) -> Any:
    """What the server has, or None: nothing there, or an id it says nothing can have."""
    try:
        return fetch(*arguments)
    except NotThere:
        return None
    except Refused as refused:
        if refused.bad_value:
            return None
        raise
