"""What a rule may not do, and what a locked connection does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import RuleError
from auditreg.rules.validate import REFUSED_FUNCTIONS, check_sql, lock_connection, wrapped

# Not CONSISTENT by DuckDB's own list, and yet how a rule is given its parameters.
ALLOWED = {"getvariable"}


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "select 1;",
        "select 1 -- the end",
        "with a as (select 1 as x) select * from a order by x",
        "from population_live_version",
        "values (1)",
        "select getvariable('x'), as_of(), setting('timezone')",
        "select * from inventory_as_of(as_of()), unnest([1, 2]), range(3)",
        "select * from main.runs join ledger.log using (seq)",
        "select age(created_at, as_of()) from runs",
        'select subject as "now" from runs',
    ],
)
def test_allowed(sql: str) -> None:
    check_sql(sql, "x.sql")


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", "0 statements"),
        ("select 1; select 2", "2 statements"),
        ("delete from runs", "a DELETE statement"),
        ("copy runs to 'x'", "a COPY statement"),
        ("select 1) union (select 2", "not SQL"),
        ("pivot runs on status using count(*)", "a SELECT is wanted"),
        ("with d as (delete from runs returning *) select * from d", "DELETE changes data"),
        ("with d as (insert into runs select * from runs returning *) from d", "INSERT changes"),
        ("describe runs", "DESCRIBE, SHOW"),
        ("select * from (show tables)", "DESCRIBE, SHOW"),
        ("select now()", "now() depends on the moment"),
        ("select NOW()", "now() depends on the moment"),
        ("select main.now()", "now() depends on the moment"),
        ("select current_date", "current_date depends"),
        ("select age(created_at) from runs", "age() with one argument"),
        ("select * from runs order by random()", "random() gives another answer"),
        ("select sum(x) over (order by uuid()) from t", "uuid() gives another answer"),
        ("select * from runs using sample 3", "a sample gives"),
        ("select * from runs tablesample 5%", "a sample gives"),
        ("select getenv('HOME')", "getenv() depends on the session"),
        ("select sleep_ms(1000)", "sleep_ms() does something"),
        ("select nextval('s')", "nextval() does something"),
        ("select * from read_csv('/etc/passwd')", "read_csv()"),
        ("select * from glob('/*')", "glob()"),
        ("select * from query('select 1')", "query()"),
        ("select * from duckdb_settings()", "duckdb_settings()"),
        ("select * from '/etc/passwd'", "'/etc/passwd' is not a table"),
        ('select * from "x.parquet"', "'x.parquet' is not a table"),
        ("select * from information_schema.tables", "not a table of the ledger"),
        ("select * from other.main.runs", "not a table of the ledger"),
        ("select * from duckdb_tables", "the engine's own"),
        (f"select {'+'.join('1' * 900)}", "it nests too deeply"),
        (f"{'select * from (' * 400}select 1{')' * 400}", "it nests too deeply"),
        ("select $1", "a parameter has no value"),
        ("select x, (select max(y) from (select txid_current() as y)) from t", "txid_current()"),
    ],
)
def test_refused(sql: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_sql(sql, "x.sql")
    assert reason in caught.value.what


def test_the_place_is_that_in_the_file() -> None:
    with pytest.raises(RuleError, match=r"x\.sql, line 6, column 10: refused: today"):
        check_sql("select 'é',\n  'ü' || today()", "x.sql", lines_before=4)


def test_every_function_the_engine_calls_inconstant_is_refused() -> None:
    with duckdb.connect() as connection:
        names = connection.execute(
            "select distinct function_name from duckdb_functions() "
            "where function_type in ('scalar', 'aggregate') and stability <> 'CONSISTENT'"
        ).fetchall()
    assert {name for (name,) in names} - ALLOWED <= set(REFUSED_FUNCTIONS)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect() as connection:
        connection.execute("create table runs as select 1 as n")
        lock_connection(connection, memory="1GB", threads=1)
        yield connection


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{0}/secret.csv')",
        "select * from '{0}/secret.csv'",
        "select * from glob('{0}/*')",
        "copy runs to '{0}/out.csv'",
        "attach '{0}/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set memory_limit = '64GB'",
        "select * from frame",
    ],
)
def test_a_locked_connection_reaches_nothing(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    frame = {"a": [1]}  # what a replacement scan would find by its name
    with pytest.raises(duckdb.Error):
        locked.execute(sql.format(tmp_path)).fetchall()
    assert frame
    assert not (tmp_path / "out.csv").exists()


def test_a_locked_connection_still_judges(locked: duckdb.DuckDBPyConnection) -> None:
    locked.execute("set variable x = 'a'")
    locked.execute("create temp table t as select getvariable('x') as v, n from runs")
    assert locked.execute("from t").fetchall() == [("a", 1)]


def test_a_hidden_delete_is_refused_by_the_engine_too() -> None:
    hidden = "with d as (delete from runs returning *) select * from d"
    with duckdb.connect() as connection:
        connection.execute("create table runs as select 1 as n")
        with pytest.raises(duckdb.Error):
            connection.execute(wrapped(hidden))
        assert connection.execute("from runs").fetchall() == [(1,)]
