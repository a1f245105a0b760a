"""Reads of a tracking server only the models that are named: see `auditreg.sources.part`.

A few requests, whatever the size of the registry: the model with its aliases, its versions, and what
those that are looked into lead to (`runs.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from auditreg.errors import SourceError
from auditreg.sources.part import Lookup, resolve_part
from auditreg.sources.server.bulk_runs import LOGGED_MODEL, or_none
from auditreg.sources.server.client import NotAllowed, NotThere, Refused, Server
from auditreg.sources.server.registry import RegistryScan, RegistryState, add_versions, number_of
from auditreg.sources.server.runs import versions_named
from auditreg.sources.server.strict_json import dicts_in

_PAGE = 10_000
_LISTED = 1_000
"""Models of a page; the first page is enough to tell what was meant."""


class NamedModels(Lookup):
    """Fetches models by their names, each once, and keeps what it has fetched.

    Args:
        server: the tracking server.
        workspaces: those to look in.
    """

    def __init__(self, server: Server, workspaces: tuple[str | None, ...]) -> None:
        self._server = server
        self._workspaces = workspaces
        self.location = server.location
        self.scan = RegistryScan()

    def read(self, names: Sequence[str]) -> RegistryState:
        """The registry as far as names lead.

        Raises:
            UsageError: no registered model has such a name.
            SourceError: the server cannot be reached, refuses, or is not MLflow.
        """
        part = resolve_part(names, self)
        doubts = tuple(self.scan.doubts)
        return RegistryState(self.scan, 0, {}, self._workspaces, 1, doubts, part=part)

    def present(self, models: Sequence[str]) -> set[str]:
        """See `Lookup.present`."""
        denied: NotAllowed | None = None
        for model in models:
            for workspace in self._workspaces:
                try:
                    row = self._model(model, workspace)
                except NotAllowed as refusal:
                    if refusal.status == 401:
                        raise
                    denied = refusal
                    continue
                if isinstance(row, dict):
                    self.scan.models[workspace, model] = row
        found = {name for _, name in self.scan.models}
        if denied is not None and not found:
            raise denied
        return found

    def every_model(self) -> list[str]:
        """See `Lookup.every_model`."""
        names: list[str] = []
        for workspace in self._workspaces:
            query = {"max_results": _LISTED}
            try:
                answer = self._server.get("/registered-models/search", query, workspace)
            except SourceError:  # what is wrong is that nothing has this name
                continue
            names += [str(row.get("name")) for row in dicts_in(answer.get("registered_models"))]
        return names

    def registered_from(self, logged_model: str) -> list[tuple[str, int]]:
        """See `Lookup.registered_from`: by the versions' source, and by the logged model's own tag."""
        versions: list[tuple[str, int]] = []
        for workspace in self._workspaces:
            versions += self._with_source(f"models:/{logged_model}", workspace)
            path, query = LOGGED_MODEL.by_id(logged_model)
            with contextlib.suppress(Refused):  # a server older than logged models
                answer = or_none(partial(self._server.get, path, query, workspace))
                row = answer.get(LOGGED_MODEL.item) if isinstance(answer, dict) else None
                if isinstance(row, dict):
                    versions += [key[1:] for key in versions_named(row, workspace)]
        self.present(tuple(dict.fromkeys(model for model, _ in versions)))
        return list(dict.fromkeys(versions))

    def _with_source(self, source: str, workspace: str | None) -> Iterator[tuple[str, int]]:
        if "'" in source:
            return
        query = {"filter": f"source_path = '{source}'", "max_results": _PAGE}
        with contextlib.suppress(Refused):  # a server that cannot search by it
            answer = self._server.get("/model-versions/search", query, workspace)
            for row in dicts_in(answer.get("model_versions")):
                number = number_of(row)
                if number is not None and row.get("source") == source:
                    yield str(row.get("name")), number

    def versions(self, models: Sequence[str]) -> Iterator[tuple[str, int, str]]:
        """See `Lookup.versions`."""
        for workspace, model in list(self.scan.models):
            if model in models:
                self._fetch_versions(workspace, model)
        for (_, model, number), row in self.scan.versions.items():
            yield model, number, str(row.get("current_stage") or "None")

    def aliases(self, models: Sequence[str]) -> Iterable[tuple[str, str, int]]:
        """See `Lookup.aliases`."""
        for (_, model), row in self.scan.models.items():
            for alias in dicts_in(row.get("aliases")) if model in models else ():
                if (number := number_of(alias)) is not None:
                    yield model, str(alias.get("alias")), number

    def _fetch_versions(self, workspace: str | None, model: str) -> None:
        """All versions of a model; a name with both kinds of quotes fits into no filter."""
        quote = '"' if "'" in model else "'"
        if quote in model:
            self.scan.doubts.append(f"the versions of {model!r} cannot be searched for by its name")
            return
        query = {
            "filter": f"name = {quote}{model}{quote}",
            "max_results": _PAGE,
            "order_by": ["name ASC", "version_number ASC"],
        }
        for page in self._server.pages(
            "/model-versions/search", query, "model_versions", workspace
        ):
            add_versions(self.scan, workspace, [row for row in page if row.get("name") == model])
        self._add_latest(workspace, model)

    def _add_latest(self, workspace: str | None, model: str) -> None:
        """The versions that the model's own row names, and its search may leave out."""
        for latest in dicts_in(self.scan.models[workspace, model].get("latest_versions")):
            number = number_of(latest)
            if number is not None:
                self.scan.versions.setdefault((workspace, model, number), latest)

    def _model(self, name: str, workspace: str | None) -> object:
        """The server's row of a model; None where there is no such model."""
        query = {"name": name}
        try:
            answer = self._server.get("/registered-models/get", query, workspace)
            return answer.get("registered_model")
        except NotThere:
            return None
        except Refused as refused:
            if refused.bad_value:  # a name that no model can have
                return None
            raise
