"""The ledger file: opened to read, written beside and replaced in one step.

DuckDB lets a writer and readers exclude each other, so a write copies the file, changes the copy
and renames it over the original. Readers keep the state they opened; a crash at any moment leaves
the old file as it was. A lock file keeps two writers apart from the copy to the rename.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import NO_LOCKS, LedgerError
from auditreg.files import draft_of, locked, sync_file, sync_folder
from auditreg.ledger import state, template
from auditreg.ledger.draft import finish, open_draft, out_of_space
from auditreg.ledger.file_checks import (
    UNCHANGED,
    check_format,
    refuse_name,
    refuse_sqlite,
    tells_damage,
    unfinished_write,
    unopenable,
    without_locks,
)
from auditreg.ledger.planning import is_small, plan_plainly
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

    from auditreg.ledger.erase import Erased
    from auditreg.ledger.ingest import IngestSummary
    from auditreg.ledger.policies import Policy
    from auditreg.ledger.secrets import Key
    from auditreg.sources.interface import Progress, Reading

LOCK_TIMEOUT_S = 60.0
"""How long a writer waits for another one."""

REPLACE_TIMEOUT_S = 30.0
"""How long a writer waits where an open reader forbids replacing the file (Windows)."""

SMALL_FILE = 64 * 1024 * 1024
"""Up to so many bytes a ledger is read by one thread: to share the work would take longer."""


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

    @property
    def write_ahead_log(self) -> Path:
        """Where a program that writes to the file itself keeps what is not in it yet."""
        return self.path.with_name(self.path.name + ".wal")

    def connect(self, *, replay: bool = False) -> duckdb.DuckDBPyConnection:
        """A read-only connection in UTC.

        Args:
            replay: read a write-ahead log of another program too, as any DuckDB does.

        Raises:
            LedgerError: there is no file, it is not a ledger, it is a newer one, or another program's
                write-ahead log lies beside it.
        """
        import duckdb

        if not self.path.is_file():
            raise LedgerError(
                f"There is no ledger at {self.path}.",
                state="Nothing was read.",
                hint="Make one with `auditreg extract --from URI`, or name another with --ledger.",
            )
        refuse_name(self.path)
        refuse_sqlite(self.path)
        if not replay and self.write_ahead_log.exists():
            raise unfinished_write(self.path)
        try:
            con = duckdb.connect(str(self.path.absolute()), read_only=True)
        except duckdb.Error as error:
            raise unopenable(self.path, error) from error
        try:
            check_format(con, self.path)
            con.execute("set timezone = 'UTC'")
            if self.path.stat().st_size <= SMALL_FILE:
                con.execute("set threads = 1")
        except duckdb.Error as error:
            con.close()
            raise unopenable(self.path, error) from error
        except BaseException:
            con.close()
            raise
        return con

    @contextlib.contextmanager
    def reader(self, *, any_sql: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection that has this release's views and macros, whoever wrote the file.

        Until the next write renews a file of another release, a copy of it is renewed and read.

        Args:
            any_sql: for SQL that is not our own, and may need a better plan than the one it writes down.

        Raises:
            LedgerError: as `connect`, or a block of the file turns out to be damaged.
        """
        import duckdb

        with contextlib.ExitStack() as opened:
            try:
                con = opened.enter_context(contextlib.closing(self.connect()))
                if not template.made(con):
                    con.close()
                    con = opened.enter_context(self._renewed())
                if not any_sql and is_small(con):
                    plan_plainly(con)
                yield con
            except duckdb.Error as error:
                if tells_damage(error):
                    raise unopenable(self.path, error) from error
                raise

    @contextlib.contextmanager
    def _renewed(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection to a copy that has this release's views and macros."""
        with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:
            copy = Ledger(Path(folder) / self.path.name)
            # To make views and macros anew takes longer than to copy the rows of a small ledger.
            filled = self.path.stat().st_size <= SMALL_FILE
            if not filled:
                shutil.copyfile(self.path, copy.path)
            with contextlib.closing(open_draft(copy.path, new=filled)) as con:
                if filled:
                    self._attach_old(con)
                    state.take_over(con)
                    con.execute("detach old")
                else:
                    state.renew(con)
                finish(con)
            with contextlib.closing(copy.connect()) as con:
                yield con

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
                read-only or not a ledger, or it cannot be replaced.
        """
        refuse_name(self.path)
        self._folder_must_be_writable()
        self._file_must_be_writable()
        refuse_sqlite(self.path)
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
                    state.renew(con)
                if fresh and not new:
                    self._attach_old(con)
                yield con
                finish(con)
            except duckdb.Error as error:
                if tells_damage(error):
                    raise unopenable(self.path, error) from error
                if isinstance(
                    error,
                    duckdb.OutOfMemoryException | duckdb.IOException | duckdb.FatalException,
                ):
                    raise out_of_space(error) from error
                raise
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
                    raise without_locks(self.path, f"{error.strerror}.") from error
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

    def _file_must_be_writable(self) -> None:
        """Refuse a published copy: to replace a file, the system asks for no right to the file."""
        if self.exists and not self.path.stat().st_mode & 0o222:
            raise LedgerError(
                f"{self.path} is read-only.",
                state=UNCHANGED,
                hint="A published copy stays as it is: name another ledger with --ledger. A copy "
                f"that was restored as the ledger: chmod u+w {shlex.quote(str(self.path))}",
            )

    def _clear_drafts(self) -> None:
        """Remove what writers killed before us left; the lock says none is alive."""
        for leftover in self.path.parent.glob(f".{self.path.name}.*.draft*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def set_wal_aside(self) -> None:
        """Do first what `writer` does, for a command that reads before it writes.

        Raises:
            LedgerError: as for `writer`.
        """
        if self.write_ahead_log.exists():
            self._folder_must_be_writable()
            with self._locked():
                self._set_wal_aside()

    def _set_wal_aside(self) -> None:
        """Move a write-ahead log away: auditreg leaves none, so somebody else wrote to the file.

        With it in place a replaced file could not be opened by anybody.
        """
        wal = self.write_ahead_log
        if wal.exists():
            aside = wal.with_name(f"{wal.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}.aside")
            wal.rename(aside)
            self.notes.append(
                f"Another program opened {self.path.name} to write and did not finish, or still has "
                f"it open; what it wrote was set aside as {aside.name} and is not part of the record."
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
            raise unopenable(self.path, error) from error

    def _connect_draft(self, draft: Path, *, new: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        try:
            return open_draft(draft, new=new)
        except duckdb.Error as error:
            if "Could not write" in str(error):
                raise out_of_space(error) from error
            raise unopenable(self.path, error) from error
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
