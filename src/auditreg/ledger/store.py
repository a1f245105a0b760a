"""The ledger file: opened to read, written beside and replaced in one step.

DuckDB lets a writer and readers exclude each other, so a write copies the file, changes the copy
and renames it over the original. Readers keep the state they opened; a crash at any moment leaves
the old file as it was. A lock file keeps two writers apart from the copy to the rename.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import NO_LOCKS, LedgerError
from auditreg.files import draft_of, locked, sync_file, sync_folder
from auditreg.ledger import schema
from auditreg.ledger.template import DRAFT, WHOLE_METADATA, empty_ledger
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

    from auditreg.ledger.erase import Erased
    from auditreg.ledger.ingest import IngestSummary
    from auditreg.ledger.policies import Policy
    from auditreg.ledger.secrets import Key
    from auditreg.ledger.staging import Progress
    from auditreg.sources.interface import Reading

LOCK_TIMEOUT_S = 60.0
"""How long a writer waits for another one."""

REPLACE_TIMEOUT_S = 30.0
"""How long a writer waits where an open reader forbids replacing the file (Windows)."""

WRITER_MEMORY = "600MB"
"""DuckDB's memory limit while writing; beyond it, it uses a temporary folder."""

SEALING_MEMORY = "750MB"
"""The limit while the file is finished: with less, DuckDB compresses with one thread."""

SMALL_FILE = 64 * 1024 * 1024
"""Up to so many bytes a ledger is read by one thread: to share the work would take longer."""

UNCHANGED = "The ledger was not changed."

AMBIGUOUS_CATALOG = re.compile(r"ledger|main|system|temp", re.IGNORECASE)
"""Names DuckDB itself uses for a catalog or schema.

DuckDB names the catalog of a file after it. A catalog `ledger` clashes with the schema `ledger` in
every release; `Main`, `System` and `Temp` make releases before 2.0 fail or answer from their own
catalog of that name.
"""

LONGEST_NAME = 200
"""Bytes of a file name: drafts and scratch files beside the ledger have longer names than it."""


