"""Databases and journals that are not as they should be: refused at the start, or nothing lost."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from auditreg_capture import process

from tests.capture.replay import replay
from tests.capture.tables import changes, dump, journal, last_id
from tests.servers.mlflow_server import MlflowServer, Refused
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.integration

ROLE = "mlflow_app"


def create(server: MlflowServer, name: str) -> None:
    server.call("POST", "registered-models/create", {"name": name})


def names(server: MlflowServer) -> set[str]:
    """The models that are there."""
    return {place[2] for place in dump(server.backend) if place[0] == "registered_models"}


def sqlite(server: MlflowServer, *statements: str) -> None:
    with sqlite3.connect(server.backend.removeprefix("sqlite:///")) as con:
        for statement in statements:
            con.execute(statement)
    con.close()


def ddl(dialect: str) -> str:
    """What `auditreg-capture ddl` prints."""
    program = Path(sys.executable).with_name("auditreg-capture")
    done = subprocess.run(
        [program, "ddl", "--dialect", dialect], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_rights(
    postgres_server: Postgres, empty_database: Callable[[str], str]
) -> tuple[str, str]:
    """A store whose server's user may change rows and not make tables; its address, its name."""
    database = empty_database("postgresql").rsplit("/", 1)[1]
    postgres_server.execute(
        f"""
        do $$ begin create role {ROLE} login; exception when duplicate_object then null; end $$;
        revoke create on schema public from public;
        grant usage on schema public to {ROLE};
        grant select, insert, update, delete on all tables in schema public to {ROLE};
        grant usage, select on all sequences in schema public to {ROLE};
        """,
        database,
    )
    return postgres_server.uri(database, ROLE), database


@pytest.mark.slow
def test_a_user_who_may_not_make_tables_is_told_what_to_run(
    server: Callable[..., MlflowServer],
    postgres_server: Postgres,
    empty_database: Callable[[str], str],
):
    uri, database = without_rights(postgres_server, empty_database)
    with pytest.raises(AssertionError, match="ended with") as caught:
        server(backend=uri)
    assert "auditreg-capture ddl --dialect postgresql" in str(caught.value)
    statements = ddl("postgresql").replace(" TO mlflow", f" TO {ROLE}")
    postgres_server.execute(statements, database)
    started = server(backend=uri)
    create(started, "m")
    assert replay(journal(uri)) == dump(uri)
    assert names(started) == {"m"}


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
def test_the_statements_make_a_journal_that_works(
    request: pytest.FixtureRequest,
    server: Callable[..., MlflowServer],
    empty_database: Callable[[str], str],
    dialect: str,
):
    uri = empty_database(dialect)
    create_only = ddl(dialect).split(";")[0] + ";"
    if dialect == "sqlite":
        with sqlite3.connect(uri.removeprefix("sqlite:///")) as con:
            con.execute(create_only)
        con.close()
    else:
        known = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[dialect]
        request.getfixturevalue(known).execute(create_only, uri.rsplit("/", 1)[1])
    started = server(backend=uri)
    create(started, "m")
    assert replay(journal(uri)) == dump(uri)


@pytest.mark.slow
def test_a_journal_that_lacks_a_column_is_refused(
    server: Callable[..., MlflowServer], empty_database: Callable[[str], str]
):
    uri = empty_database("sqlite")
    first = server(backend=uri)
    create(first, "m")
    first.kill()
    sqlite(first, "alter table auditreg_journal drop column claimed")
    with pytest.raises(AssertionError, match="ended with") as caught:
        server(backend=uri)
    assert "claimed" in str(caught.value)
    assert "auditreg_journal" in str(caught.value)


def test_the_lock_of_a_journal_is_held_until_its_identity_is_committed(
    new_database: Callable[[str], str],
):
    done: list[str] = []
    engine = sa.create_engine(new_database("mariadb"))
    sa.event.listen(engine, "commit", lambda _: done.append("commit"))
    sa.event.listen(engine, "before_cursor_execute", lambda *a: done.append(a[2]))
    process.create_table(engine)
    with process._alone(engine) as connection:
        assert process._journal_id(connection)
    engine.dispose()
    inserted = next(n for n, text in enumerate(done) if text.startswith("INSERT"))
    ends = [text for text in done[inserted:] if text == "commit" or "RELEASE_LOCK" in text]
    assert ends == ["commit", "SELECT RELEASE_LOCK('auditreg_journal')"]


BROKEN = {
    "sqlite": (
        (
            "create trigger broken before insert on auditreg_journal "
            "when new.operation in ('insert', 'update', 'delete') "
            "begin select raise(abort, 'the journal is broken'); end"
        ),
        "drop trigger broken",
    ),
    "postgresql": (
        (
            "create function broken() returns trigger language plpgsql as $$ begin "
            "if new.operation in ('insert', 'update', 'delete') then "
            "raise exception 'the journal is broken'; end if; return new; end $$;"
            "create trigger broken before insert on auditreg_journal "
            "for each row execute function broken()"
        ),
        "drop trigger broken on auditreg_journal",
    ),
    "mariadb": (
        (
            "create trigger broken before insert on auditreg_journal for each row "
            "if new.operation in ('insert', 'update', 'delete') then "
            "signal sqlstate '45000' set message_text = 'the journal is broken'; end if"
        ),
        "drop trigger broken",
    ),
}
"""Statements after which the journal takes no changes, and those that repair it."""


