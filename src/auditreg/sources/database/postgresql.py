"""MLflow's state in PostgreSQL, read through ADBC: rows arrive as Arrow, by binary COPY."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from auditreg.errors import SourceError
from auditreg.sources.database.dialect import (
    UNCHANGED,
    DatabaseConnection,
    SqlDialect,
    already_closed,
)
from auditreg.sources.database.errors import postgresql as explained
from auditreg.sources.database.url import Address
from auditreg.sources.interface import INT, REAL, TEXT
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import pyarrow as pa

LISTED = 1_000_000
"""Ids written into a query at most; more are selected again by each query that needs them."""

_REGISTRY_TABLE = "registered_models"
_TYPES = {TEXT: "text", INT: "bigint", REAL: "double precision"}
_BATCH_BYTES = 16 * 2**20

_COLUMNS = """
    select a.attname::text as name,
        case when has_column_privilege(c.oid, a.attnum, 'select') then 1 else 0 end as readable,
        case when a.attnotnull then 1 else 0 end as filled
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.oid = to_regclass({name}) and c.relkind in ('r', 'p')
"""


class PostgreSQLSpelling(SqlDialect):
    """SQL as PostgreSQL has it."""

    kind = "postgresql"
    typed = True

    def value(self, expression: str, kind: str) -> str:
        """See `SqlDialect.value`."""
        return self.plain(expression, kind)

    def plain(self, expression: str, kind: str) -> str:
        """See `SqlDialect.plain`."""
        return f"({expression})::{_TYPES[kind]}"

    def before_slash(self, expression: str) -> str:
        """See `SqlDialect.before_slash`."""
        return f"split_part({expression}, '/', 1)"

    def is_run_id(self, expression: str) -> str:
        """See `SqlDialect.is_run_id`."""
        return f"(length({expression}) = 32 and {expression} !~ '[^0-9a-f]')"


class PostgreSQL(PostgreSQLSpelling, DatabaseConnection):
    """A PostgreSQL database, in one transaction that is READ ONLY and REPEATABLE READ.

    Nothing is created, temporary tables neither, so that a role with SELECT alone, or a hot
    standby, will do. Row-level security that would hide rows is an error, never fewer rows.

    Args:
        uri: `postgresql://` with whatever driver behind a plus; parameters as libpq has them
            (`sslmode`, `options`, `host=/var/run/postgresql` …), and `schema` for the schema
            MLflow's tables are in where it is not on the search path.

    Raises:
        SourceError: the driver is not installed, or the database cannot be reached.
    """

    spelling = PostgreSQLSpelling

    def __init__(self, uri: str) -> None:
        self._address = Address.parse(uri)
        self.location = self._address.location("postgresql")
        self._connection: Any = None
        self._known: dict[str, list[tuple[str, bool, bool]]] = {}
        driver = _driver()
        target = self._address.uri(
            "postgresql", without=("schema",), connect_timeout="30", application_name="auditreg"
        )
        with self._errors():
            self._connection = driver.connect(target, autocommit=True)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        # Settings go ahead of the transaction, where they also hold for what reads in it.
        self._execute("set standard_conforming_strings = on")
        self._execute("set row_security = off")
        # A database that promises no encoding hands its bytes over as they are.
        (encoding,) = self.texts("select current_setting('server_encoding') as t")
        encoding = "SQL_ASCII" if encoding == "SQL_ASCII" else "UTF8"
        self._execute(f"set client_encoding = '{encoding}'")
        schema = self._address.get("schema")
        if schema is not None:
            self._execute(f"set search_path = {quoted_name(schema)}")
        self._execute("begin isolation level repeatable read read only")
        # The transaction's first query takes the snapshot.
        (self._role,) = self.texts("select current_user::text as t")

    def columns(self, table: str) -> frozenset[str]:
        """See `DatabaseConnection.columns`."""
        return frozenset(name for name, readable, _ in self._described(table) if readable)

    def denied(self, table: str, columns: frozenset[str]) -> frozenset[str]:
        """See `DatabaseConnection.denied`."""
        hidden = {name for name, readable, _ in self._described(table) if not readable}
        return columns & hidden

    def grant(self, table: str, columns: Sequence[str]) -> str:
        """See `DatabaseConnection.grant`."""
        return grant(table, columns, self._role)

    def never_null(self, table: str) -> frozenset[str]:
        """See `DatabaseConnection.never_null`."""
        return frozenset(name for name, _, filled in self._described(table) if filled)

    def whereabouts(self, table: str) -> str:
        """See `DatabaseConnection.whereabouts`."""
        schemas = self._schemas_with(table)
        if not schemas:
            return ""
        name = schemas[0]
        (usable,) = self.numbers(f"select has_schema_privilege({quoted(name)}, 'usage')::int as n0")
        if usable:
            return f"The schema {name} has such a table: add `?schema={name}` to the address."
        return (
            f"The schema {name} has such a table, and this user may not look into it: "
            f"GRANT USAGE ON SCHEMA {quoted_name(name)} TO {quoted_name(self._role)};"
        )

    def schema(self) -> str | None:
        """See `DatabaseConnection.schema`."""
        names = self.texts(
            "select n.nspname::text as t from pg_catalog.pg_class c join pg_catalog.pg_namespace n "
            f"on n.oid = c.relnamespace where c.oid = to_regclass('{_REGISTRY_TABLE}')"
        )
        return names[0] if names else None

    def other_schemas(self) -> tuple[str, ...]:
        """See `DatabaseConnection.other_schemas`."""
        return tuple(name for name in self._schemas_with(_REGISTRY_TABLE) if name != self.schema())

    def _schemas_with(self, table: str) -> list[str]:
        return self.texts(
            "select n.nspname::text as t from pg_catalog.pg_class c "
            "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
            f"where c.relname = {quoted(table)} and c.relkind in ('r', 'p') "
            "and c.relpersistence <> 't' order by 1"
        )

    def keep(
        self,
        name: str,  # noqa: ARG002 (nothing is made to be named)
        select: str,
        among: tuple[str, str] | None = None,  # noqa: ARG002 (texts compare exactly)
        also: Sequence[str] = (),
    ) -> str:
        """See `DatabaseConnection.keep`. The ids are held here, and written into the queries."""
        import pyarrow as pa

        if also:
            select = f"{select} union select unnest({_array(_without_nul(also))}::text[])"
        raw_ids: list[Any] = []
        with self._errors(), contextlib.closing(self._cursor()) as cursor:
            cursor.execute(select)
            reader = cursor.fetch_record_batch()
            array = "bigint[]" if pa.types.is_integer(reader.schema.types[0]) else "text[]"
            for batch in reader:
                column = batch.column(0).drop_null()
                raw_ids += column.cast(pa.string()).cast(pa.binary()).to_pylist()
        if len(raw_ids) > LISTED:
            return select
        try:
            ids = [raw.decode() for raw in raw_ids]
        except UnicodeDecodeError:
            return select
        return f"select unnest({_array(ids)}::{array})"

    def stream(self, select: str, types: dict[str, str], size: int) -> Iterator[pa.RecordBatch]:
        """See `DatabaseConnection.stream`. The driver cuts batches by their bytes."""
        import pyarrow as pa

        kinds = {TEXT: pa.string(), INT: pa.int64(), REAL: pa.float64()}
        schema = pa.schema([(name, kinds[kind]) for name, kind in types.items()])
        with self._errors(), contextlib.closing(self._cursor()) as cursor:
            cursor.execute(select)
            for batch in cursor.fetch_record_batch():
                columns = [
                    column if column.type == field.type else _as(column, field.type)
                    for column, field in zip(batch.columns, schema, strict=True)
                ]
                whole = pa.RecordBatch.from_arrays(columns, schema=schema)
                for start in range(0, whole.num_rows, size):
                    yield whole.slice(start, size)

    def now(self) -> int | None:
        """See `DatabaseConnection.now`."""
        return self.numbers("select (extract(epoch from clock_timestamp()) * 1000)::bigint as n0")[
            0
        ]

    def close(self) -> None:
        """See `DatabaseConnection.close`."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _described(self, table: str) -> list[tuple[str, bool, bool]]:
        """A table's columns: name, whether it may be read, whether NULL is refused."""
        if table not in self._known:
            query = _COLUMNS.format(name=quoted(table))
            types = {"name": TEXT, "readable": INT, "filled": INT}
            self._known[table] = [
                (row["name"], bool(row["readable"]), bool(row["filled"]))
                for batch in self.stream(query, types, 1024)
                for row in batch.to_pylist()
            ]
        return self._known[table]

    def _cursor(self) -> Any:
        if self._connection is None:
            raise already_closed()
        options = {"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
        return self._connection.cursor(adbc_stmt_kwargs=options)

    def _execute(self, statement: str) -> None:
        with self._errors(), contextlib.closing(self._cursor()) as cursor:
            cursor.execute(statement)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import adbc_driver_manager
        import pyarrow as pa

        try:
            yield
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            # No cause: the driver's own message may repeat the address with its password.
            raise explained(self._address, self.location, error) from None


def grant(table: str, columns: Sequence[str], role: str) -> str:
    """The statement that lets a role read columns of a table."""
    return f"GRANT SELECT ({', '.join(columns)}) ON {table} TO {quoted_name(role)};"


def _driver() -> Any:
    try:
        import adbc_driver_postgresql.dbapi as driver
    except ImportError as error:
        raise SourceError(
            f"PostgreSQL cannot be read: its driver is not installed here ({error}).",
            state=UNCHANGED,
            hint="pip install 'auditreg[postgresql]'",
        ) from error
    return driver


def _as(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    import pyarrow as pa

    # What the driver has no Arrow type for (numeric) comes as text in an extension type.
    plain = column.storage if isinstance(column, pa.ExtensionArray) else column
    return plain.cast(data_type)


def _without_nul(texts: Sequence[str]) -> list[str]:
    """The texts that PostgreSQL can hold: no row is meant by another."""
    return [text for text in texts if "\0" not in text]


def _array(texts: Sequence[str]) -> str:
    inside = ",".join('"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"' for t in texts)
    return quoted("{" + inside + "}")
