"""What every server of a test needs: a port, a folder, a user without rights, a clean end."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.stores import ROOT

GUARD = Path(__file__).with_name("guard.py")
PATIENCE = 120.0
"""Seconds until a server that has not become ready is given up: two cores may be shared by many."""


def require(condition: object, reason: str) -> None:
    """Skip where something is missing on this machine; in CI that is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str, *folders: str) -> str:
    """The path of an installed program; the newest one where `folders` (globs) hold several."""
    found = [
        str(folder / name)
        for pattern in folders
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
        if (folder / name).is_file()
    ]
    path = shutil.which(name) or (found[0] if found else None)
    require(path, f"{name} is not installed")
    assert path is not None
    return path


def unprivileged(*names: str) -> dict[str, Any]:
    """Arguments of `subprocess` for a server that refuses to run as root; none for anybody else."""
    if os.geteuid() != 0:
        return {}
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise AssertionError("there is no user `nobody`")


@contextlib.contextmanager
def data_folder(user: dict[str, Any]) -> Iterator[Path]:
    """A folder that belongs to `user`, with a path short enough for a socket in it.

    Not pytest's own: root's cannot be entered by anybody else.
    """
    folder = Path(tempfile.mkdtemp(prefix="auditreg-test-"))
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(
    command: Sequence[str],
    log: Path,
    *,
    cwd: Path,
    user: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own; it does not outlive this process."""
    as_user = [str(user["user"]), str(user["group"])] if user else ["-", "-"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-S", "-E", str(GUARD), *as_user, *command],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class Warm:
    """A process that has MLflow loaded and forks one for each program; see warm.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.warm"],
            cwd=ROOT,
            env=without_settings(os.environ) | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Path | None = None,
    ) -> WarmProcess:
        """Start `python` with these arguments in a process group of its own; it prints to its log."""
        request = {
            "arguments": [*map(str, arguments)], "env": {**env}, "cwd": str(cwd),
            "output": str(output or log), "log": str(log),
        }  # fmt: skip
        return WarmProcess(self, self.request(request))

    def request(self, request: Mapping[str, Any]) -> Any:
        """Send a request and give its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@dataclass
class WarmProcess:
    """A program that was forked: as much of `subprocess.Popen` as its end needs."""

    warm: Warm
    pid: int
    returncode: int | None = None
    stdin: None = None

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.returncode is None:
            self.returncode = self.warm.request({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended.

        Raises:
            TimeoutError: it has not ended in so many seconds.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} still runs")
            time.sleep(0.02)
        return code


Server: TypeAlias = "subprocess.Popen[bytes] | WarmProcess"


@functools.cache
def warm() -> Warm:
    """The one of this process."""
    return Warm()


def run_warm(*arguments: str | Path, cwd: Path = ROOT, **settings: str) -> str:
    """Run `python` with these arguments to its end, where MLflow is loaded already; what it printed.

    No capture watches what it does, unless `settings` turn it on.
    """
    off = {
        "AUDITREG_CAPTURE": "off",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    env = without_settings(os.environ) | off | settings
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder) / "output", Path(folder) / "log"
        code = warm().start(arguments, log, cwd=cwd, env=env, output=output).wait(PATIENCE)
        assert code == 0, last_words(log)
        return output.read_text(encoding="utf-8")


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without settings of this machine or of the test run."""
    of_this_run = ("AUDITREG_", "MLFLOW_", "COV_", "COVERAGE_")
    return {name: text for name, text in environment.items() if not name.startswith(of_this_run)}


def wait_until(ready: Callable[[], bool], process: Server, log: Path) -> None:
    """Wait for a server.

    Raises:
        AssertionError: it ended, or never became ready; its last words are in the message.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {last_words(log)}")
        if ready():
            return
        time.sleep(0.1)
    raise AssertionError(f"not ready within {PATIENCE:.0f} s: {last_words(log)}")


def last_words(log: Path) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-3000:]


def end_group(process: Server, how: int = signal.SIGKILL) -> None:
    """End a process and all it has started; it must have been given a session of its own."""
    deadline = time.monotonic() + 20
    try:
        os.killpg(process.pid, how)
        while time.monotonic() < deadline:
            process.poll()  # until it is asked for, an ended process still belongs to the group
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        if process.stdin:
            process.stdin.close()
    process.wait(20)
