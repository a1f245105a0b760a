"""Control totals: the databases' own clients count what was sealed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.sources import open_database
from auditreg.sources.database.control_totals import RUN_OPTION, SPELLINGS, parse, script
from auditreg.sources.database.grants import present_columns
from auditreg.sources.database.queries import SPECS
from auditreg.sources.database.store import REGISTRY_TABLES, TRACKED_TABLES
from tests.sources.databases import DATABASES, SERVERS, Made, connected, copied, new_store

SQL = Path(__file__).parents[2] / "docs" / "sql"


@pytest.fixture(scope="module")
def registries(store, request):
    """The filled store in each database."""

    def make(name):
        if name == "sqlite":
            return f"sqlite:///{store}"
        uri = new_store(request.getfixturevalue(SERVERS[name]))
        copied(store, uri)
        return uri

    return Made(make)


@pytest.fixture(scope="module")
def ledgers(registries, tmp_path_factory):
    """A ledger for each database, made by the command."""
    folder = tmp_path_factory.mktemp("sealed")

    def make(name):
        path = str(folder / f"{name}.duckdb")
        done = CliRunner().invoke(cli, ["extract", "--from", registries[name], "--ledger", path])
        assert done.exit_code == 0, done.output
        return path

    return Made(make)


def counted(name: str, uri: str, request, sql: str) -> str:
    """What a database's own client prints."""
    if name == "sqlite":
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
            return "\n".join(f"{what}|{number}" for what, number in database.execute(sql))
    server = request.getfixturevalue(SERVERS[name])
    return server.execute(sql, uri.rsplit("/", 1)[1])


