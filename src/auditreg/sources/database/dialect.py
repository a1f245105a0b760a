"""What a database has to offer to be read: one read-only snapshot, and its way of writing SQL.

A dialect opens a read-only connection with one snapshot for everything that follows, answers
which tables and columns there are, and streams a query as Arrow batches of given types. The
queries themselves (`queries.py`) use only what the dialect offers here.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from auditreg.errors import SourceError
from auditreg.sources.interface import INT, TEXT

if TYPE_CHECKING:
    import pyarrow as pa

UNCHANGED = "Nothing was read or changed."
UNRECORDED = "The registry was not changed, and nothing was recorded."


class _AnyColumn(frozenset[str]):
    """The columns of a table of the newest MLflow: any that is asked for."""

    def __contains__(self, column: object) -> bool:
        return True

    def __len__(self) -> int:
        return 1


class SqlDialect(abc.ABC):
    """A database's way of writing SQL. Without a connection, it is SQL for people to run.

    `kind` is the database's name. `typed` is True where a column holds values of its declared type
    and nothing else, so that nobody has to look at each.

    Args:
        columns: the columns of each table; None for those of the newest MLflow.
    """

    kind: str
    typed: ClassVar[bool] = False

    def __init__(self, columns: Mapping[str, frozenset[str]] | None = None) -> None:
        self.given_columns = columns
        self.sets: dict[str, str] = {}

    def columns(self, table: str) -> frozenset[str]:
        """The columns that may be read; empty where there is no such table, or no right to it."""
        return (
            _AnyColumn()
            if self.given_columns is None
            else self.given_columns.get(table, frozenset())
        )

    def never_null(self, table: str) -> frozenset[str]:  # noqa: ARG002 (SQLite promises nothing)
        """Columns for which the database itself refuses NULL."""
        return frozenset()

    def keep(
        self,
        name: str,
        select: str,
        among: tuple[str, str] | None = None,
        also: Sequence[str] = (),
    ) -> str:
        """Hold the one column `id` of a query, under a name; what then stands inside `in (…)`.

        Without a connection the query is written down once, in `sets`, and called by its name.
        `among` names a table's column. An id that is not in it can be left out; the id is then
        taken as that column spells it. `also` are further ids, which another database gave.
        """
        if among is not None:
            table, column = among
            select = self.ids_among(select, table, column)
            if also:
                exact = self.exact(f"y.{column}")
                select += f" union select y.{column} from {table} y where {exact} in ({listed(printable(also))})"
        self.sets[name] = select
        return f"select id from {name}"

    @abc.abstractmethod
    def value(self, expression: str, kind: str) -> str:
        """SQL for a column as a staging type: NULL where the stored value is not of it."""

    def plain(self, expression: str, kind: str) -> str:  # noqa: ARG002 (as it is)
        """SQL for a column as a staging type, where every stored value is known to be of it."""
        return expression

    def misfit(self, expression: str, kind: str) -> str:  # noqa: ARG002 (a typed column has none)
        """SQL that is true where `value` turns a stored value into NULL; empty where none is."""
        return ""

    def is_plain(self, expression: str, kind: str) -> str:  # noqa: ARG002 (a typed column is)
        """SQL that is true where the stored value is NULL or already of the staging type."""
        return "true"

    @abc.abstractmethod
    def before_slash(self, expression: str) -> str:
        """SQL for the part of a text before its first `/`, or all of it."""

    @abc.abstractmethod
    def is_run_id(self, expression: str) -> str:
        """SQL that says whether a text looks like a run id MLflow made: 32 hex digits."""

    def exact(self, expression: str) -> str:
        """SQL for a text that compares letter by letter, whatever the column's collation."""
        return expression

    def ids_among(self, select: str, table: str, column: str) -> str:  # noqa: ARG002 (as they are)
        """SQL for the ids of a query as a column of a table holds them."""
        return select


class DatabaseConnection(SqlDialect):
    """One open, read-only snapshot of a database.

    `location` is where the database is, without user and password. `tells_hidden` is False where
    a user without a right to a table cannot tell it from one that is not there. `spelling` is its
    SQL without the connection.
    """

    tells_hidden: ClassVar[bool] = True
    spelling: ClassVar[type[SqlDialect]]

    location: str

    @abc.abstractmethod
    def columns(self, table: str) -> frozenset[str]:
        """See `SqlDialect.columns`."""

    @abc.abstractmethod
    def keep(
        self,
        name: str,
        select: str,
        among: tuple[str, str] | None = None,
        also: Sequence[str] = (),
    ) -> str:
        """See `SqlDialect.keep`. The ids are found once."""

    def denied(self, table: str, columns: frozenset[str]) -> frozenset[str]:  # noqa: ARG002
        """Those of the wanted columns that the table has and this user may not read.

        A file has no rights inside. Where a hidden table looks like a missing one
        (`tells_hidden`), all are.
        """
        return frozenset()

    def grant(self, table: str, columns: Sequence[str]) -> str:
        """The statement that lets this user read these columns."""
        raise NotImplementedError(f"{self.kind}: {table}, {columns}")

    def whereabouts(self, table: str) -> str:  # noqa: ARG002 (a file holds one schema)
        """Where else a table that was not found may be, as advice; empty where nobody knows."""
        return ""

    def is_file(self, path: str | None) -> bool:  # noqa: ARG002 (a server is no file)
        """Whether this is the database in a file: it must not be opened twice in one process."""
        return False

    def schema(self) -> str | None:
        """The schema MLflow's tables were found in; None where a database has but one."""
        return None

    def other_schemas(self) -> tuple[str, ...]:
        """Other schemas of this database that have MLflow's tables of a registry, too."""
        return ()

    def limits(self) -> tuple[str, ...]:
        """What puts the snapshot itself in doubt, in sentences."""
        return ()

    @abc.abstractmethod
    def stream(self, select: str, types: dict[str, str], size: int) -> Iterator[pa.RecordBatch]:
        """A query's rows, in batches of `size` rows or fewer, with exactly these column types.

        Read it to its end before the next query: a connection answers one at a time.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End the snapshot."""

    def now(self) -> int | None:
        """The database's clock in milliseconds UTC; None where it has none of its own."""
        return None

    def age(self) -> int:
        """How many milliseconds ago the database was as the snapshot shows it."""
        return 0

    def numbers(self, select: str, count: int = 1) -> list[int]:
        """The row of numbers a query answers with; NULL is 0."""
        types = {f"n{index}": INT for index in range(count)}
        batches = list(self.stream(select, types, 64))
        if not batches:
            return [0] * count
        return [int(column.to_pylist()[0] or 0) for column in batches[0].columns]

    def texts(self, select: str) -> list[str]:
        """The values of a query's one text column `t`; what is not Unicode is replaced."""
        return [
            (value or b"").decode("utf-8", "replace")
            for batch in self.stream(select, {"t": TEXT}, 1024)
            for value in batch.column(0).cast("binary").to_pylist()
        ]


def already_closed() -> SourceError:
    """What a query after `DatabaseConnection.close` gets."""
    return SourceError(
        "The reading of the registry was already closed.",
        state=UNCHANGED,
        hint="Read every table before closing.",
    )


def printable(texts: Iterable[str]) -> Iterator[str]:
    """Those texts that every database's client takes."""
    return (text for text in texts if "\0" not in text)


def listed(texts: Iterable[str]) -> str:
    """Texts as they stand inside `in (…)`; a comparison with NULL is never true."""
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts) or "null"
