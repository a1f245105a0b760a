"""Plays every mutating call of the registry client against a server, and keeps what each one did.

A program of its own, since MLflow's client takes its users from the environment:
`python -m tests.capture.story JSON` with the keys `uri`, `database`, `out`, `users` (two pairs of
name and password, or none) and `workspaces`. Each request the client sends becomes a step in
`out`: who sent it, where to, and the five tables before and after it, read by SQL.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.capture.tables import Tables, difference, dump, last_id

HOSTILE = "=1+1 <b>\u202eé\U0001f9ea\"'\\%s {x} \x1b[31m"
"""A name and a value as nobody should give them."""
SOURCE = "s3://models/pricing"


class Recorder:
    """Reads the tables around each changing request of this process."""

    def __init__(self, database: str):
        self.database = database
        self.steps: list[dict[str, Any]] = []
        self.moved: dict[str, dict[str, str]] = {}
        self.call = ""
        self._lock = threading.RLock()
        self._before: Tables = dump(database)
        self._send = requests.Session.send
        recorder = self

        def send(session: requests.Session, request: requests.PreparedRequest, **more: Any) -> Any:
            if request.method == "GET" or "search" in str(request.url):
                return recorder._send(session, request, **more)
            with recorder._lock:
                return recorder.recorded(session, request, more)

        requests.Session.send = send  # type: ignore[method-assign]

    def recorded(
        self, session: requests.Session, request: requests.PreparedRequest, more: Any
    ) -> requests.Response:
        """Send a request between two looks at the tables."""
        last = last_id(self.database)
        started = time.time_ns() // 1_000_000
        response = self._send(session, request, **more)
        ended = time.time_ns() // 1_000_000
        after = dump(self.database)
        self.steps.append(
            {
                "call": self.call,
                "user": _user(request),
                "method": request.method,
                "path": urlsplit(str(request.url)).path,
                "status": response.status_code,
                "started": started,
                "ended": ended,
                "journal": [last, last_id(self.database)],
                "changes": difference(self._before, after, self.moved),
            }
        )
        self._before = after
        return response


def _user(request: requests.PreparedRequest) -> str | None:
    """Whom the request names, as it went out."""
    scheme, _, token = str(request.headers.get("Authorization", "")).partition(" ")
    return base64.b64decode(token).decode().split(":")[0] if scheme == "Basic" else None


class Play:
    """The calls; each method is one of them or a few that belong together."""

    def __init__(self, uri: str, recorder: Recorder, users: list[tuple[str, str]]):
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        self.client = MlflowClient(uri, uri)
        self.recorder = recorder
        self.users = users

    def by(
        self, number: int, call: str, action: Callable[..., Any], *given: Any, **named: Any
    ) -> Any:
        """Let a user make a call, and wait until the client is quiet again."""
        if self.users:
            name, password = self.users[number]
            os.environ["MLFLOW_TRACKING_USERNAME"] = name
            os.environ["MLFLOW_TRACKING_PASSWORD"] = password
        self.recorder.call = call
        try:
            return action(*given, **named)
        finally:
            for thread in threading.enumerate():
                if thread.name.startswith("link_prompt_to_experiment"):
                    thread.join()

    @contextlib.contextmanager
    def refused(self) -> Iterator[None]:
        """The call within must fail."""
        try:
            yield
        except MlflowException:
            return
        raise AssertionError(f"{self.recorder.call} was not refused")

    def models(self) -> None:
        by, client = self.by, self.client
        by(0, "create model", client.create_registered_model, "motor", {"owner": "ann"}, "Motor")
        by(1, "create model", client.create_registered_model, "home")
        by(
            1,
            "create hostile model",
            client.create_registered_model,
            f"h {HOSTILE}".replace("/", ""),
        )
        with self.refused():
            by(1, "create model twice", client.create_registered_model, "motor")
        by(1, "update model", client.update_registered_model, "motor", "Motor prices")
        by(0, "set model tag", client.set_registered_model_tag, "motor", "tier", "1")
        by(1, "overwrite model tag", client.set_registered_model_tag, "motor", "tier", HOSTILE)
        by(1, "overwrite with the same", client.set_registered_model_tag, "motor", "tier", HOSTILE)
        by(0, "delete model tag", client.delete_registered_model_tag, "motor", "tier")

    def versions(self) -> None:
        by, client = self.by, self.client
        for number, user in enumerate((0, 1, 0, 1), 1):
            by(user, "create version", client.create_model_version, "motor", f"{SOURCE}/{number}",
               tags={"n": str(number)} if number != 3 else None,
               description=None if number == 1 else f"fit {number}")  # fmt: skip
        by(1, "update version", client.update_model_version, "motor", "1", "reviewed")
        by(0, "set version tag", client.set_model_version_tag, "motor", "1", "approved_by", "alice")
        by(
            1,
            "overwrite version tag",
            client.set_model_version_tag,
            "motor",
            "1",
            "approved_by",
            "x",
        )
        by(0, "delete version tag", client.delete_model_version_tag, "motor", "1", "approved_by")
        with self.refused():
            by(0, "create version of nothing", client.create_model_version, "no such", SOURCE)

    def stages(self) -> None:
        by, move = self.by, self.client.transition_model_version_stage
        by(0, "transition", move, "motor", "1", "Production")
        by(1, "transition", move, "motor", "2", "Production")
        by(0, "transition and archive", move, "motor", "3", "Production", True)
        by(1, "transition to the same", move, "motor", "3", "Production")
        by(1, "transition and archive", move, "motor", "4", "Staging", True)
        with self.refused():
            by(0, "transition to nowhere", move, "motor", "4", "Nowhere")

    def aliases(self) -> None:
        by, client = self.by, self.client
        by(0, "set alias", client.set_registered_model_alias, "motor", "champion", "1")
        by(1, "move alias", client.set_registered_model_alias, "motor", "champion", "3")
        by(0, "move to the same", client.set_registered_model_alias, "motor", "champion", "3")
        by(1, "set alias", client.set_registered_model_alias, "motor", "old", "2")
        by(0, "delete alias", client.delete_registered_model_alias, "motor", "old")
        by(1, "set alias", client.set_registered_model_alias, "motor", "doomed", "2")

    def copies(self) -> None:
        by, client = self.by, self.client
        by(1, "copy", client.copy_model_version, "models:/motor/1", "motor live")
        by(1, "copy again", client.copy_model_version, "models:/motor/3", "motor live")

    def prompts(self) -> None:
        by, client = self.by, self.client
        by(0, "register prompt", client.register_prompt, "greeting", "Hello {{n}}", "first",
           tags={"team": "pricing"})  # fmt: skip
        by(0, "register prompt again", client.register_prompt, "greeting", "Hi {{n}}", "second")
        by(0, "set prompt alias", client.set_prompt_alias, "greeting", "live", 1)
        by(1, "move prompt alias", client.set_prompt_alias, "greeting", "live", 2)
        by(0, "set prompt version tag", client.set_prompt_version_tag, "greeting", "1", "k", "v")
        by(0, "delete it", client.delete_prompt_version_tag, "greeting", "1", "k")
        by(1, "set prompt tag", client.set_prompt_tag, "greeting", "k", "v")
        by(1, "delete it", client.delete_prompt_tag, "greeting", "k")
        by(0, "delete prompt alias", client.delete_prompt_alias, "greeting", "live")
        by(0, "delete prompt version", client.delete_prompt_version, "greeting", "1")
        by(0, "delete prompt", client.delete_prompt, "greeting")

    def renaming(self) -> None:
        by, client = self.by, self.client
        self.recorder.moved = {"motor": {"name": "motor 2"}}
        by(0, "rename model", client.rename_registered_model, "motor", "motor 2")
        self.recorder.moved = {}
        with self.refused():
            by(0, "rename onto another", client.rename_registered_model, "motor 2", "home")
        # The name is used again, by a model of its own.
        by(1, "create model anew", client.create_registered_model, "motor", {"owner": "bob"})

    def deleting(self) -> None:
        by, client = self.by, self.client
        by(0, "delete version", client.delete_model_version, "motor 2", "2")
        by(1, "delete model", client.delete_registered_model, "motor live")
        by(0, "delete model", client.delete_registered_model, "motor 2")
        by(0, "create model again", client.create_registered_model, "motor 2", description="new")
        by(0, "create version again", client.create_model_version, "motor 2", SOURCE)

    def lasting(self) -> None:
        """Something with everything, renamed, that is there at the end."""
        by, client = self.by, self.client
        for number in (1, 2):
            by(1, "create version", client.create_model_version, "home", f"{SOURCE}/{number}",
               tags={"a": "b", "c": "d"})  # fmt: skip
        by(1, "set model tag", client.set_registered_model_tag, "home", "tier", "2")
        by(1, "set alias", client.set_registered_model_alias, "home", "champion", "2")
        by(1, "transition", client.transition_model_version_stage, "home", "2", "Production")
        self.recorder.moved = {"home": {"name": "casa"}}
        by(1, "rename model", client.rename_registered_model, "home", "casa")
        self.recorder.moved = {}

    def refusals(self) -> None:
        """What a user may not do, and a user there is not."""
        if not self.users:
            return
        with self.refused():
            self.by(1, "delete another's", self.client.delete_registered_model, "motor 2")
        self.users.append((self.users[0][0], "not the password"))
        with self.refused():
            self.by(2, "wrong password", self.client.set_registered_model_tag, "casa", "k", "v")

    def workspaces(self) -> None:
        by, client = self.by, self.client
        by(0, "create workspace", client.create_workspace, "team-a")
        mlflow.set_workspace("team-a")
        by(0, "create model there", client.create_registered_model, "motor", {"owner": "zoe"})
        by(0, "create model there", client.create_registered_model, "lapse", {"owner": "zoe"})
        by(0, "create version there", client.create_model_version, "lapse", SOURCE, tags={"a": "b"})
        by(0, "set alias there", client.set_registered_model_alias, "lapse", "champion", "1")
        by(0, "delete model there", client.delete_registered_model, "motor")
        mlflow.set_workspace("default")
        self.recorder.moved = {"lapse": {"workspace": "default"}}
        by(0, "delete workspace", client.delete_workspace, "team-a", mode="SET_DEFAULT")
        self.recorder.moved = {}
        by(0, "create workspace", client.create_workspace, "team-b")
        mlflow.set_workspace("team-b")
        by(0, "create model there", client.create_registered_model, "fraud", {"owner": "zoe"})
        by(0, "create version there", client.create_model_version, "fraud", SOURCE, tags={"a": "b"})
        mlflow.set_workspace("default")
        by(0, "delete workspace and all", client.delete_workspace, "team-b", mode="CASCADE")


def main(settings: dict[str, Any]) -> None:
    """Play and write the steps."""
    recorder = Recorder(settings["database"])
    play = Play(
        settings["uri"], recorder, [(name, password) for name, password in settings["users"]]
    )
    chapters = [
        play.models, play.versions, play.stages, play.aliases, play.copies,
        *([play.prompts] if hasattr(MlflowClient, "set_prompt_alias") else []),
        play.renaming, play.deleting, play.lasting, play.refusals,
        *([play.workspaces] if settings["workspaces"] else []),
    ]  # fmt: skip
    for chapter in chapters:
        chapter()
    Path(settings["out"]).write_text(json.dumps(recorder.steps))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
