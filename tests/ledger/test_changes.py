"""`changes` tells of every stored column, and dates a row by what was observed of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from auditreg.audit.snapshot import Moment, prepare_snapshot
from auditreg.cli import cli
from auditreg.kinds.changes import FILTERS, ITEMS
from auditreg.ledger import definitions, kind_sql
from auditreg.ledger.store import Ledger
from auditreg.queries.changes import KINDS, ChangeFilter, change_rows
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, take
from tests.ledger.reading import START, MemoryReading, Registry, Rows, moment

COLUMNS = {
    "user_id": ("author", "eve"),
    "run_link": ("run link", "http://elsewhere"),
    "status_message": ("status message", "broken"),
    "storage_location": ("storage location", "s3://elsewhere"),
    "source": ("source", "s3://other"),
    "run_id": ("run", "r9"),
    "description": ("description", "another"),
    "status": ("status", "FAILED_REGISTRATION"),
    "creation_time": ("creation time", START - 1000),
}
"""Column of a version to its item in `changes` and another value."""


def version_rows(registry: Registry, **values: Any) -> Rows:
    """The registry's rows, with these values in those of its versions."""
    rows = registry.rows()
    for row in rows["model_versions"]:
        row.update({"storage_location": "s3://here", "run_link": "http://here", **values})
    return rows


def test_every_stored_column_of_a_model_or_version_is_an_item_or_left_out():
    text = definitions.view_sql("changes", as_of=False)
    for kind in ("registered_model", "model_version"):
        columns = kind_sql.structure(kind)
        missing = {name for name in columns if f"('{kind}', " not in text}
        missing |= {name for name in columns if f"'$.body.{name}'" not in text}
        # last_updated_time moves with every other column
        assert missing == {"last_updated_time"}, kind


def test_a_change_of_any_column_of_a_version_is_told(ledger: Ledger, registry: Registry):
    for column in COLUMNS:  # a model whose version changes in this column alone
        registry.create(column)
        registry.version(column, description="a text")
    take(ledger, MemoryReading(version_rows(registry), registry.wait()))
    rows = version_rows(registry)
    for row in rows["model_versions"]:
        column = row["model"]
        row.update({column: COLUMNS[column][1], "last_updated_time": registry.clock})
    take(ledger, MemoryReading(rows, registry.wait()))
    changes = ask(ledger, "select model, item, after from changes where version = 1")
    expected = {column: (column, *change) for column, change in COLUMNS.items()}
    expected["creation_time"] = ("creation_time", "creation time", "2025-12-31T23:59:59Z")
    assert sorted(changes) == sorted(expected.values())
    with ledger.reader() as con:
        for column, (item, _) in COLUMNS.items():
            kind = item.replace(" ", "-")
            names, chosen = change_rows(con, ChangeFilter(kinds=(kind,)))
            assert {row[names.index("model")] for row in chosen} == {column}


def test_every_item_of_a_change_can_be_chosen():
    for item in ITEMS:
        conditions = {("kind", item.kind, None), ("kind", item.kind, item.name)}
        assert any(
            ("kind", *condition) in conditions
            for wanted in FILTERS.values()
            for condition in wanted
        ), item
    # Names of before the columns were one list.
    former = "stage alias tag description version model source status run logged-model artifact"
    assert {*former.split(), "account", "right"} <= KINDS.keys()


def test_a_source_without_storage_locations_changes_none(ledger: Ledger, registry: Registry):
    registry.create("motor")
    registry.version("motor")
    take(ledger, MemoryReading(version_rows(registry), registry.wait()))
    registry.describe("motor", 1, "new")
    bare = version_rows(registry, storage_location=None)
    take(ledger, MemoryReading(bare, registry.wait(), source="rest", shows_deleted=False))
    assert ask(ledger, "select item from changes where version = 1") == [("description",)]


