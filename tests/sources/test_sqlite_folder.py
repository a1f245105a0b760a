"""Reading an SQLite file leaves its folder as it was, whatever state the file is in."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auditreg.errors import SourceError
from auditreg.sources.database import sqlite_files
from auditreg.sources.database.sqlite_files import DatabaseFile
from tests.servers.process import program
from tests.sources.reading import in_another_process, rows, run_sql, sqlite_source

MODEL = "insert into registered_models (workspace, name) values ('default', '{}')"
WITHOUT_ROOT = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")

Folder = dict[str, tuple[int, ...]]


@pytest.fixture
def database(empty_store: Path, tmp_path: Path) -> Path:
    """A store in WAL mode with one model in it, in a folder of its own."""
    folder = tmp_path / "mlflow"
    folder.mkdir()
    path = Path(shutil.copy(empty_store, folder / "mlflow.db"))
    run_sql(path, "pragma journal_mode = wal", MODEL.format("motor"))
    assert [entry.name for entry in folder.iterdir()] == ["mlflow.db"]
    return path


@pytest.fixture(autouse=True)
def no_temporary_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


def state(folder: Path) -> Folder:
    return {
        path.name: (status.st_uid, status.st_mode, status.st_size, status.st_mtime_ns)
        for path in sorted(folder.iterdir())
        for status in [path.stat()]
    }


def models(path: Path) -> list[str]:
    with sqlite_source(path).read() as reading:
        return sorted(row["model"] for row in rows(reading, "registered_models"))


def opened_as(path: Path) -> str:
    file = DatabaseFile(str(path))
    file.close()
    return file.uri.rpartition("/")[2]


@contextlib.contextmanager
def another_program(path: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs statements, one for each line it is sent, and stays connected.

    The first is run at once. It ends without a farewell: what it made beside the file stays.
    """
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]:\n"
        "    database.execute(statement).fetchall()\n"
        "    print('done', flush=True)\n"
        "    sys.stdin.readline()\n"
        "os._exit(0)\n"
    )
    command = [sys.executable, "-c", script, str(path), *statements]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        try:
            yield process
        finally:
            process.kill()


def proceed(process: subprocess.Popen[str]) -> None:
    """Let the other program run its next statement."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def abandoned(path: Path, statement: str) -> None:
    """Run a statement in a program that ends without tidying up, as after a crash."""
    with another_program(path, statement):
        pass


READ = (
    "import sys\n"
    "from pathlib import Path\n"
    "from tests.sources.test_sqlite_folder import models\n"
    "print(*models(Path(sys.argv[1])))\n"
)
OPEN = (
    "import sys\n"
    "from auditreg.errors import SourceError\n"
    "from auditreg.sources import open_source\n"
    "for address in (sys.argv[1], f'sqlite:///{sys.argv[1]}', f'file://{sys.argv[1]}'):\n"
    "    try:\n"
    "        open_source(address).read()\n"
    "    except SourceError as error:\n"
    "        print(error.what)\n"
)


def without_root(path: Path, script: str = READ) -> str:
    """What a program says to a user whom the folder's rights bind."""
    prefix = [program(WITHOUT_ROOT[0]), *WITHOUT_ROOT[1:]] if os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-c", script, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_closed_store_in_wal_mode(database):
    before = state(database.parent)
    assert models(database) == ["motor"]
    assert opened_as(database) == "mlflow.db?mode=ro&immutable=1"
    assert state(database.parent) == before


def test_a_folder_nobody_may_look_into_is_called_that(database):
    database.parent.chmod(0)
    try:
        answers = without_root(database, OPEN).splitlines()
    finally:
        database.parent.chmod(0o700)
    closed = f"{database} cannot be opened: Permission denied."
    assert answers == [closed, closed, f"{database} cannot be looked into: Permission denied."]


@pytest.mark.parametrize("made", ["-wal", "-shm", "-wal -shm"])
def test_empty_files_beside_it_stay_empty(database, made):
    for suffix in made.split():
        database.with_name(database.name + suffix).touch(0o600)
    before = state(database.parent)
    assert models(database) == ["motor"]
    assert state(database.parent) == before


@pytest.mark.parametrize("shm", ["kept", "lost"])
def test_what_a_crashed_program_left_in_the_wal_is_read(database, shm):
    abandoned(database, MODEL.format("home"))
    if shm == "lost":
        database.with_name("mlflow.db-shm").unlink()
    before = state(database.parent)
    assert before["mlflow.db-wal"][2] > 0
    assert models(database) == ["home", "motor"]
    assert state(database.parent) == before


