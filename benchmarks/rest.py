"""`python -m benchmarks.rest`: reading a registry through its tracking server.

One real `mlflow server` over a generated store is read by auditreg, and asked the very same
requests by a client that only takes the bytes: what auditreg adds to the server's own time is the
ratio of the two. Beside them, in the same run, MLflow's client used the naive way, and
mlflow-export-import on a registry small enough for it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from auditreg.sources.interface import STAGING
from auditreg.sources.server.source import RestSource
from benchmarks.figures import Figure, Outcome, as_markdown, machine
from benchmarks.store import generate
from tests.servers.mlflow_server import MlflowServer

BUDGET = 1.3
_SIZES = {
    "/registered-models/search": 1_000,
    "/model-versions/search": 10_000,
    "/runs/search": 1_000,
    "/experiments/search": 1_000,
    "/logged-models/search": 1_000,
}
"""Rows of a page, as auditreg asks for them."""


@dataclass(frozen=True)
class Request:
    """A request that was made."""

    method: str
    path: str
    content: Mapping[str, Any]

    @property
    def listing(self) -> str | None:
        """The listing it is a page of, with its filter; None for any other request."""
        name = self.path.removeprefix("/api/2.0/mlflow")
        return f"{name} {self.content.get('filter', '')}" if name in _SIZES else None


@dataclass
class Read:
    """What auditreg read: seconds, rows per staging table, requests."""

    seconds: float
    rows: dict[str, int] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)


def read(uri: str, threads: int) -> Read:
    """Read a registry whole into Arrow, as an extraction does, without model files."""
    source = RestSource(uri, threads=threads)
    once, made = source._server._once, []

    def noted(method: str, path: str, content: Mapping[str, Any], workspace: str | None) -> Any:
        made.append(Request(method, path, dict(content)))
        return once(method, path, content, workspace)

    source._server._once = noted  # type: ignore[method-assign]
    started = time.perf_counter()
    found = Read(0.0, requests=made)
    with source.read() as reading:
        for table in STAGING:
            if table not in ("model_artifacts", "journal"):
                found.rows[table] = sum(batch.num_rows for batch in reading.table(table))
        account = reading.completeness()
    found.seconds = time.perf_counter() - started
    if not account.complete:
        raise RuntimeError(f"the reading is not complete: {account.doubts}")
    return found


def bare(port: int, requests: list[Request]) -> float:
    """Make the same requests one after the other, on one connection; the seconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    prepared = []
    for one in requests:
        if one.method == "GET":
            address = (
                f"{one.path}?{urlencode(one.content, doseq=True)}" if one.content else one.path
            )
            prepared.append((one.method, address, None))
        else:
            prepared.append((one.method, one.path, json.dumps(one.content)))
    started = time.perf_counter()
    for method, address, body in prepared:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, address, body, headers)
        connection.getresponse().read()
    took = time.perf_counter() - started
    connection.close()
    return took


_NAIVE = """
import sys, time
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1], sys.argv[1])
def everything(search):
    token, found = None, []
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found
started = time.perf_counter()
everything(lambda token: client.search_registered_models(page_token=token))
versions = everything(lambda token: client.search_model_versions(page_token=token))
for version in versions:
    if version.run_id:
        client.get_run(version.run_id)
print(time.perf_counter() - started)
"""


