"""An extraction that is stopped: one line, the ledger as it was, no file left behind."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.integration,  # whole programs
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


def listening() -> None:
    """A program started in the background of a shell ignores SIGINT; ours is to hear it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "auditreg", "extract", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening,  # noqa: PLW1509 - no threads
    )  # fmt: skip


def wait_for(event: str, log: Path, program: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + 60
    while program.poll() is None and time.monotonic() < give_up:
        if log.exists() and f'"event": "{event}"' in log.read_text():
            return
        time.sleep(0.01)
    raise AssertionError((program.poll(), program.communicate(timeout=10)))


def stopped_while_asking(server: socket.socket, program: subprocess.Popen[str]) -> str:
    """What the program says when it is stopped while a server does not answer."""
    asked, _ = server.accept()
    with asked:
        asked.recv(1000)
        program.send_signal(signal.SIGTERM)
        _, err = program.communicate(timeout=30)
    assert program.returncode == 2
    return err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_writes(number, ledger, small_registry):
    before = ledger.read_bytes()
    files = sorted(path.name for path in ledger.parent.iterdir())
    program = started("--from", str(small_registry), "--log", "log.jsonl")
    wait_for("table", Path("log.jsonl"), program)  # the draft of the ledger lies there by now
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 2, err
    assert out == ""
    assert err.endswith(
        f"\nstopped by {number.name}: nothing unfinished was kept; the ledger is as it was sealed "
        "last.\n"
    )
    assert "Traceback" not in err
    assert ledger.read_bytes() == before
    assert sorted(p.name for p in ledger.parent.iterdir()) == sorted([*files, "log.jsonl"])


def test_stopped_while_a_server_keeps_silent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        program = started("--from", f"http://127.0.0.1:{server.getsockname()[1]}")
        err = stopped_while_asking(server, program)
    assert "stopped by SIGTERM" in err
    assert not (tmp_path / "audit.duckdb").exists()


def test_what_was_sealed_before_stays(ledger, small_registry):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        shutil.copy(small_registry, "first.db")
        Path("auditreg.toml").write_text(
            '[[source]]\nname = "first"\nuri = "sqlite:///first.db"\n[[source]]\nname = "second"\n'
            f'uri = "http://127.0.0.1:{server.getsockname()[1]}"\n'
        )
        before = ledger.read_bytes()
        program = started()
        err = stopped_while_asking(server, program)
    assert "recorded  first: sealed before, and stays" in err
    assert ledger.read_bytes() != before
