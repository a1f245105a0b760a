"""Control totals: the databases' own clients count what was sealed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.sources import open_database
from auditreg.sources.database.control_totals import parse, script
from auditreg.sources.database.grants import present_columns
from tests.sources.databases import DATABASES, SERVERS, Made, connected, copied, new_store


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


def counted(name: str, registries, request, sql: str) -> str:
    """What a database's own client prints."""
    if name == "sqlite":
        with closing(sqlite3.connect(registries[name].removeprefix("sqlite:///"))) as database:
            return "\n".join(f"{what}|{number}" for what, number in database.execute(sql))
    server = request.getfixturevalue(SERVERS[name])
    return server.execute(sql, registries[name].rsplit("/", 1)[1])


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


@pytest.mark.parametrize("name", DATABASES)
def test_what_the_databases_client_counts_equals_what_was_sealed(
    name, ledgers, registries, request, tmp_path
):
    dialect = {"mariadb": "mysql"}.get(name, name)
    runner = CliRunner()
    for arguments in (["--dialect", dialect], ["--from", registries[name]]):
        sql = runner.invoke(cli, ["control-totals", *arguments])
        assert sql.exit_code == 0
        text = counted(name, registries, request, sql.output)
        numbers = parse(text)
        assert numbers["counts.run_params"] > 0
        assert numbers["also.runs"] == numbers["counts.runs"] + numbers["left_out.unlinked_runs"]
        assert (numbers["tombstones"], numbers["also.prompts"]) == (1, 1)
        file = tmp_path / "totals.txt"
        file.write_text(text)
        compare = ["control-totals", "--compare", str(file), "--ledger"]
        compare.append(ledgers[name])
        done = runner.invoke(cli, compare)
        assert done.exit_code == 0, done.output
        assert done.output.count("equal") >= 19


def test_a_difference_is_4_a_missing_number_2_and_rubbish_2(ledgers, registries, request):
    text = counted("sqlite", registries, request, script("sqlite"))
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
    every = counted("sqlite", registries, request, script("sqlite", runs="all"))
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
        columns = present_columns(database)
    finally:
        database.close()
    sql = script("postgresql", schema="ours", columns=columns)
    numbers = parse(pg_server.execute(sql, uri.rsplit("/", 1)[1]))
    assert "counts.aliases" not in numbers
    assert numbers["counts.model_versions"] == 0


def test_whose_sql_is_wanted_has_to_be_said():
    for arguments in ([], ["--from", "http://localhost:1"], ["--compare", "x", "--schema", "y"]):
        assert CliRunner().invoke(cli, ["control-totals", *arguments]).exit_code != 0
