"""Short ways to read a whole source in a test."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from auditreg.sources import Completeness, Reading, Source
from auditreg.sources.database.source import SqlSource
from auditreg.sources.database.sqlite import SQLite
from auditreg.sources.interface import STAGING, arrow_schema


def sqlite_source(path: Path, **options: Any) -> SqlSource:
    """The source that reads an SQLite file."""
    return SqlSource(lambda: SQLite(str(path)), **options)


def rows(reading: Reading, table: str) -> list[dict[str, Any]]:
    found = []
    for batch in reading.table(table):
        assert batch.schema == arrow_schema(table)
        batch.validate(full=True)
        found += batch.to_pylist()
    return found


def everything(
    source: Source, runs: str = "linked"
) -> tuple[dict[str, list[dict[str, Any]]], Completeness]:
    with source.read(runs=runs) as reading:
        tables = {table: rows(reading, table) for table in STAGING}
        return tables, reading.completeness()


def read_sql(path: Path, runs: str = "linked") -> dict[str, list[dict[str, Any]]]:
    return everything(sqlite_source(path), runs)[0]


def run_sql(path: Path, *statements: str | tuple[str, tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("pragma foreign_keys = off")
        for statement in statements:
            sql, values = statement if isinstance(statement, tuple) else (statement, ())
            database.execute(sql, values)


def in_another_process(path: Path, statement: str) -> None:
    """As in life: a second SQLite in this process would end the file locks of the first."""
    program = "import sys; from tests.sources.reading import run_sql; run_sql(*sys.argv[1:])"
    command = [sys.executable, "-c", program, str(path), statement]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
