"""Upserts on PostgreSQL: read before they are journalled, also where two programs race for one row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import auditreg_capture
import pytest
import sqlalchemy as sa
from auditreg_capture import runtime
from sqlalchemy.dialects import postgresql

from tests.capture.replay import replay
from tests.capture.tables import changes, dump, journal

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:.*:Warning"),  # MLflow's own, of several kinds
]

TAG = {"workspace": "default", "name": "m", "version": 1}


@pytest.fixture
def store(
    empty_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Any]]:
    """A captured store in PostgreSQL with a version `m/1`, and its address."""
    from mlflow.tracking._model_registry import utils

    monkeypatch.delenv("AUDITREG_CAPTURE", raising=False)
    uri = empty_database("postgresql")
    made = utils._get_store_registry().get_store_builder(uri)(store_uri=uri)
    made.create_registered_model("m")
    made.create_model_version("m", "s3://m")
    yield uri, made
    auditreg_capture.uninstall()
    runtime.current.mode = "strict"
    made.engine.dispose()


def upsert(key: str, value: str) -> Any:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersionTag

    return postgresql.insert(SqlModelVersionTag).values(**TAG, key=key, value=value)


def tags(uri: str) -> list[tuple[Any, ...]]:
    """The journal's rows of tags: operation, item, value before, value after."""
    return [
        (
            row["operation"],
            row["item"],
            (row["before_row"] or {}).get("value"),
            (row["after_row"] or {}).get("value"),
        )
        for row in changes(journal(uri))
        if row["table_name"] == "model_version_tags"
    ]


def test_upserts_are_journalled_as_what_they_did(store: tuple[str, Any]):
    uri, made = store
    with sa.orm.Session(made.engine) as session:
        for statement in (
            upsert("k", "1").on_conflict_do_nothing(),
            upsert("k", "2").on_conflict_do_nothing(),
            upsert("k", "3").on_conflict_do_update(
                index_elements=["workspace", "name", "version", "key"], set_={"value": "3"}
            ),
        ):
            session.execute(statement)
            session.commit()
    assert tags(uri) == [("insert", "k", None, "1"), ("update", "k", "1", "3")]
    assert replay(journal(uri)) == dump(uri)


def test_an_upsert_waits_for_whoever_inserts_the_row(store: tuple[str, Any]):
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersionTag

    uri, made = store
    failed: list[Exception] = []

    def second() -> None:
        try:
            with sa.orm.Session(made.engine) as session:
                session.execute(upsert("raced", "second").on_conflict_do_nothing())
                session.commit()
        except Exception as error:  # noqa: BLE001 (a thread's error must reach the test)
            failed.append(error)

    with sa.orm.Session(made.engine) as first:
        first.add(SqlModelVersionTag(**TAG, key="raced", value="first"))
        first.flush()
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "it has to wait: nobody knows yet whether the row will be there"
        first.commit()
    thread.join(20)
    assert failed == []
    assert tags(uri) == [("insert", "raced", None, "first")]
    assert replay(journal(uri)) == dump(uri)


def test_an_upsert_of_models_is_refused_since_they_have_no_parent_to_lock(store: tuple[str, Any]):
    from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModel

    _, made = store
    statement = postgresql.insert(SqlRegisteredModel).values(workspace="default", name="n")
    with (
        sa.orm.Session(made.engine) as session,
        pytest.raises(Exception, match="cannot tell which rows"),
    ):
        session.execute(statement.on_conflict_do_nothing())