def naive(uri: str) -> float:
    """MLflow's client: search models, search versions, get the run of each; the seconds it took."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _NAIVE, uri],
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    return float(done.stdout)


def exported(uri: str, python: str, folder: Path) -> float:
    """mlflow-export-import, all models with all versions and their runs; the seconds it took."""
    command = [
        str(Path(python).with_name("export-models")), "--models", "all", "--output-dir", str(folder),
    ]  # fmt: skip
    started = time.perf_counter()
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300,
        cwd=folder.parent,
    )  # fmt: skip
    took = time.perf_counter() - started
    if done.returncode or not (folder / "models").is_dir():
        raise RuntimeError(f"export-models: {(done.stderr or done.stdout)[-300:]}")
    return took


@contextlib.contextmanager
def serving(folder: Path, versions: int, workers: int) -> Iterator[MlflowServer]:
    """A server over a generated store."""
    folder.mkdir()
    path = folder / "mlflow.db"
    generate(path, versions)
    # Nothing but MLflow itself, where capture is installed beside it.
    settings = {"AUDITREG_CAPTURE": "off"}
    with MlflowServer(
        folder / "server", f"sqlite:///{path}", workers=workers, settings=settings
    ) as server:
        yield server


def measure(folder: Path, versions: int, rounds: int, say: Callable[[str], None]) -> Outcome:
    """Read a registry in both ways in turn; the ratios of the medians."""
    times: dict[str, list[float]] = {"many": [], "one": [], "bare": []}
    with serving(folder / "large", versions, 2) as server:
        last = read(server.uri, 8)  # warms the server up
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            last = read(server.uri, 8)
            times["many"].append(last.seconds)
            times["one"].append(read(server.uri, 1).seconds)
            times["bare"].append(bare(server.port, last.requests))
        say("MLflow's client, a request per run")
        naively = naive(server.uri)
    medians = {name: statistics.median(found) for name, found in times.items()}
    listed = [one for one in last.requests if one.listing]
    others = len(last.requests) - len(listed)
    return Outcome(
        "rest",
        (
            Figure("requests that list rows / pages of rows", len(listed) / pages(last), budget=1),
            Figure("auditreg / the server's own time", medians["many"] / medians["bare"],
                   budget=BUDGET),
            Figure("the same, one request at a time", medians["one"] / medians["bare"],
                   budget=BUDGET),
            Figure("MlflowClient, a request per run / auditreg", naively / medians["many"]),
            Figure("auditreg", medians["many"], "s"),
            Figure("the same requests, bytes only, one at a time", medians["bare"], "s"),
            Figure("requests that list rows", len(listed), "requests"),
            Figure("other requests, whatever the size", others, "requests"),
            Figure("versions", last.rows["model_versions"], "rows"),
            Figure("runs", last.rows["runs"], "rows"),
        ),
        {"times": times, "naive": naively, "rows": last.rows},
    )  # fmt: skip


def pages(found: Read) -> int:
    """Pages that hold what was read: two passes over the registry, what it leads to once."""
    rows = {
        "/registered-models/search ": found.rows["registered_models"],
        "/model-versions/search ": found.rows["model_versions"],
    }
    needed = sum(2 * -(-number // _SIZES[name.strip()]) for name, number in rows.items())
    # An empty list takes a page, too: prompts of both kinds, twice; logged models.
    needed += 2 * 2 + 1
    needed += -(-found.rows["runs"] // _SIZES["/runs/search"])
    return needed + max(1, -(-found.rows["experiments"] // _SIZES["/experiments/search"]))


def beside_export(
    folder: Path, versions: int, python: str | None, say: Callable[[str], None]
) -> Outcome:
    """mlflow-export-import and auditreg on one small registry."""
    name = "rest-export"
    if python is None:
        return Outcome(name, problem="mlflow-export-import: no --export-python was given")
    with serving(folder / "small", versions, 2) as server:
        read(server.uri, 8)
        say("mlflow-export-import")
        ours = statistics.median(read(server.uri, 8).seconds for _ in range(3))
        try:
            theirs = exported(server.uri, python, folder / "exported")
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            return Outcome(name, problem=" ".join(str(error).split()))
    return Outcome(
        name,
        (
            Figure(f"mlflow-export-import / auditreg, {versions} versions", theirs / ours),
            Figure("mlflow-export-import", theirs, "s"),
            Figure("auditreg", ours, "s"),
        ),
    )


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rest", description=__doc__)
    parser.add_argument("--versions", type=int, default=1_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--small", type=int, default=60, metavar="N", help="versions exported")
    parser.add_argument(
        "--export-python", metavar="FILE", help="the python of an environment that has "
        "mlflow-export-import (pip install mlflow-export-import==1.2.0 tabulate)",
    )  # fmt: skip
    given = parser.parse_args(argv)

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="auditreg-rest-") as temporary:
        folder = Path(temporary)
        outcomes = [measure(folder, given.versions, given.rounds, say)]
        outcomes.append(beside_export(folder, given.small, given.export_python, say))
    print(as_markdown(outcomes, given.versions, machine()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
