"""SQL for a database that nobody has connected to: to be shown to people, or looked into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from auditreg.errors import SourceError
from auditreg.sources.database.dialect import UNCHANGED, IdSet, SqlDialect
from auditreg.sources.database.mysql import MySQLSpelling
from auditreg.sources.database.postgresql import PostgreSQLSpelling
from auditreg.sources.database.sqlite import SQLiteSpelling

NAMES = ("postgresql", "mysql", "sqlite")
"""The databases SQL can be written for; MariaDB understands MySQL's."""


class _Everything(frozenset[str]):
    """The columns of a table nobody has looked at: any that is asked for."""

    def __contains__(self, column: object) -> bool:
        return True

    def __len__(self) -> int:
        return 1


class OfflineDialect(SqlDialect):
    """A spelling without a database behind it.

    Args:
        columns: the columns of each table; None for all that the newest known MLflow has.
        named: sets of ids are written down once, in `sets`, and called by their names.
    """

    def __init__(
        self, columns: Mapping[str, frozenset[str]] | None = None, *, named: bool = False
    ) -> None:
        self._columns = columns
        self._named = named
        self.sets: dict[str, str] = {}

    def columns(self, table: str) -> frozenset[str]:
        """See `SqlDialect.columns`."""
        if self._columns is None:
            return _Everything()
        return self._columns.get(table, frozenset())

    def keep(
        self,
        name: str,
        select: str,
        among: tuple[str, str] | None = None,
        also: Sequence[str] = (),  # noqa: ARG002 (no other database was read)
    ) -> IdSet:
        """See `SqlDialect.keep`."""
        if among:
            select = self.ids_among(select, *among)
        if not self._named:
            return IdSet(select, select)
        self.sets[name] = select
        by_name = f"select id from {name}"
        return IdSet(by_name, by_name)


class _PostgreSQL(OfflineDialect, PostgreSQLSpelling):
    """PostgreSQL's."""


class _MySQL(OfflineDialect, MySQLSpelling):
    """MySQL's and MariaDB's."""


class _SQLite(OfflineDialect, SQLiteSpelling):
    """SQLite's."""


def written(
    database: str,
    columns: Mapping[str, frozenset[str]] | None = None,
    *,
    named: bool = False,
) -> OfflineDialect:
    """SQL as a database of `NAMES`, or `mariadb`, has it; arguments as of `OfflineDialect`.

    Raises:
        SourceError: nothing is known of such a database.
    """
    made: dict[str, Callable[..., OfflineDialect]] = {
        "postgresql": _PostgreSQL,
        "mysql": _MySQL,
        "mariadb": _MySQL,
        "sqlite": _SQLite,
    }
    if database not in made:
        raise SourceError(
            f"SQL for {database} cannot be written.",
            state=UNCHANGED,
            hint=f"Choose one of {', '.join(NAMES)}.",
        )
    return made[database](columns, named=named)
