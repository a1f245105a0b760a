"""YAML and JSON that strangers wrote: bounded before anything is built, and nothing in it runs.

YAML's python tags, merge keys and self-references are refused; what JSON cannot hold is refused too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditreg.sources.artifacts.errors import Unreadable

_MAX_NODES = 400_000
_MAX_DEPTH = 60


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


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys; dates and the like as text, so equal content is equal text.

    Raises:
        Unreadable: it holds what JSON cannot (a number that is not finite, half a character).
    """
    try:
        written = json.dumps(
            _plain(value),
            ensure_ascii=False,
            sort_keys=True,
            allow_nan=False,
            separators=(",", ":"),
        )
        written.encode("utf-8")
    except (ValueError, TypeError) as error:
        raise Unreadable(f"it holds what JSON cannot ({_one_line(str(error))})") from None
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return str(value)


def text(value: Any) -> str | None:
    """A scalar as text; None for what is missing or no scalar.

    Raises:
        Unreadable: it holds half a character, or a number of thousands of digits.
    """
    if value is None or isinstance(value, (dict, list, tuple, set)):
        return None
    try:
        shown = str(value)
        shown.encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character") from None
    except ValueError:
        raise Unreadable("it holds a number that is too long") from None
    return shown


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
