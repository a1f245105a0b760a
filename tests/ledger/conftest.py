"""Ledgers for the tests: a new one is a copy of an empty one, which takes a second to make."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditreg.ledger.ingest import IngestSummary
from auditreg.ledger.store import Ledger
from tests.ledger.book import Book, opened
from tests.ledger.reading import MemoryReading, Registry


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a ledger without entries. Do not write to it."""
    path = tmp_path_factory.mktemp("empty") / "audit.duckdb"
    with Ledger(path).writer():
        pass
    return path


@pytest.fixture
def ledger(tmp_path: Path, empty_file: Path) -> Ledger:
    """A new ledger without entries."""
    path = tmp_path / "audit.duckdb"
    shutil.copyfile(empty_file, path)
    return Ledger(path)


@pytest.fixture
def book(empty_file: Path) -> Iterator[Book]:
    """A new ledger without entries, on one open connection."""
    with opened(empty_file) as book:
        yield book


@pytest.fixture
def registry() -> Registry:
    """A new registry without models."""
    return Registry()


def take(ledger: Ledger, reading: MemoryReading, **options: Any) -> IngestSummary:
    """Take a reading in."""
    return ledger.ingest(reading, **{"registry": "default", "policies": (), **options})


def ask(ledger: Ledger, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query on the ledger."""
    with ledger.reader() as con:
        return con.execute(query, values).fetchall()


def leaf_hash(entry: bytes) -> bytes:
    """The leaf of an entry, as RFC 6962 defines it."""
    return hashlib.sha256(b"\x00" + entry).digest()


def log_rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Every column of every row of the log."""
    return ask(ledger, "from ledger.log order by seq")
