"""What an MLmodel file says, read without trusting it.

The file is whatever somebody uploaded: it is bounded in size, depth and nodes before it is built
(`plain.load_yaml`), and nothing in it runs.
"""

from __future__ import annotations

import hashlib
from typing import Any

from auditreg.sources.artifacts.errors import Unreadable
from auditreg.sources.artifacts.safe_yaml import load_yaml, text, to_json
from auditreg.sources.artifacts.saved_format import serialization

MAX_BYTES = 4 * 1024 * 1024
"""The largest MLmodel that is read. A signature of 10,000 columns needs about 1 MB."""

MAX_SMALL_BYTES = 256 * 1024
"""The largest requirements.txt, python_env.yaml or conda.yaml that is read."""

_FLAVOR_CHARS = 2_000


def read_mlmodel(raw: bytes) -> dict[str, Any]:
    """The staging columns an MLmodel fills.

    Raises:
        Unreadable: see `load_yaml`, or it is not a mapping.
    """
    content = load_yaml(raw)
    if not isinstance(content, dict):
        raise Unreadable("it is not a mapping")
    flavors = content.get("flavors")
    flavors = flavors if isinstance(flavors, dict) else {}
    signature = content.get("signature")
    signature = signature if isinstance(signature, dict) else {}
    pyfunc = flavors.get("python_function")
    python_version = pyfunc.get("python_version") if isinstance(pyfunc, dict) else None
    size = content.get("model_size_bytes")
    example = content.get("saved_input_example_info")
    example = example.get("artifact_path") if isinstance(example, dict) else None
    return {
        "mlmodel_sha256": hashlib.sha256(raw).hexdigest(),
        "signature_inputs": _json_text(signature.get("inputs")),
        "signature_outputs": _json_text(signature.get("outputs")),
        "signature_params": _json_text(signature.get("params")),
        "flavors": to_json({str(name): _small(body) for name, body in flavors.items()}),
        "serialization": serialization(flavors),
        "python_version": text(python_version),
        "mlflow_version": text(content.get("mlflow_version")),
        "model_id": text(content.get("model_id")),
        "model_uuid": text(content.get("model_uuid")),
        "run_id": text(content.get("run_id")),
        "utc_time_created": text(content.get("utc_time_created")),
        "model_size_bytes": size if type(size) is int and 0 <= size < 2**63 else None,
        "input_example": text(example),
    }


def _small(body: Any) -> dict[str, Any]:
    """A flavor's own settings, without what is long."""
    if not isinstance(body, dict):
        return {}
    return {
        str(name): value for name, value in body.items() if len(to_json(value)) <= _FLAVOR_CHARS
    }


def _json_text(value: Any) -> str | None:
    """MLflow keeps signatures as JSON text inside the YAML; older writers as YAML itself."""
    if value is None:
        return None
    return text(value) if isinstance(value, str) else to_json(value)
