"""PostgreSQL and MariaDB with MLflow's tables in them, and the rows of a SQLite store."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from auditreg.sources import open_source
from auditreg.sources.database.grants import all_columns
from tests.servers.empty import EMPTY, make_empty
from tests.servers.mariadb import MariaDB, mariadb
from tests.servers.postgres import Postgres, postgres
from tests.sources.reading import everything
from tests.stores import Stores

_names = (f"copy_{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def pg_server(kept_stores: Stores) -> Iterator[Postgres]:
    """A PostgreSQL with an empty store, `EMPTY`."""
    with postgres() as server:
        make_empty(server, kept_stores)
        yield server


@pytest.fixture(scope="session")
def my_server(kept_stores: Stores) -> Iterator[MariaDB]:
    """A MariaDB with an empty store, `EMPTY`."""
    with mariadb() as server:
        make_empty(server, kept_stores)
        yield server


def new_store(server: Postgres | MariaDB) -> str:
    """The address, for SQLAlchemy, of a new empty store."""
    name = next(_names)
    if isinstance(server, Postgres):
        return server.database(name, template=EMPTY)
    uri = server.database(name)
    # Those that are read: each costs a file, and MLflow has seventy.
    tables = sorted(all_columns().keys() & set(server.execute("show tables", EMPTY).split()))
    server.execute(
        "".join(f"create table {table} like {EMPTY}.{table};" for table in tables)
        + f"insert into alembic_version select * from {EMPTY}.alembic_version;",
        name,
    )
    return uri


@contextlib.contextmanager
def connected(uri: str) -> Iterator[sqlalchemy.Connection]:
    """A connection that heeds no foreign keys; what was done is committed."""
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)
    off = {
        "postgresql": "set session_replication_role = replica",
        "mysql": "set foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "sqlite": "pragma foreign_keys = off",
    }
    with engine.begin() as connection:
        connection.exec_driver_sql(off[engine.dialect.name])
        yield connection
    engine.dispose()


def copied(store: Path, uri: str) -> None:
    """Put all rows of a SQLite store into an empty one, the journal with them."""
    with connected(uri) as target, closing(sqlite3.connect(store)) as source:
        source.row_factory = sqlite3.Row
        origin = sqlalchemy.MetaData()
        engine = sqlalchemy.create_engine(f"sqlite:///{store}", poolclass=sqlalchemy.pool.NullPool)
        origin.reflect(engine, only=lambda name, _: name == "auditreg_journal")
        engine.dispose()
        origin.create_all(target)
        tables = sqlalchemy.MetaData()
        tables.reflect(target)
        names = [
            row[0] for row in source.execute("select name from sqlite_master where type = 'table'")
        ]
        for name in names:
            rows = [dict(row) for row in source.execute(f'select * from "{name}"')]
            if not rows or name not in tables.tables:
                continue
            table = tables.tables[name]
            target.execute(table.delete())
            target.execute(table.insert(), [_of_types(table, row) for row in rows])


def _of_types(table: sqlalchemy.Table, row: dict[str, Any]) -> dict[str, Any]:
    booleans = {c.name for c in table.columns if isinstance(c.type, sqlalchemy.Boolean)}
    return {
        name: bool(value) if name in booleans and value is not None else value
        for name, value in row.items()
        if name in table.columns
    }


class Made(dict[str, Any]):
    """Values by name, each made when it is first used: what is missing stops only who needs it."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Any:
        self[name] = self._make(name)
        return self[name]


SERVERS = {"postgresql": "pg_server", "mariadb": "my_server"}
"""The fixture of each database server."""

DATABASES = [
    "sqlite",
    *(pytest.param(name, marks=pytest.mark.integration) for name in SERVERS),
]
"""Parameters of a test that is run on each database; SQLite needs nothing but Python."""


@pytest.fixture(scope="session")
def registries(store: Path, request: pytest.FixtureRequest) -> Made:
    """The addresses of the same registry in three databases and behind a server, for reading."""

    def make(name: str) -> str:
        if name == "sqlite":
            return f"sqlite:///{store}"
        server: str = request.getfixturevalue("server")
        # The start of a server is a row of the journal, which the copies have to have, too.
        everything(open_source(server, artifacts="none"))
        if name == "rest":
            return server
        address = new_store(request.getfixturevalue(SERVERS[name]))
        copied(store, address)
        return address

    return Made(make)