@pytest.mark.parametrize("days", [800, 0])
def test_a_row_is_dated_by_its_own_claim_only_between_the_readings(
    ledger: Ledger, registry: Registry, days: int
):
    registry.create("motor")
    take(ledger, registry.read())
    before = registry.wait()
    take(ledger, MemoryReading(registry.rows(), before))
    registry.version("motor")
    claim = registry.clock - days * 86_400_000
    rows = version_rows(registry, creation_time=claim, last_updated_time=claim)
    after = registry.wait()
    take(ledger, MemoryReading(rows, after))
    [bounds] = ask(
        ledger, "select changed_not_before, changed_not_after from changes where item = 'version'"
    )
    believed = before < claim <= after
    assert believed == (days == 0)
    assert bounds == (
        (moment(claim), moment(claim)) if believed else (moment(before), moment(after))
    )


def journal_rows(registry: Registry) -> list[dict[str, Any]]:
    """The server's journal: its start, and eve's move of motor to the workspace `risk`."""
    created = registry.models["motor"].created
    row = {"name": "motor", "creation_time": created, "last_updated_time": created}
    start = {"id": 1, "server_time": START, "operation": "start", "process": "p"}
    move = {
        "id": 2,
        "server_time": registry.clock,
        "operation": "update",
        "process": "p",
        "table_name": "registered_models",
        "name": "motor",
        "model_created": created,
        "before_row": json.dumps({**row, "workspace": "default"}),
        "after_row": json.dumps({**row, "workspace": "risk"}),
        "actor": "eve",
        "actor_from": "basic-auth",
        "workspace": "default",
    }
    return [start, move]


@pytest.mark.parametrize("info", ["", "no JSON", "[1]", '{"host": "h", "pid": "x"}'])
def test_whatever_a_server_wrote_of_itself_its_processes_are_shown(
    ledger: Ledger, registry: Registry, info: str
):
    registry.create("motor")
    rows = registry.rows()
    rows["journal"] = [{**journal_rows(registry)[0], "after_row": info}]
    take(ledger, MemoryReading(rows, registry.wait(), journal="a" * 32))
    [(process, host, pid)] = ask(ledger, "select process, host, pid from captures")
    assert (process, host, pid) == ("p", "h" if "host" in info else None, None)
    assert ask(ledger, "select count(*) from capture_gaps") == [(0,)]


def test_a_recorded_move_to_another_workspace_names_who_made_it(ledger: Ledger, registry: Registry):
    registry.create("motor")
    rows = registry.rows()
    rows["journal"] = journal_rows(registry)[:1]
    take(ledger, MemoryReading(rows, registry.wait(), journal="a" * 32))
    registry.wait()
    rows = registry.rows()
    rows["registered_models"][0]["workspace"] = "risk"
    rows["journal"] = journal_rows(registry)
    take(ledger, MemoryReading(rows, registry.wait(), journal="a" * 32))
    told = "select item, before, after, actor, grade from changes"
    assert ask(ledger, told) == [("workspace", "default", "risk", "eve", "captured")]
    assert ask(ledger, "select count(distinct subject) from registered_models") == [(1,)]


def move_rows(rows: Rows, workspace: str) -> Rows:
    """The rows with all models in another workspace."""
    for table in rows.values():
        for row in table:
            if "model" in row:
                row["workspace"] = workspace
    return rows


@pytest.mark.parametrize("journal", ["a" * 32, None])
def test_a_move_is_told_by_changes_and_history(
    ledger: Ledger, registry: Registry, monkeypatch: pytest.MonkeyPatch, journal: str | None
):
    """A column of the identity is a kind of change, whoever recorded it."""
    registry.create("motor")
    for workspace in ("default", "risk"):
        rows = registry.rows()
        rows["registered_models"][0]["workspace"] = workspace
        recorded = journal_rows(registry)[: 1 if workspace == "default" else 2]
        rows["journal"] = recorded if journal else []
        take(ledger, MemoryReading(rows, registry.wait(), journal=journal))
        registry.wait()
    monkeypatch.chdir(ledger.path.parent)

    def shown(*arguments: str) -> str:
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
        return done.output

    for kind in ("model", "workspace"):
        assert "default -> risk" in shown("changes", "motor", "--kind", kind)
    assert "default -> risk" not in shown("changes", "--kind", "tag")
    timeline = shown("history", "motor")
    assert "model workspace  default -> risk" in timeline
    assert "deleted" not in timeline
    assert ("eve" in timeline) == (journal is not None)


