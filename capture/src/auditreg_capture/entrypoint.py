"""What MLflow calls for a SQL registry store, by its entry point `mlflow.model_registry_store`.

MLflow only warns when this module cannot be imported and goes on without capture, so importing it must
never fail; whatever stands in the way is said when a store is built.
"""

from __future__ import annotations

import sys
from typing import Any, Optional


def build_store(store_uri: str, tracking_uri: Optional[str] = None) -> Any:  # noqa: ARG001 (MLflow passes both)
    """MLflow's own store for this URI, with capture, or a refusal that says what to do."""
    from mlflow.exceptions import MlflowException

    from auditreg_capture import endpoint, listeners, process, settings
    from auditreg_capture.errors import CaptureError
    from auditreg_capture.runtime import current

    try:
        mode = settings.mode()
        settings.proxies()
        store = _mlflow_store(store_uri)
        if mode == settings.OFF:
            process.note_off(store.engine)
            return store
        from auditreg_capture.rows import registry_tables

        registry_tables()
        current.mode = mode
        process.ready(store.engine)
    except CaptureError as error:
        raise MlflowException(f"auditreg-capture refuses to start. {error}") from None
    listeners.attach()
    endpoint.offer()
    return store


def _mlflow_store(store_uri: str) -> Any:
    """What MLflow would have built: the server's builder knows of read replicas, the client's does not."""
    handlers = sys.modules.get("mlflow.server.handlers")
    if handlers is not None:
        return handlers.ModelRegistryStoreRegistryWrapper._get_sqlalchemy_store(store_uri)
    from mlflow.tracking._model_registry import utils

    return utils._get_sqlalchemy_store(store_uri)


def _offer_endpoint() -> None:
    if "mlflow.server" not in sys.modules:
        return
    try:
        from auditreg_capture import endpoint

        endpoint.offer()
    except Exception:  # noqa: BLE001 (see above: this module must always import)
        return


_offer_endpoint()
