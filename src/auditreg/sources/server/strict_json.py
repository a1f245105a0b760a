"""The JSON of a server's answers, which is believed only as far as it is unambiguous.

Text that is no Unicode, an object that names one thing twice and numbers JSON does not have are
what a broken server or proxy sends: half of such an answer would be a registry with rows missing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec

_APART = re.compile(rb'"\s+:')


class Malformed(ValueError):
    """An answer that is no proper JSON; the text says how."""


def decode(raw: bytes) -> Any:
    """What an answer says.

    Raises:
        Malformed: it is not JSON in UTF-8, nested too deeply, or an object in it has one name twice.
    """
    try:
        decoded = msgspec.json.decode(raw)
    except RecursionError:
        raise Malformed("its JSON is nested too deeply") from None
    except (ValueError, msgspec.DecodeError):  # which is no ValueError before msgspec 0.21
        # Half of a surrogate pair, NaN: the standard library reads them, and the rest is said there.
        return _slowly(raw)
    # Names are followed by a colon. Written out again, an object has each of its names once.
    once = msgspec.json.encode(decoded).count(b'":')
    if raw.count(b'":') != once or _APART.search(raw):
        return _slowly(raw)
    return decoded


def dict_in(value: Any) -> dict[str, Any]:
    """An object of an answer; an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """The objects of a list of an answer; none where something else stands."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _slowly(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except Malformed:
        raise
    except UnicodeDecodeError:
        raise Malformed("its JSON is not valid UTF-8") from None
    except RecursionError:
        raise Malformed("its JSON is nested too deeply") from None
    except ValueError:
        raise Malformed("it does not answer with MLflow's JSON") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Malformed(f"an object in its JSON has the name {twice[:40]!r} twice")
    return members
