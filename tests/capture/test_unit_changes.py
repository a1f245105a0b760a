"""Every change of a registry row gives one journal row with its exact images, whatever made it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.capture.stores import Registry, new_store, quiet, registry  # isort: skip
from auditreg_capture import acting_as
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.entities.workspace import WorkspaceDeletionMode
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.dbmodels.models import (
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelTag,
)
from mlflow.store.workspace.sqlalchemy_store import SqlAlchemyStore as WorkspaceStore
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

__all__ = ["new_store", "quiet", "registry"]  # fixtures
pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning")  # MLflow's own, of several kinds

HOSTILE = "a\0b\ud800 \U0001f600 'x\" %s {} \x1b[31m"


@pytest.fixture
def model(registry: Registry) -> Registry:
    """A model `m` with two versions, tags of both kinds and an alias."""
    store = registry.store
    store.create_registered_model("m", tags=[RegisteredModelTag("owner", "a")])
    for _ in range(2):
        store.create_model_version("m", "s3://m", tags=[ModelVersionTag("k", "1")])
    store.set_registered_model_alias("m", "champion", 1)
    return registry


@pytest.fixture
def session(model: Registry) -> Iterator[Session]:
    """A session of the model's store."""
    with Session(model.store.engine) as session:
        session.execute(sa.text("PRAGMA foreign_keys = ON"))
        yield session


def new(registry: Registry, act: Callable[[], object]) -> list[tuple]:
    """What the journal gained while acting, which must explain the tables."""
    before = len(registry.changes())
    act()
    registry.agree()
    return registry.changes()[before:]


def test_creation_gives_the_rows_as_the_database_has_them(model: Registry):
    assert model.changes()[:2] == [
        ("insert", "registered_models", "m", None, None),
        ("insert", "registered_model_tags", "m", None, "owner"),
    ]
    version = next(row for row in model.journal() if row["table_name"] == "model_versions")
    assert version["after_row"]["current_stage"] == "None"
    assert version["after_row"]["status"] == "READY"
    model.agree()


def test_every_row_knows_its_models_creation(model: Registry):
    created = model.store.get_registered_model("m").creation_timestamp
    assert {row["model_created"] for row in model.journal()} == {created}


def test_a_transition_that_archives_others(model: Registry):
    store = model.store
    store.transition_model_version_stage("m", 1, "Production", False)
    changes = new(model, lambda: store.transition_model_version_stage("m", 2, "Production", True))
    assert changes == [
        ("update", "registered_models", "m", None, None),
        ("update", "model_versions", "m", 1, None),
        ("update", "model_versions", "m", 2, None),
    ]
    last = model.journal()[-3:]
    assert len({row["request"] for row in last}) == 1
    assert [row["after_row"].get("current_stage") for row in last] == [
        None,
        "Archived",
        "Production",
    ]


def test_aliases_and_tags_set_moved_deleted(model: Registry):
    store = model.store
    alias = ("registered_model_aliases", "m", None, "champion")
    tag = ("model_version_tags", "m", 1, "k")
    owner = ("registered_model_tags", "m", None, "owner")
    for act, expected in [
        (lambda: store.set_registered_model_alias("m", "champion", 2), [("update", *alias)]),
        (lambda: store.set_registered_model_alias("m", "champion", 2), []),
        (lambda: store.delete_registered_model_alias("m", "champion"), [("delete", *alias)]),
        (
            lambda: store.set_model_version_tag("m", 1, ModelVersionTag("k", "2")),
            [("update", *tag)],
        ),
        (lambda: store.delete_model_version_tag("m", 1, "k"), [("delete", *tag)]),
        (
            lambda: store.set_registered_model_tag("m", RegisteredModelTag("owner", "b")),
            [("update", *owner)],
        ),
        (lambda: store.delete_registered_model_tag("m", "owner"), [("delete", *owner)]),
    ]:
        assert new(model, act) == expected


