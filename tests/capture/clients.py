"""Clients that change a registry all at once, and keep what the server confirmed."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.servers.mlflow_server import MlflowServer

MODELS, VERSIONS = 6, 4
STAGES = ("Staging", "Production", "Archived", "None")


@dataclass
class Crowd:
    """So many clients, so many mutations in all.

    Attributes:
        confirmed: the texts, each used once, of changes the server said it made.
        unknown: those whose answer never came.
        answers: how the calls ended, by status or error.
    """

    server: MlflowServer
    mutations: int
    clients: int = 8
    seed: int = 1
    confirmed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    _sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many mutations were sent."""
        return self._sent

    @property
    def busy(self) -> bool:
        """Whether a client is still at it."""
        return any(thread.is_alive() for thread in self._threads)

    def prepare(self) -> None:
        """Make what all of them change."""
        for model in range(MODELS):
            self.server.call("POST", "registered-models/create", {"name": f"m{model}"})
            for _ in range(VERSIONS):
                body = {"name": f"m{model}", "source": "s3://models/m"}
                self.server.call("POST", "model-versions/create", body)

    def start(self) -> None:
        """Let the clients begin."""
        self._threads = [
            threading.Thread(target=self._client, args=(number,)) for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for all of them."""
        for thread in self._threads:
            thread.join()

    def _next(self) -> int | None:
        with self._lock:
            if self._sent >= self.mutations:
                return None
            self._sent += 1
            return self._sent

    def _client(self, number: int) -> None:
        rng = random.Random(self.seed * 1000 + number)
        connection: http.client.HTTPConnection | None = None
        while (turn := self._next()) is not None:
            text = f"text {number} {turn}"
            method, path, body, marked = _mutation(rng, number, turn, text)
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", self.server.port, timeout=120
                    )
                connection.request(
                    method, f"/api/2.0/mlflow/{path}", json.dumps(body),
                    {"Content-Type": "application/json"},
                )  # fmt: skip
                response = connection.getresponse()
                answer = response.read().decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                self._ended(type(error).__name__, text if marked else None, self.unknown)
                if connection is not None:
                    connection.close()
                    connection = None
                self._wait()
                continue
            if response.status >= 400:
                with self._lock:
                    self.problems[_problem(answer)] += 1
            confirmed = marked and response.status < 400
            self._ended(str(response.status), text if confirmed else None, self.confirmed)
        if connection is not None:
            connection.close()

    def _ended(self, how: str, text: str | None, texts: list[str]) -> None:
        with self._lock:
            self.answers[how] += 1
            if text is not None:
                texts.append(text)

    def _wait(self) -> None:
        """Wait for a server that is being started again."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not self.server.answers():
            time.sleep(0.2)


def _problem(answer: str) -> str:
    """What an error says, without what differs from one to the next."""
    for known in ("database is locked", "deadlock", "Deadlock", "already exists", "not found"):
        if known in answer:
            return known.lower()
    return answer[:200]


def _mutation(
    rng: random.Random, client: int, turn: int, text: str
) -> tuple[str, str, dict[str, Any], bool]:
    """A call, and whether it writes `text` where it can be found again."""
    model, version = f"m{rng.randrange(MODELS)}", str(rng.randint(1, VERSIONS))
    of_version = {"name": model, "version": version}
    key, private = f"k{rng.randrange(3)}", f"own {client}"
    calls: list[tuple[int, str, str, dict[str, Any], bool]] = [
        (20, "POST", "model-versions/transition-stage",
         {**of_version, "stage": rng.choice(STAGES[:2]), "archive_existing_versions": True}, False),
        (15, "POST", "model-versions/transition-stage",
         {**of_version, "stage": rng.choice(STAGES), "archive_existing_versions": False}, False),
        (20, "POST", "model-versions/set-tag", {**of_version, "key": key, "value": text}, True),
        (10, "POST", "registered-models/set-tag", {"name": model, "key": key, "value": text}, True),
        (5, "DELETE", "model-versions/delete-tag", {**of_version, "key": key}, False),
        (10, "PATCH", "model-versions/update", {**of_version, "description": text}, True),
        (5, "PATCH", "registered-models/update", {"name": model, "description": text}, True),
        (10, "POST", "registered-models/alias",
         {"name": model, "alias": f"a{rng.randrange(2)}", "version": version}, False),
        (3, "DELETE", "registered-models/alias", {"name": model, "alias": "a1"}, False),
        (3, "POST", "model-versions/create",
         {"name": model, "source": "s3://models/m", "description": text}, True),
        (3, "POST", "registered-models/create", {"name": private, "description": text}, True),
        (2, "POST", "registered-models/rename", {"name": private, "new_name": f"{private} {turn}"}, False),
        (2, "DELETE", "registered-models/delete", {"name": private}, False),
    ]  # fmt: skip
    ((_, method, path, body, marked),) = rng.choices(calls, [weight for weight, *_ in calls])
    return method, path, body, marked
