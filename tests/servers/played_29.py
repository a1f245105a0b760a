"""Plays a story on a real MLflow 2.9.2 server and keeps the truth beside the store it leaves.

    AUDITREG_TEST_MLFLOWS=ENVIRONMENT python -m tests.servers.played_29 [FOLDER]

The interpreter is one of an environment with `mlflow==2.9.2` and `sqlalchemy<2.1`. FOLDER gets
`mlflow29.db.gz` and `truth.json.gz`; without it those under `tests/servers/data` are made anew. The
story is the same each time (a seed), its moments are not.
"""

from __future__ import annotations

import gzip
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.mlflow_server import MlflowServer
from tests.servers.releases import ORDINARY, interpreter
from tests.servers.truth import Event, State, Truth

DATA = Path(__file__).parent / "data"
STORE, TRUTH = "mlflow29.db.gz", "truth.json.gz"
MODELS, STEPS = 60, 1_100
STAGES = ("Staging", "Production", "Archived", "None")
LINES = ("motor", "home", "travel", "liability", "marine", "cyber")
PARTS = ("frequency", "severity", "demand", "retention", "lapse", "fraud")

OF_MODELS = {
    "create_version": 18, "describe_model": 6, "tag_model": 8, "rename_model": 2, "delete_model": 1,
}  # fmt: skip
OF_VERSIONS = {
    "transition": 26, "tag_version": 16, "alias": 12, "describe_version": 8, "delete_version": 3,
}  # fmt: skip
"""What happens, and how often."""


