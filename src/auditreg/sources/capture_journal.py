"""The journal `auditreg-capture` keeps in the registry's database: which it is, what is new in it.

Shared by the readers of `database/` and `server/`: ranges of ids, its identity, what it cannot show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

Range = tuple[int, int]
Hole = tuple[int | None, int | None]

WITHOUT = "who changed what, and what stood there before"
"""What a source without a journal cannot show."""

_MIN, _MAX = -(2**63), 2**63 - 1


def journal_id(after_row: object) -> str | None:
    """The id a journal's identity row holds; None where it is no such row."""
    try:
        row = json.loads(after_row) if isinstance(after_row, str) else None
    except (ValueError, RecursionError):
        return None
    return valid_id(row.get("journal")) if isinstance(row, dict) else None


def valid_id(value: object) -> str | None:
    """The id itself where it is one: 32 hex digits."""
    return value if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) else None


def limits(first_start: int | None) -> str:
    """What a journal cannot show, in words; `first_start` in milliseconds UTC."""
    try:
        moment = datetime.fromtimestamp((first_start or 0) / 1000, UTC) if first_start else None
    except (ValueError, OverflowError, OSError):
        moment = None
    when = f" on {moment:%Y-%m-%d at %H:%M} UTC" if moment else ""
    return (
        f"changes from before capture first started{when}, and who made changes that "
        "did not go through the server"
    )


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Inclusive ranges in ascending order, those that touch or overlap as one."""
    ranges_joined: list[Range] = []
    for first, last in sorted(ranges):
        if first > last:
            continue
        if ranges_joined and first <= ranges_joined[-1][1] + 1:
            ranges_joined[-1] = (ranges_joined[-1][0], max(ranges_joined[-1][1], last))
        else:
            ranges_joined.append((first, last))
    return ranges_joined


def holes(sealed: Sequence[Range]) -> list[Hole]:
    """The inclusive ranges that joined ranges leave out; None where an end is open."""
    gaps: list[Hole] = []
    below: int | None = None
    for first, last in sealed:
        if first > _MIN:
            gaps.append((below, first - 1))
        below = last + 1
    if below is None or below <= _MAX:
        gaps.append((below, None))
    return gaps


def ranges_of(ids: pa.Array) -> list[Range]:
    """Ids in any order as inclusive ranges; only exact neighbours are in one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pc.unique(ids.drop_null())
    ids = ids.take(pc.sort_indices(ids))
    if not len(ids):
        return []
    before, after = ids.slice(0, len(ids) - 1), ids.slice(1)
    # Beyond 64 bits this wraps around, to 1 only for true neighbours.
    apart = pc.not_equal(pc.subtract(after, before), 1)
    firsts = pa.concat_arrays([ids.slice(0, 1), after.filter(apart)])
    lasts = pa.concat_arrays([before.filter(apart), ids.slice(len(ids) - 1)])
    return list(zip(firsts.to_pylist(), lasts.to_pylist(), strict=True))
