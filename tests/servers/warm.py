"""Runs what `python` would run, each in a process that has MLflow loaded already.

Loading MLflow takes three seconds of processor time, and dozens of servers are started: this process loads
it once and forks, for `mlflow server` also the processes of uvicorn. It reads a JSON object per line:
`{"arguments": ["-m", "mlflow", …], "env": {…}, "cwd": …, "output": …, "log": …}` starts a program in a
session of its own, whose output goes to the one file and whose errors go to the other, and is answered with
its process id; `{"poll": id}` is answered with its exit code, or null while it runs. When its input ends,
also because whoever wrote it was killed, it ends every session it has started.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import mlflow.cli
import mlflow.server
import uvicorn._subprocess
import uvicorn.supervisors.multiprocess

EXECUTE = mlflow.server._exec_cmd
UVICORN = [sys.executable, "-m", "uvicorn"]


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
    """Run the program in place of this process, which ends as any interpreter does."""
    output, log = (
        os.open(request[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for name in ("output", "log")
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    if request["arguments"][:3] == ["-m", "mlflow", "server"]:
        mlflow.server._exec_cmd = Uvicorn().execute
    python(*request["arguments"])
    sys.exit()


def python(first: str, *arguments: str) -> None:
    """Do what the interpreter does with these arguments: a file, or `-c` or `-m` and what it takes."""
    if first == "-c":
        program, *rest = arguments
        sys.argv, sys.path[0] = [first, *rest], ""
        sys.modules["__main__"] = main = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), main.__dict__)
    elif first == "-m":
        sys.argv, sys.path[0] = [*arguments], ""
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = [first, *arguments], str(Path(first).parent)
        runpy.run_path(first, run_name="__main__")


class Uvicorn:
    """A process that is forked before the command has done anything, and becomes the uvicorn it starts.

    It is as much of `subprocess.Popen` as the command uses.
    """

    def __init__(self) -> None:
        receiver, self._sender = os.pipe()
        self.pid = os.fork()
        self.returncode: int | None = None
        if self.pid == 0:
            os.close(self._sender)
            with os.fdopen(receiver) as pipe:
                request = json.loads(pipe.read() or "null")  # nothing: the command started none
            if request is not None:
                _serve(request)
            sys.exit()
        os.close(receiver)

    def execute(
        self, command: Sequence[str], *, extra_env: Mapping[str, str], **options: Any
    ) -> Any:
        """Start what MLflow would start."""
        if command[:3] != UVICORN:
            return EXECUTE(command, extra_env=extra_env, **options)
        request = {"arguments": command[3:], "env": {**os.environ, **extra_env}}
        with os.fdopen(self._sender, "w") as pipe:
            pipe.write(json.dumps(request))
        return self

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.returncode is None:
            self.returncode = _exit_code(self.pid)
        return self.returncode

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


def _serve(request: Mapping[str, Any]) -> None:
    """Be uvicorn. MLflow's server reads its settings when it is imported, so it is imported anew."""
    os.environ.clear()
    os.environ.update(request["env"])
    for name in [name for name in sys.modules if f"{name}.".startswith("mlflow.server.")]:
        del sys.modules[name]
    uvicorn._subprocess.spawn = SimpleNamespace(Process=Worker)
    sys.argv = ["uvicorn", *request["arguments"]]
    runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)


class Worker(ForkProcess):
    """A worker of several: it is forked, and else begins and ends as the interpreter that uvicorn starts."""

    def run(self) -> None:
        """Serve, without the parent's handlers of signals; what is to run at the end does so."""
        for number in uvicorn.supervisors.multiprocess.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            super().run()
        finally:
            atexit._run_exitfuncs()


if __name__ == "__main__":
    main()
