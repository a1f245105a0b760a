"""A capture journal in a store, made row by row as the tests need it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from auditreg.sources.interface import STAGING
from tests.sources.reading import run_sql

ID = "0123456789abcdef0123456789abcdef"
START = 1_790_000_000_000
"""When the first server with capture started: 2026-09-21 14:13 UTC."""

TABLE = (
    "create table auditreg_journal (id integer primary key autoincrement, "
    "server_time bigint not null, request varchar(36) not null, process varchar(36) not null, "
    "operation varchar(16) not null, table_name varchar(64), workspace varchar(63), "
    "name varchar(256), version integer, item varchar(256), model_created bigint, "
    "before_row text, after_row text, actor varchar(256), actor_from varchar(32), "
    "claimed varchar(256), path varchar(512), method varchar(16), client varchar(64))"
)


def entry(number: int | None, operation: str | None = "update", **columns: Any) -> dict[str, Any]:
    """One journal row with every column."""
    row = dict.fromkeys(STAGING["journal"]) | {
        "id": number,
        "server_time": START + (number or 0) % 1_000,
        "request": f"request {number}",
        "process": "process 1",
        "operation": operation,
    }
    return row | columns


def identity(number: int = 1, journal: str = ID) -> dict[str, Any]:
    """The row that says which journal it is."""
    return entry(number, "journal", after_row=json.dumps({"journal": journal}))


def start(number: int = 2, at: int = START) -> dict[str, Any]:
    """A server process began to capture."""
    about = {"capture": "0.1.0", "mlflow": "3.17.2", "mode": "strict", "host": "h", "pid": 1}
    return entry(number, "start", server_time=at, after_row=json.dumps(about))


def change(number: int, **columns: Any) -> dict[str, Any]:
    """A version's description changed."""
    told = {
        "table_name": "model_versions",
        "workspace": "default",
        "name": "motor",
        "version": 1,
        "model_created": 5,
        "before_row": json.dumps({"name": "motor", "version": 1, "description": None}),
        "after_row": json.dumps({"name": "motor", "version": 1, "description": "new"}),
        "actor": "ann",
        "actor_from": "basic-auth",
        "path": "/api/2.0/mlflow/model-versions/update",
        "method": "PATCH",
        "client": "127.0.0.1",
    }
    return entry(number, "update", **{**told, **columns})


def journal_in(path: Path, *rows: dict[str, Any], table: str = TABLE) -> None:
    """Make the journal's table in a store and put rows into it."""
    run_sql(path, table)
    add(path, *rows)


def add(path: Path, *rows: dict[str, Any]) -> None:
    """Put rows into the journal."""
    names = list(STAGING["journal"])
    insert = (
        f"insert into auditreg_journal ({', '.join(names)}) "
        f"values ({', '.join('?' for _ in names)})"
    )
    run_sql(path, *[(insert, tuple(row[name] for name in names)) for row in rows])
