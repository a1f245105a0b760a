"""On a terminal: colours, its width and progress, and still nothing of a registry that acts."""

from __future__ import annotations

import os
import sys

import pytest

pty = pytest.importorskip("pty", reason="only on systems with pseudo-terminals")


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and everything shown, with both outputs on one pseudo-terminal of 100 columns."""
    import fcntl
    import struct
    import termios

    child, master = pty.fork()
    if child == 0:
        os.environ.update(environment)
        os.execv(sys.executable, [sys.executable, "-m", "auditreg", *arguments])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    shown = b""
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:  # Linux: the child has closed its end
            break
        if not block:
            break
        shown += block
    _, status = os.waitpid(child, 0)
    os.close(master)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def test_check_has_colours_and_hostile_text_is_inert(ledger):
    code, shown = on_a_terminal("check", "--all")
    assert code == 1
    assert "\x1b[1m" in shown
    assert "\x1b[31mred" not in shown
    assert r"red\x1b[31m\u202e" in shown
    assert "\u202e" not in shown


def test_no_colour_where_none_is_wanted(ledger):
    for wish in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        code, shown = on_a_terminal("check", "--rule", "risk-rating-recorded", **wish)
        assert (code, "\x1b[1m" in shown) == (1, False)


def test_a_table_keeps_to_the_width(ledger):
    _, shown = on_a_terminal("inventory", NO_COLOR="1")
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_progress_leaves_the_result_alone(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, shown = on_a_terminal("extract", "--from", str(small_registry))
    assert code == 0
    for told in ("preparing the ledger", "comparing", "building tables", " rows"):
        assert told in shown
    assert "next         auditreg check" in shown
