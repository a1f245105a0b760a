"""MLflow's tables without rows in a database server: its migrations run once, and their result is kept as SQL."""

from __future__ import annotations

from pathlib import Path

from tests.servers.mariadb import MariaDB, mariadb
from tests.servers.postgres import Postgres, postgres
from tests.servers.process import run_warm
from tests.stores import Stores

EMPTY = "mlflow_empty"
"""A database with those tables; others are copies of it."""


def make_empty(server: Postgres | MariaDB, kept: Stores) -> None:
    """Make the database `EMPTY`."""
    server.database(EMPTY)
    fill_empty(server, kept, EMPTY)


def fill_empty(server: Postgres | MariaDB, kept: Stores, database: str) -> None:
    """Put MLflow's tables into a database that holds nothing. No capture has seen them."""
    start = postgres if isinstance(server, Postgres) else mariadb

    def make(folder: Path) -> None:
        with start() as first:
            run_warm("-m", "mlflow", "db", "upgrade", first.database(EMPTY))
            (folder / "empty.sql").write_text(first.dump(EMPTY), encoding="utf-8")

    kind = type(server).__name__.lower()
    sql = kept.get(f"empty-{kind}", make) / "empty.sql"
    server.execute(sql.read_text(encoding="utf-8"), database)