@pytest.mark.parametrize("before", [False, True])
def test_a_move_past_the_journal_is_one_uncaptured_change(ledger: Ledger, before: bool):
    """Rows of the journal are about the model in its new place, and before that in its old one."""
    registry = CapturedRegistry()
    registry.capture()
    registry.do(("create", "a"))
    registry.do(("version", "a"))
    take(ledger, registry.look().reading)
    seen = registry.clock
    if before:
        registry.do(("tag", "a", None, "note", "x"))
    registry.do(("tag", "a", None, "owner", "ann"))
    look = registry.look().reading
    rows = move_rows(look._rows, "team-a")
    tag = rows["journal"][-1]
    tag["workspace"] = "team-a"
    tag["after_row"] = json.dumps({**json.loads(tag["after_row"]), "workspace": "team-a"})
    take(ledger, look)
    models = (
        "select count(distinct split_part(replace(subject, ':', '/'), '/', 1)) from ledger.heads"
    )
    assert ask(ledger, f"{models} where model is not null") == [(1,)]
    told = "select item, before, after, grade, uncaptured, changed_not_before from changes where seq > ?"
    [(first,)] = ask(
        ledger, "select max(seq) from extractions where seq < (select max(seq) from extractions)"
    )
    changed = {row[0]: row[1:] for row in ask(ledger, told, first)}
    assert changed.keys() == {"owner", "workspace", *(["note"] if before else [])}
    assert changed["owner"][:4] == (None, "ann", "captured", False)
    assert changed["workspace"] == ("default", "team-a", "observed", True, moment(seen))


# A name that two models had one after the other.


def succession(ledger: Ledger, registry: Registry, *, renamed: bool = False) -> tuple[int, int]:
    """Read motor, which is then deleted and registered anew; when it was deleted, and named again.

    `renamed`: the new one was registered under another name first, and deleted is the old one
    only then.
    """
    registry.create("motor", owner="ann")
    registry.version("motor")
    registry.alias("motor", "champion", 1)
    take(ledger, registry.read())
    if renamed:
        registry.create("motor-2")
    registry.delete("motor")
    deleted = registry.clock
    if renamed:
        registry.wait()
        registry.rename("motor-2", "motor")
    else:
        registry.create("motor")
    named = registry.clock
    registry.tag("motor", None, "owner", "bo")
    registry.wait()
    take(ledger, registry.read())
    return deleted, named


@pytest.mark.parametrize("renamed", [False, True])
def test_a_deletion_is_bounded_by_when_another_model_has_the_name(
    ledger: Ledger, registry: Registry, renamed: bool
):
    """MLflow gives a name to one model at a time. Who took it by a rename may be older than that."""
    deleted, named = succession(ledger, registry, renamed=renamed)
    removed = ask(
        ledger,
        "select kind, changed_not_before, changed_not_after from changes where change = 'removed'",
    )
    assert {kind for kind, _, _ in removed} == {
        "registered_model", "registered_model_tag", "model_version", "alias",
    }  # fmt: skip
    for _, low, high in removed:
        assert low < moment(deleted) <= high == moment(named)
    [(created,)] = ask(
        ledger,
        "select changed_not_after from changes where kind = 'registered_model' and change = 'added'",
    )
    assert created < moment(deleted) if renamed else created == moment(named)


