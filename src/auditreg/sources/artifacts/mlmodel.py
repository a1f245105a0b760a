"""What MLmodel and the files beside it say: signature, flavours, formats, requirements, Python.

They are whatever somebody uploaded: YAML is bounded in size, depth and nodes before it is built
(`safe_yaml.load_yaml`), nothing in it runs, and what is read is compared and counted, never used.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from auditreg.errors import redact_uri
from auditreg.sources.artifacts.errors import Unreadable
from auditreg.sources.artifacts.safe_yaml import load_yaml, text, to_json

MAX_BYTES = 4 * 1024 * 1024
"""The largest MLmodel that is read. A signature of 10,000 columns needs about 1 MB."""

MAX_SMALL_BYTES = 256 * 1024
"""The largest requirements.txt, python_env.yaml or conda.yaml that is read."""

_FLAVOR_CHARS = 2_000

_SETTINGS = ("serialization_format", "model_format", "save_format", "format")
"""Settings in which a flavour says its format, the most exact first."""

_DATA = ("pickled_model", "model_data", "model_binary", "data", "model_path")
"""Settings that name the model's file; where the format is not said, its suffix tells it."""

_ONE_FORMAT = frozenset({"onnx", "pmml", "h2o", "mleap"})
"""Flavours that save in one format of their own, whatever the file is called."""

_OPTION = re.compile(r"-{1,2}[A-Za-z]")
_ELSEWHERE = re.compile(r"-r|-e|--requirement\b|--editable\b")
"""Options that require what another file or a folder names. A file of constraints (`-c`) requires nothing."""
_LOGIN = re.compile(r"(https?://)[^\s/@]+@")
"""A token may stand in the place of the user, or of the password; after the host may stand `@VERSION`."""


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


def serialization(flavors: Mapping[Any, Any]) -> str | None:
    """The format each flavour saved the model in, JSON text by flavour; None where none says.

    `{"sklearn": "skops"}` and `{"sklearn": "cloudpickle"}` are told apart, so that one can ask which
    models run code of their own when they are loaded.
    """
    formats = {
        str(name): saved_as
        for name, settings in flavors.items()
        if isinstance(settings, dict) and (saved_as := _format(str(name), settings)) is not None
    }
    return to_json(formats) if formats else None


def _format(flavor: str, settings: Mapping[Any, Any]) -> str | None:
    for key in _SETTINGS:
        if isinstance(value := settings.get(key), str) and 0 < len(value) <= 40:
            return text(value)
    if flavor in _ONE_FORMAT:
        return flavor
    if flavor == "python_function":
        # The loader of another flavour names its own format; what is left is a class of the user's.
        if isinstance(settings.get("model_code_path"), str):
            return "code"
        return "cloudpickle" if "python_model" in settings else None
    for key in _DATA:
        name = settings.get(key)
        suffix = name.rpartition("/")[2].rpartition(".")[2] if isinstance(name, str) else ""
        if isinstance(name, str) and suffix != name.rpartition("/")[2] and 0 < len(suffix) <= 20:
            return text(suffix)
    return None


def requirement_lines(raw: bytes) -> list[str]:
    """The lines of a requirements.txt, joined where they go on, without comments and passwords."""
    content = raw.decode("utf-8", "replace").replace("\\\r\n", " ").replace("\\\n", " ")
    stripped = (
        redact_uri(_LOGIN.sub(r"\1***@", line.split(" #")[0].strip()))
        for line in content.splitlines()
    )
    return [" ".join(line.split()) for line in stripped if line and not line.startswith("#")]


def requirements(lines: Sequence[str]) -> dict[str, Any]:
    """The columns that requirement lines fill: the lines, those exactly pinned, how many are not."""
    required = [line for line in lines if _ELSEWHERE.match(line) or not _OPTION.match(line)]
    pins = [line for line in required if _pinned(line)]
    return {
        "requirements": to_json(lines),
        "pins": to_json(pins),
        "unpinned": len(required) - len(pins),
    }


@functools.lru_cache(maxsize=8192)  # the models of a firm need the same things
def _pinned(line: str) -> bool:
    """Whether one exact version satisfies the line: `==` without a wildcard, or `===`."""
    from packaging.requirements import Requirement

    try:
        parsed = Requirement(line.split(" --hash", maxsplit=1)[0])
    except (ValueError, RecursionError):  # no requirement, or nested too deeply
        return False
    return any(
        specifier.operator == "==="
        or (specifier.operator == "==" and not specifier.version.endswith(".*"))
        for specifier in parsed.specifier
    )


def python_env(raw: bytes) -> str | None:
    """The Python version a python_env.yaml names, if it names one."""
    return _text_or_none(_mapping(raw).get("python"))


def conda(raw: bytes) -> tuple[str | None, list[str] | None]:
    """The Python version and the pip requirements a conda.yaml names, as far as it does."""
    python, lines = None, None
    dependencies = _mapping(raw).get("dependencies")
    for entry in dependencies if isinstance(dependencies, list) else ():
        if isinstance(entry, str) and re.match(r"python\s*=", entry):
            python = _text_or_none(entry.partition("=")[2].strip("= "))
        elif isinstance(entry, dict) and isinstance(entry.get("pip"), list):
            lines = requirement_lines(
                "\n".join(line for line in entry["pip"] if isinstance(line, str)).encode(
                    "utf-8", "replace"
                )
            )
    return python, lines


def _text_or_none(value: Any) -> str | None:
    with contextlib.suppress(Unreadable):
        return text(value)
    return None


def _mapping(raw: bytes) -> dict[Any, Any]:
    try:
        content = load_yaml(raw)
    except Unreadable:
        return {}
    return content if isinstance(content, dict) else {}
