"""A reading of another registry, or of an older copy, is not taken for this registry as it is now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from auditreg.errors import SourceError
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, take
from tests.ledger.reading import MemoryReading, Registry, moment

DAY = 86_400_000
HERE, THERE = "sqlite:///srv/a.db", "sqlite:///srv/b.db"


def registry_of(*names: str, start: int) -> Registry:
    """A registry with these models, each with a version."""
    registry = Registry(start)
    for name in names:
        registry.create(name)
        registry.version(name)
    return registry


@pytest.fixture
def first(registry: Registry) -> Registry:
    """Three models, of which nothing is in the ledger yet."""
    for name in ("motor", "home", "life"):
        registry.create(name)
        registry.version(name)
    return registry


def refused(ledger: Ledger, reading: MemoryReading, **options: Any) -> SourceError:
    """The error of a reading that is not taken in; the ledger is as it was."""
    before = ledger.path.read_bytes()
    with pytest.raises(SourceError) as caught:
        take(ledger, reading, **options)
    assert ledger.path.read_bytes() == before
    assert caught.value.exit_code == 2
    assert caught.value.state == "The ledger was not changed."
    return caught.value


def test_a_reading_that_shares_no_model_is_refused(ledger: Ledger, first: Registry):
    take(ledger, first.read(location=HERE))
    staging = registry_of("pilot", "toy", start=first.clock - DAY)
    error = refused(ledger, MemoryReading(staging.rows(), first.wait(), location=THERE))
    assert HERE in error.what
    assert THERE in error.what
    assert "none of the 3 models" in error.what
    assert "--registry NAME" in error.hint
    assert "--allow-replacement" in error.hint
    # Nothing of the other one is in the way when the right one is read again.
    assert dict(take(ledger, first.read(location=HERE)).changes) == {}


def test_names_alone_make_no_model_the_same(ledger: Ledger, first: Registry):
    """What an import into another server makes: the names of old, the creation times of today."""
    take(ledger, first.read(location=HERE))
    imported = registry_of("motor", "home", "life", start=first.clock + DAY)
    reading = MemoryReading(imported.rows(), imported.wait(), location=THERE)
    assert "none of the 3 models" in refused(ledger, reading).what
    same_place = MemoryReading(imported.rows(), imported.wait(), location=HERE)
    assert "none of the 3 models" in refused(ledger, same_place).what
    done = take(ledger, reading, allow_replacement=True)
    assert done.changes["registered_model", "gone"] == done.new["registered_model"] == 3
    assert done.completeness.options["replacement"] == "allowed"
    assert ask(ledger, "select asked from extractions order by seq desc limit 1") == [
        ('{"replacement": "allowed"}',)
    ]
    assert verify(ledger).ok


def test_what_was_allowed_and_not_needed_leaves_no_trace(ledger: Ledger, first: Registry):
    take(ledger, first.read(location=HERE))
    first.delete("motor")
    done = take(ledger, first.read(location=THERE), allow_replacement=True)
    assert "replacement" not in done.completeness.options


def test_a_model_in_common_by_chance_does_not_make_two_registries_one(
    ledger: Ledger, registry: Registry
):
    for number in range(20):
        registry.create(f"model-{number}")
    take(ledger, registry.read(location=HERE))
    pilot = registry_of(*(f"pilot-{number}" for number in range(5)), start=registry.clock - DAY)
    pilot.models["model-7"] = registry.models["model-7"]
    reading = MemoryReading(pilot.rows(), registry.wait(), location=THERE)
    assert "only 1 of the 20 models" in refused(ledger, reading).what


def test_many_models_that_go_are_no_other_registry(ledger: Ledger, registry: Registry):
    for number in range(20):
        registry.create(f"model-{number}")
    take(ledger, registry.read(location=HERE))
    for number in range(19):
        registry.delete(f"model-{number}")
    registry.create("later")
    done = take(ledger, registry.read(location=HERE))
    assert done.changes["registered_model", "gone"] == 19


@pytest.mark.parametrize("known", [1, 2])
def test_a_small_registry_may_change_as_a_whole(ledger: Ledger, registry: Registry, known: int):
    """A model deleted and another one registered since: nothing speaks against it."""
    names = ["motor", "home"][:known]
    for name in names:
        registry.create(name)
    take(ledger, registry.read(location=HERE))
    for name in names:
        registry.delete(name)
    registry.create("motor")
    done = take(ledger, registry.read(location=HERE))
    assert done.changes["registered_model", "gone"] == known
    assert done.new["registered_model"] == 1


@pytest.mark.parametrize("sign", ["its address", "its age"])
def test_a_small_registry_with_a_sign_of_another_one_is_refused(
    ledger: Ledger, registry: Registry, sign: str
):
    registry.create("motor")
    take(ledger, registry.read(location=HERE))
    if sign == "its age":  # it was there before the last reading, which did not show it
        other, location = registry_of("home", start=registry.clock - DAY), HERE
    else:
        other, location = registry_of("home", start=registry.clock + DAY), THERE
    at = max(registry.clock, other.clock) + 1000
    error = refused(ledger, MemoryReading(other.rows(), at, location=location))
    assert "does not show the model that" in error.what


def test_what_was_renamed_or_moved_is_shared(ledger: Ledger, first: Registry):
    take(ledger, first.read(location=HERE))
    for name in ("motor", "home", "life"):
        first.rename(name, f"{name}-2")
    rows = first.rows()
    for table in ("registered_models", "model_versions"):
        for row in rows[table]:
            row["workspace"] = "team-a"
    done = take(ledger, MemoryReading(rows, first.wait(), location=THERE))
    assert not any(op == "gone" for _, op in done.changes)


def test_a_continuing_journal_says_that_it_is_the_same_registry(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    names = ("a", "b", "c")
    for name in names:
        registry.do(("create", name))
    take(ledger, registry.look().reading)
    for name in names:
        registry.do(("delete", name))
    for name in names:
        registry.do(("create", name))
    done = take(ledger, registry.look().reading)
    assert done.unexplained == 0
    assert ask(
        ledger, "select count(*) filter (where deleted), count(*) from registered_models"
    ) == [(3, 6)]


def test_a_backup_of_long_ago_may_share_no_model(ledger: Ledger, first: Registry):
    old = registry_of("before", start=first.clock - 400 * DAY)
    take(ledger, first.read(location=HERE))
    at = moment(old.clock + DAY)
    backup = MemoryReading(old.rows(), first.wait(), location=THERE)
    done = take(ledger, backup, observed_at=at)
    assert (done.late, done.new["registered_model"]) == (True, 1)


def test_a_backup_without_any_model_that_has_to_be_in_it_is_refused(
    ledger: Ledger, first: Registry
):
    other = registry_of("pilot", start=first.clock - DAY)
    first.wait(10 * DAY)
    take(ledger, first.read(location=HERE))
    backup = MemoryReading(other.rows(), first.wait(), location=THERE)
    error = refused(ledger, backup, observed_at=moment(first.clock - 5 * DAY))
    assert HERE in error.what
    assert THERE in error.what
    assert take(ledger, backup, observed_at=moment(first.clock - 5 * DAY), allow_replacement=True)


# An older copy, read as of today.


def older_copy(registry: Registry) -> tuple[MemoryReading, int]:
    """A copy of the registry as it is, read after one more version was registered; its last change."""
    rows, made = registry.rows(), registry.history[-1][0]
    registry.version("motor")
    registry.stage("motor", 2, "Production")
    return MemoryReading(rows, registry.clock + DAY, location=THERE), made


def test_an_older_copy_read_as_of_today_is_refused(ledger: Ledger, first: Registry):
    take(ledger, first.read(location=HERE))
    copy, made = older_copy(first)
    take(ledger, first.read(location=HERE))
    error = refused(ledger, copy)
    assert "older copy" in error.what
    assert HERE in error.what
    assert THERE in error.what
    assert f"{moment(made):%Y-%m-%d %H:%M:%S}Z" in error.what
    assert "1 version" in error.what
    assert "--observed-at" in error.hint
    assert "--allow-replacement" in error.hint
    # Said of which moment it is, it is taken in; said that the registry was set back, too.
    assert take(ledger, copy, observed_at=moment(made)).late
    done = take(ledger, copy, allow_replacement=True)
    assert done.changes["model_version", "gone"] == 1
    assert done.completeness.options["replacement"] == "allowed"


def test_a_journal_that_went_back_is_an_older_copy(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    registry.do(("create", "a"))
    copy = registry.look().reading
    registry.do(("tag", "a", None, "owner", "ann"))
    take(ledger, registry.look().reading)
    copy.started_at = copy.ended_at = registry.clock + DAY
    assert "journal" in refused(ledger, copy).what


def test_an_update_time_set_back_is_a_change_and_no_copy(ledger: Ledger, first: Registry):
    first.version("motor")
    first.describe("motor", None, "a text")
    take(ledger, first.read(location=HERE))
    first.models["motor"].updated = first.models["motor"].created
    done = take(ledger, first.read(location=HERE))
    assert dict(done.changes) == {("registered_model", "put"): 1}


def test_versions_deleted_by_a_server_whose_clock_is_behind_are_no_copy(
    ledger: Ledger, registry: Registry
):
    """Over REST a deleted version is gone, and the model's time is what that server's clock said."""
    registry.create("motor")
    registry.version("motor")
    registry.version("motor")
    take(ledger, registry.read(source="rest", shows_deleted=False))
    rows = registry.rows()
    del rows["model_versions"][1]
    rows["registered_models"][0]["last_updated_time"] -= 2500
    reading = MemoryReading(rows, registry.wait(), source="rest", shows_deleted=False)
    assert take(ledger, reading).changes["model_version", "gone"] == 1


def test_a_newer_backup_with_its_moment_is_no_copy(ledger: Ledger, first: Registry):
    take(ledger, first.read(location=HERE))
    first.version("motor")
    backup = first.rows()
    at = moment(first.wait())
    later = MemoryReading(backup, first.wait(DAY), location=THERE)
    assert take(ledger, later, observed_at=at + timedelta(0)).changes["model_version", "put"] == 1
