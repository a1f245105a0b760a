"""Databases and MLflow servers with auditreg-capture in them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.empty import fill_empty
from tests.servers.mariadb import MariaDB, mariadb
from tests.servers.mlflow_server import MlflowServer
from tests.servers.postgres import Postgres, postgres
from tests.servers.process import require
from tests.stores import Stores

SERVERS = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}
"""The fixture of each database server."""

BACKENDS = ("sqlite", "postgresql", "mariadb")


def _has_capture() -> bool:
    try:
        importlib.metadata.distribution("auditreg-capture")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.fixture(scope="session")
def captured() -> None:
    """What an MLflow server with capture needs."""
    require(_has_capture(), "auditreg-capture is not installed")
    require(importlib.util.find_spec("uvicorn"), "mlflow server needs uvicorn")


@pytest.fixture(scope="session")
def basic_auth(captured: None) -> None:
    """What the application `basic-auth` needs besides."""
    require(importlib.util.find_spec("flask_wtf"), "basic-auth needs flask-wtf")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for all tests of this process."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    """A MariaDB for all tests of this process."""
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Makes an empty database of a kind and gives its URI."""
    numbers = itertools.count(1)

    def make(kind: str) -> str:
        name = f"mlflow{next(numbers)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('database') / name}.db"
        return str(request.getfixturevalue(SERVERS[kind]).database(name))

    return make


@pytest.fixture(scope="session")
def empty_database(
    request: pytest.FixtureRequest,
    captured: None,
    new_database: Callable[[str], str],
    empty_store: Path,
    kept_stores: Stores,
) -> Callable[[str], str]:
    """Makes a database with MLflow's tables, without rows, that no capture has seen."""

    def make(kind: str) -> str:
        uri = new_database(kind)
        if kind == "sqlite":
            shutil.copy(empty_store, uri.removeprefix("sqlite:///"))
        else:
            server = request.getfixturevalue(SERVERS[kind])
            fill_empty(server, kept_stores, uri.rpartition("/")[2])
        return uri

    return make


@pytest.fixture
def server(
    captured: None, empty_database: Callable[[str], str], tmp_path: Path
) -> Iterator[Callable[..., MlflowServer]]:
    """Starts MLflow servers, on a new SQLite store unless told otherwise; they end with the test."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> MlflowServer:
            backend = options.pop("backend", None) or empty_database(options.pop("kind", "sqlite"))
            return stack.enter_context(MlflowServer(tmp_path / "server", backend, **options))

        yield start
