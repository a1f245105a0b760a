"""A MariaDB of one's own: `with mariadb() as server: uri = server.database("mlflow")`."""

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

_USER, _PASSWORD = "mlflow", "mlflow"
_FOLDERS = ("/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin")


@dataclass(frozen=True)
class MariaDB:
    """A running server."""

    folder: Path
    port: int

    def database(self, name: str) -> str:
        """Make a database and give its address, for SQLAlchemy with PyMySQL."""
        self.execute(f"create database `{name}` character set utf8mb4")
        return f"mysql+pymysql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, database: str = "mysql") -> str:
        """Run statements with the command-line client, as root over the socket."""
        return self._client(
            "mariadb", "--batch", "--skip-column-names", database, content=statement
        )

    def dump(self, database: str) -> str:
        """The SQL that makes what is in a database."""
        return self._client("mariadb-dump", "--hex-blob", database)

    def _client(self, name: str, *options: str, content: str = "") -> str:
        socket = f"--socket={self.folder / 'socket'}"
        command = [program(name, *_FOLDERS), "--no-defaults", socket, "--user=root", *options]
        done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def mariadb() -> Iterator[MariaDB]:
    """A server in a temporary folder, gone afterwards."""
    require(importlib.util.find_spec("pymysql"), "PyMySQL is not installed")
    install, binary = program("mariadb-install-db", *_FOLDERS), program("mariadbd", *_FOLDERS)
    user = unprivileged("mysql")
    with data_folder(user) as folder:
        data, log, port = folder / "data", folder / "log", free_port()
        subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, cwd=folder, **user,
        )  # fmt: skip
        command = [
            binary, "--no-defaults", f"--datadir={data}", f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}", f"--port={port}", "--bind-address=127.0.0.1",
            "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--max-connections=200",
            "--innodb-buffer-pool-size=64M",
        ]  # fmt: skip
        process = start(command, log, cwd=folder, user=user)
        server = MariaDB(folder, port)
        try:
            wait_until(lambda: _answers(server), process, log)
            server.execute(
                f"create user '{_USER}'@'%' identified by '{_PASSWORD}';"
                f"grant all on *.* to '{_USER}'@'%';"
            )
            yield server
        finally:
            end_group(process, signal.SIGTERM)


def _answers(server: MariaDB) -> bool:
    try:
        return server.execute("select 1") == "1\n"
    except AssertionError:
        return False
