"""MLflow's state in MySQL or MariaDB, read through SQLAlchemy and whatever driver it is given."""

from __future__ import annotations

import contextlib
import decimal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from auditreg import sql
from auditreg.errors import SourceError
from auditreg.sources.database.dialect import (
    UNCHANGED,
    DatabaseConnection,
    SqlDialect,
    already_closed,
    listed,
)
from auditreg.sources.database.errors import (
    COLUMN_DENIED,
    NO_COLUMN,
    NO_TABLE,
    TABLE_DENIED,
    error_number,
)
from auditreg.sources.database.errors import mysql as explained
from auditreg.sources.database.url import Address
from auditreg.sources.interface import INT, REAL, TEXT

if TYPE_CHECKING:
    import pyarrow as pa

SQL_MODE = "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"
"""Names in double quotes, and no character in a text that escapes another."""

_DRIVER = "pymysql"
_CHARSET = "utf8mb4"
_FETCHED = 2_000
_PROBED = 1_000
_UTF8_MOST = 4
_BATCH_BYTES = 16 * 2**20


class MySQLSpelling(SqlDialect):
    """SQL as MySQL and MariaDB have it, with names in double quotes (`SQL_MODE`)."""

    kind = "mysql"
    typed = True

    def value(self, expression: str, kind: str) -> str:
        """See `SqlDialect.value`."""
        return self.plain(expression, kind)

    def plain(self, expression: str, kind: str) -> str:
        """See `SqlDialect.plain`."""
        return _as_bytes(expression) if kind == TEXT else expression

    def before_slash(self, expression: str) -> str:
        """See `SqlDialect.before_slash`."""
        return f"substring_index({expression}, '/', 1)"

    def is_run_id(self, expression: str) -> str:
        """See `SqlDialect.is_run_id`. Patterns fold case here, so that is looked at apart."""
        exact = self.exact(expression)
        return (
            f"(char_length({expression}) = 32 and {expression} regexp '^[0-9a-f]{{32}}$' "
            f"and {exact} = {self.exact(f'lower({expression})')})"
        )

    def exact(self, expression: str) -> str:
        """See `SqlDialect.exact`. Most collations here fold case and ignore blanks at the end."""
        return _as_bytes(expression)

    def ids_among(self, select: str, table: str, column: str) -> str:
        """See `SqlDialect.ids_among`."""
        exact = self.exact(f"x.{column}")
        return f"select x.{column} as id from {table} x join ({select}) named on {exact} = named.id"


