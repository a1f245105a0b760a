"""Whatever goes wrong: what failed, what state things are in, what to do, and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditreg.cli.options import write_file
from auditreg.config import Config, SourceSettings
from auditreg.errors import LedgerError, UsageError
from auditreg.ledger.store import Ledger
from auditreg.workflows.extract import ExtractOptions, extract, targets
from tests.cli.running import run

ROOT = Path(__file__).parents[2]


def auditreg(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auditreg", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check"], 2, "There is no ledger at audit.duckdb."),
        (["inventory", "--ledger", "x.duckdb"], 2, "There is no ledger at x.duckdb."),
        (["extract"], 2, "No registry is named."),
        (["extract", "--from", ""], 2, "The argument after --from is empty."),
        (["extract", "--from", "nowhere.db"], 2, "nowhere.db"),
        (["extract", "--from", "ftp://host"], 2, "ftp"),
        (["check", "--from", "x", "--as-of", "2026-01-01"], 2, "exclude each other"),
        (["check", "--fail-on", "bad"], 2, "--fail-on"),
        (["check", "--format", "xlsx"], 2, "there is no format 'xlsx'"),
        (["check", "--format", "json="], 2, "names no file"),
        (["check", "--as-of", "30.09.2026"], 2, "is not a date or a moment"),
        (["report", "--period", "Q3"], 2, "Q3"),
        (["verify", "nothing.duckdb"], 2, "There is no ledger"),
        (["verify", "--root", "12:abc"], 2, "is not a size and a root"),
        (["erase", "3"], 2, "--reason"),
        (["rules", "show", "owner-recordd"], 2, "owner-recorded"),
        (["frameworks", "show", "osfi-e23"], 2, "osfi-e23-2027"),
        (["rules", "test", "nothing.sql"], 2, "nothing.sql"),
        (["status", "--config", "nothing.toml"], 2, "nothing.toml cannot be read"),
        (["nonsense"], 2, "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_failures(arguments, code, said):
    done = auditreg(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--from", ""],
        ["check", "--from="],
        ["check", "--registry", ""],
        ["extract", "--auth-from", "", "--from", "x.db"],
        ["changes", "--since", ""],
        ["report", "--period", ""],
        ["publish", ""],
        ["rules", "show", ""],
    ],
    ids=" ".join,
)
def test_an_empty_text_is_not_taken_for_an_option_left_out(arguments):
    with pytest.raises(UsageError, match=r"^The argument after .* is empty\."):
        run(*arguments)


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("AUDITREG_LEDGER", "")
    with pytest.raises(LedgerError, match=r"no ledger at audit\.duckdb"):
        run("check")


def test_an_empty_address_is_not_the_configured_one():
    (source,) = targets(Config(source=(SourceSettings(uri="other.db"),)), uri="")
    with pytest.raises(UsageError, match="names no address"):
        extract(source, Config(), Ledger(Path("x")), ExtractOptions(), watch=None)


def test_three_labelled_lines():
    done = auditreg("inventory")
    labels = [line.partition(" ")[0] for line in done.stderr.splitlines()]
    assert labels == ["error", "state", "do"]


def test_an_unknown_setting():
    Path("auditreg.toml").write_text("[live]\nstage = []\n")
    done = auditreg("check")
    assert done.returncode == 2
    assert "auditreg.toml: there is no setting live.stage." in done.stderr
    assert "Did you mean stages?" in done.stderr


def test_a_missing_variable_with_the_uri():
    Path("auditreg.toml").write_text('[[source]]\nuri_env = "NOT_SET_ANYWHERE"\n')
    done = auditreg("extract")
    assert done.returncode == 2
    assert "NOT_SET_ANYWHERE, which is not set" in done.stderr


def test_passwords_are_never_printed():
    for uri in (
        "postgresql://me:hunter2@db/x",
        "ftp://me:hunter2@h",
        "http://me:hunter2@127.0.0.1:9",
    ):
        done = auditreg("extract", "--from", uri, env={**os.environ, "AUDITREG_DEBUG": "1"})
        assert done.returncode == 2
        assert "hunter2" not in done.stdout + done.stderr


def test_a_password_in_the_settings_is_not_shown():
    Path("auditreg.toml").write_text('[[source]]\nuri = "postgresql://me:hunter2@db/x"\n')
    done = auditreg("config", "show")
    assert done.returncode == 0
    assert "hunter2" not in done.stdout
    assert "me:***@db" in done.stdout


def test_something_that_is_no_ledger():
    Path("audit.duckdb").write_bytes(b"no database at all" * 100)
    done = auditreg("check")
    assert done.returncode == 2
    assert "is not a ledger" in done.stderr


def test_output_that_cannot_be_written(ledger):
    Path("taken").mkdir()
    done = auditreg("inventory", "--format", "csv=taken")
    assert done.returncode == 2
    assert "taken cannot be written" in done.stderr
    assert not list(Path().glob(".taken*"))


def test_two_outputs_to_one_place(ledger):
    done = auditreg("inventory", "--format", "csv", "--format", "json")
    assert done.returncode == 2
    assert "Two outputs would go to one place." in done.stderr


def test_the_reader_goes_away(ledger):
    command = f"{sys.executable} -m auditreg inventory --format json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.stdout == "["
    (line,) = done.stderr.splitlines()
    assert line.startswith("last reading")
    assert done.returncode == 0


def _run(body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = f"import click\nfrom auditreg.cli.errors import run\n@click.command()\ndef c():\n    {body}\nrun(c, 'x')"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_bug_is_one_line():
    done = _run("raise KeyError('x\\x1b')")
    assert done.returncode == 2
    assert "This is a bug in auditreg" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert "Traceback" in _run("raise KeyError('x')", AUDITREG_DEBUG="1").stderr


def test_an_interrupt():
    done = _run("raise KeyboardInterrupt")
    assert done.returncode == 2
    assert "stopped" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_the_system():
    done = _run("open('/nowhere/x')")
    assert done.returncode == 2
    assert "/nowhere/x: No such file or directory." in done.stderr


def test_a_terminal_that_lacks_letters():
    done = _run("click.echo('模型')", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")
    assert done.returncode == 0
    assert done.stdout == "??\n"


def test_the_words_of_an_error_are_inert(capsys):
    from auditreg.cli.errors import print_error

    print_error(LedgerError("a\x1b[2J", state="b\u202e", hint="postgresql://u:p@h"))
    shown = capsys.readouterr().err
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "u:***@h" in shown


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, b"result")
        assert os.read(reader, 100) == b"result"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
