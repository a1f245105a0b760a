"""What the ledger keeps of model files over many readings: changes, no changes, outages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from auditreg.audit.snapshot import Moment, prepare_snapshot
from auditreg.ledger.store import Ledger
from auditreg.rules.parse import builtin_rules
from auditreg.sources import open_source
from auditreg.sources.artifacts import reader
from auditreg.sources.artifacts.reader import NOT_HASHED_LARGE, UNCHANGED
from tests.ledger.book import Book, opened
from tests.servers.process import run_warm
from tests.sources.model_files import MLMODEL, model_folder
from tests.sources.reading import everything, run_sql

MODEL = "insert into registered_models (workspace, name, creation_time) values ('default', ?, ?)"
VERSION = (
    "insert into model_versions (workspace, name, version, creation_time, current_stage, status, "
    "source) values ('default', ?, ?, 5, ?, 'READY', ?)"
)


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "audit.duckdb"
    with Ledger(path).writer():
        pass
    return path


@pytest.fixture
def book(empty_ledger):
    with opened(empty_ledger) as made:
        yield made


class Firm:
    """A registry with a live version `motor/1` and one that is not, `motor/2`."""

    def __init__(self, folder: Path, empty_store: Path) -> None:
        self.store = folder / "mlflow.db"
        shutil.copyfile(empty_store, self.store)
        self.disk = folder / "disk"
        self.live = model_folder(self.disk / "run1" / "artifacts" / "model")
        self.idle = model_folder(self.disk / "run2" / "artifacts" / "model")
        run_sql(
            self.store,
            (MODEL, ("motor", 1)),
            (VERSION, ("motor", 1, "Production", str(self.live))),
            (VERSION, ("motor", 2, "None", self.idle.as_uri())),
        )

    def take(self, book: Book, **options):
        """Read the registry into the book as `extract` does."""
        with open_source(f"sqlite:///{self.store}", **options).read() as reading:
            return book.take(reading)


@pytest.fixture
def firm(tmp_path, empty_store):
    return Firm(tmp_path, empty_store)


def states(book: Book) -> dict[int, str]:
    return dict(book.rows("select version, state from model_artifacts"))


def artifact(book: Book, version: int, *columns: str) -> tuple:
    (row,) = book.rows(
        f"select {', '.join(columns)} from model_artifacts where version = ?", version
    )
    return row


def entries(book: Book) -> int:
    return book.rows("select count(*) from ledger.log where kind = 'model_artifact'")[0][0]


def rewrite(folder: Path, text: str) -> None:
    """As `set_signature` may: another content, and nothing else that shows it."""
    path = folder / "MLmodel"
    before = path.stat()
    assert len(text) == before.st_size
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


OTHER = MLMODEL.replace("1234", "4321")


def test_what_did_not_change_is_no_entry_and_is_counted(book, firm):
    firm.take(book)
    assert (states(book), entries(book)) == ({1: "read", 2: "read"}, 2)
    done = firm.take(book)
    assert entries(book) == 2
    assert done.completeness.left_out == {UNCHANGED: 1}
    assert done.complete
    assert states(book) == {1: "read", 2: "read"}
    assert book.tables() == book.rebuilt()


def test_files_of_a_live_version_are_read_whatever_their_times_say(book, firm):
    firm.take(book)
    rewrite(firm.live, OTHER)
    rewrite(firm.idle, OTHER)
    firm.take(book)
    assert artifact(book, 1, "model_size_bytes") == (4321,)
    # This is what a marker can miss, and why a version that is live is never judged by one.
    assert artifact(book, 2, "model_size_bytes") == (1234,)
    run_sql(firm.store, "update model_versions set current_stage = 'Staging' where version = 2")
    firm.take(book)
    assert artifact(book, 2, "model_size_bytes") == (4321,)


def test_a_change_that_shows_is_read_live_or_not(book, firm):
    firm.take(book)
    (firm.idle / "MLmodel").write_text(OTHER + "\n")
    done = firm.take(book)
    assert artifact(book, 2, "model_size_bytes") == (4321,)
    assert done.completeness.left_out == {}
    (firm.idle / "more").write_text("x")
    firm.take(book)
    assert "more" in artifact(book, 2, "files")[0]


def test_a_name_that_is_used_again_gets_its_own_entry(book, firm):
    firm.take(book)
    again = f"update registered_models set creation_time = {time.time_ns() // 1_000_000} where name = 'motor'"
    run_sql(firm.store, again)
    firm.take(book)
    rows = book.rows(
        "select a.version, a.state, a.mlmodel_sha256 is not null from model_artifacts a "
        "join registered_models m on m.subject = a.model_subject where not m.deleted order by 1"
    )
    assert rows == [(1, "read", True), (2, "read", True)]


def test_an_outage_says_so_and_keeps_what_was_last_read(book, firm):
    firm.take(book)
    second = firm.take(book)
    facts = ("mlmodel_sha256", "signature_inputs", "files", "requirements")
    before = {version: artifact(book, version, *facts) for version in (1, 2)}
    firm.disk.rename(firm.disk.with_name("unmounted"))
    firm.take(book)
    assert states(book) == {1: "unreachable", 2: "unreachable"}
    for version in (1, 2):
        assert artifact(book, version, *facts) == before[version]
        assert artifact(book, version, "last_read_at") == (second.observed_at,)
    assert artifact(book, 1, "problem") == ("there is no such folder on this machine",)
    number = entries(book)
    firm.take(book)
    assert entries(book) == number, "an outage that lasts is one entry"
    assert artifact(book, 1, "last_read_at") == (second.observed_at,)
    firm.disk.with_name("unmounted").rename(firm.disk)
    firm.take(book)
    assert states(book) == {1: "read", 2: "read"}
    assert artifact(book, 1, "mlmodel_sha256", "last_read_at") == (before[1][0], None)
    assert book.rows(
        "select item, before, after from changes where kind = 'model_artifact' and version = 1 "
        "order by observed_at"
    ) == [("artifact", "read", "unreachable"), ("artifact", "unreachable", "read")]
    assert book.tables() == book.rebuilt()


def test_files_nobody_could_reach_are_counted_as_not_read(book, firm):
    part = "select counted_by_source, read, difference from completeness where part = 'model_artifacts'"
    firm.take(book)
    assert book.rows(part) == [(2, 2, 0)]
    firm.disk.rename(firm.disk.with_name("unmounted"))
    done = firm.take(book)
    assert done.completeness.counts["model_artifacts"] == (2, 0)
    assert done.completeness.left_out == {
        f"model files not read, for instance {firm.live}: there is no such folder on this machine": 2
    }
    assert done.complete, "files on another machine are no doubt about the registry"
    assert book.rows(f"{part} order by seq desc limit 1") == [(2, 0, 2)]


def test_a_program_that_is_wrong_makes_the_extraction_incomplete(book, firm, monkeypatch):
    def older(uri):  # as in mlflow-skinny 3.1.1, which pip once took for recent enough
        raise AssertionError(uri)

    monkeypatch.setattr(
        "mlflow.store.artifact.artifact_repository_registry.get_artifact_repository", older
    )
    run_sql(firm.store, "update model_versions set source = 's3://shop/model' where version = 1")
    done = firm.take(book)
    assert not done.complete
    (doubt,) = done.completeness.doubts
    assert "the files of 1 versions (for instance motor/1) could not be read: " in doubt
    assert "unexpected keyword argument 'tracking_uri'" in doubt
    assert done.completeness.counts["model_artifacts"] == (2, 1)


def test_nobody_looks_for_the_files_of_a_prompt(book, firm):
    run_sql(
        firm.store,
        (MODEL, ("greet", 1)),
        (VERSION, ("greet", 1, "None", "dummy-source")),
        "insert into registered_model_tags (workspace, name, key, value) "
        "values ('default', 'greet', 'mlflow.prompt.is_prompt', 'True')",
    )
    done = firm.take(book)
    assert book.rows("select distinct model from model_artifacts") == [("motor",)]
    assert done.completeness.counts["model_artifacts"] == (2, 2)
    assert (done.completeness.left_out, done.complete) == ({}, True)


def test_the_files_of_a_model_that_is_tagged_as_a_prompt_are_read(book, firm):
    before = firm.take(book).completeness.counts["model_artifacts"]
    run_sql(
        firm.store,
        "insert into registered_model_tags (workspace, name, key, value) "
        "values ('default', 'motor', 'mlflow.prompt.is_prompt', 'true')",
    )
    assert firm.take(book).completeness.counts["model_artifacts"] == before
    assert book.rows("select model from prompts") == []


def test_no_rule_forgets_over_night_what_it_knew(book, firm):
    for _ in range(2):
        at = firm.take(book).observed_at
    firm.disk.rename(firm.disk.with_name("unmounted"))
    now = firm.take(book).observed_at
    prepare_snapshot(book.con, Moment(now, now, now))
    rules = {rule.id: rule for rule in builtin_rules()}
    for rule, status in (("signature-present", "pass"), ("live-version-ready", "pass")):
        ((answer, reason, last_read_at),) = book.rows(
            f"select status, reason, last_read_at from ({rules[rule].sql}) where subject like '%/1'"
        )
        assert answer == status
        assert last_read_at == at
        assert re.search(r"read \{last_read_at\}; its files could not be reached since", reason)
    assert book.rows("select value from fields where field = 'inputs' and version = 1") == [
        ('[{"name": "age", "type": "long"}]',)
    ]


def test_what_is_gone_or_broken_is_no_outage(book, firm):
    firm.take(book)
    shutil.rmtree(firm.live)
    (firm.idle / "MLmodel").write_text("a: !!python/object/apply:os.system ['true']\n")
    firm.take(book)
    assert states(book) == {1: "no_mlmodel", 2: "unreadable"}
    assert artifact(book, 1, "mlmodel_sha256", "last_read_at") == (None, None)


def test_only_live_versions_looked_at_leave_the_others_as_they_were(book, firm):
    firm.take(book)
    (firm.idle / "MLmodel").write_text(OTHER + "\n")
    firm.take(book, artifacts="live")
    assert artifact(book, 2, "state", "model_size_bytes") == ("read", 1234)


def test_digests_stay_while_the_list_of_files_does(book, firm):
    firm.take(book, manifest="all")
    files, manifest = artifact(book, 1, "files", "manifest_sha256")
    assert manifest == hashlib.sha256(files.encode()).hexdigest()
    number = entries(book)
    firm.take(book, manifest="none")
    assert entries(book) == number
    assert artifact(book, 1, "manifest_sha256") == (manifest,)
    done = firm.take(book, manifest="all")
    assert entries(book) == number
    assert done.completeness.left_out == {UNCHANGED: 1}
    sizes = sum(path.stat().st_size for path in firm.live.iterdir())
    assert done.completeness.options["bytes hashed"] == str(sizes)
    (firm.live / "model.pkl").write_bytes(b"another")
    firm.take(book, manifest="none")
    assert artifact(book, 1, "manifest_sha256") == (None,)
    assert "sha256" not in artifact(book, 1, "files")[0]


def test_a_manifest_finds_a_file_replaced_by_one_of_its_size(book, firm):
    firm.take(book, manifest="all")
    before = artifact(book, 1, "manifest_sha256")
    (firm.live / "model.pkl").write_bytes(b"\x80\x05.")
    firm.take(book, manifest="none")
    assert artifact(book, 1, "manifest_sha256") == before
    firm.take(book, manifest="all")
    assert artifact(book, 1, "manifest_sha256") != before


def test_files_of_live_versions_on_this_machine_are_hashed_unasked(book, firm, monkeypatch):
    done = firm.take(book)
    sizes = sum(path.stat().st_size for path in firm.live.iterdir())
    assert done.completeness.options["bytes hashed"] == str(sizes)
    assert artifact(book, 1, "manifest_sha256 is not null") == (True,)
    assert artifact(book, 2, "manifest_sha256") == (None,), "nobody uses it"
    assert done.completeness.left_out == {}
    # What is large is hashed where somebody asks for it, and the reading says so.
    (firm.live / "weights.bin").write_bytes(b"weights")
    monkeypatch.setattr(reader, "MAX_LOCAL", sizes + 6)
    done = firm.take(book)
    assert done.completeness.left_out == {NOT_HASHED_LARGE: 1, UNCHANGED: 1}
    assert artifact(book, 1, "manifest_sha256") == (None,)
    done = firm.take(book, manifest="live")
    assert done.completeness.left_out == {UNCHANGED: 1}
    assert artifact(book, 1, "manifest_sha256 is not null") == (True,)


def test_a_backup_is_read_in_full(book, firm):
    firm.take(book)
    with open_source(f"sqlite:///{firm.store}").read() as reading:
        done = book.take(reading, observed_at=datetime(2026, 1, 1))
    assert UNCHANGED not in done.completeness.left_out


def program(store: Path, *arguments: str) -> None:
    script = Path(__file__).with_name("logged_models.py")
    run_warm(script, f"sqlite:///{store}", *arguments, cwd=store.parent)


@pytest.mark.integration
def test_models_that_mlflow_logged_and_signed_later(book, tmp_path, empty_store):
    store = tmp_path / "mlflow.db"
    shutil.copyfile(empty_store, store)
    program(store, str(tmp_path / "artifacts"))
    tables, completeness = everything(open_source(f"sqlite:///{store}"))
    rows = {row["model"]: row for row in tables["model_artifacts"]}
    assert completeness.complete
    assert {row["state"] for row in rows.values()} == {"read"}
    assert {name: json.loads(row["serialization"]) for name, row in rows.items()} == {
        "plain": {"sklearn": "cloudpickle"},
        "idle": {"sklearn": "cloudpickle"},
        "signed": {"sklearn": "skops"},
        "own": {"python_function": "cloudpickle"},
    }
    assert {name for name, row in rows.items() if row["signature_inputs"]} == {"signed"}
    assert rows["signed"]["input_example"] == "input_example.json"
    assert json.loads(rows["own"]["pins"]) == ["mlflow==3.17.2", "scikit-learn==1.5.0"]
    assert rows["own"]["unpinned"] == 1
    assert rows["own"]["files_size_bytes"] > rows["own"]["model_size_bytes"] > 0

    def take():
        with open_source(f"sqlite:///{store}").read() as reading:
            return book.take(reading)

    def signed():
        return book.rows("select model from signatures where found_in = 'MLmodel' order by model")

    take()
    assert signed() == [("signed",)]
    registry = book.rows("select model, last_updated_at from model_versions order by model")
    program(store, "sign", "plain")
    done = take()
    assert signed() == [("plain",), ("signed",)]
    assert done.completeness.left_out[UNCHANGED] == 3
    # The registry itself says nothing of it.
    assert registry == book.rows("select model, last_updated_at from model_versions order by model")
    assert book.rows("select model, item from changes where kind = 'model_artifact'") == [
        ("plain", "MLmodel")
    ]
