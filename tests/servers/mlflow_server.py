"""A real `mlflow server`, as a process group of its own that can be killed and started again."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.servers.process import (
    PATIENCE,
    Server,
    end_group,
    free_port,
    last_words,
    start,
    wait_until,
    warm,
    without_settings,
)

ADMIN = ("admin", "an-administrators-password")
"""Name and password of the first user under `basic-auth`."""

_AUTH = """[mlflow]
default_permission = {permission}
database_uri = sqlite:///{database}
admin_username = {admin}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
grant_default_workspace_access = true
auth_cache_ttl_seconds = {cache}
"""


_MAKE_TABLES = """
import sys
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

SqlAlchemyStore().init_db(sys.argv[1])
"""


class Refused(Exception):
    """The server answered with an error: its status and its text."""

    def __init__(self, status: int, text: str):
        super().__init__(f"HTTP {status}: {text[:500]}")
        self.status, self.text = status, text


@dataclass
class MlflowServer:
    """A tracking server; use it as a context manager.

    Args:
        folder: where its log, its artifacts and the users of `basic-auth` are kept.
        backend: the URI of its store.
        app: the application (`basic-auth` or another's entry point); None for MLflow's own.
        workers: its processes.
        options: further arguments, for instance `["--gunicorn-opts", "--timeout 60"]`.
        python: the interpreter whose MLflow is to run.
        apart: run every process as an interpreter of its own, as a firm does, and fork none.
        settings: environment variables besides.
        permission: what every user of `basic-auth` may do without being granted it.
        health: the path at which it says that it is up.
        auth_cache: seconds a checked password is remembered; checking one takes half a second.
    """

    folder: Path
    backend: str
    app: str | None = None
    workers: int = 1
    options: Sequence[str] = ()
    python: str = sys.executable
    apart: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    permission: str = "READ"
    auth_cache: int = 600
    health: str = "/health"
    port: int = field(default_factory=free_port)
    process: Server | None = None

    @property
    def uri(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What its processes have printed."""
        return self.folder / f"server-{self.port}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            AssertionError: it ended or never answered; the end of its log is in the message.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [
            "-m", "mlflow", "server", "--backend-store-uri", self.backend,
            "--artifacts-destination", str(self.folder / "artifacts"), "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", str(self.workers),
            *(["--app-name", self.app] if self.app else []), *self.options,
        ]  # fmt: skip
        environment = self._environment()
        if self.app == "basic-auth" and self.workers > 1 and not self._users.exists():
            self._make_users(environment)
        self.process = self._start(arguments, environment)
        try:
            wait_until(self.answers, self.process, self.log)
        except BaseException:
            self.kill()
            raise

    @property
    def _users(self) -> Path:
        return self.folder / "users.db"

    def _make_users(self, environment: Mapping[str, str]) -> None:
        """Make the tables of users first: of two workers that make them at once, one can fail to boot."""
        program = ["-c", _MAKE_TABLES, f"sqlite:///{self._users}"]
        made = self._start(program, {**environment, "AUDITREG_CAPTURE": "off"})
        try:
            assert made.wait(PATIENCE) == 0, self.said()
        finally:
            end_group(made)

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Server:
        """Start a program of its interpreter."""
        if self.python == sys.executable and not self.apart:
            return warm().start(arguments, self.log, cwd=self.folder, env=environment)
        return start([self.python, *arguments], self.log, cwd=self.folder, env=environment)

    def _environment(self) -> dict[str, str]:
        """The environment of the server: no settings of this machine or of the test run."""
        auth = self.folder / "basic_auth.ini"
        if self.app and not auth.exists():
            text = _AUTH.format(
                permission=self.permission,
                database=self._users,
                admin=ADMIN[0],
                password=ADMIN[1],
                cache=self.auth_cache,
            )
            auth.write_text(text)
        ours = {
            # Without an application the file is not there, and the newest MLflow reads it all the same
            # when runs are searched.
            **({"MLFLOW_AUTH_CONFIG_PATH": str(auth)} if self.app else {}),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of a test",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONUNBUFFERED": "1",
        }
        return {**without_settings(os.environ), **ours, **self.settings}

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            with urllib.request.urlopen(f"{self.uri}{self.health}", timeout=5):
                return True
        except (OSError, http.client.HTTPException):
            return False

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End all of its processes, by default without giving them a word."""
        if self.process:
            end_group(self.process, how)
            self.process = None

    def said(self) -> str:
        """The end of its log."""
        return last_words(self.log)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Call it and give its answer.

        Args:
            path: after `/api/2.0/mlflow/`, or from the first slash.
            user: name and password.

        Raises:
            Refused: the answer is an error.
        """
        url = self.uri + (path if path.startswith("/") else f"/api/2.0/mlflow/{path}")
        request = urllib.request.Request(
            url, method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        if user:
            request.add_header("Authorization", basic(*user))
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode(errors="replace")) from None
        return json.loads(text or b"{}")

    def add_user(self, name: str, password: str) -> tuple[str, str]:
        """Make a user under `basic-auth`, as the administrator."""
        body = {"username": name, "password": password}
        self.call("POST", "users/create", body, user=ADMIN)
        return name, password


def basic(name: str, password: str) -> str:
    """The value of an `Authorization` header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