def test_the_earlier_model_of_a_name_is_told_first(
    ledger: Ledger, registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    succession(ledger, registry)
    registry.version("motor")
    take(ledger, registry.read())
    monkeypatch.chdir(ledger.path.parent)
    done = CliRunner().invoke(cli, ["history", "motor"])
    assert done.exit_code == 0, done.output
    told = [line for line in done.output.splitlines() if "deleted" in line or "registered" in line]
    assert ["deleted" in line for line in told] == [False, False, True, False, False]
    assert "the earlier model of this name" in told[2]
    assert done.output.count("the earlier model of this name") == 1
    with ledger.reader() as con:
        columns, rows = change_rows(con, ChangeFilter(kinds=("model", "version")))
    kinds = [dict(zip(columns, row, strict=True))["change"] for row in rows]
    assert kinds == ["removed", "removed", "added", "added"]


def test_a_captured_deletion_keeps_its_own_moment(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    registry.do(("create", "a"))
    take(ledger, registry.look().reading)
    registry.do(("delete", "a"))
    deleted = registry.clock
    registry.do(("create", "a"))
    take(ledger, registry.look().reading)
    assert ask(
        ledger,
        "select changed_not_before, changed_not_after from changes where change = 'removed'",
    ) == [(moment(deleted), moment(deleted))]


PROMOTIONS = (
    "select version, live_via, epoch_ms(live_not_before), epoch_ms(live_not_after), "
    "epoch_ms(ended_not_before), epoch_ms(ended_not_after) from promotions{} "
    "order by version, live_not_after"
)


def test_a_version_put_back_after_a_move_that_nobody_recorded_went_live_again(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    for step in (("create", "a"), ("version", "a"), ("version", "a")):
        registry.do(step)
    registry.do(("alias", "a", "champion", 1))
    first = registry.clock
    registry.tamper(("alias", "a", 2, "champion"), moves=False)
    registry.do(("alias", "a", "champion", 1))
    again = registry.clock
    take(ledger, registry.look().reading)
    assert ask(ledger, PROMOTIONS.format("")) == [
        (1, "alias champion", first, first, first, again),
        (1, "alias champion", again, again, None, None),
        (2, "alias champion", first, again, again, again),
    ]


def test_a_version_that_goes_over_from_a_stage_to_an_alias_stays_live(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    for step in (("create", "a"), ("version", "a"), ("stage", "a", 1, "Production")):
        registry.do(step)
    first = registry.clock
    registry.do(("alias", "a", "champion", 1))
    registry.do(("stage", "a", 1, "Archived"))
    take(ledger, registry.look().reading)
    assert ask(ledger, PROMOTIONS.format("")) == [
        (1, "alias champion, stage Production", first, first, None, None)
    ]


def test_a_promotion_of_a_moment_names_no_stage_that_came_later(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    for step in (("create", "a"), ("version", "a"), ("alias", "a", "champion", 1)):
        registry.do(step)
    first = registry.clock
    before = registry.wait()
    registry.do(("stage", "a", 1, "Production"))
    take(ledger, registry.look().reading)
    [then] = ask(ledger, PROMOTIONS.format(f"_as_of(ledger.moment({before}))"))
    assert then == (1, "alias champion", first, first, None, None)
    [now] = ask(ledger, PROMOTIONS.format(""))
    assert now[1] == "alias champion, stage Production"


def test_a_check_is_made_on_the_same_changes_and_promotions(ledger: Ledger, registry: Registry):
    """It asks the log for its states once, and the views of the ledger ask it each."""
    registry.create("motor", owner="ann")
    for _ in range(2):
        registry.version("motor", approved_by="bo")
    take(ledger, registry.read())
    registry.wait()
    registry.stage("motor", 1, "Production")
    registry.alias("motor", "champion", 2)
    take(ledger, registry.read())
    registry.wait()
    registry.stage("motor", 1, "Archived")
    take(ledger, registry.read())
    at = moment(registry.clock)
    names = ("changes", "promotions")
    with ledger.reader() as con:
        viewed = {name: sorted(con.execute(f"from {name}").fetchall(), key=repr) for name in names}
        prepare_snapshot(con, Moment(at, at, at))
        for name in names:
            prepared = sorted(con.execute(f"from temp.{name}").fetchall(), key=repr)
            assert prepared == viewed[name]
    assert len(viewed["promotions"]) == 2
    assert {row[9] for row in viewed["changes"]} >= {"model_version", "alias"}


def test_what_nobody_recorded_has_no_request_of_a_change_that_was(ledger: Ledger):
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    registry.tag("motor", None, "owner", "ann")
    take(ledger, registry.look().reading)
    registry.tamper(("tag", "motor", None, "owner", None), moves=False)
    registry.tag("motor", None, "owner", "bea")
    assert take(ledger, registry.look().reading).unexplained == 1
    removed = "select before, actor, actor_from, request from changes where change = 'removed'"
    assert ask(ledger, removed) == [("ann", None, None, None)]
