"""What an extraction says is new in the ledger: whoever recorded it, each thing once."""

from __future__ import annotations

import pytest

from auditreg.errors import NothingToAudit, SourceError
from auditreg.formats.terminal.extraction import changed
from auditreg.formats.terminal.text import masked_values, paragraph
from auditreg.ledger.ingest import IngestSummary
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry


@pytest.fixture
def recorded() -> CapturedRegistry:
    """A registry that is captured from its beginning, with two models."""
    registry = CapturedRegistry()
    registry.capture()
    for name in ("a", "b"):
        registry.do(("create", name))
        registry.do(("version", name))
    return registry


def read(ledger: Ledger, registry: CapturedRegistry) -> IngestSummary:
    return take(ledger, registry.look().reading)


def test_what_the_server_recorded_is_new_in_the_ledger(ledger: Ledger, recorded: CapturedRegistry):
    first = read(ledger, recorded)
    assert dict(first.new) == {"registered_model": 2, "model_version": 2}
    recorded.do(("alias", "a", "champion", 1))
    recorded.do(("stage", "b", 1, "Production"))
    recorded.do(("tag", "b", 1, "approved_by", "ann"))
    done = read(ledger, recorded)
    assert done.captured
    assert done.unexplained == 0
    assert dict(done.new) == {"alias": 1, "model_version_tag": 1}
    # A stage moves the update time of its model.
    assert changed(done) == "1 model changed, 1 version changed, 1 alias new, 1 version tag new"
    again = read(ledger, recorded)
    assert dict(again.changes) == {}
    assert changed(again) == "nothing since the last extraction"


def test_each_thing_counts_once_however_often_it_changed(
    ledger: Ledger, recorded: CapturedRegistry
):
    recorded.do(("version", "a"))
    recorded.do(("alias", "a", "champion", 1))
    read(ledger, recorded)
    for number in (2, 1, 2):
        recorded.do(("alias", "a", "champion", number))
    recorded.do(("tag", "a", None, "owner", "ann"))
    recorded.do(("tag", "a", None, "owner", "bo"))
    assert changed(read(ledger, recorded)) == "1 alias moved, 1 model tag new"
    recorded.do(("tag", "a", None, "owner", "cy"))
    recorded.do(("tag", "a", None, "owner", None))
    assert changed(read(ledger, recorded)) == "1 model tag gone"


def test_what_came_and_went_between_two_readings_is_told(
    ledger: Ledger, recorded: CapturedRegistry
):
    read(ledger, recorded)
    recorded.do(("tag", "a", None, "note", "x"))
    recorded.do(("tag", "a", None, "note", None))
    assert changed(read(ledger, recorded)) == "1 model tag new, 1 model tag gone"


def test_recorded_and_unrecorded_changes_are_in_one_sum(ledger: Ledger, recorded: CapturedRegistry):
    read(ledger, recorded)
    recorded.tamper(("describe", "a", 1, "changed by SQL"), moves=False)
    recorded.do(("tag", "b", None, "owner", "ann"))
    done = read(ledger, recorded)
    assert changed(done) == "1 version changed, 1 model tag new"
    assert done.unexplained == 1


@pytest.mark.parametrize("capture", [True, False])
def test_a_rename_changes_the_model_and_moves_no_alias(ledger: Ledger, capture: bool):
    registry = CapturedRegistry()
    if capture:
        registry.capture()
    for step in (("create", "a"), ("version", "a"), ("tag", "a", 1, "k", "v")):
        registry.do(step)
    registry.do(("alias", "a", "champion", 1))
    read(ledger, registry)
    registry.do(("rename", "a", "b"))
    done = read(ledger, registry)
    assert changed(done) == "1 model changed, 1 version changed"  # MLflow moves its update time
    assert done.unexplained == 0
    [(count,)] = ask(ledger, "select count(*) from ledger.heads where model = 'b'")
    assert count == 4


def test_what_is_only_named_otherwise_is_not_unrecorded(ledger: Ledger, recorded: CapturedRegistry):
    """A move past the journal is one change it should have told of, not one of each row."""
    recorded.do(("alias", "a", "champion", 1))
    read(ledger, recorded)
    look = recorded.look().reading
    for table in ("registered_models", "model_versions", "aliases"):
        for row in look._rows[table]:
            row["workspace"] = "team-a" if row["model"] == "a" else "default"
    done = take(ledger, look)
    assert changed(done) == "1 model changed"
    assert done.unexplained == 1


# The registry that was emptied.


def test_an_emptied_registry_that_the_journal_accounts_for_is_taken_in(
    ledger: Ledger, recorded: CapturedRegistry
):
    read(ledger, recorded)
    for name in ("a", "b"):
        recorded.do(("delete", name))
    done = read(ledger, recorded)
    assert changed(done) == "2 models gone, 2 versions gone"
    assert done.unexplained == 0
    assert ask(ledger, "select model, actor from changes where change = 'removed' order by 1") == [
        ("a", "alice"), ("a", "alice"), ("b", "alice"), ("b", "alice"),
    ]  # fmt: skip
    assert changed(read(ledger, recorded)) == "nothing since the last extraction"
    assert verify(ledger).ok


def test_a_first_reading_takes_in_what_the_journal_tells_of_an_emptied_registry(
    ledger: Ledger, recorded: CapturedRegistry
):
    for name in ("a", "b"):
        recorded.do(("delete", name))
    done = read(ledger, recorded)
    assert dict(done.new) == {"registered_model": 2, "model_version": 2}
    assert ask(ledger, "select count(*) from registered_models where deleted") == [(2,)]


def test_an_emptied_registry_that_the_journal_does_not_account_for_is_refused(
    ledger: Ledger, recorded: CapturedRegistry
):
    read(ledger, recorded)
    recorded.do(("delete", "a"))
    recorded.models.clear()  # by SQL
    recorded._images = {}
    before = ledger.path.read_bytes()
    with pytest.raises(SourceError, match="knows 1 of registry"):
        read(ledger, recorded)
    assert ledger.path.read_bytes() == before


def test_a_journal_that_tells_of_no_model_makes_an_empty_registry_nothing_to_audit(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    with pytest.raises(NothingToAudit):
        read(ledger, registry)


def test_an_older_backup_brings_nothing_new_that_is_known(ledger: Ledger, registry: Registry):
    registry.create("a")
    registry.version("a")
    backup = registry.read()
    registry.create("b")
    registry.describe("a", 1, "a text")
    take(ledger, registry.read())
    done = take(ledger, backup)
    assert done.late
    assert dict(done.new) == {}


def test_an_earlier_reading_of_the_same_state_tells_no_change(ledger: Ledger, registry: Registry):
    registry.create("a")
    registry.version("a")
    registry.tag("a", 1, "owner", "ann")
    backup = registry.read()
    registry.tag("a", 1, "owner", "bo")
    take(ledger, registry.read())
    done = take(ledger, backup)
    assert done.late
    assert changed(done) == "1 version tag changed"


def test_a_label_without_a_text_stays_and_one_is_not_several():
    assert paragraph("note", "", 12, 80) == "note\n"
    assert paragraph("note", "a  b", 12, 80) == "note         a  b\n"
    assert masked_values(1) == "1 value that looks like a credential, kept as hashes only"
    assert masked_values(2_000).startswith("2,000 values that look like credentials")
