"""Reads the registry part of a tracking server until two passes agree and nobody changed it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from auditreg.sources.interface import Progress
from auditreg.sources.server import NotThere, Refused, Server

_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
_HEX = frozenset("0123456789abcdef")
# Every gap in a model's version numbers is asked for, up to this many: search hides the
# untagged versions of a prompt, and a gap is the only trace they leave.
_MAX_GAPS_ASKED = 2_000
_SHOWN = 5


@dataclass
class Registry:
    """What the passes found: rows per staging table, and what they lead to.

    `runs` and `logged_models` map an id to the workspace it is asked for in; `version_runs` are
    the runs that versions name as theirs. Rows of `model_versions` also hold `_workspace`.
    """

    workspaces: tuple[str | None, ...]
    tables: dict[str, list[dict[str, Any]]]
    counts: dict[str, int] = field(default_factory=dict)
    gaps: int = 0
    passes: int = 0
    doubts: tuple[str, ...] = ()
    runs: dict[str, str | None] = field(default_factory=dict)
    logged_models: dict[str, str | None] = field(default_factory=dict)
    version_runs: set[str] = field(default_factory=set)


def read_registry(
    server: Server,
    workspaces: tuple[str | None, ...],
    passes: int,
    progress: Progress | None,
    stands_still: Callable[[], bool] = lambda: True,
) -> Registry:
    """Read until two passes agree, at most `passes` times.

    Args:
        server: the tracking server.
        workspaces: those to read.
        passes: the most passes.
        progress: told about each.
        stands_still: whether the journal is as it was when last asked. Where it is after a pass
            what it was before, the pass shows the registry as the journal leaves it.

    Raises:
        SourceError: the server cannot be reached, refuses, or is not MLflow.
    """
    before: Registry | None = None
    registry = _read_once(server, workspaces)
    same = still = stands_still()
    for number in range(2, passes + 1):
        if progress is not None:
            progress("registry", number - 1, None)
        before, registry = registry, _read_once(server, workspaces)
        registry.passes = number
        registry.counts = {name: len(rows) for name, rows in before.tables.items()}
        same, still = _same(before, registry), stands_still()
        if same and still:
            break
    else:
        if not same:
            registry.doubts += (f"the registry changed between each of {passes} passes over it",)
        if not still:
            registry.doubts += (f"the journal grew while the registry was read {passes} times",)
    for version in registry.tables["model_versions"]:
        _follow(registry, version)
    for tag in registry.tables["model_version_tags"]:
        value = tag.get("value")
        if isinstance(value, str) and len(value) == 32 and _HEX.issuperset(value):
            registry.runs.setdefault(value, tag["_workspace"])
    return registry


def _follow(registry: Registry, version: dict[str, Any]) -> None:
    workspace = version["_workspace"]
    source = str(version.get("source") or "")
    if run_id := version.get("run_id"):
        registry.version_runs.add(run_id)
        registry.runs.setdefault(run_id, workspace)
    if source.startswith("runs:/"):
        if run_id := source.removeprefix("runs:/").split("/")[0]:
            registry.runs.setdefault(run_id, workspace)
    elif source.startswith("models:/m-"):
        model_id = source.removeprefix("models:/")
        if "/" not in model_id and "@" not in model_id:
            registry.logged_models.setdefault(model_id, workspace)


def _same(one: Registry, other: Registry) -> bool:
    def fingerprint(registry: Registry) -> list[list[str]]:
        return [
            sorted(json.dumps(row, sort_keys=True) for row in rows)
            for rows in registry.tables.values()
        ]

    return fingerprint(one) == fingerprint(other)


def _read_once(server: Server, workspaces: tuple[str | None, ...]) -> Registry:
    names = ("registered_models", "registered_model_tags", "model_versions", "model_version_tags")
    registry = Registry(workspaces, {name: [] for name in (*names, "aliases")})
    registry.passes = 1
    for workspace in workspaces:
        _Workspace(server, workspace).read_into(registry)
    registry.counts = {name: len(rows) for name, rows in registry.tables.items()}
    return registry


class _Workspace:
    """One workspace of one server, read once."""

    def __init__(self, server: Server, workspace: str | None) -> None:
        self._server = server
        self._workspace = workspace
        self._doubts: list[str] = []

    def read_into(self, registry: Registry) -> None:
        models = self._listed("/registered-models/search", "registered_models", "name ASC")
        versions: dict[tuple[str, int], dict[str, Any]] = {}
        for version in self._search(
            "/model-versions/search", "model_versions", "name ASC", "version_number ASC"
        ):
            versions[str(version.get("name")), _number(version)] = version
        self._add_unlisted_models(models, versions)
        self._add_unlisted_versions(models, versions)
        registry.gaps += self._ask_gaps(versions)
        registry.doubts += tuple(self._doubts)
        for name, model in models.items():
            self._model_rows(registry, name, model)
        for (name, number), version in versions.items():
            self._version_rows(registry, name, number, version)

    def _listed(self, path: str, items: str, *order: str) -> dict[str, dict[str, Any]]:
        return {str(item.get("name")): item for item in self._search(path, items, *order)}

    def _search(self, path: str, items: str, *order: str) -> Iterator[dict[str, Any]]:
        """Everything, without a filter; then prompts, which newer servers leave out of that."""
        size = 1000 if items == "registered_models" else 10_000
        query = {"max_results": size, "order_by": list(order)}
        yield from self._server.pages(path, query, items, self._workspace)
        try:
            prompts = self._server.pages(
                path, {**query, "filter": _PROMPTS}, items, self._workspace
            )
            yield from prompts
        except Refused as refused:
            if not refused.bad_value:
                raise
            # A server too old to filter by tag is too old for prompts.

    def _add_unlisted_models(
        self, models: dict[str, dict[str, Any]], versions: dict[tuple[str, int], dict[str, Any]]
    ) -> None:
        unlisted = sorted({name for name, _ in versions} - models.keys())
        confirmed = []
        for name in unlisted:
            try:
                answer = self._server.get("/registered-models/get", {"name": name}, self._workspace)
            except NotThere:
                continue  # deleted meanwhile; the next pass sees neither
            models[name] = answer.get("registered_model", {})
            confirmed.append(name)
        if confirmed:
            self._doubts.append(
                f"the server's list of models leaves out {len(confirmed)} whose versions it "
                f"shows ({_some(confirmed)}); there may be others without versions"
            )

    def _add_unlisted_versions(
        self, models: dict[str, dict[str, Any]], versions: dict[tuple[str, int], dict[str, Any]]
    ) -> None:
        """A model's own row names its latest versions: they must be among those searched."""
        unlisted = []
        for name, model in models.items():
            for latest in model.get("latest_versions", []):
                key = (name, _number(latest))
                if key not in versions and (found := self._version(*key)) is not None:
                    versions[key] = found
                    unlisted.append(f"{name}/{key[1]}")
        if unlisted:
            self._doubts.append(
                f"the server's search leaves out {len(unlisted)} versions its models name "
                f"({_some(unlisted)}); there may be others"
            )

    def _ask_gaps(self, versions: dict[tuple[str, int], dict[str, Any]]) -> int:
        """How many version numbers below a model's highest have no version."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for name, number in versions:
            numbers[name].append(number)
        gaps = asked = 0
        hidden = []
        for name, present in numbers.items():
            missing = max(present) - len(present)
            if missing <= 0 or asked >= _MAX_GAPS_ASKED:
                gaps += max(missing, 0)
                continue
            have = set(present)
            candidates = (number for number in range(1, max(present)) if number not in have)
            for number in candidates:
                asked += 1
                found = self._version(name, number) if asked <= _MAX_GAPS_ASKED else None
                if found is None:
                    gaps += 1
                else:
                    versions[name, number] = found
                    hidden.append(f"{name}/{number}")
        if hidden:
            self._doubts.append(
                f"the server's search leaves out {len(hidden)} versions that exist "
                f"({_some(hidden)}); there may be later ones"
            )
        return gaps

    def _version(self, name: str, number: int) -> dict[str, Any] | None:
        query = {"name": name, "version": str(number)}
        try:
            answer = self._server.get("/model-versions/get", query, self._workspace)
        except NotThere:
            return None
        found: dict[str, Any] | None = answer.get("model_version")
        return found

    def _model_rows(self, registry: Registry, name: str, model: dict[str, Any]) -> None:
        own = {"workspace": self._workspace or "default", "model": name}
        registry.tables["registered_models"].append(
            {
                **own,
                "creation_time": model.get("creation_timestamp"),
                "last_updated_time": model.get("last_updated_timestamp"),
                "description": model.get("description"),
            }
        )
        for tag in model.get("tags", []):
            row = {**own, "key": tag.get("key"), "value": tag.get("value")}
            registry.tables["registered_model_tags"].append(row)
        for alias in model.get("aliases", []):
            row = {**own, "alias": alias.get("alias"), "version": alias.get("version")}
            registry.tables["aliases"].append(row)

    def _version_rows(
        self, registry: Registry, name: str, number: int, version: dict[str, Any]
    ) -> None:
        own = {
            "workspace": self._workspace or "default",
            "model": name,
            "version": number,
            "_workspace": self._workspace,
        }
        kept = ("description", "user_id", "source", "run_id", "run_link", "status_message")
        registry.tables["model_versions"].append(
            {
                **own,
                **{column: version.get(column) for column in kept},
                "creation_time": version.get("creation_timestamp"),
                "last_updated_time": version.get("last_updated_timestamp"),
                "stage": version.get("current_stage"),
                "status": version.get("status"),
            }
        )
        for tag in version.get("tags", []):
            row = {**own, "key": tag.get("key"), "value": tag.get("value")}
            registry.tables["model_version_tags"].append(row)


def _number(version: dict[str, Any]) -> int:
    try:
        return int(version.get("version", ""))
    except ValueError:
        return 0


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
