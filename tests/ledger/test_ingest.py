"""Readings taken in one after the other: what is appended, what is not, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditreg.errors import NothingToAudit, SourceError, UsageError
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.sources import open_source
from auditreg.sources.interface import READS
from tests.ledger.book import Book
from tests.ledger.conftest import ask, take
from tests.ledger.reading import MemoryReading, Registry, moment, run_rows, together
from tests.sources.conftest import store  # noqa: F401 (a fixture: a real MLflow store)
from tests.sources.reading import run_sql


@pytest.fixture
def motor(registry: Registry) -> Registry:
    registry.create("motor", owner="ann")
    registry.version("motor", run_id="r1", approved_by="bo")
    registry.alias("motor", "champion", 1)
    return registry


def changes(book: Book, reading: MemoryReading, **options: Any) -> dict[tuple[str, str], int]:
    done = book.take(reading, **options)
    assert book.tables() == book.rebuilt()
    return dict(done.changes)


def test_the_same_again_appends_only_that_it_was_read(book: Book, motor: Registry):
    first = book.take(motor.read())
    assert first.first
    assert first.appended == 6
    again = book.take(motor.read())
    assert (again.first, again.appended, dict(again.changes)) == (False, 1, {})
    assert book.rows("select kind from ledger.log order by seq desc limit 2") == [
        ("extraction",),
        ("extraction",),
    ]


def test_a_changed_tag_appends_one_entry(book: Book, motor: Registry):
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", "cy")
    assert changes(book, motor.read()) == {("model_version_tag", "put"): 1}
    assert book.rows("select value from model_version_tags") == [("cy",)]


def test_null_and_empty_are_two_things(book: Book, motor: Registry):
    motor.models["motor"].description = None
    book.take(motor.read())
    motor.models["motor"].description = ""
    assert changes(book, motor.read()) == {("registered_model", "put"): 1}


def test_no_text_passes_for_two(book: Book, motor: Registry):
    """Whatever separates the parts of a fingerprint can stand in a text as well."""

    def read(params: dict[str, str]) -> dict[tuple[str, str], int]:
        rows = together(motor.rows(), run_rows("r1", params=params))
        return changes(book, MemoryReading(rows, motor.wait()))

    for mark in ("\x1e", "\x1f", "\x1e\x1f"):
        read({"a": f"1\x1eb\x1f2{mark}"})
        assert read({"a": "1", "b": f"2{mark}"}) == {("run", "put"): 1}
    assert read({"a": "\x00"}) == {("run", "put"): 1}


def test_what_is_deleted_is_gone(book: Book, motor: Registry):
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", None)
    motor.alias("motor", "champion", None)
    assert changes(book, motor.read()) == {
        ("model_version_tag", "gone"): 1,
        ("alias", "gone"): 1,
    }
    motor.create("other")
    motor.delete("motor")
    assert changes(book, motor.read()) == {
        ("registered_model", "put"): 1,
        ("registered_model", "gone"): 1,
        ("registered_model_tag", "gone"): 1,
        ("model_version", "gone"): 1,
    }
    assert book.rows("select model, deleted from registered_models order by 1") == [
        ("motor", True),
        ("other", False),
    ]


def test_what_comes_back_is_put_again(book: Book, motor: Registry):
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", None)
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", "bo")
    assert changes(book, motor.read()) == {("model_version_tag", "put"): 1}
    assert book.rows("select value from model_version_tags") == [("bo",)]


def test_only_kinds_that_were_read_can_be_gone(book: Book, motor: Registry):
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", None)
    motor.alias("motor", "champion", None)
    kinds = tuple(kind for kind in READS if kind != "alias")
    assert changes(book, motor.read(kinds=kinds)) == {("model_version_tag", "gone"): 1}
    assert book.rows("select alias from aliases") == [("champion",)]


def test_an_incomplete_reading_makes_nothing_gone(book: Book, motor: Registry):
    book.take(motor.read())
    motor.tag("motor", 1, "approved_by", None)
    motor.tag("motor", 1, "more", "x")
    done = book.take(motor.read(doubts=("one page could not be read",)))
    assert not done.complete
    assert dict(done.changes) == {("model_version_tag", "put"): 1}
    assert book.rows("select complete, doubts from extractions order by seq desc limit 1") == [
        (False, '["one page could not be read"]')
    ]
    assert book.rows("select key from model_version_tags order by 1") == [
        ("approved_by",),
        ("more",),
    ]
    assert book.rows("select as_of() < (select max(observed_at) from extractions)") == [(True,)]


def test_a_run_nobody_points_to_is_not_gone_and_one_that_vanished_is(book: Book, motor: Registry):
    run = run_rows("r1", params={"depth": "7"})
    book.take(MemoryReading(together(motor.rows(), run), motor.wait()))
    motor.models["motor"].versions[1].run_id = None
    motor.describe("motor", 1, "now without its run")
    assert changes(book, motor.read()) == {("model_version", "put"): 1}
    assert book.rows("select deleted from runs") == [(False,)]
    motor.models["motor"].versions[1].run_id = "r1"
    motor.describe("motor", 1, "its run is named again, but is not there")
    assert changes(book, motor.read())["run", "gone"] == 1
    assert book.rows("select run_id, deleted from runs") == [("r1", True)]
    assert book.rows("select key, value from run_params") == [("depth", "7")]


def test_tombstones_a_source_cannot_show_are_not_gone(book: Book, motor: Registry):
    motor.delete_version("motor", 1)
    book.take(motor.read())
    rows = motor.rows()
    rows["model_versions"], rows["model_version_tags"] = [], []
    by_rest = MemoryReading(rows, motor.wait(), shows_deleted=False, source="rest")
    assert changes(book, by_rest) == {}
    assert changes(book, motor.read()) == {}
    assert book.rows("select stage, deleted from model_versions") == [("Deleted_Internal", True)]


def test_nothing_to_audit_at_first(ledger: Ledger, registry: Registry):
    before = ledger.path.read_bytes()
    with pytest.raises(NothingToAudit) as caught:
        take(ledger, registry.read())
    assert caught.value.exit_code == 3
    assert caught.value.what
    assert caught.value.state
    assert caught.value.hint
    assert ledger.path.read_bytes() == before


def test_an_empty_registry_after_a_full_one(ledger: Ledger, motor: Registry):
    take(ledger, motor.read())
    motor.delete("motor")
    before = ledger.path.read_bytes()
    with pytest.raises(SourceError) as caught:
        take(ledger, motor.read())
    assert "--allow-empty" in caught.value.hint
    assert caught.value.state
    with pytest.raises(SourceError):
        take(ledger, motor.read(doubts=("incomplete",)), allow_empty=True)
    assert ledger.path.read_bytes() == before
    done = take(ledger, motor.read(), allow_empty=True)
    assert done.changes["registered_model", "gone"] == 1
    assert ask(ledger, "select count(*) from population_registered_model") == [(0,)]
    assert verify(ledger).ok


def artifact(state: str, **more: Any) -> dict[str, list[dict[str, Any]]]:
    row = {"workspace": "default", "model": "motor", "version": 1, "state": state, **more}
    return {"model_artifacts": [row]}


def test_artifacts_that_were_not_looked_at_stay_as_they_were(book: Book, motor: Registry):
    read = together(motor.rows(), artifact("read", mlmodel_sha256="ab"))
    book.take(MemoryReading(read, motor.wait()))
    skipped = together(motor.rows(), artifact("not_looked_at"))
    assert changes(book, MemoryReading(skipped, motor.wait())) == {}
    without = MemoryReading(motor.rows(), motor.wait(), kinds=tuple(READS)[:-1])
    assert changes(book, without) == {}
    assert book.rows("select state, mlmodel_sha256 from model_artifacts") == [("read", "ab")]
    lost = together(motor.rows(), artifact("unreachable", problem="no access"))
    assert changes(book, MemoryReading(lost, motor.wait())) == {("model_artifact", "put"): 1}
    assert book.rows(
        "select state, mlmodel_sha256, last_read_at is not null from model_artifacts"
    ) == [("unreachable", "ab", True)]
    again = together(motor.rows(), artifact("unreachable", problem="in other words"))
    assert changes(book, MemoryReading(again, motor.wait())) == {}
    elsewhere = together(motor.rows(), artifact("unreachable", location="/moved"))
    assert changes(book, MemoryReading(elsewhere, motor.wait())) == {("model_artifact", "put"): 1}
    assert book.rows("select mlmodel_sha256 from model_artifacts") == [(None,)]


def test_a_row_that_a_reading_holds_twice_is_refused(book: Book, motor: Registry):
    for table in ("model_version_tags", "aliases", "model_versions", "registered_models"):
        rows = motor.rows()
        rows[table] = [*rows[table], *(dict(row) for row in rows[table])]
        with pytest.raises(SourceError, match="2 times") as caught:
            book.take(MemoryReading(rows, motor.wait()))
        assert caught.value.state
        assert caught.value.hint
        assert book.log() == []


class Breaking(MemoryReading):
    """A reading whose source fails in the middle."""

    def table(self, name: str):
        if name == "aliases":
            raise SourceError("The server went away.", state="s", hint="h")
        return super().table(name)


def test_a_source_that_fails_leaves_everything_as_it_was(ledger: Ledger, motor: Registry):
    before = ledger.path.read_bytes()
    with pytest.raises(SourceError, match="went away"):
        take(ledger, Breaking(motor.rows(), motor.wait()))
    assert ledger.path.read_bytes() == before


class BreakingLater(MemoryReading):
    """A reading whose source fails between two batches."""

    def table(self, name: str):
        yield from super().table(name)
        if name == "aliases":
            raise SourceError("The server went away.", state="s", hint="h")


def test_a_source_that_fails_between_batches_says_so_too(ledger: Ledger, motor: Registry):
    before = ledger.path.read_bytes()
    with pytest.raises(SourceError) as caught:
        take(ledger, BreakingLater(motor.rows(), motor.wait()))
    assert (caught.value.what, caught.value.state) == ("The server went away.", "s")
    assert ledger.path.read_bytes() == before


# Identity.


def subjects(book: Book) -> dict[str, str]:
    return dict(book.rows("select model, subject from registered_models where not deleted"))


def test_a_rename_keeps_the_subject_of_everything(book: Book, motor: Registry):
    book.take(motor.read())
    before = subjects(book)["motor"]
    motor.rename("motor", "car")
    done = changes(book, motor.read())
    assert not any(op == "gone" for _, op in done)
    assert subjects(book) == {"car": before}
    for query in (
        "select model_subject from model_versions",
        "select model_subject from model_version_tags",
        "select model_subject from registered_model_tags",
        "select model_subject from aliases",
    ):
        assert book.rows(query) == [(before,)]
    assert book.rows("select model, version, aliases, owner from inventory") == [
        ("car", 1, "champion", "ann")
    ]
    assert book.rows(
        "select before, after from changes where kind = 'registered_model' and item = 'name'"
    ) == [("motor", "car")]
    motor.rename("car", "motor")
    changes(book, motor.read())
    assert subjects(book) == {"motor": before}


def test_what_is_made_anew_under_an_old_name_is_another(book: Book, motor: Registry):
    book.take(motor.read())
    before = subjects(book)["motor"]
    motor.delete("motor")
    motor.create("motor", owner="ann")
    motor.version("motor")
    done = changes(book, motor.read())
    assert done["registered_model", "put"] == done["registered_model", "gone"] == 1
    assert subjects(book)["motor"] != before
    assert book.rows("select subject, deleted from registered_models order by deleted") == [
        (subjects(book)["motor"], False),
        (before, True),
    ]
    assert book.rows("select count(*) from model_versions") == [(2,)]


def test_a_name_given_to_another_model_does_not_mix_them(book: Book, motor: Registry):
    motor.create("spare")
    book.take(motor.read())
    before = subjects(book)
    motor.rename("motor", "old")
    motor.rename("spare", "motor")
    changes(book, motor.read())
    assert subjects(book) == {"old": before["motor"], "motor": before["spare"]}


def test_an_ambiguous_rename_is_one_gone_and_one_new(book: Book, registry: Registry):
    for name in ("one", "two"):
        registry.create(name)
        registry.models[name].created = 1_767_000_000_000
    book.take(registry.read())
    before = subjects(book)
    registry.models = {"new one": registry.models["one"], "new two": registry.models["two"]}
    done = changes(book, registry.read())
    assert done == {("registered_model", "put"): 2, ("registered_model", "gone"): 2}
    assert not set(subjects(book).values()) & set(before.values())


def test_one_of_two_that_share_a_moment_can_be_renamed(book: Book, registry: Registry):
    for name in ("one", "two"):
        registry.create(name)
        registry.models[name].created = 1_767_000_000_000
    book.take(registry.read())
    before = subjects(book)
    registry.rename("one", "three")
    changes(book, registry.read())
    assert subjects(book) == {"three": before["one"], "two": before["two"]}


def moved(registry: Registry, workspace: str, *names: str, **options: Any) -> MemoryReading:
    """A reading in which these models are in another workspace, as `mlflow db move-resources` leaves them."""
    rows = registry.rows()
    for table in rows.values():
        for row in table:
            if row.get("model") in names:
                row["workspace"] = workspace
    return MemoryReading(rows, registry.wait(), **options)


def test_a_move_to_another_workspace_keeps_the_subject_and_is_one_change(
    book: Book, motor: Registry
):
    motor.create("home")
    motor.stage("motor", 1, "Production")
    book.take(motor.read())
    before = subjects(book)
    done = changes(book, moved(motor, "team-a", "motor"))
    assert not any(op == "gone" for _, op in done)
    assert subjects(book) == before
    assert book.rows("select workspace, model, version, aliases, owner, live from inventory") == [
        ("team-a", "motor", 1, "champion", "ann", True),
        ("default", "home", None, None, None, False),
    ]
    told = "select kind, item, change, before, after from changes"
    assert book.rows(told) == [("registered_model", "workspace", "changed", "default", "team-a")]
    assert book.rows("select ended_not_after from promotions") == [(None,)]
    changes(book, motor.read())
    assert subjects(book) == before
    assert book.rows(f"{told} order by seq")[1:] == [
        ("registered_model", "workspace", "changed", "team-a", "default")
    ]


def test_a_move_with_a_rename_keeps_the_subject(book: Book, motor: Registry):
    book.take(motor.read())
    before = subjects(book)["motor"]
    motor.rename("motor", "car")
    changes(book, moved(motor, "team-a", "car"))
    assert subjects(book) == {"car": before}
    assert book.rows("select item, before, after from changes order by item") == [
        ("name", "motor", "car"),
        ("workspace", "default", "team-a"),
    ]


def test_of_two_of_one_moment_the_name_says_which_one_moved(book: Book, registry: Registry):
    for name in ("one", "two"):
        registry.create(name)
        registry.models[name].created = 1_767_000_000_000
    book.take(registry.read())
    before = subjects(book)
    changes(book, moved(registry, "team-a", "one", "two"))
    assert subjects(book) == before


def test_a_name_that_moved_and_is_given_anew_is_two_models(book: Book, motor: Registry):
    book.take(motor.read())
    before = subjects(book)["motor"]
    rows = moved(motor, "team-a", "motor")._rows
    motor.delete("motor")
    motor.create("motor")
    changes(book, MemoryReading(together(rows, motor.rows()), motor.wait()))
    shown = book.rows("select workspace, subject from registered_models order by workspace desc")
    assert shown[0] == ("team-a", before)
    assert shown[1][0] == "default"
    assert shown[1][1] != before


def test_an_older_backup_from_before_a_move_keeps_the_subject(book: Book, motor: Registry):
    backup = motor.read()
    book.take(moved(motor, "team-a", "motor"))
    subject = subjects(book)["motor"]
    assert book.take(backup).late
    assert book.tables() == book.rebuilt()
    assert subjects(book) == {"motor": subject}
    at = moment(backup.ended_at)
    assert book.rows("select workspace, subject from registered_models_as_of(?)", at) == [
        ("default", subject)
    ]
    assert book.rows("select workspace from registered_models") == [("team-a",)]


def test_an_older_backup_with_the_old_name_keeps_the_subject(book: Book, motor: Registry):
    backup = motor.read()
    motor.rename("motor", "car")
    motor.tag("car", 1, "approved_by", "cy")
    book.take(motor.read())
    subject = subjects(book)["car"]
    done = book.take(backup)
    assert done.late
    assert book.tables() == book.rebuilt()
    assert subjects(book) == {"car": subject}
    at = moment(backup.ended_at)
    assert book.rows("select model, subject from registered_models_as_of(?)", at) == [
        ("motor", subject)
    ]
    assert book.rows("select value, certainty from model_version_tags_as_of(?)", at) == [
        ("bo", "certain")
    ]
    assert book.rows("select value from model_version_tags") == [("cy",)]


def test_a_backup_with_a_moment_given_is_placed_there(book: Book, motor: Registry):
    backup = motor.rows()
    at = moment(motor.clock)
    motor.stage("motor", 1, "Production")
    book.take(motor.read())
    done = book.take(MemoryReading(backup, motor.wait(10**9)), observed_at=at)
    assert (done.late, done.observed_at) == (True, at)
    assert book.rows("select stage from model_versions") == [("Production",)]
    assert book.rows("select stage, certainty from model_versions_as_of(?)", at) == [
        ("None", "certain")
    ]


def test_a_reading_in_between_that_saw_the_same_makes_no_doubt(book: Book, motor: Registry):
    backup = motor.read()
    motor.wait()
    book.take(motor.read())
    assert book.take(backup).late
    assert book.tables() == book.rebuilt()
    between = moment(backup.ended_at + 500)
    for table in ("model_version_tags", "aliases", "registered_model_tags"):
        rows = book.rows(f"select certainty, candidate from {table}_as_of(?)", between)
        assert rows == [("seen_same", "only")]


def test_two_registries_in_one_file_never_mix(book: Book, motor: Registry):
    other = Registry(motor.clock - 900)
    other.create("motor", owner="zoe")
    other.models["motor"].created = motor.models["motor"].created
    other.version("motor", run_id="r1", approved_by="yan")
    other.alias("motor", "champion", 1)
    runs = run_rows("r1", params={"depth": "7"}), run_rows("r1", params={"depth": "8"})
    for registry, name, run in ((motor, "default", runs[0]), (other, "spare", runs[1])):
        for _ in range(2):
            reading = MemoryReading(together(registry.rows(), run), registry.wait())
            book.take(reading, registry=name)
    assert book.rows(
        "select registry, count(*), count(distinct subject) from inventory group by 1 order by 1"
    ) == [("default", 1, 1), ("spare", 1, 1)]
    assert book.rows("select registry, owner from inventory order by 1") == [
        ("default", "ann"),
        ("spare", "zoe"),
    ]
    assert book.rows("select registry, value from run_params order by 1") == [
        ("default", "7"),
        ("spare", "8"),
    ]
    other.delete("motor")
    done = book.take(other.read(), registry="spare", allow_empty=True)
    assert done.changes["registered_model", "gone"] == 1
    assert book.rows("select registry from inventory where not deleted") == [("default",)]
    at = moment(motor.clock)
    assert book.rows("select registry, value from registered_model_tags_as_of(?) order by 1", at)[
        0
    ] == (
        "default",
        "ann",
    )
    assert book.tables() == book.rebuilt()


# A real MLflow store, read by SQL.


def test_a_real_store_is_taken_in_and_verifies(ledger: Ledger, store: Path, tmp_path: Path):  # noqa: F811
    database = tmp_path / "mlflow.db"
    database.write_bytes(store.read_bytes())
    source = open_source(f"sqlite:///{database}")

    appended = []

    def read() -> dict[tuple[str, str], int]:
        with source.read() as reading:
            done = take(ledger, reading)
        appended.append(done.appended)
        return dict(done.changes)

    first = read()
    kinds = {kind for (kind,) in ask(ledger, "select kind from ledger.log where op = 'put'")}
    assert kinds - {"policy"} == set(READS) - {"principal", "permission"}
    put = "select kind, count(distinct subject) from ledger.log where op = 'put' group by kind"
    assert {kind: number for (kind, op), number in first.items() if op == "put"} == {
        kind: number for kind, number in ask(ledger, put) if kind != "policy"
    }
    assert read() == {}
    run_sql(
        database,
        "update model_version_tags set value = 'changed' where key = 'note'",
        "delete from registered_model_aliases where alias = 'challenger'",
    )
    assert read() == {("model_version_tag", "put"): 1, ("alias", "gone"): 1}
    found = verify(ledger)
    assert found.problems == ()
    assert (found.roots, found.entries) == (3, sum(appended))
    assert ask(ledger, "select count(*) from model_versions where deleted") == [(1,)]
    assert ask(ledger, "select model from prompts") == [("greeting",)]


def test_a_backup_of_a_moment_to_come_is_refused(ledger: Ledger, registry: Registry):
    """It would stand after every later reading, and nothing could undo that."""
    registry.create("motor")
    take(ledger, registry.read())
    before = ledger.path.read_bytes()
    backup = registry.read()
    ended = moment(backup.ended_at)
    later = ended + timedelta(milliseconds=1)
    for given in (later, later.replace(tzinfo=UTC), datetime(2062, 9, 30)):
        with pytest.raises(UsageError, match="cannot be of") as caught:
            take(ledger, backup, observed_at=given)
        assert caught.value.state
        assert "a backup of today" in caught.value.hint
    assert ledger.path.read_bytes() == before
    assert not take(ledger, backup, observed_at=ended).late
