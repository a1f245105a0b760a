"""Whether a file is a ledger that this release can read, and the error where it is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import LedgerError, first_line
from auditreg.ledger import schema

if TYPE_CHECKING:
    import duckdb

UNCHANGED = "The ledger was not changed."

AMBIGUOUS_CATALOG = re.compile(r"ledger|main|system|temp", re.IGNORECASE)
"""Names DuckDB itself uses for a catalog or schema.

DuckDB names the catalog of a file after it. A catalog `ledger` clashes with the schema `ledger` in
every release; `Main`, `System` and `Temp` make releases before 2.0 fail or answer from their own
catalog of that name.
"""

LONGEST_NAME = 200
"""Bytes of a file name: drafts and scratch files beside the ledger have longer names than it."""


def refuse_name(path: Path) -> None:
    """Refuse a file name under which a DuckDB without auditreg could not read the ledger."""
    reason = name_problem(path.name)
    if reason:
        raise LedgerError(
            f"A ledger cannot have the file name {path.name!r}: {reason}",
            state=UNCHANGED,
            hint="Nothing in a ledger depends on its name: rename the file, or name another "
            "with --ledger, such as audit.duckdb.",
        )


def refuse_sqlite(path: Path) -> None:
    """Refuse an SQLite file: DuckDB would download an extension to open it."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(15) == b"SQLite format 3":
                raise unopenable(path, ValueError("it is a SQLite database"))


def name_problem(name: str) -> str | None:
    """Why some DuckDB could not read a ledger of this file name; None where every one can."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode, which DuckDB cannot open."
    if length > LONGEST_NAME:
        return f"it is {length} bytes long, and {LONGEST_NAME} are the most."
    if "\n" in name or "\r" in name or "\0" in name:
        return "it holds a line break or a null character."
    if re.match(r"\w{2,}:|:memory:", name, re.ASCII):
        return "DuckDB takes what stands before the colon for a kind of database."
    catalog = name.partition(".")[0]
    if AMBIGUOUS_CATALOG.fullmatch(catalog):
        return f"DuckDB uses the word {catalog} for something of its own."
    return None


def check_format(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a DuckDB file that is no ledger, or one of a newer form.

    Raises:
        LedgerError: the file is not a ledger, or a newer release wrote it.
    """
    import duckdb

    try:
        row = con.execute("select version, written_by from ledger.format").fetchone()
    except duckdb.CatalogException as error:
        raise LedgerError(
            f"{path} is a DuckDB file, but not a ledger of auditreg.",
            state=UNCHANGED,
            hint="Name a ledger with --ledger, or a new file to start one.",
        ) from error
    if row is None or row[0] > schema.FORMAT_VERSION:
        written = row[1] if row else "an unknown release"
        raise LedgerError(
            f"{path} was written by a newer auditreg ({written}).",
            state=UNCHANGED,
            hint="Upgrade: pip install --upgrade auditreg",
        )


def without_locks(path: Path, reason: str) -> LedgerError:
    """The error of a ledger on a file system without locks."""
    return LedgerError(
        f"{path} cannot be locked, because its file system has no locks: {reason}",
        state=UNCHANGED,
        hint="Keep the ledger on a local disk, not on a network share, and read copies of it "
        "elsewhere: docs/operations.md.",
    )


def unfinished_write(path: Path) -> LedgerError:
    """The error of a ledger beside which a write-ahead log lies: auditreg itself leaves none."""
    return LedgerError(
        f"Beside {path} lies a write-ahead log: another program has the ledger open for writing, or "
        "ended before it had finished.",
        state=UNCHANGED,
        hint="Close that program and run the command again. Where none is running, the next "
        f"`auditreg extract` sets {path.name}.wal aside; to read now, move it away.",
    )


def unopenable(path: Path, error: Exception) -> LedgerError:
    """The error of a file that DuckDB does not open, by the words of DuckDB."""
    text = first_line(error)
    if re.search("No locks available|locks are not supported|not supported.*lock", text):
        return without_locks(path, text)
    if "lock" in text.lower() and "conflict" in text.lower():
        return LedgerError(
            f"{path} is open for writing in another program.",
            state=UNCHANGED,
            hint="Close that program and run the command again.",
        )
    if "WAL" in text:
        return unfinished_write(path)
    if is_damaged(path, error):
        return LedgerError(
            f"{path} is damaged: {text}",
            state=UNCHANGED,
            hint="Restore a copy of it; `auditreg verify` on the copy shows whether it is whole.",
        )
    if "version number" in text:
        return LedgerError(
            f"{path} was written by a newer DuckDB than this one.",
            state=UNCHANGED,
            hint="Upgrade duckdb: pip install --upgrade duckdb",
        )
    return LedgerError(
        f"{path} is not a ledger: {text}",
        state=UNCHANGED,
        hint="Name a ledger with --ledger, or a new file to start one.",
    )


def tells_damage(error: BaseException) -> bool:
    """Whether an error of DuckDB, in the middle of a question, says that a block is damaged."""
    return bool(re.search("Corrupt database file|does not match stored checksum", str(error)))


def is_damaged(path: Path, error: BaseException | None) -> bool:
    """Whether DuckDB refuses a file because bytes of it were changed or are missing.

    A file that never was DuckDB's does not have the length of one: three headers, then blocks.
    """
    text = str(error)
    if "WAL" in text or "version number" in text or "lock on file" in text:
        return False
    if "orrupt" in text or "checksum" in text:
        return True
    try:
        with path.open("rb") as file:
            mark, length = file.read(12)[8:], path.stat().st_size
    except OSError:
        return False
    return mark == b"DUCK" or (length > 3 * 4096 and (length - 3 * 4096) % 262_144 == 0)
