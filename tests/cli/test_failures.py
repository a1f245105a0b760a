"""Whatever goes wrong: what failed, what state things are in, what to do, and the exit code."""

from __future__ import annotations

import json
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
from tests.workflows.test_policy import APPLIED, OWN

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
        (["status", "--max-age", "nan"], 2, "is not a number of hours"),
        (["status", "--max-age", "inf"], 2, "is not a number of hours"),
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


def test_no_password_or_token_is_in_a_refused_argument_or_a_traceback(ledger):
    refused = auditreg("extract", "postgresql://u:ge/heim77@h/db")
    assert refused.returncode == 2
    assert "unexpected extra argument (postgresql://u:***@h/db)" in refused.stderr
    secret = {"AUDITREG_DEBUG": "1", "MLFLOW_TRACKING_TOKEN": "geheim77"}
    shown = auditreg("check", "geheim77", env={**os.environ, **secret}).stderr
    assert "Traceback" in shown
    assert "geheim77" not in shown


NOT_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", NOT_TEXT],
        ["check", NOT_TEXT],
        ["changes", "--actor", NOT_TEXT],
        ["questions", NOT_TEXT],
        ["query", f"select '{NOT_TEXT}'"],
        ["capture", "sealed", "--registry", NOT_TEXT],
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_argument_that_is_no_text_is_named(ledger, arguments):
    done = auditreg(*arguments)
    assert done.returncode == 2
    assert "is not UTF-8 text" in done.stderr
    assert "bug" not in done.stderr


def test_a_statement_that_is_no_text(ledger):
    command = [sys.executable, "-m", "auditreg", "query", "-"]
    done = subprocess.run(command, input=b"select 'caf\xe9'", capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Standard input is not UTF-8 text." in done.stderr


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


def test_a_framework_that_names_an_unknown_rule_stops_no_check(ledger):
    Path("texts").mkdir()
    Path("texts/house.toml").write_text(OWN.format(id="house", rule="owner-known", more=""))
    with Path("auditreg.toml").open("a", encoding="utf-8") as file:
        file.write('[frameworks]\npacks = ["texts"]\n' + APPLIED.replace("osfi-e23-2027", "house"))
    said = 'texts/house.toml: clause "4.2", key "rules": there is no "owner-known".'
    done = auditreg("check", "--rule", "owner-recorded", "--format", "json")
    assert [said in line for line in done.stderr.splitlines() if line.startswith("error")] == [True]
    assert "The framework was not used." in done.stderr
    assert [rule["id"] for rule in json.loads(done.stdout)["rules"]] == ["owner-recorded"]
    assert done.returncode == 1
    done = auditreg("report", "--draft", "--output", "report")
    assert (said in done.stderr, "No report was made." in done.stderr) == (True, True)
    assert (done.returncode, Path("report").exists()) == (2, False)


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


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    file, link, new = tmp_path / "file", tmp_path / "link", tmp_path / "new"
    file.write_text("before")
    link.symlink_to("file")
    new.symlink_to(tmp_path / "folder" / "made")
    write_file(link, b"after")
    write_file(new, b"after")
    assert link.is_symlink()
    assert new.is_symlink()
    assert (file.read_bytes(), (tmp_path / "folder" / "made").read_bytes()) == (b"after", b"after")


def test_a_link_to_a_device_is_written_through(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    write_file(link, b"gone")
    assert link.is_symlink()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="only where there is /dev/stdout")
def test_standard_output_is_a_file_like_any_other(ledger):
    """Also where it is a file itself, which is not replaced under the feet of whoever opened it."""
    command = [sys.executable, "-m", "auditreg", "query", "select 1 as n"]
    with Path("out").open("wb") as out:
        subprocess.run([*command, "--format", "csv=/dev/stdout"], stdout=out, check=True)
        subprocess.run([*command, "--format", "csv=out", "--format", "csv"], stdout=out, check=True)
    assert Path("out").read_text() == "n\n1\n" * 3
    assert Path("/dev/stdout").is_symlink()
