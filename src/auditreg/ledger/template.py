"""The file every new ledger begins as: all tables, views, macros and descriptions, and no entry.

Making it takes some eight hundred statements. It follows from the code alone, so it is made once,
when the code changes, and lies packed beside this module: `python docs/generate.py` writes it. It is
used only where the texts it was made from are still the same; else it is made anew, once in a
process. A test compares it with what the statements make. Its storage version is that of every
ledger, so each DuckDB that writes one reads it.
"""

from __future__ import annotations

import functools
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.ledger import schema
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

PACKED = Path(__file__).with_name("empty_ledger.z")
"""A line with `schema.texts_digest()`, then the compressed file."""

DRAFT = f"storage_version '{schema.STORAGE_VERSION}', recovery_mode 'no_wal_writes'"
"""How a file to be written is attached. A crash loses it as a whole: it needs no write-ahead log."""

WHOLE_METADATA = "set experimental_metadata_reuse = false"
"""Write what is said of each table anew at a checkpoint. A file in which some of it stayed as it was
cannot be opened by DuckDB 1.1 to 1.3 any more.
"""


@functools.cache
def empty_ledger() -> bytes:
    """The file of a ledger without entries, and without the row that says who wrote it."""
    if is_current():
        return zlib.decompress(PACKED.read_bytes().partition(b"\n")[2])
    return make()


def is_current() -> bool:
    """Whether the packed file was made from the texts of this release."""
    return packed_digest() == schema.texts_digest()


def packed_digest() -> str:
    """The digest of the texts that the packed file was made from; empty where it cannot be read.

    Read in a moment, which `schema.texts_digest()` is not.
    """
    try:
        with PACKED.open("rb") as file:
            return file.readline().decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def made(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the views and macros of a ledger are those of the packed file."""
    # Read to its end: a result that is left open keeps the connection's next relation from its own.
    rows = con.execute("select version, written_by from ledger.format").fetchall()
    return rows == [(schema.FORMAT_VERSION, schema.writer_name(packed_digest()))]


def make() -> bytes:
    """The file, made by its statements."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        con = duckdb.connect()
        try:
            con.execute(WHOLE_METADATA)
            con.execute(f"attach {quoted(str(path))} as audit ({DRAFT})")
            con.execute("use audit")
            con.execute("begin")  # a commit for each of hundreds of comments takes half the time
            schema.create(con)
            con.execute("commit")
            con.execute("checkpoint")
        finally:
            con.close()
        return path.read_bytes()


def write() -> None:
    """Make the packed file anew."""
    PACKED.write_bytes(schema.texts_digest().encode() + b"\n" + zlib.compress(make(), 9))
