"""What a transaction changed, written into the journal."""

from __future__ import annotations

import uuid
from typing import Any, Dict, List

from auditreg_capture import actor, journal, process
from auditreg_capture.rows import Image, Key, read, registry_tables
from auditreg_capture.tracking import Transaction

_DEFAULT_WORKSPACE = "default"


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
            journal.row(
                operation,
                table_name=registry.name,
                workspace=image.get("workspace", _DEFAULT_WORKSPACE),
                name=image["name"],
                version=image["version"] if "version" in registry.key else None,
                item=image.get("key", image.get("alias")),
                model_created=created.get(_model_of(image)),
                before_row=journal.encode(before),
                after_row=journal.encode(after),
                **common,
            )
        )
    missed, error = process.take_missed(connection.engine)
    if missed:
        transaction.reported += missed
        rows.append(
            journal.row("missed", after_row=journal.encode({"count": missed, "error": error}))
        )
    journal.insert(connection, rows)


def _model_of(image: Image) -> Key:
    models = registry_tables()["registered_models"]
    return tuple(image[column] for column in models.key)


def _created(connection: Any, changes: List[Any]) -> Dict[Key, Any]:
    """When each registered model concerned was created."""
    models = registry_tables()["registered_models"]
    created: Dict[Key, Any] = {}
    needed = set()
    for registry, before, after in changes:
        if registry is models:
            for image in (before, after):
                if image is not None:
                    created[models.key_of(image)] = image["creation_time"]
        else:
            needed.add(_model_of((after if after is not None else before) or {}))
    missing = sorted(needed - set(created), key=repr)
    if missing:
        for image in read(connection, models, missing, len(models.key), lock=False):
            created[models.key_of(image)] = image["creation_time"]
    return created
