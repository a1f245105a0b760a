"""Runs `mlflow` commands as `python -m mlflow` does, each in a process that has MLflow loaded already.

Loading MLflow takes three seconds of processor time, and dozens of servers are started: this process loads
it once and forks. It reads a JSON object per line: `{"arguments": […], "env": {…}, "cwd": …, "log": …}`
starts a command in a session of its own and is answered with its process id; `{"poll": id}` is answered
with its exit code, or null while it runs. When its input ends, also because whoever wrote it was killed,
it ends every session it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any, NoReturn

from mlflow.cli import cli


def main() -> None:
    """Answer requests until the input ends."""
    started: list[int] = []
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            answer = _exit_code(request["poll"])
        else:
            answer = _start(request)
            started.append(answer)
        print(json.dumps(answer), flush=True)
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


def _exit_code(process: int) -> int | None:
    ended, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _start(request: dict[str, Any]) -> int:
    """Fork; returns once the child leads its session, so that it can be signalled."""
    receiver, sender = os.pipe()
    process = os.fork()
    if process == 0:
        os.setsid()
        os.close(receiver)
        os.close(sender)
        _run(request)
    os.close(sender)
    os.read(receiver, 1)  # ends when the child has closed it
    os.close(receiver)
    return process


def _run(request: dict[str, Any]) -> NoReturn:
    """Run the command in place of this process, which ends as any interpreter does."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    cli(request["arguments"], prog_name="mlflow")
    sys.exit()


if __name__ == "__main__":
    main()
