"""What the versions of a registry lead to: their runs, logged models and experiments.

All of it is fetched once, when the first of its tables is asked for, and put aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from auditreg.sources.part import MODEL_VERSIONS, versions_of_tag
from auditreg.sources.server.bulk_runs import (
    LOGGED_MODEL,
    PAGE,
    RUN,
    Bulk,
    Denied,
    Row,
    id_of,
    or_none,
    portions,
)
from auditreg.sources.server.client import NotAllowed, NotThere, Refused, Server
from auditreg.sources.server.registry import RegistryState, first_names
from auditreg.sources.server.spool import Spool
from auditreg.sources.server.strict_json import dict_in, dicts_in
from auditreg.sources.staging import IncompletenessLog

if TYPE_CHECKING:
    import pyarrow as pa

_UNLISTED = (
    "{} may not be listed by this user: logged models that only name their versions were not "
    "looked for"
)
_HEX = frozenset("0123456789abcdef")
_LOGGED_MODEL_STATUS = {
    "LOGGED_MODEL_STATUS_UNSPECIFIED": "UNSPECIFIED",
    "LOGGED_MODEL_PENDING": "PENDING",
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}

Ids = dict[str | None, dict[str, None]]
"""By workspace, each id once, in the order it was met."""


class VersionLinks:
    """What the versions name: runs and logged models, and `run_ids`, the runs they name as theirs."""

    def __init__(self, registry: RegistryState) -> None:
        self.runs: Ids = defaultdict(dict)
        self.logged_models: Ids = defaultdict(dict)
        self.run_ids: set[str] = set()
        part = registry.part
        self.versions: set[tuple[str | None, str, int]] = {
            key for key in registry.last.versions if part is None or key[1:] in part.versions
        }
        for version in registry.selected_versions():
            self._follow(version)
        for tag in registry.rows("model_version_tags"):
            value = tag.get("value")
            if part is not None and (tag["model"], tag["version"]) not in part.versions:
                continue
            if isinstance(value, str) and len(value) == 32 and _HEX.issuperset(value):
                self.runs[tag["_workspace"]][value] = None

    def _follow(self, version: Row) -> None:
        workspace = version["_workspace"]
        source = str(version.get("source") or "")
        if run_id := version.get("run_id"):
            self.run_ids.add(str(run_id))
            self.runs[workspace][str(run_id)] = None
        if source.startswith("runs:/"):
            if run_id := source.removeprefix("runs:/").split("/")[0]:
                self.runs[workspace][run_id] = None
        elif source.startswith("models:/m-"):
            model_id = source.removeprefix("models:/")
            if "/" not in model_id and "@" not in model_id:
                self.logged_models[workspace][model_id] = None


class RunReader:
    """The runs, logged models and experiments of one reading.

    Args:
        server: the tracking server.
        registry: what was read of the registry.
        all_runs: every run, not only the linked ones.
        pool: asks several things at once.
        threads: how many.
        doubts: counts what could not be staged.
        progress: is called with each phase: name, done, total.
    """

    def __init__(
        self,
        server: Server,
        registry: RegistryState,
        all_runs: bool,
        pool: Executor,
        threads: int,
        doubts: IncompletenessLog,
        progress: Callable[[str, int, int | None], None],
    ) -> None:
        self._server = server
        self._registry = registry
        self._all_runs = all_runs
        self._pool = pool
        self._progress = progress
        self._bulk = Bulk(server, pool, threads)
        self._spool = Spool(doubts)
        self.loaded = False
        self._listed: dict[str | None, dict[str, Row]] = {}
        self._used: dict[tuple[str | None, str], None] = {}
        self._read: dict[str, set[str]] = {"runs": set(), "logged_models": set()}
        self._outputs: Ids = defaultdict(dict)
        self._denied: dict[str, list[str]] = {"runs": [], "logged models": []}
        self._doubts: list[str] = []
        self.no_logged_models = False
        self.gone = 0
        self.runs_counted: int | None = None

    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of one staging table."""
        self.load()
        yield from self._spool.batches(name)

    def doubts(self) -> Iterator[str]:
        """What may be missing."""
        yield from self._doubts
        for what, ids in self._denied.items():
            if ids:
                yield f"{len(ids)} {what} that versions point to may not be read by this user ({first_names(ids)})"

    def close(self) -> None:
        """Give the space back."""
        self._spool.close()

    def load(self) -> None:
        """Fetch everything, the first time."""
        if self.loaded:
            return
        self.loaded = True
        links = VersionLinks(self._registry)
        if self._all_runs:
            for workspace in self._registry.workspaces:
                self._every_run(workspace)
        for workspace, ids in links.runs.items():
            self._runs(ids, workspace, links.run_ids)
        for workspace in self._registry.workspaces:
            sources = self._logged_models(links, workspace)
            self._runs(sources, workspace, set())
        self._experiments()

    def _experiments_of(self, workspace: str | None) -> dict[str, Row]:
        """All experiments of a workspace by id, deleted ones too; of a part those of its runs are
        asked for one by one.
        """
        if self._registry.part is not None:
            return {}
        if workspace not in self._listed:
            query = {
                "view_type": "ALL", "max_results": PAGE, "order_by": ["experiment_id ASC"]
            }  # fmt: skip
            try:
                pages = self._server.pages("/experiments/search", query, "experiments", workspace)
                listed = [experiment for page in pages for experiment in page]
            except (NotThere, Refused):
                # An old server has no such search; runs are found by their ids.
                if self._all_runs:
                    raise
                listed = []
            except NotAllowed as denied:
                if self._all_runs or denied.status == 401:
                    raise
                listed = []
                self._doubts.append(_UNLISTED.format("experiments"))
            self._listed[workspace] = {
                str(experiment.get("experiment_id")): experiment for experiment in listed
            }
        return self._listed[workspace]

    def _runs(self, ids: Iterable[str], workspace: str | None, named: set[str]) -> None:
        """Fetch runs by id that were not read before."""
        unread = [run_id for run_id in ids if run_id not in self._read["runs"]]
        if not unread:
            return
        experiments = list(self._experiments_of(workspace))
        done = 0
        for portion in self._bulk.fetch(RUN, unread, experiments, workspace):
            runs = []
            for run_id, run in portion:
                if isinstance(run, dict):
                    runs.append(run)
                elif run is None:
                    self.gone += run_id in named
                else:
                    self._denied["runs"].append(run_id)
            self._keep_runs(runs, workspace)
            done += len(portion)
            self._progress("runs", done, len(unread))
        if self.runs_counted is not None:
            self.runs_counted += len(self._read["runs"].intersection(unread))

    def _every_run(self, workspace: str | None) -> None:
        """Read all runs twice: pages shift while runs come and go."""
        seen: list[set[str]] = []
        for _ in range(2):
            self._listed.pop(workspace, None)
            ids: set[str] = set()
            for chunk in portions(self._experiments_of(workspace), PAGE):
                body = {
                    "experiment_ids": list(chunk),
                    "run_view_type": "ALL",
                    "max_results": PAGE,
                    "order_by": ["attributes.start_time ASC"],
                }
                for page in self._server.pages(
                    "/runs/search", body, "runs", workspace, post=True, ahead=self._pool
                ):
                    ids.update(map(id_of, page))
                    self._keep_runs(page, workspace)
                    self._progress("runs", len(ids), None)
            seen.append(ids)
        self.runs_counted = (self.runs_counted or 0) + len(seen[1])
        if seen[0] != seen[1]:
            where = f" of workspace {workspace}" if workspace else ""
            self._doubts.append(
                f"the runs{where} changed while they were read: {len(seen[0] ^ seen[1])} are in only "
                "one of two passes over them"
            )

    def _keep_runs(self, runs: Iterable[Row], workspace: str | None) -> None:
        """Put runs aside, each once."""
        kept = []
        for run in runs:
            if id_of(run) not in self._read["runs"]:
                self._read["runs"].add(id_of(run))
                kept.append(run)
                experiment = dict_in(run.get("info")).get("experiment_id")
                if experiment is not None:
                    self._used[workspace, str(experiment)] = None
                for output in dicts_in(dict_in(run.get("outputs")).get("model_outputs")):
                    self._outputs[workspace][str(output.get("model_id"))] = None
        self._spool.put(run_rows(kept))

    def _logged_models(self, links: VersionLinks, workspace: str | None) -> dict[str, None]:
        """Read the logged models of versions; the runs they come from."""
        ids = links.logged_models.get(workspace, {})
        sources: dict[str, None] = {}
        try:
            if ids:
                experiments = list(self._experiments_of(workspace))
                for portion in self._bulk.fetch(LOGGED_MODEL, ids, experiments, workspace):
                    self._denied["logged models"] += [
                        model_id for model_id, model in portion if isinstance(model, Denied)
                    ]
                    self._keep_models([m for _, m in portion if isinstance(m, dict)], sources)
                    self._progress("logged_models", len(self._read["logged_models"]), None)
            if self._registry.part is not None:
                self._keep_models(self._of_runs(links, workspace), sources)
            elif links.versions:
                self._keep_models(self._tagged(links, workspace), sources)
        except Refused:
            # A server older than logged models does not know the request.
            self.no_logged_models = True
        except NotAllowed as denied:
            if denied.status == 401:
                raise
            self._doubts.append(_UNLISTED.format("logged models"))
        return sources

    def _tagged(self, links: VersionLinks, workspace: str | None) -> Iterator[Row]:
        """Logged models that name a version as registered from them.

        A version's own `source` may be a path and say nothing of it.
        """
        for chunk in portions(self._experiments_of(workspace), PAGE):
            body = {"experiment_ids": list(chunk), "max_results": PAGE}
            filtered = {**body, "filter": f"tags.`{MODEL_VERSIONS}` != ''"}
            try:
                yield from self._naming(filtered, links, workspace)
            except Refused as refused:
                if not refused.bad_value:
                    raise
                yield from self._naming(body, links, workspace)

    def _of_runs(self, links: VersionLinks, workspace: str | None) -> Iterator[Row]:
        """Logged models of the runs of a part that name one of its versions."""
        made = self._outputs.pop(workspace, {})
        unread = [model_id for model_id in made if model_id not in self._read["logged_models"]]
        for portion in self._bulk.fetch(LOGGED_MODEL, unread, [], workspace):
            for _, model in portion:
                if isinstance(model, dict) and links.versions.intersection(
                    versions_named(model, workspace)
                ):
                    yield model

    def _naming(self, body: Row, links: VersionLinks, workspace: str | None) -> Iterator[Row]:
        for page in self._server.pages(
            LOGGED_MODEL.search, body, "models", workspace, post=True, ahead=self._pool
        ):
            for model in page:
                if links.versions.intersection(versions_named(model, workspace)):
                    yield model

    def _keep_models(self, models: Iterable[Row], sources: dict[str, None]) -> None:
        kept = []
        for model in models:
            if id_of(model) not in self._read["logged_models"]:
                self._read["logged_models"].add(id_of(model))
                kept.append(model)
                if source := dict_in(model.get("info")).get("source_run_id"):
                    sources[str(source)] = None
        self._spool.put(logged_model_rows(kept))

    def _experiments(self) -> None:
        """Those of the runs that were read."""

        def experiment_of(key: tuple[str | None, str]) -> Row | Denied | None:
            workspace, experiment_id = key
            if listed := self._listed.get(workspace, {}).get(experiment_id):
                return listed
            query = {"experiment_id": experiment_id}
            return or_none(
                lambda: self._server.get("/experiments/get", query, workspace).get("experiment")
            )

        answers = zip(self._used, self._pool.map(experiment_of, self._used), strict=True)
        rows = [
            {**row, "workspace": row.get("workspace") or workspace or "default"}
            for (workspace, _), row in answers
            if isinstance(row, dict)
        ]
        self._spool.put({"experiments": rows})


