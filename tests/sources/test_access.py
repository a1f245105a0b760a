"""Users, roles and rights of a real server under basic-auth: read, compared with what it decides."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditreg.config import SourceSettings
from auditreg.errors import SourceError
from auditreg.ledger.store import Ledger
from auditreg.sources import Reading, open_source
from auditreg.sources.database.permissions import NO_USERS
from auditreg.sources.interface import READS
from auditreg.sources.permissions import NO_DEFAULT
from auditreg.sources.server import permissions as access_module
from auditreg.sources.server.permissions import NO_ADMINISTRATOR, NO_USERS_SERVED
from tests.ledger.conftest import ask
from tests.ledger.conftest import take as take_in
from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.sources import firm as of
from tests.sources.reading import rows, run_sql

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("firm")]


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The server with everybody in it; READ is what everybody may do."""
    with of.server(tmp_path_factory.mktemp("firm"), "READ") as server:
        of.fill(server)
        yield server


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger without entries."""
    return Ledger(tmp_path / "audit.duckdb")


def read(firm: MlflowServer, *, default: str | None = "READ", rest: bool = False) -> Reading:
    if rest:
        return open_source(
            SourceSettings(uri=firm.uri, auth_default=default), artifacts="none"
        ).read()
    uri = f"sqlite:///{firm.folder / 'mlflow.db'}"
    users = f"sqlite:///{firm.folder / 'users.db'}"
    return open_source(
        SourceSettings(uri=uri, auth_uri=users, auth_default=default), artifacts="none"
    ).read()


def as_administrator(monkeypatch: pytest.MonkeyPatch, user: tuple[str, str] = ADMIN) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])


def effective(ledger: Ledger) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (account, model): tuple(more)
        for account, model, *more in ask(
            ledger,
            "select account, model, permission, version_permission, how, role, can_write, "
            "may_be_more from effective_permissions",
        )
    }


def judged(firm: MlflowServer, ledger: Ledger, default: str) -> None:
    """For every user and model: what the ledger says is what the server does."""
    with read(firm, default=default) as reading:
        take_in(ledger, reading)
    said = effective(ledger)
    names = (ADMIN[0], *of.USERS)
    items = (*of.MODELS, of.PROMPT)
    assert set(said) == {(name, item) for name in names for item in items}
    assert all(more[-1] is False for more in said.values())
    found = {(name, item): (r, w) for name, item, r, w in of.decided(firm, names, items)}
    assert {
        pair: (permission != "NO_PERMISSIONS", write)
        for pair, (permission, _, _, _, write, _) in said.items()
    } == found
    # The server's own word for what holds: DENY is its word for nothing at all.
    for (name, item), (permission, _, how, _, _, _) in said.items():
        if name == ADMIN[0] or item == of.PROMPT:
            continue  # it answers for neither
        query = f"username={of._quoted(name)}&resource_type=registered_model"
        query += f"&resource_id={of._quoted(item)}"
        told = firm.call("GET", f"{of.V3}users/permissions/get?{query}", user=ADMIN)["permission"]
        assert (name, item, told.replace("DENY", "NO_PERMISSIONS")) == (name, item, permission), how


def test_effective_rights_are_what_the_server_decides(firm, ledger):
    judged(firm, ledger, "READ")
    said = effective(ledger)
    assert said[ADMIN[0], "motor"][:3] == ("MANAGE", "MANAGE", "admin")
    assert said["steward", "home"][:3] == ("MANAGE", "MANAGE", "workspace admin")
    assert said["role-editor", "motor"] == ("EDIT", "EDIT", "role", "all-editors", True, False)
    assert said["denied", "motor"][2] == "denied"
    assert said["nobody", "motor"] == ("READ", "READ", "default", None, False, False)
    assert said["version-writer", "home"][:2] == ("READ", "EDIT")
    assert said[of.HOSTILE, of.MODELS[2]][:3] == ("EDIT", "EDIT", "direct")


@pytest.mark.slow
@pytest.mark.parametrize("default", ["NO_PERMISSIONS", "EDIT"])
def test_effective_rights_with_another_default(default, ledger, tmp_path):
    with of.server(tmp_path, default) as server:
        of.fill(server)
        judged(server, ledger, default)


def test_an_unknown_default_is_said_and_not_guessed(firm, ledger):
    with read(firm, default=None) as reading:
        assert NO_DEFAULT in reading.info.cannot_show
        take_in(ledger, reading)
    said = effective(ledger)
    assert said["nobody", "motor"] == (None, None, "default unknown", None, None, True)
    assert said["reader", "motor"] == ("READ", "READ", "direct", None, None, True)
    assert said["manager", "motor"] == ("MANAGE", "MANAGE", "direct", None, True, False)
    assert said["denied", "motor"][0] == "NO_PERMISSIONS"


def test_the_server_tells_an_administrator_the_same(firm, monkeypatch):
    as_administrator(monkeypatch)
    with read(firm) as stored, read(firm, rest=True) as served:
        for table in ("principals", "permissions"):
            assert sorted(map(repr, rows(stored, table))) == sorted(map(repr, rows(served, table)))
        assert stored.kinds()[-2:] == served.kinds()[-2:] == ("principal", "permission")
        assert NO_DEFAULT not in (*stored.info.cannot_show, *served.info.cannot_show)
        assert {"principals", "permissions"} <= set(stored.completeness().counts)
        assert stored.completeness().complete


def test_nobody_else_is_told_and_that_is_said(firm, monkeypatch):
    as_administrator(monkeypatch, ("steward", of.PASSWORD))
    with read(firm, rest=True) as reading:
        assert NO_ADMINISTRATOR in reading.info.cannot_show
        assert not {"principal", "permission"} & set(reading.kinds())
        assert rows(reading, "permissions") == []


def test_no_password_leaves_its_database(firm, ledger):
    with closing(sqlite3.connect(firm.folder / "users.db")) as users:
        hashes = [one for (one,) in users.execute("select password_hash from users")]
    assert len(hashes) == len(of.USERS) + 1
    with read(firm) as reading:
        staged = repr(rows(reading, "principals") + rows(reading, "permissions"))
        take_in(ledger, reading)
    kept = ledger.path.read_bytes()
    for one in hashes:
        assert one not in staged
        assert one.encode() not in kept


def test_grants_and_revocations_are_changes(firm, ledger):
    with read(firm) as reading:
        take_in(ledger, reading)
    of.give(firm, "nobody", "home", "EDIT")
    of.take(firm, "reader", "motor")
    of.give(firm, "reader", "motor", "MANAGE")
    of.take(firm, "editor", "motor")
    of.add_role(firm, "auditors", (("registered_model", "*", "READ"),), ["nobody"])
    firm.add_user("newcomer", of.PASSWORD)
    body = {"username": "newcomer", "is_admin": True}
    firm.call("PATCH", "users/update-admin", body, user=ADMIN)
    with read(firm) as reading:
        take_in(ledger, reading)
    told = ask(
        ledger,
        "select item, model, before, after, change, grade from changes "
        "where kind in ('principal', 'permission') order by all",
    )
    assert told == [
        ("account newcomer", None, None, "present", "added", "observed"),
        ("administrator newcomer", None, None, "true", "added", "observed"),
        ("editor", "motor", "EDIT", None, "removed", "observed"),
        ("nobody", "home", None, "EDIT", "added", "observed"),
        ("nobody on role auditors", None, None, "MEMBER", "added", "observed"),
        ("reader", "motor", "READ", "MANAGE", "changed", "observed"),
        ("role auditors", None, None, "present", "added", "observed"),
        ("role auditors on registered_model *", None, None, "READ", "added", "observed"),
    ]
    [(first, last, between)] = ask(
        ledger,
        "select changed_not_before, changed_not_after, changed_not_before < changed_not_after "
        "from changes where item = 'account newcomer'",
    )
    assert None not in (first, last)
    assert between
    # What holds at the first reading's end still holds when asked for that moment.
    [(then,)] = ask(
        ledger,
        "select permission from effective_permissions_as_of((select min(observed_at) "
        "from extractions)) where account = 'editor' and model = 'motor'",
    )
    assert then == "EDIT"
    # A reading that is not shown the rights takes none for gone.
    uri = f"sqlite:///{firm.folder / 'mlflow.db'}"
    with open_source(uri, artifacts="none").read() as reading:
        assert NO_USERS in reading.info.cannot_show
        done = take_in(ledger, reading)
    assert not any(kind in ("principal", "permission") for kind, _ in done.changes)
    assert ask(ledger, "select count(*) from principals where principal = 'newcomer'") == [(1,)]


def test_users_in_the_registrys_own_database_are_found(firm, tmp_path):
    """One database for both, as a URI of one PostgreSQL database in both places gives it."""
    both = tmp_path / "both.db"
    shutil.copyfile(firm.folder / "mlflow.db", both)
    with closing(sqlite3.connect(both)) as target:
        target.execute(f"attach '{firm.folder / 'users.db'}' as users_db")
        tables = [
            name
            for (name,) in target.execute(
                "select name from users_db.sqlite_master where type='table'"
            )
        ]
        for name in tables:
            if name != "alembic_version_auth":
                target.execute(f"create table {name} as select * from users_db.{name}")
        target.commit()
    for uri in (None, f"sqlite:///{both}"):
        source = open_source(
            SourceSettings(uri=f"sqlite:///{both}", auth_uri=uri), artifacts="none"
        )
        with source.read() as reading, read(firm, default=None) as apart:
            assert set(READS) - set(reading.kinds()) == {"model_artifact"}
            for table in ("principals", "permissions"):
                found = [sorted(map(repr, rows(one, table))) for one in (reading, apart)]
                assert found[0] == found[1]


def test_a_server_without_users_says_so(server):
    with open_source(server, artifacts="none").read() as reading:
        assert NO_USERS_SERVED in reading.info.cannot_show
        assert "principal" not in reading.kinds()


def test_a_database_of_something_else_is_refused(store, firm, tmp_path):
    with pytest.raises(SourceError, match="does not hold the users"):
        open_source(SourceSettings(uri=str(store), auth_uri=str(store))).read()
    other = tmp_path / "oidc.db"
    shutil.copyfile(firm.folder / "users.db", other)
    run_sql(other, "create table user_groups (user_id int, group_id int)")
    with pytest.raises(SourceError, match="does not hold the users"):
        open_source(SourceSettings(uri=str(store), auth_uri=str(other))).read()
    half = tmp_path / "half.db"
    shutil.copyfile(firm.folder / "users.db", half)
    run_sql(half, "drop table role_permissions")
    with pytest.raises(SourceError, match="not all of their tables"):
        open_source(SourceSettings(uri=str(store), auth_uri=str(half))).read()


def test_what_is_no_name_is_left_out_and_said(firm, tmp_path):
    odd = tmp_path / "odd.db"
    shutil.copyfile(firm.folder / "users.db", odd)
    run_sql(
        odd,
        "update users set username = null where username = 'reader'",
        "update users set username = cast(x'ff00' as text), is_admin = null "
        "where username = 'editor'",
    )
    uri = f"sqlite:///{firm.folder / 'mlflow.db'}"
    with open_source(
        SourceSettings(uri=uri, auth_uri=str(odd)), artifacts="none"
    ).read() as reading:
        found = rows(reading, "principals")
        assert {"\x00$bytes:/wA="} == {r["principal"] for r in found} & {
            "\x00$bytes:/wA=",
            "editor",
        }
        assert all(row["admin"] is False for row in found if row["principal"] == "\x00$bytes:/wA=")
        doubts = " ".join(reading.completeness().doubts)
    assert "1 row(s) of principals were left out: principal is missing" in doubts


def test_an_impossible_default_is_refused():
    with pytest.raises(SourceError, match="no permission MLflow knows"):
        open_source(SourceSettings(uri="http://localhost", auth_default="ADMIN"))


def test_rights_that_change_while_they_are_read_are_in_doubt(firm, monkeypatch):
    as_administrator(monkeypatch)
    asked = iter(range(100))
    real = access_module._ask

    def changing(server):
        users, roles = real(server)
        return [*users, {"username": f"u{next(asked)}", "is_admin": False}], roles

    monkeypatch.setattr(access_module, "_ask", changing)
    with read(firm, rest=True) as reading:
        assert "users and rights changed while they were read" in reading.completeness().doubts
        assert not reading.completeness().complete
