"""What capture does around the changes: start, refusals, failures, users, pruning, reading over HTTP."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import auditreg_capture
import pytest
import sqlalchemy as sa
from auditreg_capture import (
    CaptureError,
    acting_as,
    cli,
    endpoint,
    listeners,
    process,
    proxy,
    rows,
    runtime,
    settings,
    tables,
)
from flask import Flask, g, request
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from tests.capture.stores import Registry, new_store, quiet, registry

__all__ = ["new_store", "quiet", "registry"]  # fixtures
pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning")  # MLflow's own, of several kinds


def listening() -> bool:
    return event.contains(Session, "before_flush", listeners._before_flush)


@pytest.fixture
def proxied(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that 10.0.0.5 may set."""
    monkeypatch.setenv(settings.HEADER_VARIABLE, "X-Forwarded-User")
    monkeypatch.setenv(settings.PROXIES_VARIABLE, "10.0.0.5, 10.1.0.0/16")
    proxy._proxies.cache_clear()
    yield
    proxy._proxies.cache_clear()


def environ(peer: str | None, **headers: str) -> dict[str, str]:
    held = {"HTTP_" + name.upper(): value for name, value in headers.items()}
    return {**held, **({"REMOTE_ADDR": peer} if peer else {})}


def test_a_store_starts_a_journal_once(new_store: Callable[..., Registry]):
    captured, two = new_store(), new_store()
    assert [row["operation"] for row in captured.journal("journal", "start")] == [
        "journal",
        "start",
    ]
    start = two.journal("start")[0]
    assert start["after_row"]["pid"] == os.getpid()
    assert start["after_row"]["mode"] == "strict"
    assert start["process"] == runtime.identity()
    assert captured.journal() == []


def test_stores_that_start_at_once_agree_on_one_identity(
    new_store: Callable[..., Registry], tmp_path: Path
):
    path = new_store("first.db").path
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("drop table auditreg_journal")
    engines = [sa.create_engine(f"sqlite:///{path}") for _ in range(4)]
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda e=e: ids.append(process._open(e).id)) for e in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_an_end_is_noted(registry: Registry):
    process.stop()
    assert registry.journal("stop")[0]["after_row"] == {"how": "exit"}
    assert len(registry.journal("stop")) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_multiprocessing_notes_its_end(registry: Registry):
    child = multiprocessing.get_context("fork").Process(
        target=registry.store.create_registered_model, args=("m",)
    )
    child.start()
    child.join()
    assert child.exitcode == 0
    [start] = registry.journal("start")[1:]
    assert [row["process"] for row in registry.journal("stop")] == [start["process"]]


def test_after_a_fork_the_child_is_another_process(registry: Registry, monkeypatch):
    first = runtime.identity()
    monkeypatch.setattr(process.os, "getpid", lambda: 1)
    registry.store.create_registered_model("m")
    starts = registry.journal("start")
    assert [row["process"] == first for row in starts] == [True, False]
    assert registry.journal()[0]["process"] == starts[1]["process"]


def test_unknown_models_are_refused_before_anything_listens(new_store, monkeypatch):
    monkeypatch.setitem(rows._NEEDED, "model_versions", {"approved_by"})
    rows.registry_tables.cache_clear()
    with pytest.raises(
        MlflowException, match=r"model_versions has no column approved_by.*AUDITREG_CAPTURE=off"
    ):
        new_store()
    with pytest.raises(CaptureError, match="Nothing was changed"):
        auditreg_capture.install()
    assert not listening()
    monkeypatch.undo()
    rows.registry_tables.cache_clear()