def now() -> int:
    """This machine's clock in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Player:
    """Calls a server and keeps what it did."""

    server: MlflowServer
    rng: random.Random
    user: tuple[str, str] | None = None
    without: Collection[str] = ()
    truth: Truth = field(default_factory=Truth)
    state: State = field(default_factory=State)
    count: int = 0

    def do(
        self,
        do: str,
        method: str,
        path: str,
        body: dict[str, Any],
        *,
        model: str,
        version: int | None = None,
        **given: Any,
    ) -> None:
        """One call, and what it changed."""
        started = now()
        answer = self.server.call(method, path, body, user=self.user)
        ended = now()
        row = next(iter(answer.values()), {})
        made = int(row["creation_timestamp"]) if do.startswith("create") else None
        if do == "create version":
            version = int(row["version"])
        updated = row.get("last_updated_timestamp")
        moment = None if updated is None else int(updated)
        event = Event(do, started, ended, model, version, moment, made, given)
        self.state.apply(event)
        self.truth.events.append(event)
        # The next call begins in another millisecond: two models are told apart by theirs.
        time.sleep(0.002)

    def text(self, what: str) -> str:
        """A text that is not used twice."""
        self.count += 1
        return f"{what} {self.count}"

    def name(self) -> str:
        """The name of an existing model."""
        return self.rng.choice(sorted(self.state.names))

    def living(self, model: str) -> list[int]:
        """The versions of a model that are not deleted."""
        made = self.state.names[model]
        return sorted(
            n for (m, n), v in self.state.versions.items() if m == made and not v["deleted"]
        )

    def create_model(self, model: str) -> None:
        given = {"description": self.text("prices")} if self.rng.random() < 0.5 else {}
        path = "registered-models/create"
        self.do("create model", "POST", path, {"name": model, **given}, model=model, **given)

    def create_version(self, model: str) -> None:
        given = {"description": self.text("fit")} if self.rng.random() < 0.5 else {}
        body = {"name": model, "source": f"s3://models/{self.text('m')}", **given}
        self.do("create version", "POST", "model-versions/create", body, model=model, **given)

    def rename_model(self, model: str) -> None:
        to = self.text(f"{model.split(' ', maxsplit=1)[0]} renamed")
        body = {"name": model, "new_name": to}
        self.do("rename model", "POST", "registered-models/rename", body, model=model, to=to)

    def delete_model(self, model: str) -> None:
        self.do("delete model", "DELETE", "registered-models/delete", {"name": model}, model=model)
        if self.rng.random() < 0.6:  # a name is used again
            self.create_model(model)
            self.create_version(model)

    def describe_model(self, model: str) -> None:
        given = {"description": self.text("says")}
        body = {"name": model, **given}
        self.do("describe model", "PATCH", "registered-models/update", body, model=model, **given)

    def tag_model(self, model: str) -> None:
        tags = self.state.models[self.state.names[model]]["tags"]
        if tags and self.rng.random() < 0.3:
            key = self.rng.choice(sorted(tags))
            body = {"name": model, "key": key}
            path = "registered-models/delete-tag"
            self.do("untag model", "DELETE", path, body, model=model, key=key)
            return
        key, value = self.rng.choice(["owner", "tier", "purpose"]), self.text("t")
        body = {"name": model, "key": key, "value": value}
        path = "registered-models/set-tag"
        self.do("tag model", "POST", path, body, model=model, **{key: value})

    def alias(self, model: str, version: int) -> None:
        aliases = self.state.models[self.state.names[model]]["aliases"]
        path = "registered-models/alias"
        if aliases and self.rng.random() < 0.25:
            alias = self.rng.choice(sorted(aliases))
            body = {"name": model, "alias": alias}
            self.do("delete alias", "DELETE", path, body, model=model, alias=alias)
            return
        alias = self.rng.choice(["champion", "challenger"])
        body = {"name": model, "alias": alias, "version": str(version)}
        self.do("set alias", "POST", path, body, model=model, version=version, alias=alias)

    def transition(self, model: str, version: int) -> None:
        stage, archive = self.rng.choice(STAGES), self.rng.random() < 0.5
        archive = archive and stage in ("Staging", "Production")
        body = {
            "name": model,
            "version": str(version),
            "stage": stage,
            "archive_existing_versions": archive,
        }
        self.do(
            "transition", "POST", "model-versions/transition-stage", body,
            model=model, version=version, stage=stage, archive=archive,
        )  # fmt: skip

    def describe_version(self, model: str, version: int) -> None:
        given = {"description": self.text("note")}
        body = {"name": model, "version": str(version), **given}
        path = "model-versions/update"
        self.do("describe version", "PATCH", path, body, model=model, version=version, **given)

    def delete_version(self, model: str, version: int) -> None:
        body = {"name": model, "version": str(version)}
        path = "model-versions/delete"
        self.do("delete version", "DELETE", path, body, model=model, version=version)

    def tag_version(self, model: str, version: int) -> None:
        tags = self.state.versions[self.state.names[model], version]["tags"]
        if tags and self.rng.random() < 0.3:
            key = self.rng.choice(sorted(tags))
            body = {"name": model, "version": str(version), "key": key}
            path = "model-versions/delete-tag"
            self.do("untag version", "DELETE", path, body, model=model, version=version, key=key)
            return
        key, value = self.rng.choice(["approved_by", "validated_in", "note"]), self.text("t")
        body = {"name": model, "version": str(version), "key": key, "value": value}
        path = "model-versions/set-tag"
        self.do("tag version", "POST", path, body, model=model, version=version, **{key: value})

    def step(self) -> None:
        """Something that happens in a registry, as often as it does."""
        model = self.name()
        versions = self.living(model)
        weights = {**OF_MODELS, **(OF_VERSIONS if versions else {})}
        weights = {do: weight for do, weight in weights.items() if do not in self.without}
        (chosen,) = self.rng.choices(list(weights), list(weights.values()))
        about = (model, self.rng.choice(versions)) if chosen in OF_VERSIONS else (model,)
        getattr(self, chosen)(*about)


def play(
    server: MlflowServer,
    seed: int,
    models: int = MODELS,
    steps: int = STEPS,
    user: tuple[str, str] | None = None,
    without: Collection[str] = (),
) -> Truth:
    """Models that come one after the other, and what happens to all of them meanwhile."""
    player = Player(server, random.Random(seed), user, without)
    for number in range(models):
        line, part = LINES[number % len(LINES)], PARTS[number // len(LINES) % len(PARTS)]
        name = f"{line}-{part}-{number}"
        player.create_model(name)
        player.create_version(name)
        for _ in range(steps // models):
            player.step()
    return player.truth


def make(python: str, folder: Path, seed: int = 29) -> None:
    """Play on a new server and leave the store and the truth in `folder`."""
    with tempfile.TemporaryDirectory(prefix="auditreg-played-") as temporary:
        work = Path(temporary)
        with MlflowServer(work, f"sqlite:///{work / 'mlflow.db'}", python=python) as server:
            truth = play(server, seed)
        with sqlite3.connect(work / "mlflow.db") as con:
            con.execute("vacuum")
        con.close()
        folder.mkdir(parents=True, exist_ok=True)
        content = (work / "mlflow.db").read_bytes()
        (folder / STORE).write_bytes(gzip.compress(content, 9, mtime=0))
        truth.save(folder / TRUTH)


def unpacked(folder: Path) -> tuple[Path, Truth]:
    """The kept store, unpacked into `folder`, and what really happened to it."""
    path = folder / "mlflow29.db"
    with gzip.open(DATA / STORE) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path, Truth.load(DATA / TRUTH)


if __name__ == "__main__":
    make(interpreter(ORDINARY), Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