class MySQL(MySQLSpelling, DatabaseConnection):
    """A MySQL or MariaDB database, in one READ ONLY transaction with a consistent snapshot.

    Nothing is created, temporary tables neither: SELECT alone will do. Rows are streamed through
    a cursor of the server's and built into Arrow column by column. Text is fetched as the bytes
    of its UTF-8, so that none can fail to be decoded.

    Args:
        uri: `mysql://` or `mariadb://`, with a driver of SQLAlchemy's behind a plus (PyMySQL
            where none is named) and the driver's parameters (`ssl_ca`, `unix_socket` …).

    Raises:
        SourceError: the driver is not installed, or the database cannot be reached.
    """

    tells_hidden = False
    spelling = MySQLSpelling

    def __init__(self, uri: str) -> None:
        self._address = Address.parse(uri)
        database, _, driver = self._address.scheme.partition("+")
        self.kind = database
        self.location = self._address.location(database)
        self._connection: Any = None
        self._known: dict[str, dict[str, bool]] = {}
        self._engine = self._made(f"{database}+{driver or _DRIVER}")
        with self._errors():
            self._connection = self._engine.connect()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _made(self, scheme: str) -> Any:
        sqlalchemy = _library()
        # The character set of the connection is ours: statements are written in it.
        target = self._address.uri(scheme, without=("charset",))
        try:
            url = sqlalchemy.make_url(target).update_query_dict({"charset": _CHARSET})
            return sqlalchemy.create_engine(
                url,
                poolclass=sqlalchemy.pool.NullPool,
                isolation_level="AUTOCOMMIT",
                hide_parameters=True,
            )
        except ImportError as error:
            raise _missing(error) from error
        except (sqlalchemy.exc.SQLAlchemyError, TypeError, ValueError) as error:
            raise explained(self._address, self.location, error) from None

    def _begin(self) -> None:
        self._execute(f"set session sql_mode = '{SQL_MODE}'")
        # A reader that stops to work on what it got is not a reader that has gone.
        self._execute("set session net_write_timeout = 600")
        self._execute("set session transaction isolation level repeatable read")
        self._execute("start transaction with consistent snapshot, read only")
        (self._role,) = self.texts("select current_user() as t")
        (self._database,) = self.texts("select coalesce(database(), '') as t")
        if not self._database:
            raise SourceError(
                f"{self.location} names no database.",
                state=UNCHANGED,
                hint="Write its name behind the last `/`: mysql://USER@HOST/DATABASE.",
            )
        (self._longest,) = self.numbers("select @@max_allowed_packet as n0")
        (version,) = self.texts("select version() as t")
        self.kind = "mariadb" if "mariadb" in version.lower() else "mysql"

    def columns(self, table: str) -> frozenset[str]:
        """See `DatabaseConnection.columns`. Columns without a right to them are not even shown."""
        return frozenset(self._described(table))

    def never_null(self, table: str) -> frozenset[str]:
        """See `DatabaseConnection.never_null`."""
        return frozenset(name for name, filled in self._described(table).items() if filled)

    def denied(self, table: str, columns: frozenset[str]) -> frozenset[str]:
        """See `DatabaseConnection.denied`. What is hidden has to be asked for to be refused."""
        seen = self.columns(table)
        if not seen:
            return columns if self._refused("1", table) else frozenset()
        return frozenset(name for name in columns - seen if self._refused(f"b.{name}", table))

    def grant(self, table: str, columns: Sequence[str]) -> str:
        """See `DatabaseConnection.grant`."""
        return grant(table, columns, self._role)

    def _refused(self, what: str, table: str) -> bool:
        """Whether a user is told that they may not read this, not that it does not exist."""
        import sqlalchemy.exc

        query = f"select {what} from {table} b limit 0"
        options = {"no_parameters": True}
        try:
            self._connection.exec_driver_sql(query, execution_options=options).close()
        except sqlalchemy.exc.DBAPIError as error:
            number = error_number(error)
            if number in (NO_TABLE, NO_COLUMN):
                return False
            if number in (TABLE_DENIED, COLUMN_DENIED):
                return True
            raise explained(self._address, self.location, error) from None
        return False

    def limits(self) -> tuple[str, ...]:
        """See `DatabaseConnection.limits`. Only InnoDB keeps a snapshot."""
        others = self.texts(
            "select concat(table_name, ' (', engine, ')') as t from information_schema.tables "
            "where table_schema = database() and engine is not null and engine <> 'InnoDB' "
            "and table_type = 'BASE TABLE' order by 1"
        )
        read = [name for name in others if name.partition(" ")[0] in self._known]
        if not read:
            return ()
        return (f"no snapshot: changes during the reading may show in {', '.join(read)}",)

    def keep(
        self,
        name: str,  # noqa: ARG002 (nothing is made to be named)
        select: str,
        among: tuple[str, str] | None = None,
        also: Sequence[str] = (),
    ) -> str:
        """See `DatabaseConnection.keep`. The ids are held here, and written into the queries.

        A subquery in their place is run again for each row by some releases.
        """
        ids = self._ids(select) | set(also)
        if among is not None:
            table, column = among
            ids = {
                id_
                for chunk in _parts(sorted(ids), _PROBED)
                for id_ in self._ids(
                    f"select x.{column} as id from {table} x where x.{column} in ({listed(chunk)})"
                )
                if id_ in ids
            }
        members = listed(sorted(ids))
        if len(members) * _UTF8_MOST > self._longest:
            raise SourceError(
                f"{self.location} has {len(ids)} ids to look for, more than one statement may hold.",
                state=UNCHANGED,
                hint="Raise max_allowed_packet of the server.",
            )
        return members

    def _ids(self, select: str) -> set[str]:
        ids: set[str] = set()
        with self._rows(select) as result:
            for part in result.partitions(_FETCHED):
                ids.update(
                    _bytes(row[0]).decode("utf-8", "replace") for row in part if row[0] is not None
                )
        return ids

    def stream(self, select: str, types: dict[str, str], size: int) -> Iterator[pa.RecordBatch]:
        """See `DatabaseConnection.stream`. A batch also ends once it holds many bytes."""
        kinds = list(types.items())
        held: list[Any] = []
        weight = 0
        with self._rows(select) as result:
            for part in result.partitions(min(size, _FETCHED)):
                held += part
                weight += sum(len(v) for row in part for v in row if isinstance(v, (bytes, str)))
                if len(held) + _FETCHED > size or weight > _BATCH_BYTES:
                    yield _batch(held, kinds)
                    held, weight = [], 0
            if held:
                yield _batch(held, kinds)

    def now(self) -> int | None:
        """See `DatabaseConnection.now`."""
        return self.numbers("select floor(unix_timestamp(sysdate(3)) * 1000) as n0")[0]

    def close(self) -> None:
        """See `DatabaseConnection.close`."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _described(self, table: str) -> dict[str, bool]:
        """A table's columns, and whether NULL is refused in them."""
        if table not in self._known:
            query = (
                "select column_name as name, is_nullable = 'NO' as filled "
                "from information_schema.columns "
                f"where table_schema = database() and table_name = {sql.quoted(table)}"
            )
            types = {"name": TEXT, "filled": INT}
            self._known[table] = {
                row["name"]: bool(row["filled"])
                for batch in self.stream(query, types, 1024)
                for row in batch.to_pylist()
            }
        return self._known[table]

    @contextlib.contextmanager
    def _rows(self, select: str) -> Iterator[Any]:
        """The result of a query, streamed."""
        if self._connection is None:
            raise already_closed()
        options = {"stream_results": True, "no_parameters": True}
        with self._errors():
            result = self._connection.exec_driver_sql(select, execution_options=options)
            unread = getattr(result.cursor, "_result", None)
            try:
                yield result
            except Exception:
                # PyMySQL would go on reading from a connection that is gone, once it tidies up.
                if unread is not None and getattr(unread, "unbuffered_active", False):
                    unread.unbuffered_active = False
                raise
            finally:
                with contextlib.suppress(Exception):
                    result.close()

    def _execute(self, statement: str) -> None:
        with self._errors():
            self._connection.exec_driver_sql(
                statement, execution_options={"no_parameters": True}
            ).close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa
        import sqlalchemy.exc

        try:
            yield
        # A driver that lacks a library of its own for logging in says so by RuntimeError.
        except (
            sqlalchemy.exc.SQLAlchemyError, pa.ArrowException, OSError, UnicodeError, RuntimeError
        ) as error:  # fmt: skip
            # No cause: the driver's own message may repeat the address with its password.
            raise explained(self._address, self.location, error) from None


