"""One extraction in a process of its own, which says where it is, so that it can be killed there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

# What a process needs is imported before it is forked: what is killed is the extraction.
import adbc_driver_sqlite  # noqa: F401
import duckdb  # noqa: TC002
import filelock  # noqa: F401
import pyarrow.compute  # noqa: F401

from auditreg.ledger.ingest import ingest
from auditreg.ledger.secrets import load_key
from auditreg.ledger.store import Ledger
from auditreg.sources import open_source


class Told(Ledger):
    """A ledger that says when it waits, has its turn, finishes its file and replaces the old one."""

    def __init__(self, path: Path, line: Connection) -> None:
        super().__init__(path)
        self.line = line

    @contextmanager
    def writer(self, *, fresh: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """See `Ledger.writer`."""
        self.line.send("waiting")
        with super().writer(fresh=fresh) as con:
            self.line.send("begun")
            yield con
            self.line.send("finishing")

    def _replace(self, draft: Path) -> None:
        self.line.send("replacing")
        super()._replace(draft)
        self.line.send("replaced")


def extract(store: str, path: str, line: Connection) -> None:
    """Take the registry in `store` into the ledger at `path`; phases go down the line."""
    ledger = Told(Path(path), line)
    source = open_source(f"sqlite:///{store}", artifacts="none")
    with source.read() as reading, ledger.writer() as con:
        ingest(
            con,
            reading,
            registry="default",
            key=load_key(ledger.key_path),
            policies=[],
            progress=lambda phase, _done, _total: line.send(phase),
        )
    line.send("done")
