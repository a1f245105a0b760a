"""Servers of older MLflow releases, read by today's client: what REST shows is what is stored.

The ordinary run has one of them beside the newest; `make releases` has all.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from auditreg.sources import Completeness, SourceInfo, open_source
from auditreg.sources.interface import STAGING
from tests.releases import expected
from tests.releases.stores import MODELS, Store, played, unpacked
from tests.servers.mlflow_server import MlflowServer
from tests.servers.postgres import postgres
from tests.servers.process import run_warm
from tests.servers.releases import ORDINARY, RELEASES, interpreter, server
from tests.sources.reading import everything

pytestmark = pytest.mark.integration

NEWEST = "newest"
ON_POSTGRESQL = ("2.3.2 on PostgreSQL", "2.16.2 on PostgreSQL")
COUNTLESS = {"journal"}  # no capture is installed with the old releases
OF_VERSIONS = ("model_versions", "model_version_tags", "model_artifacts")
FILTERED = ("2.3.2", "2.9.2", "2.16.2")
"""Releases that answer the newest client's filter with nothing."""


@dataclass(frozen=True)
class Read:
    """One registry through its database and through a server of the release that wrote it."""

    release: str
    store: Store
    address: str
    sql: dict[str, list[dict[str, Any]]]
    rest: dict[str, list[dict[str, Any]]]
    account: Completeness
    info: SourceInfo


def releases() -> list[Any]:
    others = [one for one in RELEASES if one != ORDINARY]
    later = [pytest.param(one, marks=pytest.mark.releases) for one in (*others, *ON_POSTGRESQL)]
    return [ORDINARY, NEWEST, *later]


@pytest.fixture(scope="module", params=releases())
def read(request, tmp_path_factory) -> Iterator[Read]:
    """A release's registry, its server running."""
    folder, release = tmp_path_factory.mktemp("served"), request.param.split(" ")[0]
    with contextlib.ExitStack() as stack:
        if request.param in ON_POSTGRESQL:
            backend = stack.enter_context(postgres()).database("mlflow")
            store = played(interpreter(release), folder / "store", 10, backend)
        elif release == NEWEST:
            store = played(sys.executable, folder / "store", 8)
            backend = store.uri
        else:
            store = unpacked(release, folder / "store")
            backend = store.uri
        sql, _ = everything(open_source(backend))
        if release == NEWEST:
            settings = {"AUDITREG_CAPTURE": "off"}
            running = MlflowServer(folder / "server", backend, settings=settings)
        else:
            running = server(release, folder / "server", backend)
        stack.enter_context(running)
        rest, account = everything(open_source(running.uri))
        with open_source(running.uri, artifacts="none").read() as reading:
            info = reading.info
        yield Read(request.param, store, running.uri, sql, rest, account, info)


def comparable(read: Read, table: str, rows: list[dict[str, Any]]) -> list[str]:
    """Rows as they must be the same: without tombstones and without what REST says it hides."""
    gone = {
        (row["model"], row["version"])
        for row in read.sql["model_versions"]
        if row["stage"] == "Deleted_Internal"
    }
    hidden = {
        column.partition(".")[2]
        for column in read.info.hidden_columns
        if column.startswith(f"{table}.")
    }
    return sorted(
        repr({name: value for name, value in row.items() if name not in hidden})
        for row in rows
        if table not in OF_VERSIONS or (row["model"], row["version"]) not in gone
    )


@pytest.mark.parametrize("table", [table for table in STAGING if table not in COUNTLESS])
def test_the_server_shows_what_is_stored(read: Read, table: str):
    assert comparable(read, table, read.rest[table]) == comparable(read, table, read.sql[table])


def test_no_model_is_missing(read: Read):
    truth = read.store.truth
    told = expected.read_models(read.rest, truth)
    assert told == expected.models(truth)
    assert len(told) == len(truth["models"]) == MODELS.get(read.release, len(told))
    assert expected.read_versions(read.rest, truth) == expected.versions(truth)
    assert expected.read_runs(read.rest) == expected.runs(truth)
    outlive = read.release != NEWEST  # the older ones forget to remove a deleted version's
    assert expected.read_aliases(read.rest) == expected.aliases(truth, outlive=outlive)


def test_the_reading_is_complete_and_says_what_it_cannot_show(read: Read):
    assert read.account.doubts == ()
    assert read.account.passes == 2
    # Each deleted version leaves a gap, but the last of a model.
    assert read.account.gaps == 1
    version = read.info.mlflow_version
    assert version == read.store.truth["mlflow"]
    said = {one.partition(":")[0] for one in read.info.cannot_show}
    can = read.store.truth["can"]
    assert ("data sets and inputs of runs" not in said) == can["datasets"]
    assert ("logged models" not in said) == can["logged_models"]


def test_todays_client_used_the_naive_way_sees_no_models_there(read: Read):
    """The trap: an empty list, and no error, where sixty models are."""
    program = (
        "import sys, mlflow\n"
        "client = mlflow.MlflowClient(sys.argv[1], sys.argv[1])\n"
        "print(len(client.search_registered_models(max_results=1000)))"
    )
    naive = int(run_warm("-c", program, read.address))
    assert naive == (
        0 if read.release.split(" ")[0] in FILTERED else len(read.store.truth["models"])
    )
