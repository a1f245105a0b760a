"""What a journal says of itself."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import sqlalchemy as sa

from auditreg_capture import process, tables

_CHANGES = ("insert", "update", "delete")
_NEWEST = 20


def look(engine: Any) -> Dict[str, Any]:
    """Identity, counts, and the processes that write it, the newest first."""
    table = tables.journal
    with engine.connect() as connection:
        counted = sa.select(table.c.operation, sa.func.count()).group_by(table.c.operation)
        counts: Dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
        last = connection.execute(sa.select(sa.func.max(table.c.server_time))).scalar()
        return {
            "journal": process.journal_id(connection),
            "rows": sum(counts.values()),
            "changes": sum(counts.get(operation, 0) for operation in _CHANGES),
            "last": last,
            "missed": _missed(connection),
            "processes": _processes(connection),
        }


def _missed(connection: Any) -> int:
    table = tables.journal
    notes = connection.execute(sa.select(table.c.after_row).where(table.c.operation == "missed"))
    return sum(int(json.loads(note).get("count", 0)) for (note,) in notes)


def _processes(connection: Any) -> List[Dict[str, Any]]:
    table = tables.journal
    starts = connection.execute(
        sa.select(table.c.process, table.c.server_time, table.c.after_row, table.c.operation)
        .where(table.c.operation.in_(("start", "off")))
        .order_by(table.c.id.desc())
        .limit(_NEWEST)
    ).fetchall()
    names = [start[0] for start in starts]
    seen = dict(
        tuple(row)
        for row in connection.execute(
            sa.select(table.c.process, sa.func.max(table.c.server_time))
            .where(table.c.process.in_(names))
            .group_by(table.c.process)
        )
    )
    stops = dict(
        tuple(row)
        for row in connection.execute(
            sa.select(table.c.process, table.c.server_time).where(
                table.c.operation == "stop", table.c.process.in_(names)
            )
        )
    )
    processes = []
    for name, started, body, operation in starts:
        details = json.loads(body)
        processes.append(
            {
                "process": name,
                "host": details.get("host"),
                "pid": details.get("pid"),
                "mode": details.get("mode") if operation == "start" else "off",
                "capture": details.get("capture"),
                "mlflow": details.get("mlflow"),
                "started": started,
                "last": seen.get(name),
                "stopped": stops.get(name),
            }
        )
    return processes
