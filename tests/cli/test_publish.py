"""`auditreg publish`: what a folder of copies holds, whatever happens on the way."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from auditreg.config import Config, parse_config
from auditreg.errors import AuditregError, ConfigError, VerificationError
from auditreg.ledger import definitions
from auditreg.ledger.definitions import HELD
from auditreg.ledger.planning import plan_plainly
from auditreg.ledger.store import Ledger
from auditreg.workflows import publish
from auditreg.workflows.publication import manifest_of
from auditreg.workflows.publish import publish_ledger
from tests.cli.running import run
from tests.sources.lying import VERSION, registry, standing_in

pytestmark = pytest.mark.integration  # whole programs

PLACE = Path("copies")


def grow(ledger: Path) -> None:
    """Seal one thing more."""
    run("check", "--rule", "owner-recorded", "--fail-on", "none", "--ledger", str(ledger))


def files() -> set[str]:
    return {path.name for path in PLACE.iterdir()} - {".publish.lock"}


def copies() -> set[str]:
    return {name for name in files() if name.endswith(".duckdb")}


def sums_hold() -> bool:
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=PLACE, capture_output=True, check=False
    )
    return done.returncode == 0


def rows_of(path: Path, relations: Iterable[str]) -> dict[str, list[str]]:
    with duckdb.connect(str(path), read_only=True) as con:
        plan_plainly(con)
        return {
            name: sorted(map(repr, con.execute(f"from {name}").fetchall())) for name in relations
        }


def rows(path: Path, relation: str) -> list[str]:
    return rows_of(path, [relation])[relation]


def same_record(copy: Path, ledger: Path) -> bool:
    """Whether a copy holds the same log and verifies, tables included."""
    run("verify", str(copy))
    return rows(copy, "ledger.log") == rows(ledger, "ledger.log")


def test_a_folder_holds_a_copy_its_manifest_and_sums(ledger):
    shown = run("publish", str(PLACE)).stdout
    (name,) = copies()
    assert files() == {name, "manifest.json", "SHA256SUMS", "latest.txt"}
    assert shown.startswith("published")
    copy = PLACE / name
    assert same_record(copy, ledger)
    assert copy.stat().st_mode & 0o777 == 0o444
    assert sums_hold()
    assert (PLACE / "latest.txt").read_text() == f"{name}\n"
    document = json.loads((PLACE / "manifest.json").read_text())
    (entry,) = document["copies"]
    assert document["latest"] == entry["file"] == name
    assert entry["bytes"] == copy.stat().st_size
    assert entry["sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert entry["complete"]
    assert entry["extractions"][0]["registry"] == "default"
    run("verify", str(copy), "--root", f"{entry['tree_size']}:{entry['root']}")
    with duckdb.connect(str(copy), read_only=True) as con:
        (at, policy) = con.execute("select recorded_at, policy from extractions").fetchone()
    assert name == f"audit-{at:%Y-%m-%dT%H%MZ}.duckdb"
    assert entry["policy"] == policy
    assert not list(PLACE.glob("*.key"))


def extract_changed(registry: Path, ledger: Path) -> None:
    """Take in a registry to which somebody has added a tag."""
    shutil.copy(registry, "mlflow.db")
    with closing(sqlite3.connect("mlflow.db")) as database, database:
        database.execute(
            "insert into registered_model_tags (name, key, value) values ('home', 'new', 'x')"
        )
    run("extract", "--from", "mlflow.db", "--artifacts", "none", "--ledger", str(ledger))


def test_a_copy_holds_as_tables_what_the_ledger_shows_as_views(ledger, small_registry):
    extract_changed(small_registry, ledger)
    run("publish", str(PLACE))
    (name,) = copies()
    with duckdb.connect(str(PLACE / name), read_only=True) as con:
        tables = {
            row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()
        }
    assert tables >= set(HELD)
    relations = (*definitions.VIEWS, "dictionary", "questions")
    shown, expected = rows_of(PLACE / name, relations), rows_of(ledger, relations)
    for relation in relations:
        assert shown[relation] == expected[relation], relation
    assert rows(ledger, "changes")


@pytest.mark.integration
@pytest.mark.parametrize("relation", HELD)
def test_a_changed_table_of_a_copy_does_not_verify(ledger, relation):
    run("publish", str(PLACE))
    (name,) = copies()
    (PLACE / name).chmod(0o644)
    with duckdb.connect(str(PLACE / name)) as con:
        con.execute(f"insert into {relation} (model) values ('another')")
    done = run("verify", str(PLACE / name), code=4)
    assert f"The table {relation} does not follow from the log" in done.stdout + done.stderr


@pytest.mark.integration
def test_a_copy_that_is_written_to_is_a_ledger_again(ledger, small_registry):
    run("publish", str(PLACE))
    (name,) = copies()
    shutil.copy(PLACE / name, "restored.duckdb")
    Path("restored.duckdb").chmod(0o644)
    for path in (Path("restored.duckdb"), ledger):
        extract_changed(small_registry, path)
        assert rows(path, "changes")
    run("verify", "restored.duckdb")
    for relation in HELD:
        with duckdb.connect("restored.duckdb", read_only=True) as con:
            views = con.execute("select view_name from duckdb_views()").fetchall()
        assert (relation,) in views
    assert len(rows(Path("restored.duckdb"), "changes")) == len(rows(ledger, "changes"))
    run("publish", str(PLACE), "--ledger", "restored.duckdb")


def test_nothing_new_is_no_new_copy(ledger):
    run("publish", str(PLACE))
    before = {path: path.stat().st_mtime_ns for path in PLACE.iterdir()}
    assert run("publish", str(PLACE)).stdout.startswith("nothing new")
    assert {path: path.stat().st_mtime_ns for path in PLACE.iterdir()} == before
    grow(ledger)
    done = json.loads(run("publish", str(PLACE), "--format", "json").stdout)
    assert done["new"]
    assert len(copies()) == done["copies"] == 2
    assert sums_hold()


@pytest.mark.integration
def test_two_copies_of_one_minute_have_names_of_their_own(ledger):
    for _ in range(3):
        run("publish", str(PLACE))
        grow(ledger)
    assert len(copies()) == 3


def test_an_incomplete_reading_is_published_as_such_and_ends_in_2(ledger):
    with standing_in(registry([], [VERSION])) as uri:
        run("extract", "--from", uri, "--allow-replacement", code=2)
    assert "INCOMPLETE" in run("publish", str(PLACE), code=2).stdout
    (entry,) = json.loads((PLACE / "manifest.json").read_text())["copies"]
    assert not entry["complete"]
    assert entry["extractions"][0]["doubts"]
    run("publish", str(PLACE), code=2)


def test_the_folder_comes_from_the_settings(ledger):
    Path("auditreg.toml").write_text('[publish]\nfolder = "copies"\n')
    run("publish")
    (name,) = copies()
    assert same_record(PLACE / name, ledger)


@pytest.mark.parametrize("option", ["--keep=90d", "--keep-last=1", "--keep-quarterly"])
def test_no_option_removes_copies(ledger, option):
    assert "No such option" in run("publish", str(PLACE), option, code=2).output
    assert not PLACE.exists()


def test_no_setting_removes_copies(ledger):
    Path("auditreg.toml").write_text('[publish]\nfolder = "copies"\nkeep_last = 1\n')
    with pytest.raises(ConfigError, match="keep_last"):
        run("publish")
    assert not PLACE.exists()


@pytest.mark.integration
def test_copies_that_the_folder_s_owner_removed_stay_on_record(ledger):
    """A backup's or bucket's rule removes old copies; what they were is still in the manifest."""
    for _ in range(2):
        run("publish", str(PLACE))
        grow(ledger)
    (first, second) = json.loads((PLACE / "manifest.json").read_text())["copies"]
    (PLACE / first["file"]).unlink()
    run("publish", str(PLACE))
    manifest = json.loads((PLACE / "manifest.json").read_text())
    assert manifest["copies"][:2] == [first, second]
    assert first["file"] not in copies()
    assert len(copies()) == 2
    sums = ["sha256sum", "-c", "--strict", "--ignore-missing", "SHA256SUMS"]
    subprocess.run(sums, cwd=PLACE, capture_output=True, check=True)


def test_no_folder_is_named(ledger):
    with pytest.raises(ConfigError, match="No folder"):
        run("publish")


@pytest.mark.integration
def test_what_the_manifest_does_not_name_is_never_touched(ledger):
    PLACE.mkdir()
    other = PLACE / "audit-2020-01-01T0000Z.duckdb"
    other.write_text("somebody else's")
    run("publish", str(PLACE))
    grow(ledger)
    run("publish", str(PLACE))
    assert other.read_text() == "somebody else's"


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_newest_copy_that_is_not_what_was_published_is_4(ledger, how):
    run("publish", str(PLACE))
    (name,) = copies()
    (PLACE / name).chmod(0o644)
    if how == "changed":
        with (PLACE / name).open("r+b") as file:
            file.seek(9_000)
            file.write(b"x")
    else:
        (PLACE / name).unlink()
    with pytest.raises(VerificationError) as caught:
        run("publish", str(PLACE))
    assert caught.value.exit_code == 4


@pytest.mark.integration
@pytest.mark.parametrize(
    "content", ["{", '{"schema": "other"}', "\xff", "path"], ids=["cut", "other", "bytes", "path"]
)
def test_a_manifest_that_auditreg_did_not_write_is_4(ledger, content):
    run("publish", str(PLACE))
    text = (PLACE / "manifest.json").read_text()
    if content == "path":  # a manifest that was given a file elsewhere
        Path("precious.duckdb").write_text("x")
        (name,) = copies()
        content = text.replace(name, "../precious.duckdb")
    (PLACE / "manifest.json").write_text(content, encoding="latin-1")
    grow(ledger)
    with pytest.raises(VerificationError, match="not a manifest"):
        run("publish", str(PLACE))
    assert len(copies()) == 1


def test_a_ledger_that_does_not_verify_is_not_published(ledger):
    with duckdb.connect(str(ledger)) as con:
        con.execute("update ledger.log set entry = replace(entry, 'ann', 'bob') where seq = 20")
        con.execute("update ledger.log set leaf = unhex(sha256('x')) where seq = 20")
    with pytest.raises(VerificationError, match="does not verify"):
        run("publish", str(PLACE))
    assert files() == set()


def test_a_folder_that_is_a_file(ledger):
    PLACE.write_text("x")
    with pytest.raises(AuditregError, match="is a file, not a folder"):
        run("publish", str(PLACE))


def test_a_folder_that_cannot_be_written_to(ledger, monkeypatch):
    PLACE.mkdir()

    def refused(source, draft):
        raise PermissionError(errno.EACCES, "Permission denied", str(draft))

    monkeypatch.setattr(publish, "_copy_bytes", refused)
    with pytest.raises(AuditregError, match=r"copies cannot be published to: Permission denied"):
        run("publish", str(PLACE))
    assert files() == set()


@pytest.mark.integration
def test_a_disk_that_fills_up_while_copying(ledger):
    run("publish", str(PLACE))
    before = files()
    grow(ledger)
    limit = ledger.stat().st_size // 2
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "from auditreg.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "publish", str(PLACE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot be published to: File too large" in done.stderr
    assert files() == before
    assert sums_hold()


def test_a_folder_that_keeps_no_modes_says_so(ledger, monkeypatch):
    def no_modes(self, mode, **_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(Path, "chmod", no_modes)
    assert "keeps no modes" in run("publish", str(PLACE)).stdout
    assert sums_hold()


KILLER = """
import os, signal, sys
from pathlib import Path
from auditreg.workflows import publication, publish
from auditreg.cli import main

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "copying":
    copy = publish._copy_bytes
    def half(source, draft):
        draft.write_bytes(source.read(5_000_000))
        die()
    publish._copy_bytes = half