def test_a_rename_is_expanded_to_every_row_that_moves(model: Registry):
    changes = new(model, lambda: model.store.rename_registered_model("m", "n"))
    assert changes == [
        ("update", "registered_models", "n", None, None),
        ("update", "model_versions", "n", 1, None),
        ("update", "model_versions", "n", 2, None),
        ("update", "registered_model_tags", "n", None, "owner"),
        ("update", "model_version_tags", "n", 1, "k"),
        ("update", "model_version_tags", "n", 2, "k"),
        ("update", "registered_model_aliases", "n", None, "champion"),
    ]
    assert all(row["before_row"]["name"] == "m" for row in model.journal()[-7:])


def test_deletions_show_every_row_that_goes(model: Registry):
    assert new(model, lambda: model.store.delete_model_version("m", 1)) == [
        ("delete", "registered_model_aliases", "m", None, "champion"),
        ("update", "registered_models", "m", None, None),
        ("update", "model_versions", "m", 1, None),
    ]
    gone = new(model, lambda: model.store.delete_registered_model("m"))
    assert len(gone) == 6
    assert {operation for operation, *_ in gone} == {"delete"}
    assert model.tables() == {}


def test_prompts_and_copies(model: Registry, tmp_path):
    client = MlflowClient(model.uri, model.uri)

    def act() -> None:
        client.register_prompt("greeting", "Hello {{name}}", tags={"a": "b"})
        client.set_prompt_alias("greeting", "live", 1)
        client.copy_model_version("models:/m/1", "copied")

    tables = [table for _, table, *_ in new(model, act)]
    assert tables.count("model_versions") == 2
    assert "registered_model_aliases" in tables


def test_a_failed_request_leaves_nothing(model: Registry):
    def fail() -> None:
        with pytest.raises(MlflowException):
            model.store.create_registered_model("m")
        with pytest.raises(MlflowException):
            model.store.rename_registered_model("m", "m2/../:")

    assert new(model, fail) == []


def test_a_rollback_leaves_nothing_and_the_session_goes_on(model: Registry, session: Session):
    def act() -> None:
        session.get(SqlRegisteredModel, ("default", "m")).name = "x"
        session.flush()
        session.rollback()
        session.get(SqlRegisteredModel, ("default", "m")).description = "kept"
        session.commit()

    assert new(model, act) == [("update", "registered_models", "m", None, None)]


def test_a_savepoint_rolled_back_takes_its_moves_with_it(model: Registry, session: Session):
    def act() -> None:
        row = session.get(SqlRegisteredModel, ("default", "m"))
        row.description = "outer"
        session.flush()
        inner = session.begin_nested()
        row.name = "x"
        session.flush()
        inner.rollback()
        with session.begin_nested():
            session.add(SqlRegisteredModelTag(workspace="default", name="m", key="in", value="1"))
        session.commit()

    assert new(model, act) == [
        ("update", "registered_models", "m", None, None),
        ("insert", "registered_model_tags", "m", None, "in"),
    ]


def test_inserted_and_deleted_in_one_transaction_is_nothing(model: Registry, session: Session):
    def act() -> None:
        tag = SqlRegisteredModelTag(workspace="default", name="m", key="brief", value="1")
        session.add(tag)
        session.flush()
        session.delete(tag)
        session.commit()

    assert new(model, act) == []


def test_deleted_and_inserted_again_is_one_change(model: Registry, session: Session):
    def act() -> None:
        session.delete(session.get(SqlRegisteredModelTag, ("default", "owner", "m")))
        session.flush()
        session.add(SqlRegisteredModelTag(workspace="default", name="m", key="owner", value="z"))
        session.commit()

    assert new(model, act) == [("update", "registered_model_tags", "m", None, "owner")]


def test_a_name_freed_and_taken_in_one_transaction(model: Registry, session: Session):
    model.store.create_registered_model("n")

    def act() -> None:
        session.delete(session.get(SqlRegisteredModel, ("default", "n")))
        session.flush()
        session.get(SqlRegisteredModel, ("default", "m")).name = "n"
        session.commit()

    changes = new(model, act)
    assert changes[0] == ("delete", "registered_models", "n", None, None)
    assert len(changes) == 8


