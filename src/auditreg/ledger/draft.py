"""The draft of a ledger: the file that a writer changes before it replaces the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import LedgerError, first_line
from auditreg.ledger import entries, schema
from auditreg.ledger.file_checks import UNCHANGED
from auditreg.ledger.template import DRAFT, WHOLE_METADATA, empty_ledger
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

WRITER_MEMORY = "600MB"
"""DuckDB's memory limit while writing; beyond it, it uses a temporary folder."""

SEALING_MEMORY = "750MB"
"""The limit while the file is finished: with less, DuckDB compresses with one thread."""

FEW, SHORT = 5_000, 4_000_000
"""Up to so many entries of so many bytes, what is changed is not compressed: to try each way on each column
takes longer than all the rest of a checkpoint, and the blocks of so small a file are half empty either way."""

_BYTES = "select sum(strlen(entry)) from ledger.log"


def open_draft(draft: Path, *, new: bool) -> duckdb.DuckDBPyConnection:
    """A connection to a file that nobody else opens; `new` makes it an empty ledger."""
    import duckdb

    con = duckdb.connect()
    try:
        con.execute(f"set memory_limit = '{WRITER_MEMORY}'")
        con.execute("set preserve_insertion_order = false")
        con.execute(WHOLE_METADATA)
        # One checkpoint at the end: one in between competes with the queries for memory.
        con.execute("set checkpoint_threshold = '1TB'")
        con.execute(f"set temp_directory = {quoted(f'{draft}.tmp')}")
        con.execute("set timezone = 'UTC'")
        if new:
            draft.write_bytes(empty_ledger())
        con.execute(f"attach {quoted(str(draft))} as audit ({DRAFT})")
        con.execute("use audit")
        if new:
            schema.sign(con)
    except BaseException:
        con.close()
        raise
    return con


def finish(con: duckdb.DuckDBPyConnection) -> None:
    """Write what is changed into the draft's file."""
    con.execute(f"set memory_limit = '{SEALING_MEMORY}'")
    if entries.size(con) <= FEW and entries.number(con, _BYTES) <= SHORT:
        con.execute("set force_compression = 'uncompressed'")
    con.execute("checkpoint")


def out_of_space(error: Exception) -> LedgerError:
    """That something could not be written, in the words of DuckDB or the system."""
    text = first_line(error).rpartition("Original error: ")[2]
    return LedgerError(
        f"Memory or disk space ran out, or the disk refused a write: {text}",
        state=UNCHANGED,
        hint="Free space where the ledger is (a write needs as much as the ledger itself) and run "
        "the command again.",
    )