def run_rows(runs: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of all tables that a run fills, from the server's answer."""
    rows: dict[str, list[Row]] = {
        name: [] for name in ("runs", "run_params", "run_metrics", "run_tags", "run_datasets")
    }
    for run in runs:
        info, data = dict_in(run.get("info")), dict_in(run.get("data"))
        key = {"run_id": info.get("run_id") or info.get("run_uuid")}
        tags = dicts_in(data.get("tags"))
        name = info.get("run_name") or _by_key(tags).get("mlflow.runName")
        rows["runs"].append({**info, **key, "name": name})
        rows["run_params"] += [{**row, **key} for row in dicts_in(data.get("params"))]
        rows["run_metrics"] += [{**row, **key} for row in dicts_in(data.get("metrics"))]
        rows["run_tags"] += [{**row, **key} for row in tags]
        for used in dicts_in(dict_in(run.get("inputs")).get("dataset_inputs")):
            context = _by_key(dicts_in(used.get("tags"))).get("mlflow.data.context")
            rows["run_datasets"].append({**dict_in(used.get("dataset")), **key, "context": context})
    return rows


def logged_model_rows(models: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of all tables that a logged model fills, from the server's answer."""
    rows: dict[str, list[Row]] = {
        f"logged_model{name}": [] for name in ("s", "_params", "_metrics", "_tags")
    }
    for model in models:
        info, data = dict_in(model.get("info")), dict_in(model.get("data"))
        key = {"model_id": info.get("model_id")}
        status = info.get("status")
        rows["logged_models"].append(
            {
                **info,
                "artifact_location": info.get("artifact_uri"),
                "creation_time": info.get("creation_timestamp_ms"),
                "last_updated_time": info.get("last_updated_timestamp_ms"),
                "status": _LOGGED_MODEL_STATUS.get(str(status), status),
                "lifecycle_stage": "active",
            }
        )
        rows["logged_model_params"] += [{**row, **key} for row in dicts_in(data.get("params"))]
        rows["logged_model_metrics"] += [{**row, **key} for row in dicts_in(data.get("metrics"))]
        rows["logged_model_tags"] += [{**row, **key} for row in dicts_in(info.get("tags"))]
    return rows


def versions_named(model: Row, workspace: str | None) -> Iterator[tuple[str | None, str, int]]:
    """The versions a logged model names in its tag."""
    text = _by_key(dicts_in(dict_in(model.get("info")).get("tags"))).get(MODEL_VERSIONS)
    for name, number in versions_of_tag(text if isinstance(text, str) else None):
        yield workspace, name, number


def _by_key(listed: list[Row]) -> dict[Any, Any]:
    return {str(pair.get("key")): pair.get("value") for pair in listed}
