"""MLflow's state in a SQLite file."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import SourceError
from auditreg.sources.database.dialect import (
    UNCHANGED,
    UNRECORDED,
    DatabaseConnection,
    SqlDialect,
    already_closed,
)
from auditreg.sources.database.sqlite_files import PATIENCE_MS, DatabaseFile
from auditreg.sources.interface import INT, REAL, TEXT
from auditreg.sources.staging import arrow_array

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager import AdbcConnection, AdbcDatabase, AdbcStatement


class SQLiteSpelling(SqlDialect):
    """SQL as SQLite has it. A column holds whatever was put there."""

    kind = "sqlite"

    def value(self, expression: str, kind: str) -> str:
        """See `SqlDialect.value`."""
        if kind == TEXT:
            return f"cast({expression} as text)"
        accepted = "'integer'" if kind == INT else "'real', 'integer'"
        value = f"cast({expression} as real)" if kind == REAL else expression
        return f"case when typeof({expression}) in ({accepted}) then {value} end"

    def misfit(self, expression: str, kind: str) -> str:
        """See `SqlDialect.misfit`."""
        if kind == TEXT:
            return ""
        accepted = "'integer', 'null'" if kind == INT else "'real', 'integer', 'null'"
        return f"typeof({expression}) not in ({accepted})"

    def is_plain(self, expression: str, kind: str) -> str:
        """See `SqlDialect.is_plain`."""
        stored = {TEXT: "text", INT: "integer", REAL: "real"}[kind]
        return f"typeof({expression}) in ('{stored}', 'null')"

    def before_slash(self, expression: str) -> str:
        """See `SqlDialect.before_slash`."""
        return f"substr({expression}, 1, instr({expression} || '/', '/') - 1)"

    def is_run_id(self, expression: str) -> str:
        """See `SqlDialect.is_run_id`."""
        return f"(length({expression}) = 32 and {expression} not glob '*[^0-9a-f]*')"


class SQLite(SQLiteSpelling, DatabaseConnection):
    """A SQLite file, opened for reading: it is never created and never written; see `sqlite_files`.

    What is remembered between queries (`keep`) is in SQLite's temporary database, in memory.
    While a snapshot is open, SQLite lets a writer of a file in its default journal mode wait.
    On POSIX systems nothing else in this process may open and close the same file meanwhile: the
    operating system would drop the snapshot's locks with it.

    Args:
        path: the database file.

    Raises:
        SourceError: there is no such file, or it is not an SQLite database.
    """

    spelling = SQLiteSpelling

    def __init__(self, path: str) -> None:
        self.location = f"sqlite:///{path}"
        self._path = path
        self._database: AdbcDatabase | None = None
        self._connection: AdbcConnection | None = None
        self._columns: dict[str, frozenset[str]] = {}
        _check_file(path)
        self._file = DatabaseFile(path)
        try:
            try:
                self._open()
            except _NeedsWriting:
                self._disconnect()
                self._file.copy()
                self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        # ADBC's DB-API module would load pandas, which takes longer than to read a small registry.
        import adbc_driver_manager
        import adbc_driver_sqlite

        with self._errors():
            self._database = adbc_driver_sqlite.connect(self._file.uri)
            self._connection = adbc_driver_manager.AdbcConnection(self._database)
            # A hostile file must not run functions of its own through views or defaults.
            self._execute("pragma trusted_schema = off")
            # A writer that is committing just now is waited for.
            self._execute(f"pragma busy_timeout = {PATIENCE_MS}")
            self._execute("pragma temp_store = memory")
            if self._file.is_private:
                self._execute("pragma locking_mode = exclusive")  # it needs no lock, and has none
            # From here on one transaction: its first read, just below, is the snapshot.
            self._connection.set_autocommit(False)
        self._tables = frozenset(
            self.texts("select name as t from main.sqlite_master where type = 'table'")
        )

    def age(self) -> int:
        """See `DatabaseConnection.age`."""
        return self._file.age()

    def is_file(self, path: str | None) -> bool:
        """See `DatabaseConnection.is_file`."""
        try:
            return path is not None and Path(path).samefile(self._path)
        except OSError:
            return False

    def columns(self, table: str) -> frozenset[str]:
        """See `DatabaseConnection.columns`."""
        if table not in self._tables:
            return frozenset()
        if table not in self._columns:
            # A function of the pragma's name runs inside the transaction; its argument is ours.
            query = f"select name as t from pragma_table_info('{table}')"
            self._columns[table] = frozenset(self.texts(query))
        return self._columns[table]

    def keep(
        self,
        name: str,
        select: str,
        among: tuple[str, str] | None = None,  # noqa: ARG002 (texts compare exactly)
        also: Sequence[str] = (),
    ) -> str:
        """See `DatabaseConnection.keep`."""
        with self._errors():
            self._execute(f"drop table if exists temp.{name}")
            self._execute(f"create temp table {name} (id text primary key) without rowid")
            self._execute(f"insert or ignore into temp.{name} {select}")
            if also:
                self._execute(
                    f"insert or ignore into temp.{name} select value from json_each(?)",
                    json.dumps(list(also)),
                )
        return f"select id from temp.{name}"

    def stream(self, select: str, types: dict[str, str], size: int) -> Iterator[pa.RecordBatch]:
        """See `DatabaseConnection.stream`."""
        # ADBC takes a column's type from the first batch, where all may be NULL: a first row of
        # known types goes ahead and is dropped again. An order holds only inside parentheses.
        zero = {TEXT: "''", INT: "0", REAL: "0.0"}
        first = ", ".join(f'{zero[kind]} as "{name}"' for name, kind in types.items())
        query = f"select {first} union all select * from ({select})"
        with self._errors(), self._rows(query, size) as batches:
            dropped = False
            for batch in batches:
                if not dropped:
                    batch, dropped = batch.slice(1), True
                if batch.num_rows:
                    yield batch
        self._file.check_unchanged()

    def close(self) -> None:
        """See `DatabaseConnection.close`."""
        self._disconnect()
        self._file.close()

    def _disconnect(self) -> None:
        for handle in (self._connection, self._database):
            if handle is not None:
                with contextlib.suppress(Exception):
                    handle.close()
        self._connection = self._database = None

    def plan(self, select: str) -> str:
        """How SQLite would run a query, one step per line; for tests."""
        with self._rows(f"explain query plan {select}", 64) as batches:
            return "\n".join(map(str, batches.read_all().columns[-1].to_pylist()))

    def _statement(self, text: str) -> AdbcStatement:
        """A statement, to be closed. Its text and its values are the only way into SQLite."""
        import adbc_driver_manager

        if self._connection is None:
            raise already_closed()
        statement = adbc_driver_manager.AdbcStatement(self._connection)
        statement.set_sql_query(text)
        return statement

    @contextlib.contextmanager
    def _rows(self, query: str, size: int) -> Iterator[pa.RecordBatchReader]:
        """What a query answers, in batches of `size` rows."""
        import pyarrow as pa

        with self._statement(query) as statement:
            statement.set_options(**{"adbc.sqlite.query.batch_rows": str(size)})
            stream, _ = statement.execute_query()
            with pa.RecordBatchReader.from_stream(stream) as batches:
                yield batches

    def _execute(self, text: str, value: str | None = None) -> None:
        """Run a statement that answers nothing; `value` is what its `?` stands for."""
        import pyarrow as pa

        with self._statement(text) as statement:
            if value is not None:
                statement.prepare()
                values = arrow_array([value], pa.string())
                statement.bind(pa.RecordBatch.from_arrays([values], names=["value"]))
            statement.execute_update()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import adbc_driver_manager
        import pyarrow as pa

        try:
            yield
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            self._file.check_unchanged()  # a mixture of two states may well look damaged
            raise self._explain(str(error)) from error

    def _explain(self, message: str) -> SourceError:
        reason = re.sub(r"\s+", " ", message.partition("\nquery:")[0]).strip()
        if "not a database" in reason or "encrypted" in reason:
            return _not_sqlite(self._path)
        if "malformed" in reason or "corrupt" in reason:
            hint = "The file is damaged: read a backup, or `sqlite3 FILE '.recover'` a copy."
        elif "locked" in reason or "busy" in reason:
            hint = "Another program holds the database: try again, or read a copy of it."
        elif re.search("readonly|(unable|failed) to open", reason):
            return _NeedsWriting(
                f"The SQLite database {self._path} could not be read: {reason}.",
                state=UNRECORDED,
                hint="It needs a recovery that reading alone cannot do, or access to its -wal and -shm "
                "files: start MLflow on it once, or read a backup of it.",
            )
        else:
            hint = "Check that the file can be read, or read a copy of it."
        return SourceError(
            f"The SQLite database {self._path} could not be read: {reason}.",
            state=UNRECORDED,
            hint=hint,
        )


class _NeedsWriting(SourceError):
    """SQLite cannot read on without writing beside the database."""


def _check_file(path: str) -> None:
    """Say plainly what is wrong with a path before SQLite says it badly."""
    hint = "Give the path of MLflow's database file, e.g. sqlite:///mlflow.db."
    try:
        if Path(path).is_dir():
            raise SourceError(f"{path} is a directory, not a database.", state=UNCHANGED, hint=hint)
        with Path(path).open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise SourceError(
            f"There is no file {path}.", state="Nothing was read, and no file was made.", hint=hint
        ) from None
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}.",
            state=UNCHANGED,
            hint="Check who may read the file.",
        ) from error
    if not head:
        raise SourceError(f"{path} is empty: it holds no registry.", state=UNCHANGED, hint=hint)
    if head.startswith(b"version https://git-lfs"):
        raise SourceError(
            f"{path} is a pointer of Git LFS to a file that is not here.",
            state=UNCHANGED,
            hint="Fetch the file itself: git lfs pull.",
        )
    if not head.startswith(b"SQLite format 3\x00"):
        raise _not_sqlite(path)


def _not_sqlite(path: str) -> SourceError:
    return SourceError(
        f"{path} is not an SQLite database, or it is encrypted.",
        state=UNCHANGED,
        hint="Give the path of MLflow's database file, e.g. sqlite:///mlflow.db.",
    )