def printed(*arguments: str) -> str:
    """What `control-totals` prints."""
    done = CliRunner().invoke(cli, ["control-totals", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    "text",
    [
        " what | count\n------+----\n gaps |   12\n left_out.missing_runs |  3\n(2 rows)\n",
        "+-----+\n| what | count |\n| gaps | 12 |\n| left_out.missing_runs | 3 |\n",
        "what,count\ngaps,12\nleft_out.missing_runs,3\n",
        '"what";"count"\n"gaps";"12"\n"left_out.missing_runs";"3"\n',
        "what\tcount\r\ngaps\t12\r\nleft_out.missing_runs\t3\r\n",
    ],
)
def test_what_clients_print_is_understood(text):
    assert parse(text) == {"gaps": 12, "left_out.missing_runs": 3}


def test_the_files_for_administrators_say_what_the_commands_print():
    for kind in SPELLINGS:
        file = (SQL / f"control-totals-{kind}.sql").read_text().partition("\n")[2]
        assert file == printed("--dialect", kind)
        if kind != "sqlite":
            grants = CliRunner().invoke(cli, ["doctor", "--grants", "--dialect", kind]).stdout
            assert (SQL / f"grants-{kind}.sql").read_text().partition("\n")[2] == grants


@pytest.mark.parametrize("name", DATABASES)
def test_what_the_databases_client_counts_equals_what_was_sealed(
    name, ledgers, registries, request, tmp_path
):
    dialect = {"mariadb": "mysql"}.get(name, name)
    generated = (SQL / f"control-totals-{dialect}.sql").read_text()
    for sql in (generated, printed("--from", registries[name])):
        text = counted(name, registries[name], request, sql)
        numbers = parse(text)
        assert numbers["counts.run_params"] > 0
        assert numbers["also.runs"] == numbers["counts.runs"] + numbers["left_out.unlinked_runs"]
        assert (numbers["tombstones"], numbers["also.prompts"]) == (1, 1)
        file = tmp_path / "totals.txt"
        file.write_text(text)
        output = printed("--compare", str(file), "--ledger", ledgers[name])
        assert output.count("equal") >= 19


RUN_COLUMNS = {
    "runs": "run_uuid",
    "params": "run_uuid",
    "tags": "run_uuid",
    "latest_metrics": "run_uuid",
    "inputs": "destination_id",
    "model_versions": "run_id",
}
ODD_ID = """o'neill \\ "x" %s :a"""
"""An id of a run that has to be quoted."""


@pytest.fixture
def split(name, store, request, tmp_path):
    """The filled store as a registry and a tracking database, each of its own."""
    odd = tmp_path / "odd.db"
    shutil.copy(store, odd)
    with closing(sqlite3.connect(odd)) as connection, connection:
        query = "select v.run_id from model_versions v join runs r on r.run_uuid = v.run_id"
        (run_id,) = connection.execute(query).fetchone()
        for table, column in RUN_COLUMNS.items():
            statement = f"update {table} set {column} = ? where {column} = ?"
            connection.execute(statement, (ODD_ID, run_id))
        last = "select max(rowid) from model_versions where current_stage <> 'Deleted_Internal'"
        connection.execute(f"update model_versions set run_id = 'gone' where rowid = ({last})")
    uris = []
    for part, others in (("registry", TRACKED_TABLES), ("tracking", REGISTRY_TABLES)):
        uri = f"sqlite:///{tmp_path / part}.db"
        if name == "sqlite":
            shutil.copy(odd, tmp_path / f"{part}.db")
        else:
            uri = new_store(request.getfixturevalue(SERVERS[name]))
            copied(odd, uri)
        with connected(uri) as connection:
            for base in {SPECS[table].base for table in others}:
                connection.exec_driver_sql(f"delete from {base}")
        uris.append(uri)
    return uris


@pytest.mark.parametrize("name", DATABASES)
def test_a_registry_with_a_tracking_database_of_its_own_is_counted_in_both(
    name, split, request, tmp_path
):
    registry, tracking = split
    both = ["--from", registry, "--tracking-from", tracking]
    ledger = ["--ledger", str(tmp_path / "split.duckdb")]
    done = CliRunner().invoke(cli, ["extract", *both, "--artifacts", "none", *ledger])
    assert done.exit_code == 0, done.output
    texts = [
        counted(name, uri, request, printed(*both, "--part", part))
        for part, uri in (("tracking", tracking), ("registry", registry))
    ]
    assert not (parse(texts[0]).keys() & parse(texts[1]).keys()) - {RUN_OPTION}
    numbers = parse("\n".join(texts))
    assert numbers["counts.runs"] > 0
    assert numbers["left_out.missing_runs"] == 1
    file = tmp_path / "totals.txt"
    file.write_text("\n".join(texts))
    output = printed("--compare", str(file), *ledger)
    assert output.count("equal") >= 19
    assert "none" not in output


def test_two_databases_take_two_scripts():
    for arguments in (
        ["--from", "sqlite:///a.db", "--tracking-from", "sqlite:///b.db"],
        ["--from", "sqlite:///a.db", "--part", "registry"],
        ["--dialect", "sqlite", "--tracking-from", "sqlite:///b.db", "--part", "tracking"],
    ):
        refused = CliRunner().invoke(cli, ["control-totals", *arguments])
        assert "takes two scripts" in str(refused.exception)


def test_a_difference_is_4_a_missing_number_2_and_rubbish_2(ledgers, registries, request):
    text = counted("sqlite", registries["sqlite"], request, script(SPELLINGS["sqlite"]()))
    compare = ["control-totals", "--ledger", ledgers["sqlite"], "--compare", "-"]
    runner = CliRunner()
    off = text.replace("counts.model_versions|6", "counts.model_versions|7")
    assert off != text
    done = runner.invoke(cli, compare, input=off)
    assert done.exit_code == 4
    assert "differs" in done.output
    lines = [line for line in text.splitlines() if "counts.runs" not in line]
    assert runner.invoke(cli, compare, input="\n".join(lines)).exit_code == 2
    assert runner.invoke(cli, compare, input="nothing").exit_code != 0
    sql = script(SPELLINGS["sqlite"](), runs="all")
    every = counted("sqlite", registries["sqlite"], request, sql)
    assert parse(every)["counts.runs"] == 5
    refused = runner.invoke(cli, compare, input=every)
    assert "asked for linked runs" in str(refused.exception)


def test_an_older_store_is_counted_as_far_as_it_goes_and_another_schema_too(pg_server):
    uri = new_store(pg_server)
    with connected(uri) as connection:
        for table in ("logged_model_metrics", "logged_model_tags", "logged_model_params",
                      "registered_model_aliases", "input_tags"):  # fmt: skip
            connection.exec_driver_sql(f"drop table {table} cascade")
        connection.exec_driver_sql("drop table logged_models cascade")
        connection.exec_driver_sql("alter schema public rename to ours")
    database = open_database(f"{uri}?schema=ours")
    try:
        dialect = database.spelling(present_columns(database))
    finally:
        database.close()
    sql = script(dialect, schema="ours")
    numbers = parse(pg_server.execute(sql, uri.rsplit("/", 1)[1]))
    assert "counts.aliases" not in numbers
    assert numbers["counts.model_versions"] == 0


def test_whose_sql_is_wanted_has_to_be_said():
    for arguments in ([], ["--from", "http://localhost:1"], ["--compare", "x", "--schema", "y"]):
        assert CliRunner().invoke(cli, ["control-totals", *arguments]).exit_code != 0
