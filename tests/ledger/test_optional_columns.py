"""What only some sources show: compared where it is shown, kept where it is not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.book import Book
from tests.ledger.captured import CapturedRegistry
from tests.ledger.reading import START, MemoryReading, Registry

HIDDEN = ("model_versions.storage_location", "runs.deleted_time")
"""What a reading over REST cannot show."""


@pytest.fixture
def registry() -> Registry:
    """A model with a version whose files are at a place."""
    registry = Registry()
    registry.create("motor")
    registry.version("motor").storage_location = "s3://first"
    return registry


def rest(registry: Registry) -> MemoryReading:
    """A reading over REST: tombstones and hidden columns are not shown."""
    rows = registry.rows()
    for row in rows["model_versions"]:
        row["storage_location"] = None
    return MemoryReading(rows, registry.wait(), source="rest", hidden=HIDDEN)


def place(book: Book) -> Any:
    """Where the ledger says the files are."""
    [(location,)] = book.rows("select storage_location from model_versions")
    return location


def test_files_that_moved_behind_mlflows_back_are_a_new_state(book: Book, registry: Registry):
    book.take(registry.read())
    registry.models["motor"].versions[1].storage_location = "s3://second"
    assert book.take(registry.read()).changes == {("model_version", "put"): 1}
    assert place(book) == "s3://second"
    assert book.tables() == book.rebuilt()
    registry.models["motor"].versions[1].storage_location = None
    assert book.take(registry.read()).changes == {("model_version", "put"): 1}
    assert place(book) is None


def test_a_source_that_cannot_show_it_makes_no_change(book: Book, registry: Registry):
    book.take(registry.read())
    assert book.take(rest(registry)).changes == {}
    assert place(book) == "s3://first"
    registry.describe("motor", 1, "other")
    assert book.take(rest(registry)).changes == {
        ("model_version", "put"): 1,
    }
    assert place(book) == "s3://first"
    assert book.take(registry.read()).changes == {}
    assert book.tables() == book.rebuilt()


def test_a_late_reading_over_rest_keeps_what_was_known_then(book: Book, registry: Registry):
    book.take(registry.read())
    between = rest(registry)
    registry.models["motor"].versions[1].storage_location = "s3://second"
    book.take(registry.read())
    assert book.take(between).changes == {}
    assert place(book) == "s3://second"
    assert book.tables() == book.rebuilt()


@pytest.mark.parametrize("text", ["\x00$what", "a\x1fb\u2028\"'\\", "", "s3://é/\U0001f9ea"])
def test_odd_places_are_kept_as_they_are(book: Book, registry: Registry, text: str):
    registry.models["motor"].versions[1].storage_location = (
        f"\x00$bytes:{'ACQ='}" if text.startswith("\x00") else text
    )
    book.take(registry.read())
    known = place(book)
    assert book.take(rest(registry)).changes == {}
    registry.describe("motor", 1, "other")
    book.take(rest(registry))
    assert place(book) == known
    assert book.take(registry.read()).changes == {}


def test_the_first_source_that_shows_it_adds_it(book: Book, registry: Registry):
    book.take(rest(registry))
    assert place(book) is None
    done = book.take(registry.read())
    assert (done.changes, done.appended) == ({}, 2)  # which is no change of the registry
    assert place(book) == "s3://first"
    assert book.take(rest(registry)).changes == {}
    assert place(book) == "s3://first"


def test_what_rest_could_not_show_accuses_nobody(book: Book):
    """A row of the journal names where the files were: nobody had moved them before."""
    registry = CapturedRegistry()
    registry.create("motor")
    registry.version("motor").storage_location = "s3://first"
    registry.capture()
    for change in (None, "Staging", "Production"):
        if change:
            registry.stage("motor", 1, change)
        look = registry.look(shows_deleted=False)
        for row in look.reading._rows["model_versions"]:
            row["storage_location"] = None
        look.reading.info = replace(look.reading.info, kind="rest", hidden_columns=HIDDEN)
        done = book.take(look.reading)
        assert done.unexplained == 0
    assert place(book) == "s3://first"
    grades = book.rows("select grade from ledger.log where kind = 'model_version' order by seq")
    assert grades == [("observed",), ("captured",), ("captured",)]
    assert book.take(registry.look().reading).unexplained == 0
    assert book.tables() == book.rebuilt()


def test_a_recorded_move_of_files_is_explained(book: Book):
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    registry.version("motor")
    book.take(registry.look().reading)
    registry.models["motor"].versions[1].storage_location = "s3://second"
    registry.describe("motor", 1, "moved")
    done = book.take(registry.look().reading)
    assert (done.changes, done.unexplained) == ({("model_version", "put"): 1}, 0)
    assert book.rows("from changes where uncaptured") == []
    assert place(book) == "s3://second"


def test_no_time_at_all_is_told_from_1970(book: Book, registry: Registry):
    """0 is no time, for creation as for updates: no source but a database shows it at all."""
    from auditreg.kinds.staging import ZERO_IS_NULL

    for table in ("registered_models", "model_versions"):
        assert {"creation_time", "last_updated_time"} <= ZERO_IS_NULL[table]
    rows = registry.rows()
    for table in ("registered_models", "model_versions"):
        rows[table][0] |= {"creation_time": None, "last_updated_time": None}
    book.take(MemoryReading(rows, START + 10**6))
    assert book.rows("select created_at, last_updated_at from model_versions") == [(None, None)]


def test_a_model_created_at_no_time_stays_the_one_it_was(book: Book, registry: Registry):
    """Ledgers of the first form know it as one of 1970."""
    rows = registry.rows()
    rows["registered_models"][0]["creation_time"] = 0
    book.take(MemoryReading(rows, START + 10**6))
    [(subject,)] = book.rows("select subject from registered_models")
    rows["registered_models"][0]["creation_time"] = None
    book.take(MemoryReading(rows, START + 2 * 10**6))
    assert book.rows("select subject, deleted from registered_models") == [(subject, False)]


@pytest.mark.integration
def test_every_kind_can_have_columns_that_not_every_source_shows(tmp_path: Path):
    command = [sys.executable, "-m", "tests.ledger.optional_everywhere", str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
