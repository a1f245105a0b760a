"""Journal rows: what is written, and the one statement that writes them."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Dict, List, Optional

from auditreg_capture import actor, process, statements
from auditreg_capture.rows import Image, Key, read, registry_tables
from auditreg_capture.tables import COLUMNS, WIDTHS, journal
from auditreg_capture.tracking import Transaction

# Matches no row. SQLite gives the write lock for it, so that what is read next stays as it is.
TAKE_WRITE_LOCK = f"UPDATE {journal.name} SET id = id WHERE 1 = 0"  # noqa: S608 (our own name)
# Nineteen columns each; older SQLite takes 999 parameters.
_CHUNK = 50
_DEFAULT_WORKSPACE = "default"
_WRITTEN = tuple(column for column in COLUMNS if column != "id")


def now() -> int:
    """The server's clock in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def row(operation: str, **values: Any) -> Dict[str, Any]:
    """A journal row of this process; texts are cut to what their columns hold."""
    full: Dict[str, Any] = dict.fromkeys(_WRITTEN)
    full.update(values, operation=operation, server_time=now(), process=process.identity())
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
        values = {
            f"{column}_{n}": one[column] for n, one in enumerate(chunk) for column in _WRITTEN
        }
        wanted = (journal.name, _WRITTEN, len(chunk))
        statements.execute(connection, statements.insert_rows, wanted, values)


def write(connection: Any, transaction: Transaction) -> None:
    """Write what the transaction changed, one row per changed registry row."""
    changes = transaction.changes(connection)
    if not changes:
        return
    common = {"request": str(uuid.uuid4()), **actor.current()}
    created = _created(connection, changes)
    rows = []
    for registry, before, after in changes:
        operation = "delete" if after is None else "update" if before else "insert"
        image: Image = (after if after is not None else before) or {}
        rows.append(
            row(
                operation,
                table_name=registry.name,
                workspace=image.get("workspace", _DEFAULT_WORKSPACE),
                name=image["name"],
                version=image["version"] if "version" in registry.key else None,
                item=image.get("key", image.get("alias")),
                model_created=created.get(_model_of(image)),
                before_row=encode(before),
                after_row=encode(after),
                **common,
            )
        )
    transaction.reported, error = process.take_missed(connection.engine)
    if transaction.reported:
        rows.append(
            row("missed", after_row=encode({"count": transaction.reported, "error": error}))
        )
    insert(connection, rows)


def _model_of(image: Image) -> Key:
    models = registry_tables()["registered_models"]
    return tuple(image[column] for column in models.key)


def _created(connection: Any, changes: List[Any]) -> Dict[Key, Any]:
    """When each registered model concerned was created."""
    models = registry_tables()["registered_models"]
    created: Dict[Key, Any] = {}
    wanted = set()
    for registry, before, after in changes:
        if registry is models:
            for image in (before, after):
                if image is not None:
                    created[models.key_of(image)] = image["creation_time"]
        else:
            wanted.add(_model_of((after if after is not None else before) or {}))
    missing = sorted(wanted - set(created), key=repr)
    if missing:
        for image in read(connection, models, missing, len(models.key), lock=False):
            created[models.key_of(image)] = image["creation_time"]
    return created