class Ledger:
    """A ledger file at a path; the file need not exist yet."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path)
        # The file behind a link is replaced, not the link.
        self.path = given.resolve() if given.is_symlink() else given
        self.notes: list[str] = []
        self._made: list[Path] = []

    @property
    def exists(self) -> bool:
        """Whether there is a file at the path."""
        return self.path.exists()

    @property
    def key_path(self) -> Path:
        """Default place of the key for hashing secrets: beside the ledger, never inside."""
        return self.path.with_name(self.path.name + ".key")

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A read-only connection in UTC.

        Raises:
            LedgerError: there is no file, it is not a ledger, or it is a newer one.
        """
        import duckdb

        if not self.path.is_file():
            raise LedgerError(
                f"There is no ledger at {self.path}.",
                state="Nothing was read.",
                hint="Make one with `auditreg extract --from URI`, or name another with --ledger.",
            )
        self._refuse_name()
        self._refuse_sqlite()
        try:
            con = duckdb.connect(str(self.path.absolute()), read_only=True)
        except duckdb.Error as error:
            raise self._unopenable(error) from error
        try:
            check_format(con, self.path)
            con.execute("set timezone = 'UTC'")
            if self.path.stat().st_size <= SMALL_FILE:
                con.execute("set threads = 1")
        except duckdb.Error as error:
            con.close()
            raise self._unopenable(error) from error
        except BaseException:
            con.close()
            raise
        return con

    @contextlib.contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """`connect` as a context manager."""
        con = self.connect()
        try:
            yield con
        finally:
            con.close()

    @contextlib.contextmanager
    def writer(self, *, fresh: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to a copy of the ledger, which replaces it when the block ends well.

        A missing ledger is created. If the block raises, nothing has changed, and no file is left that
        was not there: neither a key nor a lock.

        Args:
            fresh: write a new file, so that no old block remains. The ledger is attached as
                `old`; the caller copies of its log what is to stay and rebuilds the tables.

        Raises:
            LedgerError: another writer holds the lock, the folder cannot be written, the file is
                not a ledger, or it cannot be replaced.
        """
        self._refuse_name()
        self._folder_must_be_writable()
        self._refuse_sqlite()
        with self._locked():
            try:
                with self._draft(fresh=fresh) as con:
                    yield con
            except BaseException:
                self._remove_made()
                raise

    @contextlib.contextmanager
    def _draft(self, *, fresh: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file that replaces the ledger when the block ends well."""
        import duckdb

        draft = draft_of(self.path)
        try:
            self._clear_drafts()
            self._set_wal_aside()
            new = not self.path.exists()
            if not new and not fresh:
                self._copy_to(draft)
            con = self._connect_draft(draft, new=new or fresh)
            try:
                if not new and not fresh:
                    check_format(con, self.path)
                    schema.renew(con)
                if fresh and not new:
                    self._attach_old(con)
                yield con
                con.execute(f"set memory_limit = '{SEALING_MEMORY}'")
                con.execute("checkpoint")
            except (
                duckdb.OutOfMemoryException,
                duckdb.IOException,
                duckdb.FatalException,
            ) as error:
                raise out_of_space(error) from error
            finally:
                con.close()
            if not new:
                shutil.copymode(self.path, draft)
            self._replace(draft)
        finally:
            for ending in ("", ".wal", ".scratch", ".scratch.wal"):
                Path(f"{draft}{ending}").unlink(missing_ok=True)
            shutil.rmtree(f"{draft}.tmp", ignore_errors=True)

    def key(self, key_file: Path | None = None) -> Key:
        """The key for hashing secrets, inside `writer`: one made here is gone if the write fails.

        Raises:
            LedgerError: the file cannot be read or made, or holds no key.
        """
        from auditreg.ledger.secrets import load_key, make_key

        path = key_file or self.key_path
        with contextlib.suppress(OSError):  # which `load_key` explains
            if make_key(path):
                self._made.append(path)
        return load_key(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock_file = Path(f"{self.path}.lock")
        self._made = [] if lock_file.exists() else [lock_file]
        busy = LedgerError(
            f"Another auditreg process has been writing to {self.path} for a minute.",
            state=UNCHANGED,
            hint="Wait for it to end and run the command again.",
        )
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(lock_file, LOCK_TIMEOUT_S, busy))
            except OSError as error:
                self._remove_made()
                if error.errno in NO_LOCKS:
                    raise self._without_locks(f"{error.strerror}.") from error
                raise
            yield

    def _remove_made(self) -> None:
        for path in self._made:
            with contextlib.suppress(OSError):  # Windows removes no open file
                path.unlink(missing_ok=True)

    def ingest(  # noqa: PLR0913 - see there
        self,
        reading: Reading,
        *,
        registry: str,
        policies: Sequence[Policy],
        key_file: Path | None = None,
        observed_at: datetime | None = None,
        allow_empty: bool = False,
        allow_replacement: bool = False,
        secret_patterns: tuple[str, ...] = (),
        progress: Progress | None = None,
    ) -> IngestSummary:
        """Take a reading in and seal it; see `auditreg.ledger.ingest.ingest`."""
        from auditreg.ledger.ingest import ingest

        with self.writer() as con:
            return ingest(
                con,
                reading,
                registry=registry,
                key=self.key(key_file),
                policies=policies,
                observed_at=observed_at,
                allow_empty=allow_empty,
                allow_replacement=allow_replacement,
                secret_patterns=secret_patterns,
                progress=progress,
            )

    def erase(self, seq: int, reason: str, *, key_file: Path | None = None) -> Erased:
        """Erase the text of an entry; see `auditreg.ledger.erase.erase`."""
        from auditreg.ledger.erase import erase

        if not self.exists:
            self.connect()
        with self.writer(fresh=True) as con:
            return erase(con, seq, reason, self.key(key_file))

    def _refuse_name(self) -> None:
        """Refuse a file name under which a DuckDB without auditreg could not read the ledger."""
        reason = name_problem(self.path.name)
        if reason:
            raise LedgerError(
                f"A ledger cannot have the file name {self.path.name!r}: {reason}",
                state=UNCHANGED,
                hint="Nothing in a ledger depends on its name: rename the file, or name another "
                "with --ledger, such as audit.duckdb.",
            )

    def _refuse_sqlite(self) -> None:
        """DuckDB would fetch an extension from the network to open one."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                if file.read(15) == b"SQLite format 3":
                    raise self._unopenable(ValueError("it is a SQLite database"))

    def _folder_must_be_writable(self) -> None:
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The folder {folder} cannot be made: {error.strerror}.",
                state=UNCHANGED,
                hint="Name another place with --ledger.",
            ) from error
        if not os.access(folder, os.W_OK):
            raise LedgerError(
                f"The folder {folder} cannot be written to.",
                state=UNCHANGED,
                hint="Ask for the right to write there, or name another place with --ledger.",
            )

    def _clear_drafts(self) -> None:
        """Remove what writers killed before us left; the lock says none is alive."""
        for leftover in self.path.parent.glob(f".{self.path.name}.*.draft*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _set_wal_aside(self) -> None:
        """Move a write-ahead log away: auditreg leaves none, so somebody else wrote to the file.

        With it in place a replaced file could not be opened by anybody.
        """
        wal = Path(f"{self.path}.wal")
        if wal.exists():
            aside = wal.with_name(f"{wal.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.aside")
            wal.rename(aside)
            self.notes.append(
                f"Somebody opened {self.path.name} to write and did not finish; what they wrote "
                f"was set aside as {aside.name} and is not part of the record."
            )

    def _copy_to(self, draft: Path) -> None:
        try:
            shutil.copyfile(self.path, draft)
        except OSError as error:
            raise LedgerError(
                f"{self.path} cannot be copied: {error.strerror}.",
                state=UNCHANGED,
                hint="A write needs as much free space as the ledger itself, and the right to "
                "read it.",
            ) from error

    def _attach_old(self, con: duckdb.DuckDBPyConnection) -> None:
        """Open the ledger as it is beside its fresh successor."""
        import duckdb

        try:
            con.execute(f"attach {quoted(str(self.path))} as old (read_only)")
            con.execute("use old")
            check_format(con, self.path)
            con.execute("use audit")
        except duckdb.Error as error:
            raise self._unopenable(error) from error

    def _connect_draft(self, draft: Path, *, new: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        try:
            return open_draft(draft, new=new)
        except duckdb.Error as error:
            if "Could not write" in str(error):
                raise out_of_space(error) from error
            raise self._unopenable(error) from error
        except OSError as error:
            raise out_of_space(error) from error

    def _replace(self, draft: Path) -> None:
        """Put the finished draft in the ledger's place, durably."""
        sync_file(draft)
        give_up = time.monotonic() + REPLACE_TIMEOUT_S
        while True:
            try:
                draft.replace(self.path)
                break
            except PermissionError as error:
                if time.monotonic() > give_up:
                    raise LedgerError(
                        f"{self.path} is held open by another program and cannot be replaced.",
                        state=UNCHANGED,
                        hint="Close the programs that have it open (DBeaver, a notebook) and run "
                        "the command again.",
                    ) from error
                time.sleep(0.25)
        sync_folder(self.path.parent)

    def _without_locks(self, reason: str) -> LedgerError:
        return LedgerError(
            f"{self.path} cannot be locked, because its file system has no locks: {reason}",
            state=UNCHANGED,
            hint="Keep the ledger on a local disk, not on a network share, and read copies of it "
            "elsewhere: docs/operations.md.",
        )

    def _unopenable(self, error: Exception) -> LedgerError:
        text = _first_line(error)
        if re.search("No locks available|locks are not supported|not supported.*lock", text):
            return self._without_locks(text)
        if "lock" in text.lower() and "conflict" in text.lower():
            return LedgerError(
                f"{self.path} is open for writing in another program.",
                state=UNCHANGED,
                hint="Close that program and run the command again.",
            )
        if "WAL" in text:
            return LedgerError(
                f"Beside {self.path} lies a write-ahead log that another program left.",
                state=UNCHANGED,
                hint="The next `auditreg extract` sets it aside; to read now, move "
                f"{self.path.name}.wal away.",
            )
        if is_damaged(self.path, error):
            return LedgerError(
                f"{self.path} is damaged: {text}",
                state=UNCHANGED,
                hint="Restore a copy of it; `auditreg verify` on the copy shows whether it is whole.",
            )
        if "version number" in text:
            return LedgerError(
                f"{self.path} was written by a newer DuckDB than this one.",
                state=UNCHANGED,
                hint="Upgrade duckdb: pip install --upgrade duckdb",
            )
        return LedgerError(
            f"{self.path} is not a ledger: {text}",
            state=UNCHANGED,
            hint="Name a ledger with --ledger, or a new file to start one.",
        )


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


def out_of_space(error: Exception) -> LedgerError:
    """That something could not be written, in the words of DuckDB or the system."""
    text = _first_line(error).rpartition("Original error: ")[2]
    return LedgerError(
        f"Memory or disk space ran out, or the disk refused a write: {text}",
        state=UNCHANGED,
        hint="Free space where the ledger is (a write needs as much as the ledger itself) and run "
        "the command again.",
    )


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


def check_format(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a DuckDB file that is no ledger, or one of a newer form.

    Raises:
        LedgerError: as said.
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


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
