"""The rights that are printed suffice and none can go; a right that is missing is always said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from unittest.mock import ANY

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.errors import SourceError
from auditreg.sources import open_database, open_source
from auditreg.sources.database.control_totals import SPELLINGS
from auditreg.sources.database.grants import all_columns, grants, present_columns
from auditreg.sources.database.permissions import NOT_GRANTED
from auditreg.sources.permissions import RIGHTS
from tests.servers.postgres import _FOLDERS as FOLDERS
from tests.servers.process import free_port, program, run_warm
from tests.sources.databases import SERVERS, copied, new_store
from tests.sources.reading import everything

SQL = Path(__file__).parents[2] / "docs" / "sql"
CAPTURED = "-- Where auditreg-capture is installed in the server: "
ROLE = f"auditor_{free_port()}"
MAKE_USERS = """
import sys
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
users = SqlAlchemyStore()
users.init_db(sys.argv[1])
reader = users.create_user("reader", "a-password-of-a-test")
role = users.create_role("all-editors", "default")
users.add_role_permission(role.id, "registered_model", "*", "EDIT")
users.assign_role_to_user(reader.id, role.id)
"""


@pytest.fixture(scope="module")
def filled(pg_server, store):
    """A filled store that PUBLIC has no way into, and a role without rights."""
    uri = new_store(pg_server)
    copied(store, uri)
    name = uri.rsplit("/", 1)[1]
    pg_server.execute(
        f"revoke connect, temporary on database {name} from public;"
        f"revoke all on schema public from public; create role {ROLE} login;",
        name,
    )
    return uri


@pytest.fixture(scope="module")
def printed(filled):
    """The statements `doctor --grants` prints for the store."""
    shown = CliRunner().invoke(cli, ["doctor", "--grants", "--from", filled, "--role", ROLE])
    assert shown.exit_code == 0, shown.output
    return [line for line in shown.output.splitlines() if not line.startswith("--")]


def psql(server, uri: str, script: str) -> str:
    command = [
        program("psql", *FOLDERS), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h",
        str(server.folder), "-p", str(server.port), "-U", "postgres", "-d", uri.rsplit("/", 1)[1],
    ]  # fmt: skip
    done = subprocess.run(
        command, input=script, capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(tables) -> dict[str, list[str]]:
    """Rows in an order of their own, NaN equal to NaN."""
    return {table: sorted(map(repr, found)) for table, found in tables.items()}


def as_role(uri: str) -> str:
    return uri.replace("postgres@", f"{ROLE}@")


def without(statement: str) -> list[str]:
    """The statements that take away one right each of those a GRANT gives."""
    what, _, to = statement.removesuffix(";").rpartition(" TO ")
    if "(" not in what:
        return [f"{what.replace('GRANT', 'REVOKE', 1)} FROM {to};"]
    before, _, rest = what.partition("(")
    columns, _, after = rest.partition(")")
    revoke = before.replace("GRANT", "REVOKE", 1)
    return [f"{revoke}({column}){after} FROM {to};" for column in columns.split(", ")]


def check_suffices(server, uri, printed) -> None:
    psql(server, uri, "\n".join(printed))
    theirs, completeness = everything(open_source(as_role(uri), artifacts="none"))
    assert completeness.complete
    assert shown(theirs) == shown(everything(open_source(uri, artifacts="none"))[0])
    assert theirs["run_params"]
    assert theirs["journal"]


def check_needed(server, uri, revoke: str, grant: str) -> None:
    psql(server, uri, revoke)
    try:
        complete = everything(open_source(as_role(uri), artifacts="none"))[1].complete
    except SourceError:
        complete = False
    finally:
        psql(server, uri, grant)
    assert not complete, revoke


def test_the_printed_grants_suffice_and_some_of_them_are_each_needed(pg_server, filled, printed):
    check_suffices(pg_server, filled, printed)
    everything_needed = [(revoke, grant) for grant in printed for revoke in without(grant)]
    sample = [pair for pair in everything_needed if "(" not in pair[0]] + everything_needed[::11]
    for revoke, grant in sample:
        check_needed(pg_server, filled, revoke, grant)
    assert everything(open_source(as_role(filled), artifacts="none"))[1].complete


@pytest.mark.slow
def test_none_of_the_printed_grants_can_go(pg_server, filled, printed):
    check_suffices(pg_server, filled, printed)
    for grant in printed:
        for revoke in without(grant):
            check_needed(pg_server, filled, revoke, grant)
    assert everything(open_source(as_role(filled), artifacts="none"))[1].complete


@pytest.mark.integration
@pytest.mark.parametrize("name", ["postgresql", "mariadb"])
def test_the_file_for_administrators_suffices(name, store, request):
    """As it stands, with the line for the journal no longer a comment."""
    server = request.getfixturevalue(SERVERS[name])
    uri = new_store(server)
    copied(store, uri)
    kind = {"mariadb": "mysql"}.get(name, name)
    script = (SQL / f"grants-{kind}.sql").read_text().replace(CAPTURED, "")
    if name == "postgresql":
        server.execute("revoke all on schema public from public; create role auditreg login",
                       uri.rsplit("/", 1)[1])  # fmt: skip
        psql(server, uri, script)
        theirs = uri.replace("postgres@", "auditreg@")
    else:
        server.execute("create or replace user 'auditreg'@'%' identified by 'x'")
        server.execute(script, uri.rsplit("/", 1)[1])
        theirs = uri.replace("mlflow:mlflow@", "auditreg:x@")
    tables, completeness = everything(open_source(theirs, artifacts="none"))
    assert completeness.complete
    assert shown(tables) == shown(everything(open_source(uri, artifacts="none"))[0])


def test_a_table_without_rights_leaves_its_kind_out_and_names_the_grant(pg_server, filled, printed):
    psql(pg_server, filled, "\n".join(printed))
    for table, kind in (
        ("params", "run"),
        ("logged_model_tags", "logged_model"),
        ("auditreg_journal", ""),
    ):
        psql(pg_server, filled, f"revoke all on {table} from {ROLE}")
        try:
            with open_source(as_role(filled), artifacts="none").read() as reading:
                assert kind not in reading.kinds()
                assert list(reading.table("runs")) == [] or kind != "run"
                said = " ".join(reading.completeness().doubts)
        finally:
            psql(pg_server, filled, "\n".join(printed))
        assert "GRANT SELECT (" in said
        assert f"ON {table} TO" in said
    psql(pg_server, filled, f"revoke select (source) on model_versions from {ROLE}")
    with pytest.raises(SourceError, match="source of the table model_versions") as caught:
        everything(open_source(as_role(filled)))
    assert f'GRANT SELECT (source) ON model_versions TO "{ROLE}";' in caught.value.hint
    psql(pg_server, filled, "\n".join(printed))


def test_the_grants_for_mariadb_suffice_and_a_hidden_column_is_found(my_server, store):
    uri = new_store(my_server)
    copied(store, uri)
    name = uri.rsplit("/", 1)[1]
    my_server.execute("create or replace user 'auditor'@'%' identified by 'x'")
    database = open_database(uri)
    try:
        script = grants("mariadb", "auditor", columns=present_columns(database))
    finally:
        database.close()
    my_server.execute(script, name)
    theirs = uri.replace("mlflow:mlflow@", "auditor:x@")
    found, completeness = everything(open_source(theirs, artifacts="none"))
    assert completeness.complete
    assert shown(found) == shown(everything(open_source(uri, artifacts="none"))[0])
    my_server.execute("revoke select (`value`) on params from 'auditor'@'%'", name)
    (doubt,) = everything(open_source(theirs, artifacts="none"))[1].doubts
    assert "params was not read: this user has no right to value" in doubt
    assert "GRANT SELECT (`value`) ON params TO 'auditor'@'%'" in doubt
    for table in ("logged_model_tags", "auditreg_journal"):
        columns = ", ".join(f"`{column}`" for column in sorted(all_columns()[table]))
        my_server.execute(f"revoke select ({columns}) on {table} from 'auditor'@'%'", name)
    with open_source(theirs, artifacts="none").read() as reading:
        assert "logged_model" not in reading.kinds()
        assert "cannot see whether there is a journal" in reading.info.cannot_show[0]
        assert any("logged_model_tags" in doubt for doubt in reading.completeness().doubts)
    my_server.execute("revoke select (`description`) on model_versions from 'auditor'@'%'", name)
    with pytest.raises(SourceError, match="description of the table model_versions"):
        everything(open_source(theirs))


def test_the_rights_to_users_are_printed_where_they_are_held(pg_server):
    uri = new_store(pg_server)
    name = uri.rsplit("/", 1)[1]
    run_warm("-c", MAKE_USERS, uri)
    pg_server.execute(f"revoke all on schema public from public; create role {ROLE}_u login", name)

    def printed(*options: str) -> str:
        command = ["doctor", "--grants", "--from", uri, "--role", f"{ROLE}_u", *options]
        done = CliRunner().invoke(cli, command)
        assert done.exit_code == 0, done.output
        assert "password" not in done.output.lower().replace("login password", "").replace(
            "no passwords", ""
        )
        return done.output

    def theirs():
        with open_source(uri.replace("postgres@", f"{ROLE}_u@"), artifacts="none").read() as one:
            found = {
                table: sorted(repr(row) for batch in one.table(table) for row in batch.to_pylist())
                for table in RIGHTS
            }
            return found, one.info.cannot_show

    psql(pg_server, uri, printed("--no-users"))
    assert theirs() == ({table: [] for table in RIGHTS}, ANY)
    assert NOT_GRANTED in theirs()[1]
    psql(pg_server, uri, printed())
    assert printed() == printed("--users")
    whole = theirs()[0]
    assert any("'reader'" in row for row in whole["principals"])
    assert any("'all-editors'" in row and "'EDIT'" in row for row in whole["permissions"])
    for grant in printed().partition("-- Users and rights")[2].splitlines()[1:]:
        for revoke in without(grant):
            psql(pg_server, uri, revoke)
            try:
                assert theirs()[0] != whole, revoke
            except SourceError:
                pass
            finally:
                psql(pg_server, uri, grant)


def test_users_are_a_comment_for_a_database_nobody_looked_at(store):
    def said(*options: str) -> str:
        return CliRunner().invoke(cli, ["doctor", "--grants", *options]).output

    assert "\n-- GRANT SELECT (`id`, `is_admin`, `username`) ON users" in said("--dialect", "mysql")
    assert "\nGRANT SELECT (`id`, `is_admin`, `username`) ON users" in said(
        "--dialect", "mysql", "--users"
    )
    assert " users " not in said("--dialect", "mysql", "--no-users")
    refused = CliRunner().invoke(cli, ["doctor", "--grants", "--from", str(store), "--users"])
    assert "does not hold the users" in str(refused.exception)


@pytest.mark.parametrize("dialect", SPELLINGS)
def test_grants_are_written_without_a_database(dialect):
    shown = CliRunner().invoke(cli, ["doctor", "--grants", "--dialect", dialect, "--role", 'a"b'])
    assert shown.exit_code == 0
    if dialect != "sqlite":
        assert all(f"{table} TO" in shown.output for table in all_columns())
        assert ('"a""b"' in shown.output) == (dialect == "postgresql")


def test_the_columns_looked_for_are_those_of_the_newest_mlflow(store):
    database = open_database(str(store))
    try:
        assert present_columns(database) == all_columns()
    finally:
        database.close()


def test_grants_of_nothing_are_refused():
    for arguments in (["--grants"], ["--dialect", "mysql"], ["--role", "x"]):
        done = CliRunner().invoke(cli, ["doctor", *arguments])
        assert done.exit_code != 0