def _execute(request: pytest.FixtureRequest, server: MlflowServer, kind: str, sql: str) -> None:
    if kind == "sqlite":
        sqlite(server, sql)
        return
    known = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[kind]
    delimited = f"delimiter $$\n{sql}$$" if kind == "mariadb" else sql
    request.getfixturevalue(known).execute(delimited, server.backend.rsplit("/", 1)[1])


ON_EACH = [
    "sqlite",
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in BROKEN if kind != "sqlite"),
]
"""The ordinary run takes the database that needs no server."""


@pytest.mark.parametrize("kind", ON_EACH)
def test_a_change_that_cannot_be_journalled_is_not_made(
    request: pytest.FixtureRequest, server: Callable[..., MlflowServer], kind: str
):
    strict = server(kind=kind)
    create(strict, "before")
    _execute(request, strict, kind, BROKEN[kind][0])
    for _ in range(2):
        # Under which status depends on MLflow, which takes some failures for a bad request.
        with pytest.raises(Refused, match="the journal is broken"):
            create(strict, "m")
    assert names(strict) == {"before"}
    _execute(request, strict, kind, BROKEN[kind][1])
    create(strict, "m")
    assert names(strict) == {"before", "m"}
    assert replay(journal(strict.backend)) == dump(strict.backend)


@pytest.mark.parametrize("kind", ON_EACH)
def test_under_best_effort_the_change_is_made_and_the_loss_recorded(
    request: pytest.FixtureRequest, server: Callable[..., MlflowServer], kind: str
):
    lenient = server(kind=kind, settings={"AUDITREG_CAPTURE": "best-effort"})
    create(lenient, "before")
    _execute(request, lenient, kind, BROKEN[kind][0])
    body = {"name": "lost", "tags": [{"key": "a", "value": "b"}]}
    lenient.call("POST", "registered-models/create", body)
    create(lenient, "lost too")
    _execute(request, lenient, kind, BROKEN[kind][1])
    create(lenient, "after")
    assert names(lenient) == {"before", "lost", "lost too", "after"}
    rows = journal(lenient.backend)
    assert {row["name"] for row in changes(rows)} == {"before", "after"}
    missed = [row["after_row"] for row in rows if row["operation"] == "missed"]
    assert sum(row["count"] for row in missed) == 3
    assert all(row["error"] for row in missed)


@pytest.mark.slow
def test_switched_off_it_says_so_and_nothing_else(server: Callable[..., MlflowServer]):
    on = server()
    create(on, "captured")
    on.kill()
    before = journal(on.backend)
    off = server(backend=on.backend, settings={"AUDITREG_CAPTURE": "off"})
    create(off, "m")
    assert names(off) == {"captured", "m"}
    rows = journal(off.backend, after=before[-1]["id"])
    assert {row["operation"] for row in rows} == {"off"}
    assert rows[0]["after_row"]["mode"] == "off"


@pytest.mark.slow
def test_switched_off_from_the_first_it_touches_nothing(server: Callable[..., MlflowServer]):
    off = server(settings={"AUDITREG_CAPTURE": "off"})
    create(off, "m")
    assert last_id(off.backend) == 0


def test_a_request_that_is_rolled_back_leaves_nothing(server: Callable[..., MlflowServer]):
    started = server()
    create(started, "m")
    before = changes(journal(started.backend))
    for method, path, body in [
        ("POST", "registered-models/create", {"name": "m"}),
        ("POST", "registered-models/rename", {"name": "no", "new_name": "m"}),
        ("POST", "model-versions/create", {"name": "no", "source": "s3://m"}),
        ("DELETE", "model-versions/delete", {"name": "m", "version": "7"}),
    ]:
        with pytest.raises(Refused):
            started.call(method, path, body)
    assert changes(journal(started.backend)) == before


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["uvicorn", "gunicorn"])
def test_a_server_that_ends_says_so(server: Callable[..., MlflowServer], runner: str):
    options = ["--gunicorn-opts", "--timeout 120"] if runner == "gunicorn" else []
    started = server(workers=2, options=options, apart=True)
    create(started, "m")
    started.kill(signal.SIGTERM)
    rows = journal(started.backend)
    started = [row for row in rows if row["operation"] == "start"]
    stopped = [row["process"] for row in rows if row["operation"] == "stop"]
    assert 0 < len(set(stopped)) == len(stopped)
    assert set(stopped) <= {row["process"] for row in started}
    if runner == "gunicorn":
        # uvicorn's workers die of the signal that they had caught, and can say nothing.
        assert {row["process"] for row in changes(rows)} <= set(stopped)
    for row in started:
        details = row["after_row"]
        assert details.keys() >= {
            "capture",
            "mlflow",
            "python",
            "host",
            "pid",
            "mode",
            "sqlalchemy",
        }
        assert details["mode"] == "strict"