def test_a_table_that_lacks_a_column_is_refused(new_store, registry: Registry):
    process.forget()
    registry.sql("alter table auditreg_journal drop column claimed")
    with pytest.raises(MlflowException, match=r"lacks the column\(s\) claimed"):
        new_store()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AUDITREG_CAPTURE", "yes", "must be one of strict, best-effort, off"),
        ("AUDITREG_CAPTURE_USER_HEADER", "X-User", "AUDITREG_CAPTURE_PROXIES is not"),
        ("AUDITREG_CAPTURE_PROXIES", "10.0.0.5", "AUDITREG_CAPTURE_USER_HEADER is not"),
    ],
)
def test_settings_that_make_no_sense_are_refused(new_store, monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(MlflowException, match=says):
        new_store()
    assert not listening()


def test_switched_off_only_a_note_is_left(new_store, registry: Registry, monkeypatch):
    auditreg_capture.uninstall()
    monkeypatch.setenv("AUDITREG_CAPTURE", "off")
    new_store().store.create_registered_model("m")
    assert registry.journal() == []
    assert registry.journal("off")[0]["after_row"]["mode"] == "off"


def test_a_change_that_cannot_be_journalled_is_not_made(registry: Registry):
    registry.sql("drop table auditreg_journal")
    with pytest.raises(MlflowException, match="auditreg_journal"):
        registry.store.create_registered_model("m")
    assert registry.tables() == {}


@pytest.mark.parametrize(
    "damage", ["drop table auditreg_journal", "alter table auditreg_journal rename to x"]
)
def test_best_effort_goes_on_and_says_what_it_missed(new_store, monkeypatch, damage: str):
    monkeypatch.setenv("AUDITREG_CAPTURE", "best-effort")
    captured = new_store()
    captured.store.create_registered_model("before")
    captured.sql(damage)
    captured.store.create_registered_model("lost")
    captured.store.update_registered_model("lost", "also")
    assert ("registered_models", "default", "lost") in captured.tables()
    process.create_table(captured.store.engine) if "drop" in damage else captured.sql(
        "alter table x rename to auditreg_journal"
    )
    captured.store.create_registered_model("after")
    assert [row["after_row"] for row in captured.journal("missed")] == [
        {"count": 2, "error": "OperationalError"}
    ]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_what_was_missed_is_said_again_when_the_saying_is_rolled_back(
    new_store, monkeypatch, again: bool
):
    monkeypatch.setenv("AUDITREG_CAPTURE", "best-effort")
    captured = new_store()
    process.missed(captured.store.engine, 3, "OperationalError")
    with Session(captured.store.engine) as session:
        session.execute(sa.text("insert into registered_models (name) values ('x')"))
        session.execute(
            sa.update(rows.registry_tables()["registered_models"].table).values(description="y")
        )
        listeners._before_commit(session)
        if again:
            session.execute(
                sa.update(rows.registry_tables()["registered_models"].table).values(description="z")
            )
            listeners._before_commit(session)
        session.rollback()
    assert captured.journal("missed") == []
    captured.store.create_registered_model("m")
    assert captured.journal("missed")[0]["after_row"]["count"] == 3


def test_what_a_failed_row_did_not_say_is_said_once(new_store, monkeypatch):
    monkeypatch.setenv("AUDITREG_CAPTURE", "best-effort")
    captured = new_store()
    models = rows.registry_tables()["registered_models"].table
    captured.store.create_registered_model("m")
    process.missed(captured.store.engine, 3, "OperationalError")
    with Session(captured.store.engine) as session:
        session.execute(sa.update(models).values(description="y"))
        listeners._before_commit(session)
        session.execute(sa.update(models).values(description="z"))
        with monkeypatch.context() as broken:
            broken.setattr(listeners.recording, "write", None)
            session.commit()
    captured.store.create_registered_model("n")
    assert [row["after_row"]["count"] for row in captured.journal("missed")] == [3, 1]


def test_who_acts_in_a_program(registry: Registry):
    auditreg_capture.install(actor=lambda: "nightly job")
    registry.store.create_registered_model("a")
    with acting_as("alice"):
        registry.store.create_registered_model("b")
    auditreg_capture.install()
    registry.store.create_registered_model("c")
    assert [(row["actor"], row["actor_from"]) for row in registry.journal()] == [
        ("nightly job", "program"),
        ("alice", "program"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("peer", "headers", "proven"),
    [
        ("10.0.0.5", {}, True),
        ("10.1.2.3", {}, True),
        ("10.0.0.6", {}, False),
        (None, {}, False),
        ("nonsense", {}, False),
        ("::ffff:10.0.0.5", {}, True),
        ("10.0.0.5", {"x_forwarded_for": "192.168.1.9"}, True),
        # The server may have taken the address from the header.
        ("10.0.0.5", {"x_forwarded_for": "10.0.0.5"}, False),
        ("10.0.0.5", {"x_forwarded_for": "10.0.0.5, 127.0.0.1"}, False),
        # It would have taken the last.
        ("10.0.0.5", {"x_forwarded_for": "10.0.0.5, 192.168.1.9"}, True),
    ],
)
def test_a_user_header_counts_only_from_a_proxy(proxied, peer, headers, proven):
    assert proxy.user(environ(peer, x_forwarded_user="alice", **headers)) == ("alice", proven)


def test_two_user_headers_prove_nothing(proxied):
    assert proxy.user(environ("10.0.0.5", x_forwarded_user="ceo,alice")) == ("ceo,alice", False)


def test_a_server_that_believes_every_forwarded_address_proves_nothing(proxied, monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    given = environ("10.0.0.5", x_forwarded_user="ceo", x_forwarded_for="10.0.0.5, 6.6.6.6")
    assert proxy.user(given) == ("ceo", False)


def test_what_a_request_says_about_its_user(registry: Registry, proxied):
    app = Flask(__name__)
    cases = [
        ({"Authorization": "Basic Y2VvOng="}, {}, (None, None, "ceo")),
        ({"X-Forwarded-User": "bob"}, {"REMOTE_ADDR": "10.0.0.5"}, ("bob", "proxy", None)),
        ({"X-Forwarded-User": "bob"}, {"REMOTE_ADDR": "10.0.0.9"}, (None, None, "bob")),
        ({}, {"REMOTE_USER": "carol"}, ("carol", "plugin", None)),
        ({"mlflow_oidc_auth": "mallory"}, {}, (None, None, None)),
    ]
    for n, (headers, base, expected) in enumerate(cases):
        with app.test_request_context("/p", headers=headers, environ_base=base):
            registry.store.create_registered_model(f"m{n}")
        row = registry.journal()[-1]
        assert (row["actor"], row["actor_from"], row["claimed"]) == expected
        assert (row["path"], row["method"]) == ("/p", "GET")
    with app.test_request_context("/p", headers={"X-Forwarded-User": "mallory"}):
        g.mlflow_authenticated_user = "dave"
        registry.store.create_registered_model("m")
    row = registry.journal()[-1]
    assert (row["actor"], row["actor_from"], row["claimed"]) == ("dave", "plugin", "mallory")


def test_the_journal_page_by_page(registry: Registry):
    for n in range(5):
        registry.store.create_registered_model(f"m{n}")
    engine = registry.store.engine
    first = endpoint.page(engine, endpoint.question(MultiDict({"limit": "3"})))
    assert [row["id"] for row in first["rows"]] == [1, 2, 3]
    assert (first["next"], first["last"]) == (4, 7)
    arguments = MultiDict([("range", "2-3"), ("range", "6-"), ("from", "3")])
    assert [row["id"] for row in endpoint.page(engine, endpoint.question(arguments))["rows"]] == [
        3,
        6,
        7,
    ]
    assert endpoint.present(engine)["ranges"] == [[1, 7]]
    for wrong in ({"range": "a-b"}, {"from": "-1"}, {"range": "5"}, {"limit": "9" * 30}):
        with pytest.raises(endpoint.Refused):
            endpoint.question(MultiDict(wrong))


def test_only_those_named_read_the_journal(registry: Registry, proxied, monkeypatch):
    app = Flask(__name__)
    with app.test_request_context("/", headers={"Authorization": "Basic Y2VvOng="}):
        with pytest.raises(endpoint.Refused, match="AUDITREG_CAPTURE_READERS"):
            endpoint.allow(request)
        monkeypatch.setenv(settings.READERS_VARIABLE, "ceo")
        with pytest.raises(endpoint.Refused, match="does not know who asks"):
            endpoint.allow(request)
    with app.test_request_context("/", environ_base={"REMOTE_USER": "carol"}):
        with pytest.raises(endpoint.Refused, match="for administrators"):
            endpoint.allow(request)
        monkeypatch.setenv(settings.READERS_VARIABLE, "carol")
        endpoint.allow(request)


def test_sealed_rows_are_pruned(registry: Registry, tmp_path: Path, capsys):
    for n in range(6):
        registry.store.create_registered_model(f"m{n}")
    identity = registry.journal("journal")[0]["after_row"]["journal"]
    sealed = tmp_path / "sealed.json"
    sealed.write_text(json.dumps({"journal": identity, "ranges": [[1, 4], [6, 99]]}))
    command = ["prune", "--uri", registry.uri, "--sealed", str(sealed)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == "0 rows removed.\n"
    command += ["--older-than", "-1"]
    assert cli.main([*command, "--dry-run"]) == 0
    assert cli.main(command) == 0
    left = [row["id"] for row in registry.journal(*("journal", "start", "insert"))]
    assert left == [1, 5, 8]
    assert registry.journal("prune")[0]["after_row"] == {"ranges": [[2, 4], [6, 7]], "rows": 5}
    registry.store.create_registered_model("next")
    assert registry.journal()[-1]["id"] == 10


def test_the_file_of_another_journal_prunes_nothing(registry: Registry, tmp_path: Path, capsys):
    sealed = tmp_path / "sealed.json"
    command = ["prune", "--uri", registry.uri, "--sealed", str(sealed), "--older-than", "-1"]
    for text in (
        json.dumps({"journal": "0" * 32, "ranges": [[1, 9]]}),
        "{",
        '{"journal": 1, "ranges": [[2, 1]]}',
    ):
        sealed.write_text(text)
        assert cli.main(command) == 2
    assert len(registry.journal("journal", "start")) == 2
    assert "Nothing was removed" in capsys.readouterr().err


def test_status_never_prints_a_password(registry: Registry, capsys, monkeypatch):
    registry.store.create_registered_model("m")
    monkeypatch.setenv("DB", registry.uri)
    assert cli.main(["status", "--uri-env", "DB"]) == 0
    out = capsys.readouterr().out
    assert registry.journal("journal")[0]["after_row"]["journal"] in out
    assert "3 (1 changes)" in out
    assert cli.main(["selftest", "--uri", registry.uri]) == 0
    assert cli.main(["status", "--uri", "postgresql://u:s3cret@127.0.0.1:1/x"]) == 2
    assert cli.main(["status", "--uri", "no:such:s3cret"]) == 2
    assert cli.main(["status", "--uri-env", "UNSET_VARIABLE"]) == 2
    captured = capsys.readouterr()
    assert "s3cret" not in captured.err + captured.out


@pytest.mark.parametrize("dialect", tables.DIALECTS)
def test_the_statements_name_every_column(dialect: str, capsys):
    assert cli.main(["ddl", "--dialect", dialect]) == 0
    text = capsys.readouterr().out
    assert all(column in text for column in tables.COLUMNS)
    if dialect == "sqlite":
        with closing(sqlite3.connect(":memory:")) as con:
            con.executescript(text)
            assert [row[1] for row in con.execute("pragma table_info(auditreg_journal)")] == list(
                tables.COLUMNS
            )