def test_bulk_statements(model: Registry, session: Session):
    table = SqlModelVersion

    def run(statement: object, parameters: object = None) -> Callable[[], None]:
        def act() -> None:
            session.execute(statement, parameters) if parameters else session.execute(statement)
            session.commit()

        return act

    first = sa.update(table).where(table.version == 1)
    assert new(model, run(first.values(description="d"))) == [
        ("update", "model_versions", "m", 1, None)
    ]
    assert new(model, run(first.values(description="d"))) == []
    by_key = [{"workspace": "default", "name": "m", "version": n, "run_id": "r"} for n in (1, 2)]
    assert len(new(model, run(sa.update(table), by_key))) == 2
    tags = [
        {"workspace": "default", "name": "m", "version": 2, "key": k, "value": "v"} for k in "xy"
    ]
    assert [row[0] for row in new(model, run(sa.insert(SqlModelVersionTag), tags))] == [
        "insert"
    ] * 2
    gone = new(model, run(sa.delete(SqlModelVersionTag).where(SqlModelVersionTag.version == 2)))
    assert [row[0] for row in gone] == ["delete"] * 3
    renamed = new(
        model, run(sa.update(SqlRegisteredModel).values(name=SqlRegisteredModel.name + "2"))
    )
    assert {row[2] for row in renamed} == {"m2"}
    assert len(renamed) == 6


def test_a_bulk_statement_whose_rows_cannot_be_told_is_refused(model: Registry, session: Session):
    source = sa.select(sa.literal("default"), sa.literal("z"))
    statement = sa.insert(SqlRegisteredModel).from_select(["workspace", "name"], source)
    with pytest.raises(Exception, match="cannot tell which rows"):
        session.execute(statement)


TAG = {"workspace": "default", "name": "m", "version": 1, "key": "k"}
NEW_TAG = {**TAG, "key": "new"}


def _upsert(**values: object):
    return sqlite.insert(SqlModelVersionTag).values(**values)


UPSERTS = {
    "nothing": lambda: _upsert(**TAG, value="2").on_conflict_do_nothing(),
    "nothing by key": lambda: _upsert(**TAG, value="2").on_conflict_do_nothing(
        index_elements=["workspace", "name", "version", "key"]
    ),
    "ignore": lambda: (
        sa.insert(SqlModelVersionTag).prefix_with("OR IGNORE").values(**TAG, value="2")
    ),
    "update to the same": lambda: _upsert(**TAG, value="2").on_conflict_do_update(
        set_={"value": "1"}
    ),
    "replaced by the same": lambda: (
        sa.insert(SqlModelVersionTag).prefix_with("OR REPLACE").values(**TAG, value="1")
    ),
}
"""Upserts that change nothing: the tag is there, with the value 1."""
CHANGING = {
    "update": lambda: _upsert(**TAG, value="2").on_conflict_do_update(set_={"value": "2"}),
    "replace": lambda: (
        sa.insert(SqlModelVersionTag).prefix_with("OR REPLACE").values(**TAG, value="2")
    ),
    "excluded": lambda: (made := _upsert(**TAG, value="2")).on_conflict_do_update(
        set_={"value": made.excluded.value, "key": made.excluded.key}
    ),
}


@pytest.mark.parametrize("upsert", list(UPSERTS))
def test_an_upsert_that_changes_nothing_is_no_change(
    model: Registry, session: Session, upsert: str
):
    def act() -> None:
        session.execute(UPSERTS[upsert]())
        session.commit()

    assert new(model, act) == []


@pytest.mark.parametrize("upsert", list(CHANGING))
def test_an_upsert_of_a_row_that_is_there_has_both_images(
    model: Registry, session: Session, upsert: str
):
    def act() -> None:
        session.execute(CHANGING[upsert]())
        session.commit()

    assert new(model, act) == [("update", "model_version_tags", "m", 1, "k")]
    last = model.journal()[-1]
    assert (last["before_row"]["value"], last["after_row"]["value"]) == ("1", "2")


def test_an_upsert_of_many_rows_tells_the_new_from_those_there(model: Registry, session: Session):
    statement = sqlite.insert(SqlModelVersionTag).on_conflict_do_nothing()

    def act() -> None:
        session.execute(statement, [{**TAG, "value": "2"}, {**NEW_TAG, "value": "2"}])
        session.commit()

    assert new(model, act) == [("insert", "model_version_tags", "m", 1, "new")]


