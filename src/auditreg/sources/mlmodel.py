"""What an MLmodel file says, read without trusting it.

The file is whatever somebody uploaded: it is bounded in size, depth and nodes before it is
built, YAML's python tags, merge keys and self-references are refused, and nothing in it runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from auditreg.errors import without_password

MAX_BYTES = 4 * 1024 * 1024
"""The largest MLmodel that is read. A signature of 10,000 columns needs about 1 MB."""

MAX_SMALL_BYTES = 256 * 1024
"""The largest requirements.txt or python_env.yaml that is read."""

_MAX_NODES = 400_000
_MAX_DEPTH = 60
_FLAVOR_CHARS = 2_000


class Unreadable(Exception):
    """The file is there and cannot be understood; the message says why in one line."""


def load_yaml(raw: bytes) -> Any:
    """Parse YAML that may be hostile.

    Raises:
        Unreadable: not YAML, too large or too deep, or it uses tags, merges or many aliases.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = raw.decode("utf-8")
        # Events cost no recursion and no expansion, so the limits hold before anything is built.
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            if count > _MAX_NODES:
                raise Unreadable("it has too many values")
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > _MAX_DEPTH:
                    raise Unreadable("it is nested too deeply")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            elif isinstance(event, yaml.ScalarEvent) and event.value == "<<":
                raise Unreadable("it uses YAML merge keys")
        loaded = yaml.load(text, Loader=loader)  # noqa: S506 (a safe loader)
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"it is not plain YAML ({_one_line(str(error))})") from None
    _bounded(loaded)
    return loaded


def _bounded(value: Any) -> None:
    """Refuse what aliases expand to: shared nodes count each time, a cycle never ends."""
    seen = 0
    stack: list[Iterator[Any]] = [iter([value])]
    while stack:
        if len(stack) > _MAX_DEPTH + 2:
            raise Unreadable("its aliases refer to themselves")
        for node in stack[-1]:
            seen += 1
            if seen > _MAX_NODES:
                raise Unreadable("its aliases expand to too many values")
            if isinstance(node, dict):
                stack.append(iter(node.values()))
                break
            if isinstance(node, (list, tuple, set)):
                stack.append(iter(node))
                break
        else:
            stack.pop()


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
        "python_version": _text(python_version),
        "mlflow_version": _text(content.get("mlflow_version")),
        "model_id": _text(content.get("model_id")),
        "run_id": _text(content.get("run_id")),
        "utc_time_created": _text(content.get("utc_time_created")),
        "model_size_bytes": size if type(size) is int and 0 <= size < 2**63 else None,
        "input_example": _text(example),
    }


def read_requirements(raw: bytes) -> str:
    """A requirements.txt as a JSON list, without comments and passwords."""
    lines = raw.decode("utf-8", "replace").splitlines()
    stripped = (without_password(line.split(" #")[0].strip()) for line in lines)
    return to_json([line for line in stripped if line and not line.startswith("#")])


def read_python_env(raw: bytes) -> str | None:
    """The Python version a python_env.yaml names, if it names one."""
    try:
        content = load_yaml(raw)
    except Unreadable:
        return None
    return _text(content.get("python")) if isinstance(content, dict) else None


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys; dates and the like as text, so equal content is equal text.

    Raises:
        Unreadable: it holds what JSON cannot (a number that is not finite, half a character).
    """
    try:
        text = json.dumps(
            _plain(value),
            ensure_ascii=False,
            sort_keys=True,
            allow_nan=False,
            separators=(",", ":"),
        )
        text.encode("utf-8")
    except (ValueError, TypeError) as error:
        raise Unreadable(f"it holds what JSON cannot ({_one_line(str(error))})") from None
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)


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
    return _text(value) if isinstance(value, str) else to_json(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character") from None
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