def grant(table: str, columns: Sequence[str], role: str) -> str:
    """The statement that lets an account (`user@host`) read columns of a table."""
    names = ", ".join(map(quoted, columns))
    return f"GRANT SELECT ({names}) ON {table} TO {account(role)};"


def quoted(name: str) -> str:
    """A name in SQL, whatever is in it and whatever the SQL mode."""
    return "`" + name.replace("`", "``") + "`"


def account(role: str) -> str:
    """An account in SQL; anywhere it comes from, where no host is said."""
    name, at, host = role.rpartition("@")
    return f"{sql.quoted(name if at else role)}@{sql.quoted(host if at else '%')}"


def _library() -> Any:
    try:
        import sqlalchemy
        import sqlalchemy.pool
    except ImportError as error:
        raise _missing(error) from error
    return sqlalchemy


def _missing(error: ImportError) -> SourceError:
    return SourceError(
        f"MySQL and MariaDB cannot be read: a library is not installed here ({error}).",
        state=UNCHANGED,
        hint="pip install 'auditreg[mysql]', or the driver that the address names.",
    )


def _batch(rows: Sequence[Sequence[Any]], kinds: Sequence[tuple[str, str]]) -> pa.RecordBatch:
    import pyarrow as pa

    makers = {TEXT: _texts, INT: _integers, REAL: _reals}
    columns = zip(*rows, strict=True)
    arrays = [makers[kind](values) for values, (_, kind) in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in kinds])


def _texts(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        raw = pa.array(values, pa.binary())
    except (pa.ArrowException, TypeError):
        raw = pa.array([None if v is None else _bytes(v) for v in values], pa.binary())
    return raw.view(pa.string())


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")


def _integers(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    if any(isinstance(value, (decimal.Decimal, bool)) for value in values):
        values = [None if value is None else int(value) for value in values]
    return pa.array(values, pa.int64())


def _reals(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if v is None else float(v) for v in values], pa.float64())


def _as_bytes(expression: str) -> str:
    # What is stored as bytes is no text to be converted: letters unknown to it would become `?`.
    converted = f"cast(convert({expression} using {_CHARSET}) as binary)"
    return f"if(charset({expression}) = 'binary', {expression}, {converted})"


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