def test_what_the_database_removes_with_a_replaced_row_is_journalled(
    model: Registry, session: Session
):
    statement = sa.insert(SqlRegisteredModel).prefix_with("OR REPLACE")

    def act() -> None:
        session.execute(statement.values(workspace="default", name="m", creation_time=5))
        session.commit()

    # MLflow's aliases go with their model; of the rest the database finds the model there again.
    assert new(model, act) == [
        ("delete", "registered_model_aliases", "m", None, "champion"),
        ("update", "registered_models", "m", None, None),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        _upsert(**TAG, value="2").on_conflict_do_update(set_={"key": "other"}),
        _upsert(**TAG, value="2").on_conflict_do_update(
            index_elements=["value"], set_={"value": "x"}
        ),
        sa.update(SqlModelVersionTag).prefix_with("OR REPLACE").values(key="other"),
        sa.update(SqlModelVersionTag).prefix_with("OR IGNORE").values(key="other"),
    ],
    ids=["a key is set", "another conflict", "update or replace", "update or ignore"],
)
def test_an_upsert_whose_rows_cannot_be_told_is_refused(
    model: Registry, session: Session, statement: sa.sql.Executable
):
    with pytest.raises(Exception, match="cannot tell which rows"):
        session.execute(statement)


@pytest.mark.parametrize("mode", [WorkspaceDeletionMode.SET_DEFAULT, WorkspaceDeletionMode.CASCADE])
def test_a_workspace_is_deleted(model: Registry, mode: WorkspaceDeletionMode, monkeypatch):
    workspaces = WorkspaceStore(model.uri)
    with model.store.ManagedSessionMaker(read_only=False) as session:
        session.execute(sa.text("insert into workspaces (name) values ('team')"))
        session.add(SqlRegisteredModel(workspace="team", name="w", creation_time=5))
        session.add(SqlModelVersion(workspace="team", name="w", version=1))
        session.add(SqlModelVersionTag(workspace="team", name="w", version=1, key="k", value="v"))
    before = len(model.journal())
    changes = new(model, lambda: workspaces.delete_workspace("team", mode))
    operation = "update" if mode == WorkspaceDeletionMode.SET_DEFAULT else "delete"
    assert {row[0] for row in changes} == {operation}
    assert {row[1] for row in changes} == {
        "registered_models",
        "model_versions",
        "model_version_tags",
    }
    workspace = "default" if operation == "update" else "team"
    assert {row["workspace"] for row in model.journal()[before:]} == {workspace}
    assert {row["before_row"]["workspace"] for row in model.journal()[before:]} == {"team"}


def test_text_of_any_kind_arrives(model: Registry):
    with acting_as(HOSTILE + "x" * 999):
        model.store.set_model_version_tag(
            "m", 1, ModelVersionTag("k", HOSTILE.replace("\ud800", ""))
        )
    row = model.journal()[-1]
    assert row["after_row"]["value"] == HOSTILE.replace("\ud800", "")
    assert len(row["actor"]) == 256
    assert "\0" not in row["actor"]
    model.agree()


def test_images_are_those_of_the_database_not_of_the_object(model: Registry, session: Session):
    """Another transaction changed another column after this one read the row."""
    row = session.get(SqlModelVersion, ("default", "m", 1))
    model.store.update_model_version("m", 1, "by another")
    row.run_id = "r"
    session.commit()
    model.agree()
    last = model.journal()[-1]
    assert last["before_row"]["description"] == "by another"
    assert last["after_row"]["run_id"] == "r"


def test_threads_do_not_lose_each_others_changes(model: Registry):
    model.store.set_model_version_tag("m", 1, ModelVersionTag("shared", ""))
    failed: list[Exception] = []

    def work(n: int) -> None:
        try:
            changes(n)
        except Exception as error:  # noqa: BLE001 (a thread's error must reach the test)
            failed.append(error)

    def changes(n: int) -> None:
        for i in range(12):
            model.store.set_model_version_tag("m", 1, ModelVersionTag("shared", f"{n}-{i}"))
            model.store.update_model_version("m", 1, f"{n}-{i}")
            model.store.transition_model_version_stage("m", 1 + n % 2, "Staging", i % 2 == 0)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    model.agree()
    tags = [row for row in model.journal() if row["item"] == "shared"]
    assert len(tags) == 49
