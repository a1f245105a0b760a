"""Clients that change a registry while it is read, and what was true at which moment."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from tests.capture.replay import replay
from tests.capture.tables import Row, Tables, journal, select
from tests.servers.mlflow_server import MlflowServer

MODELS = 5
STAGES = ("Staging", "Production", "Archived", "None")
RETURNING = ("registered_model_tags", "model_version_tags", "registered_model_aliases")
"""Tables whose rows may become what they were; those of the others hold the time of each change."""

Fact = tuple[Any, ...]
"""A row of the registry: the name of its table and its values."""


@dataclass
class Movers:
    """Clients that create, delete, retag, move aliases, transition and rename, while allowed to."""

    server: MlflowServer
    clients: int = 4
    seed: int = 1
    answers: Counter[int] = field(default_factory=Counter)
    _go: threading.Event = field(default_factory=threading.Event)
    _idle: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _stop: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Movers:
        for model in range(MODELS):
            self.server.call("POST", "registered-models/create", {"name": f"m{model}"})
            for _ in range(4):
                body = {"name": f"m{model}", "source": "s3://models/m"}
                self.server.call("POST", "model-versions/create", body)
        self._threads = [
            threading.Thread(target=self._client, args=(n,)) for n in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        self._rest()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._go.set()
        for thread in self._threads:
            thread.join()

    def go(self) -> None:
        """Let them work."""
        self._go.set()

    @contextmanager
    def bursts(self, rng: random.Random) -> Iterator[None]:
        """Let them work for moments, with rests between that a reading may or may not fit into.

        Some readings find hardly a rest, some long ones.
        """
        over = threading.Event()
        rest = rng.choice((0.1, 1.0, 4.0))

        def beat() -> None:
            while not over.is_set():
                self.go()
                over.wait(rng.uniform(0.05, 0.3))
                self.pause()
                over.wait(rng.uniform(0.0, rest))

        thread = threading.Thread(target=beat)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def pause(self) -> None:
        """Stop them; none of their calls is under way any more."""
        if self._go.is_set():
            self._go.clear()
            self._rest()

    def _rest(self) -> None:
        for _ in range(self.clients):
            assert self._idle.acquire(timeout=60), "a client does not come to rest"

    def _client(self, number: int) -> None:
        rng = random.Random(self.seed * 1_000 + number)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        turn = 0
        while True:
            if not self._go.is_set():
                self._idle.release()
                self._go.wait()
            if self._stop:
                break
            turn += 1
            method, path, body = _mutation(rng, number, turn)
            connection.request(
                method, f"/api/2.0/mlflow/{path}", json.dumps(body),
                {"Content-Type": "application/json"},
            )  # fmt: skip
            answer = connection.getresponse()
            answer.read()
            self.answers[answer.status] += 1
        connection.close()


def _mutation(rng: random.Random, client: int, turn: int) -> tuple[str, str, dict[str, Any]]:
    model = f"m{rng.randrange(MODELS)}"
    version = {"name": model, "version": str(rng.randint(1, 6))}
    key, text, own = f"k{rng.randrange(3)}", f"{client} {turn}", f"own {client}"
    calls: list[tuple[int, str, str, dict[str, Any]]] = [
        (15, "POST", "model-versions/transition-stage",
         {**version, "stage": rng.choice(STAGES), "archive_existing_versions": True}),
        (15, "POST", "model-versions/set-tag", {**version, "key": key, "value": text}),
        (10, "DELETE", "model-versions/delete-tag", {**version, "key": key}),
        (10, "POST", "registered-models/set-tag", {"name": model, "key": key, "value": text}),
        (10, "PATCH", "model-versions/update", {**version, "description": text}),
        (15, "POST", "registered-models/alias", {"name": model, "alias": "a",
                                                 "version": version["version"]}),
        (5, "DELETE", "registered-models/alias", {"name": model, "alias": "a"}),
        (10, "POST", "model-versions/create", {"name": model, "source": "s3://models/m"}),
        (5, "DELETE", "model-versions/delete", version),
        (10, "POST", "registered-models/create", {"name": own}),
        (5, "POST", "model-versions/create", {"name": own, "source": "s3://models/m"}),
        (5, "POST", "registered-models/rename", {"name": own, "new_name": f"a{own} {turn}"}),
        (5, "DELETE", "registered-models/delete", {"name": own}),
    ]  # fmt: skip
    ((_, method, path, body),) = rng.choices(calls, [weight for weight, *_ in calls])
    return method, path, body


def facts(state: Tables, tombstones: bool) -> set[Fact]:
    """What a state shows through a source."""
    dead = {
        (row["name"], row["version"])
        for (table, *_), row in state.items()
        if table == "model_versions" and row["current_stage"] == "Deleted_Internal"
    }
    return {
        _fact(place[0], row)
        for place, row in state.items()
        if tombstones
        # On PostgreSQL an alias may be set while its version is deleted: it points to nothing then.
        or place[0] == "registered_model_aliases"
        or (row["name"], row.get("version")) not in dead
    }


def _fact(table: str, row: Row) -> Fact:
    told = {
        "registered_models": ("creation_time", "last_updated_time", "description"),
        "model_versions": ("version", "creation_time", "last_updated_time", "description",
                           "current_stage", "source", "status"),
        "registered_model_tags": ("key", "value"),
        "model_version_tags": ("version", "key", "value"),
        "registered_model_aliases": ("alias", "version"),
    }  # fmt: skip
    # MLflow's REST API does not tell an empty description from none.
    values = [row[name] or None if name == "description" else row[name] for name in told[table]]
    return table, row["name"], *values


def staged(tables: dict[str, list[Row]]) -> list[Fact]:
    """What was read, in the same words."""
    renamed = {"aliases": "registered_model_aliases"}
    kinds = ("registered_models", "registered_model_tags", "model_versions", "model_version_tags",
             "aliases")  # fmt: skip
    return [
        _fact(
            renamed.get(kind, kind),
            {**row, "name": row["model"], "current_stage": row.get("stage")},
        )
        for kind in kinds
        for row in tables[kind]
    ]


def committed(database: str) -> list[Row]:
    """The journal in the order in which its transactions were committed.

    SQLite gives ids under the lock that a transaction holds to its end, so they are in that order.
    PostgreSQL gives them earlier, and tells when a transaction was committed.
    """
    told = journal(database)
    if database.startswith("sqlite"):
        return told
    place = {int(row["id"]): row["place"] for row in select(database, _COMMITTED)}
    return sorted(told, key=lambda row: (place[row["id"]], row["id"]))


_COMMITTED = "select id, pg_xact_commit_timestamp(xmin) as place from auditreg_journal"


def length(database: str) -> int:
    """How many rows the journal has; 0 where there is none."""
    try:
        return int(select(database, "select count(*) as n from auditreg_journal")[0]["n"])
    except sa.exc.DBAPIError:
        return 0


def moments(rows: list[Row], low: int, high: int) -> Iterator[set[Fact]]:
    """Each state the registry was in from when its journal had `low` rows to when it had `high`.

    By rows, not by times: a change may be committed long after its server wrote down the moment.

    Args:
        rows: the journal as `committed` gives it.
    """
    state: Tables = {}
    if low == 0:
        yield set()
    for place, row in enumerate(rows[:high], start=1):
        replay([row], state)
        following = rows[place] if place < len(rows) else None
        if following is not None and following["request"] == row["request"]:
            continue  # one transaction
        if low <= place:
            yield facts(state, tombstones=False)


def untrue(found: Iterable[Fact], held: Iterable[set[Fact]], *, back: bool) -> set[Fact]:
    """Where rows read differ from the state nearest to them; empty where they are one of `held`.

    Args:
        held: the states of the time they were read in, in order.
        back: whether tags and aliases that were changed and changed back meanwhile need not be
            true at the same moment as the rest, as a reading without a journal says. Each must
            have been true at one of these moments all the same.
    """
    known = _by_identity(found)
    states = [_by_identity(state) for state in held]
    free: set[Fact] = set()
    for one in {one for state in (known, *states) for one in state} if back else ():
        values = [value for value, _ in groupby(state.get(one) for state in states)]
        returned = len(set(values)) < len(values)
        if one[0] in RETURNING and returned and known.get(one) in values:
            free.add(one)
    differences = [
        {fact for one, fact in known.items() ^ state.items() if one not in free} for state in states
    ]
    return min(differences, key=len, default={("no state at all",)})


def _by_identity(rows: Iterable[Fact]) -> dict[Fact, Fact]:
    return {_identity(fact): fact for fact in rows}


def _identity(fact: Fact) -> Fact:
    table, name, *values = fact
    keys = {"registered_models": 0, "model_versions": 1, "registered_model_tags": 1,
            "model_version_tags": 2, "registered_model_aliases": 1}  # fmt: skip
    return table, name, *values[: keys[table]]
