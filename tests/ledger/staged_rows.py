"""Rows for every staging table, made from its columns: full ones, empty ones, odd ones."""

from __future__ import annotations

import json
import math
from typing import Any
from zlib import crc32

from auditreg.sources.interface import BYTES_MARK, STAGING
from tests.ledger.reading import START, MemoryReading, Rows

IDENTITY: dict[str, dict[str, Any]] = {
    "registered_models": {"model": "motor"},
    "registered_model_tags": {"model": "motor", "key": "owner"},
    "model_versions": {"model": "motor", "version": 1},
    "model_version_tags": {"model": "motor", "version": 1, "key": "owner"},
    "aliases": {"model": "motor", "version": 1, "alias": "champion"},
    "experiments": {"experiment_id": "1"},
    "runs": {"run_id": "r1"},
    "run_params": {"run_id": "r1", "key": "depth"},
    "run_metrics": {"run_id": "r1", "key": "auc"},
    "run_tags": {"run_id": "r1", "key": "note"},
    "run_datasets": {"run_id": "r1", "name": "claims", "digest": "d1"},
    "logged_models": {"model_id": "m-1"},
    "logged_model_params": {"model_id": "m-1", "key": "depth"},
    "logged_model_metrics": {"model_id": "m-1", "key": "auc"},
    "logged_model_tags": {"model_id": "m-1", "key": "note"},
    "model_artifacts": {"model": "motor", "version": 1, "state": "read"},
    "principals": {"kind": "user", "principal": "ann"},
    "permissions": {
        "resource_type": "registered_model",
        "resource": "motor",
        "principal_kind": "user",
        "principal": "ann",
    },
}
"""What identifies the full row of each table."""

OTHER = {
    "model": "household",
    "run_id": "r2",
    "model_id": "m-2",
    "experiment_id": "2",
    "principal": "bob",
}
"""What identifies the empty row, where it differs from the full one."""

ODD = (
    "",
    "back\\slash \"quotes\" 'single'\n\ttabs",
    "\u202e\U0001f9ea e\u0301",
    f"{BYTES_MARK}//79",
    f"{BYTES_MARK}AA$plain",
    "postgresql://ann:s3cr3t-Pg9x@db.example/x",
    "a:1\x1fb",
)
NUMBERS = (math.nan, math.inf, -math.inf, 5e-324, -0.0, 0.1 + 0.2, 1e300)


def value(table: str, column: str, kind: str) -> Any:
    """A value of a column that no other column has."""
    number = crc32(f"{table}.{column}".encode())
    if column.endswith(("_time", "timestamp")):
        return START + number % 10**9
    return {"string": f"{column} of {table}", "int64": number, "float64": number / 7, "bool": True}[
        kind
    ]


def full(table: str) -> dict[str, Any]:
    """A row in which every column is filled."""
    row = {name: value(table, name, kind) for name, kind in STAGING[table].items()}
    if "workspace" in row:
        row["workspace"] = "default"
    return row | IDENTITY[table]


def rows_of_every_kind() -> Rows:
    """A full row, an empty one and odd ones of every kind."""
    rows: Rows = {}
    for table, identity in IDENTITY.items():
        empty = {name: OTHER.get(name, given) for name, given in identity.items()}
        if "workspace" in STAGING[table]:
            empty["workspace"] = "default"
        rows[table] = [full(table), empty]
    for table in ("registered_model_tags", "model_version_tags", "run_params", "run_tags"):
        rows[table] += [
            {**full(table), "key": f"odd {place}", "value": text} for place, text in enumerate(ODD)
        ]
    for table in ("logged_model_params", "logged_model_tags"):
        rows[table] += [
            {**full(table), "key": f"odd {place}", "value": text} for place, text in enumerate(ODD)
        ]
    for table in ("run_metrics", "logged_model_metrics"):
        rows[table] += [
            {**full(table), "key": f"odd {place}", "value": number}
            for place, number in enumerate(NUMBERS)
        ]
    rows["run_tags"].append({"run_id": "r2", "key": "password", "value": "swordfish-1"})
    rows["model_version_tags"].append(
        {**full("model_version_tags"), "key": "api_key", "value": "k-8f2Lq0Vt7sPz"}
    )
    for place, text in enumerate(ODD):
        odd = {
            name: text
            for name, kind in STAGING["model_versions"].items()
            if kind == "string" and name not in ("workspace", "model")
        }
        rows["model_versions"].append({**full("model_versions"), **odd, "version": 10 + place})
        rows["run_datasets"].append(
            {**full("run_datasets"), "name": text, "digest": text, "schema": text}
        )
    return rows


def journal_rows() -> list[dict[str, Any]]:
    """Rows of a server's journal: each of the five tables changed once."""
    created = START + 5000
    key = {"workspace": "default", "name": "captured"}
    version = {**key, "version": 1}
    images = [
        (
            "registered_models",
            {**key, "creation_time": created, "last_updated_time": created, "description": "d"},
        ),
        ("registered_model_tags", {**key, "key": "owner", "value": "bo"}),
        (
            "model_versions",
            {
                **version,
                "creation_time": created,
                "last_updated_time": created + 1,
                "description": "d",
                "user_id": "ann",
                "current_stage": "None",
                "source": "s3://m/1",
                "run_id": "r1",
                "run_link": "http://run",
                "status": "READY",
                "status_message": "ok",
                "storage_location": "s3://stored/1",
            },
        ),
        ("model_version_tags", {**version, "key": "token", "value": "tok3nVALUE99zz"}),
        ("registered_model_aliases", {**version, "alias": "live"}),
    ]
    return [
        {
            "id": number,
            "server_time": created + 1000 * number,
            "request": f"q{number}",
            "process": "p",
            "operation": "insert",
            "table_name": table,
            "workspace": "default",
            "name": "captured",
            "version": image.get("version"),
            "item": image.get("key", image.get("alias")),
            "model_created": created,
            "before_row": None,
            "after_row": json.dumps(image),
            "actor": "eve",
            "actor_from": "basic-auth",
            "claimed": None,
            "path": "/x",
            "method": "POST",
            "client": "c",
        }
        for number, (table, image) in enumerate(images, 1)
    ]


def readings() -> list[MemoryReading]:
    """Two readings: everything new; then most of it gone or other, the rest by the journal."""
    first = rows_of_every_kind()
    second = {table: [dict(row) for row in rows] for table, rows in first.items()}
    for table, rows in second.items():
        if table.endswith(("tags", "params")):
            del rows[2:4]
        for row in rows:
            if "description" in row:
                row["description"] = "another"
    second["principals"], second["permissions"] = [], []
    journal = "a" * 32
    return [
        MemoryReading(first, START + 10**9),
        MemoryReading({**second, "journal": journal_rows()}, START + 2 * 10**9, journal=journal),
    ]
