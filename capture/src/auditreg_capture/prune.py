"""Removing journal rows that a ledger has sealed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import sqlalchemy as sa

from auditreg_capture import journal, process, settings, tables
from auditreg_capture.errors import CaptureError
from auditreg_capture.runtime import current

DAY = 86_400_000
_CHUNK = 5_000


class Sealed(NamedTuple):
    """What a ledger says it holds of one journal."""

    journal: str
    ranges: List[Tuple[int, int]]


class Pruned(NamedTuple):
    """What was removed."""

    rows: int
    ranges: List[Tuple[int, int]]


def read_sealed(path: str) -> Sealed:
    """The file auditreg writes: {"journal": id, "ranges": [[first, last], ...]}."""
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        identity = held["journal"]
        ranges = [(first, last) for first, last in held["ranges"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaptureError(
            f"{path} is not the list of sealed rows that auditreg writes: {type(error).__name__}: {error}"
        ) from error
    whole = all(type(n) is int for pair in ranges for n in pair)
    if not isinstance(identity, str) or not whole or any(first > last for first, last in ranges):
        raise CaptureError(
            f"{path} is not the list of sealed rows that auditreg writes: a range is no range."
        )
    return Sealed(identity, sorted(ranges))


def prune(engine: Any, sealed: Sealed, older_than_days: float, *, dry_run: bool) -> Pruned:
    """Delete the sealed rows that are old enough, and say so in the journal.

    What identifies the journal stays, and its newest row, so that no database gives an id twice.
    """
    table = tables.journal
    with engine.connect() as connection:
        journal_here = process.journal_id(connection)
        newest = connection.execute(sa.select(sa.func.max(table.c.id))).scalar()
    if journal_here != sealed.journal:
        raise CaptureError(
            f"The file lists rows of the journal {sealed.journal}, and this database holds the journal {journal_here}. "
            "Nothing was removed."
        )
    limit = journal.now() - int(older_than_days * DAY)
    removed: List[Tuple[int, int]] = []
    count = 0
    for first, last in sealed.ranges:
        at = first
        while at <= min(last, newest):
            ids = _ids(engine, at, min(last, newest - 1), limit)
            if not ids:
                break
            if not dry_run:
                _delete(engine, ids)
            count += len(ids)
            _extend(removed, ids)
            at = ids[-1] + 1
    if count and not dry_run:
        _note(engine, {"ranges": removed, "rows": count})
    return Pruned(count, removed)


def _ids(engine: Any, first: int, last: int, limit: int) -> List[int]:
    table = tables.journal
    query = (
        sa.select(table.c.id)
        .where(
            table.c.id.between(first, last),
            table.c.operation != "journal",
            table.c.server_time < limit,
        )
        .order_by(table.c.id)
        .limit(_CHUNK)
    )
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(query)]


def _delete(engine: Any, ids: List[int]) -> None:
    table = tables.journal
    with engine.begin() as connection:
        for start in range(0, len(ids), 500):
            connection.execute(table.delete().where(table.c.id.in_(ids[start : start + 500])))


def _extend(ranges: List[Tuple[int, int]], ids: List[int]) -> None:
    for n in ids:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1] = (ranges[-1][0], n)
        else:
            ranges.append((n, n))


def _note(engine: Any, body: Dict[str, Any]) -> None:
    current.mode = settings.STRICT
    with engine.begin() as connection:
        journal.insert(connection, [journal.row("prune", after_row=journal.encode(body))])
