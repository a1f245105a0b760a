"""`python -m benchmarks.capture`: what auditreg-capture adds to a stage transition's latency.

Two real `mlflow server`s of one release, one with capture and one without, each on a database of
its own, are called in turn by one client: what the machine does besides falls on both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, Outcome, as_table
from tests.servers.environment import overlay
from tests.servers.mlflow_server import MlflowServer
from tests.servers.postgres import postgres

BUDGET = 1.10
_VERSIONS = 20
_WARM = 40


class Client:
    """One connection to a server, which stays open as a client's does."""

    def __init__(self, server: MlflowServer) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def call(self, path: str, body: dict[str, object]) -> float:
        """Make a call; how many seconds it took."""
        text = json.dumps(body)
        started = time.perf_counter()
        self.connection.request(
            "POST", f"/api/2.0/mlflow/{path}", text, {"Content-Type": "application/json"}
        )
        answer = self.connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - started
        if answer.status != 200:
            raise RuntimeError(f"{path}: {content[:300]!r}")
        return took

    def prepare(self) -> None:
        """A model with versions to be moved."""
        self.call("registered-models/create", {"name": "m"})
        for _ in range(_VERSIONS):
            self.call("model-versions/create", {"name": "m", "source": "s3://models/m"})

    def transition(self, turn: int) -> float:
        """Move a version to the stage it is not in."""
        stage = ("Staging", "Production")[turn // _VERSIONS % 2]
        version = str(turn % _VERSIONS + 1)
        body = {"name": "m", "version": version, "stage": stage, "archive_existing_versions": False}
        return self.call("model-versions/transition-stage", body)


@contextlib.contextmanager
def databases(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of a kind, which wait for the disk as a firm's do."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'with.db'}", f"sqlite:///{folder / 'without.db'}"
        return
    with postgres(durable=True) as server:
        yield server.database("with"), server.database("without")


def measure(kind: str, calls: int, seed: int = 1) -> Outcome:
    """Call both servers in turn, in an order that changes; the ratio of their medians."""
    rng = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="auditreg-capture-") as temporary,
        databases(kind, Path(temporary)) as (captured, bare),
        contextlib.ExitStack() as stack,
    ):
        folder = Path(temporary)
        servers = {
            "with": MlflowServer(folder / "with", captured),
            "without": MlflowServer(folder / "without", bare, python=overlay(folder / "venv")),
        }
        clients = {name: Client(stack.enter_context(one)) for name, one in servers.items()}
        for client in clients.values():
            client.prepare()
        times: dict[str, list[float]] = {name: [] for name in clients}
        for turn in range(_WARM + calls):
            for name in rng.sample(list(clients), 2):
                took = clients[name].transition(turn)
                if turn >= _WARM:
                    times[name].append(took)
        for client in clients.values():
            client.connection.close()
    return _outcome(kind, times)


def _outcome(kind: str, times: dict[str, list[float]]) -> Outcome:
    medians = {name: statistics.median(found) for name, found in times.items()}
    ratio = medians["with"] / medians["without"]
    differences = [a - b for a, b in zip(times["with"], times["without"], strict=True)]
    detail = {
        name: {"median_ms": 1000 * medians[name], "p95_ms": 1000 * _late(found), "n": len(found)}
        for name, found in times.items()
    }
    return Outcome(
        f"capture-{kind}",
        (
            Figure("transition over REST, with / without, medians", ratio, budget=BUDGET),
            Figure("median with capture", 1000 * medians["with"], "ms"),
            Figure("median without", 1000 * medians["without"], "ms"),
            Figure("median of the pairs' differences", 1000 * statistics.median(differences), "ms"),
        ),
        detail,
    )


def _late(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, metavar="N", help="measured pairs")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], action="append")
    given = parser.parse_args(argv)
    outcomes = []
    for kind in given.only or ["sqlite", "postgresql"]:
        print(f"{kind}: {given.calls} pairs of calls", file=sys.stderr, flush=True)
        outcomes.append(measure(kind, given.calls))
    print(as_table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
