"""A PostgreSQL of one's own: `with postgres() as server: uri = server.database("mlflow")`."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import (
    data_folder,
    end_group,
    free_port,
    program,
    require,
    start,
    unprivileged,
    wait_until,
)

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")

SQLALCHEMY = "postgresql+psycopg2"
"""The driver is named: without, SQLAlchemy takes psycopg2 up to 2.0 and psycopg from 2.1 on."""


@dataclass(frozen=True)
class Postgres:
    """A running server. Anybody on this machine may log in as anybody: it holds nothing."""

    folder: Path
    port: int

    def uri(self, database: str, role: str = "postgres", scheme: str = SQLALCHEMY) -> str:
        """The address of a database, for SQLAlchemy; ADBC's has the scheme `postgresql`."""
        return f"{scheme}://{role}@127.0.0.1:{self.port}/{database}"

    def database(self, name: str, template: str = "template1", owner: str = "postgres") -> str:
        """Make a database and give its address."""
        self.execute(f'create database "{name}" template "{template}" owner "{owner}"')
        return self.uri(name, owner)

    def execute(self, statement: str, database: str = "postgres", role: str = "postgres") -> str:
        """Run statements with psql; what they print, unadorned."""
        options = ["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]
        return self._client("psql", *options, "-U", role, "-d", database, content=statement)

    def dump(self, database: str) -> str:
        """The SQL that makes what is in a database."""
        return self._client("pg_dump", "-U", "postgres", database)

    def _client(self, name: str, *options: str, content: str = "") -> str:
        command = [program(name, *_FOLDERS), "-h", str(self.folder), "-p", str(self.port), *options]
        done = subprocess.run(
            command, input=content, capture_output=True, text=True, check=False, cwd="/"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A server in a temporary folder, gone afterwards.

    Args:
        durable: wait for the disk at each commit, as a firm's server does. Tests need not.
    """
    require(importlib.util.find_spec("psycopg2"), "psycopg2 is not installed")
    initdb, binary = program("initdb", *_FOLDERS), program("postgres", *_FOLDERS)
    user = unprivileged("postgres")
    with data_folder(user) as folder:
        data, log, port = folder / "data", folder / "log", free_port()
        subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C",
             "--no-sync"],
            check=True, capture_output=True, cwd=folder, **user,
        )  # fmt: skip
        on = "on" if durable else "off"
        command = [
            binary, "-D", str(data), "-p", str(port), "-k", str(folder),
            "-c", "listen_addresses=127.0.0.1", "-c", f"fsync={on}",
            "-c", f"synchronous_commit={on}", "-c", f"full_page_writes={on}",
            "-c", "max_connections=200",
            # In which order transactions were committed, which their ids do not tell.
            "-c", "track_commit_timestamp=on",
        ]  # fmt: skip
        process = start(command, log, cwd=folder, user=user)
        server = Postgres(folder, port)
        try:
            wait_until(lambda: _answers(server), process, log)
            yield server
        finally:
            end_group(process, signal.SIGQUIT)


def _answers(server: Postgres) -> bool:
    try:
        return server.execute("select 1") == "1\n"
    except AssertionError:
        return False