def test_a_program_that_holds_it_open_goes_on_writing(database):
    statements = [MODEL.format(name) for name in ("home", "travel", "pet")]
    with another_program(database, *statements) as writer:
        names = sorted(state(database.parent))
        assert opened_as(database) == "mlflow.db?mode=ro"
        with sqlite_source(database).read() as reading:
            proceed(writer)
            found = [row["model"] for row in rows(reading, "registered_models")]
            assert sorted(found) == ["home", "motor"]
        proceed(writer)
        assert sorted(state(database.parent)) == names == [
            "mlflow.db", "mlflow.db-shm", "mlflow.db-wal",
        ]  # fmt: skip
        assert models(database) == ["home", "motor", "pet", "travel"]


def test_a_program_that_comes_while_it_is_read_changes_nothing_read(database):
    with sqlite_source(database).read() as reading:
        in_another_process(database, MODEL.format("home"))
        assert [row["model"] for row in rows(reading, "registered_models")] == ["motor"]
        assert reading.completeness().complete
    assert models(database) == ["home", "motor"]


def test_a_file_that_is_rewritten_while_it_is_read_is_an_error_not_a_mixture(database):
    with sqlite_source(database).read() as reading:
        with another_program(
            database, MODEL.format("home"), "pragma wal_checkpoint(truncate)"
        ) as writer:
            proceed(writer)
        with pytest.raises(SourceError, match="changed while it was read") as caught:
            rows(reading, "registered_models")
    assert "again" in caught.value.hint


@pytest.mark.parametrize("state_of_it", ["rollback", "closed", "empty wal", "crashed", "no shm"])
def test_a_folder_nobody_may_write_to(database, state_of_it):
    expected = "motor"
    if state_of_it == "rollback":
        run_sql(database, "pragma journal_mode = delete")
    if state_of_it == "empty wal":
        database.with_name("mlflow.db-wal").touch()
    if state_of_it in ("crashed", "no shm"):
        abandoned(database, MODEL.format("home"))
        expected = "home motor"
    if state_of_it == "no shm":
        database.with_name("mlflow.db-shm").unlink()
    for path in database.parent.iterdir():
        path.chmod(0o444)
    database.parent.chmod(0o555)
    before = state(database.parent)
    assert without_root(database) == expected
    assert state(database.parent) == before
    database.parent.chmod(0o755)


def test_a_transaction_that_was_never_ended_is_undone_in_a_copy(database):
    """A rollback journal that is still hot: SQLite cannot read on without writing."""
    run_sql(database, "pragma journal_mode = delete")
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('pragma cache_size = 1')\n"
        "database.execute('begin')\n"
        "for number in range(3000):\n"
        "    name = f'lost {number:0100}'\n"
        '    database.execute("insert into registered_models (workspace, name) values '
        "('default', ?)\", (name,))\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(database)], check=True)
    before = state(database.parent)
    assert before["mlflow.db-journal"][2] > 0
    assert models(database) == ["motor"]
    assert state(database.parent) == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_file_system_without_locks_is_read_from_a_copy(database, monkeypatch, number, mode):
    run_sql(database, f"pragma journal_mode = {mode}")
    before = state(database.parent)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sqlite_files.fcntl, "lockf", refuse)
    assert opened_as(database) == "copy.db?mode=rw&vfs=unix-none"
    assert models(database) == ["motor"]
    assert state(database.parent) == before


def test_a_file_that_changes_whenever_it_is_copied_is_an_error(database, monkeypatch):
    abandoned(database, MODEL.format("home"))
    copyfile = shutil.copyfile

    def copy_and_change(source: Path, target: Path) -> None:
        copyfile(source, target)
        os.utime(source)

    monkeypatch.setattr(sqlite_files.shutil, "copyfile", copy_and_change)
    with pytest.raises(SourceError, match="changes while it is copied") as caught:
        models(database)
    assert caught.value.state
    assert "backup" in caught.value.hint


def test_a_copy_that_has_no_room_says_where(database, monkeypatch, tmp_path):
    abandoned(database, MODEL.format("home"))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sqlite_files.shutil, "copyfile", refuse)
    with pytest.raises(SourceError, match="No space left") as caught:
        models(database)
    assert str(tmp_path / "temporary") in caught.value.what
    assert "TMPDIR" in caught.value.hint


def test_a_snapshot_is_dated_by_its_files_not_by_the_end_of_the_copying(database, monkeypatch):
    abandoned(database, MODEL.format("home"))
    clock = iter(range(0, 60_000, 5_000))
    monkeypatch.setattr(sqlite_files, "milliseconds", lambda: next(clock))
    with sqlite_source(database, now=lambda: 100_000).read() as reading:
        assert reading.started_at == reading.ended_at == 95_000


def test_a_program_that_writes_a_file_in_the_default_mode_is_left_alone(database):
    run_sql(database, "pragma journal_mode = delete")
    assert opened_as(database) == "mlflow.db?mode=ro"
    with closing(sqlite3.connect(database)) as writer, writer:
        writer.execute(MODEL.format("home"))
    assert models(database) == ["home", "motor"]
