"""A journal row, and the one statement that writes rows."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Dict, List, Optional

from auditreg_capture import runtime, statements
from auditreg_capture.tables import COLUMNS, WIDTHS, journal

# Matches no row. SQLite gives the write lock for it, so that what is read next stays as it is.
TAKE_WRITE_LOCK = f"UPDATE {journal.name} SET id = id WHERE 1 = 0"  # noqa: S608 (our own name)
# Nineteen columns each; older SQLite takes 999 parameters.
_CHUNK = 50
_WRITTEN = tuple(column for column in COLUMNS if column != "id")


def now() -> int:
    """The server's clock in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def row(operation: str, **values: Any) -> Dict[str, Any]:
    """A journal row of this process; texts are cut to what their columns hold."""
    full: Dict[str, Any] = dict.fromkeys(_WRITTEN)
    full.update(values, operation=operation, server_time=now(), process=runtime.identity())
    full["request"] = values.get("request") or str(uuid.uuid4())
    for column, width in WIDTHS.items():
        if full[column] is not None:
            full[column] = plain(full[column], width)
    return full


def plain(value: Any, width: int) -> str:
    """Text that every database takes: no NUL, no half characters, not longer than its column."""
    text = str(value)
    if len(text) > width or "\0" in text or not text.isascii():
        text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")[:width]
    return text


def encode(image: Optional[Dict[str, Any]]) -> Optional[str]:
    """An image as JSON in ASCII, which holds any text."""
    return None if image is None else json.dumps(image, separators=(",", ":"), default=str)


def insert(connection: Any, rows: List[Dict[str, Any]]) -> None:
    """Write journal rows."""
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        parameters = {
            f"{column}_{n}": values[column] for n, values in enumerate(chunk) for column in _WRITTEN
        }
        shape = (journal.name, _WRITTEN, len(chunk))
        statements.execute(connection, statements.insert_rows, shape, parameters)
