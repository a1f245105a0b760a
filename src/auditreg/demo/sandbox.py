"""MLflow's process-wide state, set aside while the demo plays and put back afterwards.

MLflow keeps the tracking URI, the active experiment and run, the store connections and the tags
of "the current user" in module variables and in the environment. The demo needs its own, and the
caller, who may be a notebook with a run of its own open, must find everything as it was.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections import OrderedDict
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# With these MLflow neither talks to anybody nor draws anything.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
}
# Installed beside MLflow, capture starts with the store; the firm switches it on in July.
_NO_CAPTURE = {"AUDITREG_CAPTURE": "off"}
_CHATTY = ("mlflow", "alembic", "sqlalchemy.engine")


@contextmanager
def environment(artifacts: Path) -> Iterator[None]:
    """The environment the demo needs: none of the caller's MLflow settings, no chatter.

    To be entered before mlflow is imported for the first time, since its telemetry starts then.
    """
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("MLFLOW_", "_MLFLOW_"))]:
            del os.environ[name]
        # Without a root MLflow writes the working directory into the default experiment.
        os.environ.update(_QUIET, **_NO_CAPTURE, _MLFLOW_SERVER_ARTIFACT_ROOT=artifacts.as_uri())
        yield


@contextmanager
def silence() -> Iterator[None]:
    """Log lines below an error, and all warnings, are dropped while this is open."""
    # Stages are deprecated and still what firms use: MLflow says so at every transition.
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


class Workstation:
    """Where a run is started: the tags MLflow's client adds to runs and logged models by itself.

    It stands in for MLflow's own context providers, which would record the user and the git
    checkout of whoever plays the demo, and has their interface.
    """

    def __init__(self) -> None:
        self._tags: dict[str, str] = {}

    def in_context(self) -> bool:
        """Always: this is the only provider during the demo."""
        return True

    def tags(self) -> dict[str, str]:
        """What the client at this workstation records."""
        return dict(self._tags)

    def sit_down(self, tags: Mapping[str, str]) -> None:
        """Somebody else starts to work, with another checkout."""
        self._tags = dict(tags)


@contextmanager
def own_state(store_uri: str, workstation: Workstation) -> Iterator[None]:
    """MLflow points at the demo's store, with no run open and `workstation` as its surroundings."""
    import auditreg_capture
    import mlflow.telemetry.client as telemetry
    from mlflow.tracking import fluent
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking
    from mlflow.tracking.context.registry import _run_context_provider_registry as providers

    # MLflow's own types are not annotated here.
    thread_local: tuple[Any, ...] = (
        fluent._active_run_stack,
        fluent._last_active_run_id,
        fluent._last_logged_model_id,
    )
    before = [variable.get() for variable in thread_local]
    with ExitStack() as stack:
        # mlflow may have been imported with telemetry on; the demo talks to nobody.
        stack.enter_context(patch.object(telemetry, "_MLFLOW_TELEMETRY_CLIENT", None))
        stack.enter_context(patch.object(providers, "_registry", [workstation]))
        stack.enter_context(patch.object(fluent, "_active_experiment_id", None))
        stack.enter_context(patch.object(registry, "_registry_uri", None))
        # Keyed by run and model id alone, and a second play has the ids of the first: with the
        # cache of the process it would write its models into the first one's folder.
        stack.enter_context(patch.object(tracking, "_artifact_repos_cache", OrderedDict()))
        stack.enter_context(tracking._use_tracking_uri(store_uri))
        for variable in thread_local:
            variable.set(variable.default_factory())
        try:
            yield
        finally:
            for variable, value in zip(thread_local, before, strict=True):
                variable.set(value)
            auditreg_capture.uninstall()
            _let_go(store_uri)


def _let_go(store_uri: str) -> None:
    """Close the demo's database and forget its stores.

    MLflow caches both for the life of the process. The file could not be removed on Windows, and a
    demo played again into the same folder would write into the file that is gone.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as DemoRegistry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
    from mlflow.tracking._model_registry.registry import ModelRegistryStoreRegistry
    from mlflow.tracking._tracking_service.registry import TrackingStoreRegistry

    for store in (Tracking, DemoRegistry):
        engine = store._engine_map.pop(store_uri, None)
        if engine is not None:
            engine.dispose()
    for cache in (TrackingStoreRegistry, ModelRegistryStoreRegistry):
        # A cache of stores by URI: clearing it costs other stores one rebuilt object, no data.
        with suppress(AttributeError):
            cache._get_store_with_resolved_uri.cache_clear()
