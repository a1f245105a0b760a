"""Full disks, two writers, readers that hold the file open, folders that are read-only.

Whatever happens, the ledger is sealed as a whole or is as it was, and the next run completes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.cli.running import held_open, run

pytestmark = pytest.mark.integration  # whole programs

LIMITED = (
    "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    "limit = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit));"
    "from auditreg.cli import main; main()"
)
"""The command line on a disk that takes no file beyond so many bytes."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "auditreg", *arguments]


def on_a_full_disk(limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def labels(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[0] for line in done.stderr.splitlines() if not line.startswith(" ")]


def readings(ledger: Path) -> int:
    with duckdb.connect(str(ledger), read_only=True) as con:
        return con.execute("select count(*) from extractions").fetchone()[0]


@pytest.fixture
def changed(ledger, small_registry, tmp_path) -> str:
    """The registry of the ledger, with a good deal more in it."""
    import sqlite3

    path = tmp_path / "mlflow.db"
    shutil.copy(small_registry, path)
    con = sqlite3.connect(path)
    rows = [("home", f"note.{number}", os.urandom(1_500).hex()) for number in range(400)]
    con.executemany("insert into registered_model_tags (name, key, value) values (?, ?, ?)", rows)
    con.commit()
    con.close()
    return str(path)


@pytest.mark.parametrize("room", [0.4, 0.999, 1.02], ids=["copying", "nearly", "writing"])
def test_a_full_disk_leaves_the_ledger_as_it_was(ledger, changed, room):
    before = ledger.read_bytes()
    done = on_a_full_disk(int(len(before) * room), "extract", "--from", changed)
    assert done.returncode == 2, done.stdout
    assert labels(done) == ["error", "state", "do"]
    assert "The ledger was not changed." in done.stderr
    assert "File too large" in done.stderr
    assert ledger.read_bytes() == before
    assert not list(Path().glob(".*draft*"))
    if room > 1:  # how far it came makes no difference to the next one
        run("extract", "--from", changed)
        assert readings(ledger) == 2
        run("verify")


def test_a_first_extraction_on_a_full_disk_leaves_no_ledger(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = on_a_full_disk(1_000_000, "extract", "--from", str(small_registry))
    assert done.returncode == 2
    assert labels(done) == ["error", "state", "do"]
    assert not Path("audit.duckdb").exists()
    run("extract", "--from", str(small_registry))


def test_a_check_on_a_full_disk_is_judged_and_says_that_it_is_not_sealed(ledger):
    before = ledger.read_bytes()
    done = on_a_full_disk(int(len(before) * 0.9), "check")
    assert done.returncode == 1
    assert "not sealed" in done.stderr
    assert ledger.read_bytes() == before


UNFINISHED = (
    "import duckdb, os, sys; con = duckdb.connect(sys.argv[1]); "
    "con.execute('delete from model_versions'); os._exit(0)"
)
"""A program that writes to the ledger and is killed before it has finished."""


def test_what_seals_sets_another_programs_write_aside_before_it_judges(checked, two_rules):
    Path("auditreg.toml").write_text(two_rules, encoding="utf-8")
    with duckdb.connect(str(checked), read_only=True) as con:
        (seq,) = con.execute("select min(seq) from ledger.log where kind = 'alias'").fetchone()
    judged = {"check": run("check", "--all", code=1).stdout}
    for command_line, code in (
        (["check", "--all"], 1),
        (["report", "--issue", "--format", "html"], 0),
        (["erase", str(seq), "--reason", "asked", "--yes"], 0),
    ):
        subprocess.run([sys.executable, "-c", UNFINISHED, str(checked)], check=True)
        assert "audit.duckdb.wal" in run("verify", "--log-only", code=4).stdout
        refused = subprocess.run(command("status"), capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert "write-ahead log" in refused.stderr
        done = run(*command_line, code=code)
        assert "is not part of the record" in done.stderr, command_line
        assert done.stdout == judged.get(command_line[0], done.stdout)
        run("verify", "--log-only")


def test_two_extractions_at_once_both_end_well_and_nothing_is_lost(ledger, changed, small_registry):
    both = [
        subprocess.Popen(
            command("extract", "--from", uri),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for uri in (changed, changed)
    ]
    errors = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert readings(ledger) == 3
    run("verify")
    with duckdb.connect(str(ledger), read_only=True) as con:
        # each once; a second time only where the earlier of the two readings was sealed last
        tags, states, readings_of_states = con.execute(
            "select count(distinct subject), count(*), count(distinct (subject, observed_at)) "
            "from ledger.log where kind = 'registered_model_tag'"
        ).fetchone()
        in_order = con.execute(
            "select bool_and(observed_at >= before) from (select observed_at, "
            "lag(observed_at) over (order by seq) as before from extractions)"
        ).fetchone()
    assert (tags, states) == (404, readings_of_states)
    assert states == (404 if in_order == (True,) else 804)


def test_a_writer_that_waited_in_vain_says_what_to_do(ledger, small_registry):
    import filelock

    program = (
        "import auditreg.ledger.store as store; store.LOCK_TIMEOUT_S = 0.5;"
        "from auditreg.cli import main; main()"
    )
    before = ledger.read_bytes()
    with filelock.FileLock(f"{ledger}.lock"):
        done = subprocess.run(
            [sys.executable, "-c", program, "extract", "--from", str(small_registry)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "Another auditreg process has been writing" in done.stderr
    assert "Wait for it to end" in done.stderr
    assert ledger.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux: setpriv, and modes that hold")
def test_a_ledger_in_a_folder_that_is_read_only(ledger, small_registry):
    """As a user whom modes bind, root or not."""
    prefix = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
    bound = prefix if os.geteuid() == 0 else []
    before = ledger.read_bytes()
    (ledger.parent / "audit.duckdb.lock").unlink(missing_ok=True)
    ledger.parent.chmod(0o555)
    try:
        written = subprocess.run(
            [*bound, *command("extract", "--from", str(small_registry))],
            capture_output=True,
            text=True,
            check=False,
        )
        read = subprocess.run(
            [*bound, *command("status")], capture_output=True, text=True, check=False
        )
    finally:
        ledger.parent.chmod(0o755)
    assert written.returncode == 2, written.stdout
    assert "cannot be written to" in written.stderr
    assert labels(written) == ["error", "state", "do"]
    assert read.returncode == 0, read.stderr
    assert ledger.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="only on systems that replace an open file")
def test_a_reader_that_holds_the_file_open_keeps_its_state_and_stops_nobody(ledger, changed):
    with held_open(ledger, "reading"):
        run("extract", "--from", changed)
        run("publish", "copies")
        run("status")
    assert readings(ledger) == 2
    run("verify", "--log-only")
