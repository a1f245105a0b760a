"""Users, rights and prompts as the ledger tells them: histories, moments, and what is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from auditreg.ledger import schema
from auditreg.sources.interface import READS
from tests.ledger.book import Book
from tests.ledger.reading import MemoryReading, Registry, moment, together

KINDS = tuple(READS)
BLIND = tuple(kind for kind in READS if kind not in ("principal", "permission"))


def user(name: str, *, admin: bool = False) -> dict[str, Any]:
    return {"kind": "user", "principal": name, "admin": admin}


def right(name: str, model: str, permission: str, **more: str) -> dict[str, Any]:
    return {
        "workspace": "default",
        "resource_type": "registered_model",
        "resource": model,
        "principal_kind": "user",
        "principal": name,
        "permission": permission,
        "via": "direct",
        **more,
    }


def everyone(permission: str | None, via: str = "floor") -> dict[str, Any]:
    return {
        "resource_type": "*",
        "resource": "*",
        "principal_kind": "everyone",
        "principal": "*",
        "permission": permission,
        "via": via,
    }


def reading(
    registry: Registry, users: list[Any], rights: list[Any], **options: Any
) -> MemoryReading:
    rows = together(registry.rows(), {"principals": users, "permissions": rights})
    return MemoryReading(rows, registry.wait(), **options)


@pytest.fixture
def motor(registry: Registry) -> Registry:
    registry.create("motor")
    registry.version("motor")
    return registry


def test_a_right_has_its_own_history(book: Book, motor: Registry):
    first = reading(motor, [user("ann")], [right("ann", "motor", "READ"), everyone("READ")])
    book.take(first)
    second = reading(
        motor, [user("ann", admin=True)], [right("ann", "motor", "EDIT"), everyone("READ")]
    )
    book.take(second)
    third = reading(motor, [user("bob")], [everyone("EDIT")])
    book.take(third)
    assert book.rows(
        "select item, model, before, after, change from changes "
        "where kind in ('principal', 'permission') order by observed_at, item"
    ) == [
        ("administrator ann", None, "false", "true", "changed"),
        ("ann", "motor", "READ", "EDIT", "changed"),
        ("* on * *", None, "READ", "EDIT", "changed"),
        ("account ann", None, "present", None, "removed"),
        ("account bob", None, None, "present", "added"),
        ("ann", "motor", "EDIT", None, "removed"),
    ]
    asked = "select account, permission, how, certainty from effective_permissions_as_of(?)"
    assert book.rows(asked, moment(first.ended_at)) == [("ann", "READ", "direct", "certain")]
    between = moment((first.ended_at + second.ended_at) // 2)
    # What may hold is told, and that it is not certain.
    assert book.rows(asked, between) == [("ann", "MANAGE", "admin", "uncertain")]
    assert book.rows("select account, permission, how from effective_permissions") == [
        ("bob", "EDIT", "default")
    ]
    assert book.tables() == book.rebuilt()


def test_rights_that_are_not_shown_are_not_gone(book: Book, motor: Registry):
    book.take(reading(motor, [user("ann")], [everyone(None)]))
    blind = book.take(reading(motor, [], [], kinds=BLIND))
    assert not blind.changes
    doubtful = book.take(reading(motor, [], [], doubts=("cut off",)))
    assert not doubtful.changes
    assert book.rows("select principal, certainty from principals") == [("ann", "certain")]
    assert book.take(reading(motor, [], [everyone(None)])).changes == {("principal", "gone"): 1}
    assert book.rows("from principals") == []


def test_an_older_backup_places_rights_where_they_belong(book: Book, motor: Registry):
    early = motor.wait()
    now = reading(motor, [user("ann")], [everyone("READ")])
    book.take(now)
    rows = together(motor.rows(), {"principals": [user("bob")], "permissions": [everyone("READ")]})
    book.take(MemoryReading(rows, early))
    assert book.rows("select principal from principals") == [("ann",)]
    asked = "select principal from principals_as_of(?) where certainty <> 'uncertain'"
    assert book.rows(asked, moment(early)) == [("bob",)]
    assert book.tables() == book.rebuilt()


@pytest.mark.parametrize(
    ("given", "permission", "how"),
    [
        ([], "READ", "default"),
        # Without roles what is given decides, also where it is less than the default.
        ([right("ann", "motor", "NO_PERMISSIONS")], "NO_PERMISSIONS", "direct"),
        ([right("ann", "motor", "MANAGE")], "MANAGE", "direct"),
        ([right("ann", "*", "EDIT", resource_type="workspace", via="workspace")],
         "EDIT", "workspace"),
        ([right("ann", "*", "EDIT", resource_type="workspace", via="workspace"),
          right("ann", "motor", "READ")], "READ", "direct"),
        ([right("ann", "motor", "EDIT", workspace="other")], None, "default unknown"),
    ],
)  # fmt: skip
def test_before_roles_the_nearest_right_decides(
    book: Book, motor: Registry, given: list[Any], permission: str | None, how: str
):
    book.take(reading(motor, [user("ann")], [*given, everyone("READ", "default")]))
    assert book.rows("select permission, how from effective_permissions") == [(permission, how)]


def test_nothing_is_inherited_in_another_workspace(book: Book, registry: Registry):
    registry.create("motor")
    rows = registry.rows()
    for table in rows.values():
        for row in table:
            row["workspace"] = "claims"
    rights = [right("ann", "motor", "EDIT", workspace="claims"), everyone("EDIT")]
    staged = {"principals": [user("ann"), user("bob")], "permissions": rights}
    book.take(MemoryReading(together(rows, staged), registry.wait()))
    assert book.rows(
        "select account, permission, how, can_write, may_be_more from effective_permissions "
        "order by account"
    ) == [
        ("ann", "EDIT", "direct", True, False),
        ("bob", "NO_PERMISSIONS", "none", False, False),
    ]


def test_prompts_are_told_with_their_text(book: Book, registry: Registry):
    registry.create("motor")
    registry.create("greeting", **{"mlflow.prompt.is_prompt": "true"})
    text = "Hello {{name}} \u202e'\""
    for number in (1, 2):
        tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": f"{text}{number}"}
        registry.version("greeting", **tags, _mlflow_prompt_type="text", team="motor")
    registry.alias("greeting", "live", 1)
    book.take(registry.read())
    assert book.rows("select model, latest_version, versions, aliases from prompts") == [
        ("greeting", 2, 2, "live → 1")
    ]
    told = "select version, type, text, aliases, tags, certainty from prompt_versions{} order by 1"
    expected = [
        (1, "text", f"{text}1", "live", '{"team":"motor"}', "certain"),
        (2, "text", f"{text}2", None, '{"team":"motor"}', "certain"),
    ]
    assert book.rows(told.format("")) == expected
    before = moment(registry.wait())
    registry.tag("greeting", 1, "mlflow.prompt.text", "Bye")
    during = moment(registry.wait())
    book.take(registry.read())
    assert book.rows(told.format("") + " limit 1")[0][2] == "Bye"
    unsure = book.rows(told.format("_as_of(?)") + " limit 1", during)
    assert unsure[0][2] is None
    assert unsure[0][-1] == "uncertain"
    assert before < during


def test_a_model_that_is_tagged_as_a_prompt_later_stays_a_model(book: Book, registry: Registry):
    registry.create("motor")
    registry.version("motor")
    registry.stage("motor", 1, "Production")
    book.take(registry.read())
    registry.wait(100_000)
    registry.tag("motor", None, "mlflow.prompt.is_prompt", "true")
    registry.wait()
    book.take(registry.read())
    assert book.rows("select model from prompts") == []
    for asked in ("live_versions", "promotions", "population_live_version", "inventory"):
        assert ("motor",) in book.rows(f"select model from {asked}"), asked
    assert book.tables() == book.rebuilt()


def test_the_model_a_tag_names(book: Book, registry: Registry):
    registry.create("motor")
    registry.version("motor", source="runs:/r1/model")
    rows = registry.rows()
    logged = [{"model_id": "m-1", "creation_time": 1}, {"model_id": "m-2", "creation_time": 2**42}]
    named = '[{"name": "motor", "version": "1"}, {"name": "motor", "version": "9"}]'
    tags = [
        {"model_id": one["model_id"], "key": "mlflow.modelVersions", "value": named}
        for one in logged
    ]
    more = {"logged_models": logged, "logged_model_tags": tags}
    book.take(MemoryReading(together(rows, more), registry.wait()))
    # The second is younger than the version that it names.
    told = "select model, version, logged_model_id, found_in from version_logged_models"
    assert book.rows(told) == [("motor", 1, "m-1", "tag")]


def test_an_older_ledger_gets_the_new_tables(book: Book, motor: Registry):
    book.take(motor.read(kinds=BLIND))
    for name in ("principals", "permissions"):
        book.con.execute(f"drop table {name}")
    book.con.execute("update ledger.format set written_by = 'older'")
    schema.renew(book.con)
    book.take(reading(motor, [user("ann")], [everyone("READ")]))
    assert book.rows("select account, permission from effective_permissions") == [("ann", "READ")]