elif sys.argv[1] == "transferring":
    copy_bytes = publish._copy_bytes
    def cut(source, draft):
        if draft.parent.name != "copies":
            return copy_bytes(source, draft)
        draft.write_bytes(source.read(5_000_000))
        die()
    publish._copy_bytes = cut
elif sys.argv[1] == "verified":
    publish._verify = die
elif sys.argv[1] == "renamed":
    publish.sync_folder = die
elif sys.argv[1] == "manifest":
    write = publication.write_whole
    def first_only(path, content):
        if path.name == publication.SUMS:
            die()
        write(path, content)
    publication.write_whole = first_only
sys.argv[1:2] = []
main()
"""


@pytest.mark.integration
@pytest.mark.parametrize("when", ["copying", "transferring", "verified", "renamed", "manifest"])
def test_killed_at_any_point_no_half_file_has_a_final_name_and_the_next_one_completes(ledger, when):
    run("publish", str(PLACE))
    grow(ledger)
    arguments = ["publish", str(PLACE)]
    done = subprocess.run([sys.executable, "-c", KILLER, when, *arguments], check=False)
    assert done.returncode == -9
    assert sums_hold()
    for name in copies():
        run("verify", str(PLACE / name), "--log-only")
    run(*arguments)
    named = [copy["file"] for copy in json.loads((PLACE / "manifest.json").read_text())["copies"]]
    assert len(named) == 2
    assert files() == {*named, "manifest.json", "SHA256SUMS", "latest.txt"}
    sums = [line.split()[1] for line in (PLACE / "SHA256SUMS").read_text().splitlines()]
    assert sums == named
    assert sums_hold()
    assert (PLACE / "latest.txt").read_text() == f"{named[-1]}\n"
    assert same_record(PLACE / named[-1], ledger)


@pytest.mark.integration
def test_a_writer_that_replaces_the_ledger_meanwhile_does_not_mix_two_states(ledger, monkeypatch):
    copy = publish._copy_bytes

    def replaced(source, draft):
        monkeypatch.setattr(publish, "_copy_bytes", copy)
        shutil.copy(ledger, "next.duckdb")
        grow(Path("next.duckdb"))
        Path("next.duckdb").replace(ledger)
        return copy(source, draft)

    monkeypatch.setattr(publish, "_copy_bytes", replaced)
    first = json.loads(run("publish", str(PLACE), "--format", "json").stdout)["copy"]
    path = PLACE / first["file"]
    run("verify", str(path), "--root", f"{first['tree_size']}:{first['root']}")
    assert path.read_bytes() != ledger.read_bytes()


def test_the_function_behind_it(ledger):
    config = parse_config('[publish]\nfolder = "copies"\n', Path("auditreg.toml").absolute())
    done = publish_ledger(config, Ledger(ledger))
    assert done.new
    assert done.complete
    assert done.file.is_file()
    assert manifest_of(done.file.parent).newest == done.copy
    assert not publish_ledger(Config(), Ledger(ledger), PLACE).new


def test_a_check_of_a_copy_leaves_it_as_it_was_published(ledger):
    run("publish", str(PLACE))
    (name,) = copies()
    done = run("check", "--rule", "owner-recorded", "--ledger", str(PLACE / name), code=1)
    assert "is read-only" in done.stderr
    assert sums_hold()
    assert "nothing new" in run("publish", str(PLACE)).stdout
