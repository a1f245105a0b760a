"""YAML and JSON that strangers wrote: bounded in size and time, and nothing in it runs.

YAML's python tags, merge keys and self-references are refused; what JSON cannot hold is refused too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from auditreg.sources.artifacts.errors import Unreadable

_MAX_NODES = 400_000
_MAX_DEPTH = 60
_MAX_CHARACTERS = 16 * 2**20
"""Characters of all values together, where one that is shared counts each time."""
_MAX_DIRECTIVES = 100
_MAX_NUMBER = 1_000
"""Characters of a number: those with colons are of base 60, and built in quadratic time."""
_MAX_NUMBER_AS_KEY = 20
"""Characters of a number that is a key: longer ones can be chosen to have one and the same hash."""

_TAG = "tag:yaml.org,2002:"
_INT = f"{_TAG}int"


def load_yaml(raw: bytes) -> Any:
    """Parse YAML that may be hostile.

    Raises:
        Unreadable: not YAML, too large or too deep, or it uses tags, merges or many aliases.
    """
    import yaml

    loader = _loader()
    try:
        text = raw.decode("utf-8")
        # libyaml compares each directive with all before it.
        if text.count("%TAG") > _MAX_DIRECTIVES:
            raise Unreadable("it has too many directives")
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
        loaded = yaml.load(text, Loader=loader)  # noqa: S506 (a safe loader)
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text") from None
    # Beside its own errors, PyYAML lets through whatever a value raises that does not suit its tag.
    except (
        yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
        ValueError,
    ) as error:  # fmt: skip
        raise Unreadable(f"it is not plain YAML ({_one_line(str(error))})") from None
    _bounded(loaded)
    return loaded


@functools.cache
def _loader() -> Any:
    """PyYAML's safe loader, without what takes much longer to build than to write."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class BoundedLoader(base):  # type: ignore[misc] # PyYAML has no types
        def construct_scalar(self, node: Any) -> Any:
            text = super().construct_scalar(node)
            if node.tag in (_INT, f"{_TAG}float") and len(text) > _MAX_NUMBER:
                raise Unreadable("it holds a number that is too long")
            return text

        def flatten_mapping(self, node: Any) -> None:
            for key, _ in node.value:
                if key.tag == f"{_TAG}merge":
                    raise Unreadable("it uses YAML merge keys")
                is_short = isinstance(key.value, str) and len(key.value) <= _MAX_NUMBER_AS_KEY
                if key.tag == _INT and not is_short:
                    raise Unreadable("it has a number as a key that is too long")
            super().flatten_mapping(node)

    return BoundedLoader


def _bounded(value: Any) -> None:
    """Refuse what aliases expand to: what is shared counts each time, a cycle never ends."""
    seen = characters = 0
    stack: list[Iterator[Any]] = [iter([value])]
    while stack:
        if len(stack) > _MAX_DEPTH + 2:
            raise Unreadable("its aliases refer to themselves")
        for node in stack[-1]:
            seen += 1
            characters += _length(node)
            if seen > _MAX_NODES or characters > _MAX_CHARACTERS:
                raise Unreadable("its aliases expand to too many values")
            if isinstance(node, dict):
                stack.append(chain(node, node.values()))
                break
            if isinstance(node, (list, tuple, set)):
                stack.append(iter(node))
                break
        else:
            stack.pop()


def _length(value: Any) -> int:
    """About how many characters a scalar takes."""
    if isinstance(value, (str, bytes)):
        return len(value)
    return value.bit_length() // 3 if isinstance(value, int) else 0


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
