"""PostgreSQL and MariaDB: addresses, one snapshot, exact text, and each failure one clear error."""

from __future__ import annotations

import base64
import importlib
import math
import re
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from auditreg.config.settings import SourceSettings
from auditreg.errors import ExitCode, SourceError
from auditreg.sources import open_source
from auditreg.sources.database import schema_versions
from auditreg.sources.database.url import Address
from auditreg.sources.interface import BYTES_MARK, STAGING
from tests.servers.empty import EMPTY
from tests.servers.process import free_port
from tests.sources.databases import connected, new_store
from tests.sources.reading import everything, rows

SERVERS = ("pg_server", "my_server")
PASSWORD = "p%a:s/s@w#o?rd"

MODEL = "insert into registered_models (workspace, name) values ('default', '{}')"
VERSION = (
    "insert into model_versions (workspace, name, version, current_stage, source, run_id) "
    "values ('default', 'm', {}, 'None', {}, {})"
)
RUN = (
    "insert into runs (run_uuid, name, experiment_id, status, source_type, lifecycle_stage, "
    "start_time, end_time) values ('{}', 'n', 1, 'FINISHED', 'LOCAL', 'active', {}, {})"
)


@pytest.fixture(params=SERVERS)
def server(request):
    """Each database server."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def uri(server):
    """A new empty store on it."""
    return new_store(server)


def run(uri: str, *statements: str) -> None:
    with connected(uri) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def refused(uri: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        everything(open_source(uri, artifacts="none"))
    error = caught.value
    assert error.state
    assert error.hint
    assert error.exit_code == ExitCode.ERROR
    assert error.__cause__ is None or isinstance(error.__cause__, ImportError)
    assert "s/s@w" not in str(error)
    assert quote(PASSWORD, safe="") not in str(error)
    return error


# -- addresses --------------------------------------------------------------------------------------


def test_schemes_parameters_and_sockets_are_taken_as_mlflow_takes_them(pg_server, my_server):
    plain = pg_server.uri("DB", scheme="X").removeprefix("X://").replace("/DB", f"/{EMPTY}")
    socket = quote(str(pg_server.folder), safe="")
    for uri in (
        f"postgresql://{plain}",
        f"postgres://{plain}?application_name=me&sslmode=prefer",
        f"postgresql+psycopg2://{plain}?schema=public",
        f"POSTGRESQL+psycopg://{plain}?options=-csearch_path%3Dpublic",
        f"postgresql://postgres@/{EMPTY}?host={socket}&port={pg_server.port}",
    ):
        tables, completeness = everything(open_source(uri, artifacts="none"))
        assert completeness.complete
        assert set(tables) == set(STAGING)
    address = f"mlflow:mlflow@127.0.0.1:{my_server.port}/{EMPTY}"
    socket = quote(str(my_server.folder / "socket"), safe="")
    for uri in (
        f"mysql+pymysql://{address}?charset=latin1",
        f"mysql://{address}",
        f"mariadb+pymysql://{address}",
        f"mysql+pymysql://mlflow:mlflow@localhost/{EMPTY}?unix_socket={socket}",
    ):
        assert everything(open_source(uri, artifacts="none"))[1].complete


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("postgresql+psycopg2://ann:s3cret@db:5433/mlflow?sslmode=require", "postgresql://db:5433/mlflow"),
        ("postgresql://db/m?password=s3cret&user=ann&schema=a", "postgresql://db/m?schema=a"),
        ("postgres://ann:s3cr%65t@/m?host=/run/pg", "postgresql:///m?host=%2Frun%2Fpg"),
        ("postgresql://ann:s3/cret@[::1]:1/m", "postgresql://[::1]:1/m"),
        ("postgresql://u:s3cret@a:1,b:2/m", "postgresql://a:1,b:2/m"),
    ],
)  # fmt: skip
def test_a_location_says_where_and_holds_no_user_and_no_password(uri, location):
    address = Address.parse(uri)
    assert address.location("postgresql") == location
    secret = address.password or "s3cret"
    said = address.without_secrets(f"cannot open {uri}: {secret}, ann")
    assert secret not in said
    assert "ann" in said


def test_a_password_goes_through_whatever_is_in_it_and_comes_out_nowhere(pg_server, my_server):
    address = Address.parse(f"postgresql://ann:{quote(PASSWORD, safe='')}@db/m")
    assert address.password == PASSWORD
    assert Address.parse(address.uri("postgresql")).password == PASSWORD
    refused(f"postgresql://ann:{PASSWORD}@db/m")
    name = f"'ann'@'%' identified by '{PASSWORD}'"
    my_server.execute(f"create or replace user {name}; grant select on {EMPTY}.* to 'ann'@'%';")
    login = f"mysql://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{my_server.port}/{EMPTY}"
    with open_source(login, artifacts="none").read() as reading:
        assert PASSWORD not in repr(reading.info)
        assert "ann" not in reading.info.location
        assert reading.completeness().complete


# -- one snapshot -----------------------------------------------------------------------------------


def test_what_commits_while_it_is_read_is_not_in_it(uri):
    run(uri, MODEL.format("before"), VERSION.format(1, "null", "null"))
    with open_source(uri, artifacts="none").read() as reading:
        assert reading.info.clock_offset_ms is not None
        run(uri, MODEL.format("after"), "delete from model_versions")
        assert [row["model"] for row in rows(reading, "registered_models")] == ["before"]
        run(uri, VERSION.format(2, "null", "null"))
        assert [row["version"] for row in rows(reading, "model_versions")] == [1]
        assert reading.completeness().complete
    with open_source(uri, artifacts="none").read() as reading:
        assert len(rows(reading, "registered_models")) == 2


def test_a_reading_can_write_nothing(uri):
    with open_source(uri, artifacts="none").read() as reading:
        for statement in ("create temporary table t (a int)", MODEL.format("x")):
            with pytest.raises(SourceError):
                reading._dialect._execute(statement)
            if uri.startswith("postgresql"):
                break  # the transaction is over
    assert everything(open_source(uri, artifacts="none"))[0]["registered_models"] == []


def test_a_table_without_snapshots_is_a_doubt(my_server):
    uri = new_store(my_server)
    run(uri, "alter table alembic_version engine = MyISAM")
    (doubt,) = everything(open_source(uri, artifacts="none"))[1].doubts
    assert "alembic_version (MyISAM)" in doubt


# -- values -----------------------------------------------------------------------------------------


def test_odd_numbers_and_megabytes_come_back_as_they_are(uri):
    long = "ü" * 1_500_000
    run(
        uri,
        MODEL.format("m"),
        VERSION.format(1, "'runs:/r1/x'", "null"),
        RUN.format("r1", 0, 1_831_000_000_000_000),
        "insert into tags values ('k', 'v', 'r1')",
        "insert into latest_metrics (key_, value, timestamp, step, is_nan, run_uuid) values "
        "('big', 1.7976931348623157e308, -5, 3, false, 'r1')".replace(
            "key_", "key" if uri.startswith("p") else "`key`"
        ),
        f"insert into registered_model_tags values ('long', '{long[:1000]}', 'm', 'default')",
    )
    if uri.startswith("postgresql"):
        run(
            uri,
            "insert into latest_metrics values ('nan', 'nan', 1, 1, false, 'r1')",
            "insert into latest_metrics values ('inf', '-infinity', 1, 1, false, 'r1')",
            "alter table registered_model_tags alter column value type text",
        )
    else:
        run(uri, "alter table registered_model_tags modify value longtext")
    run(uri, f"update registered_model_tags set value = '{long}'")
    tables, completeness = everything(open_source(uri, artifacts="none"))
    assert completeness.complete
    (found,) = tables["runs"]
    assert (found["start_time"], found["end_time"]) == (0, 1_831_000_000_000_000)
    metrics = {row["key"]: row for row in tables["run_metrics"]}
    assert metrics["big"]["value"] == math.inf
    assert metrics["big"]["timestamp"] == -5
    if uri.startswith("postgresql"):
        assert math.isnan(metrics["nan"]["value"])
        assert metrics["inf"]["value"] == -math.inf
    assert tables["registered_model_tags"][0]["value"] == long


def test_null_where_mlflow_writes_none_is_a_doubt_or_a_missing_value(uri):
    postgres = uri.startswith("postgresql")
    key = "alter column key drop not null" if postgres else "modify `key` varchar(250) null"
    drop = "drop constraint registered_model_tag_pk" if postgres else "drop primary key"
    run(
        uri,
        MODEL.format("m"),
        f"alter table registered_model_tags {drop}",
        f"alter table registered_model_tags {key}",
        "insert into registered_model_tags values (null, 'lost', 'm', 'default')",
        "insert into registered_model_tags values ('k', null, 'm', 'default')",
        VERSION.format(1, "null", "null"),
        "update model_versions set current_stage = null",
    )
    tables, completeness = everything(open_source(uri, artifacts="none"))
    assert [(r["key"], r["value"]) for r in tables["registered_model_tags"]] == [("k", None)]
    assert tables["model_versions"][0]["stage"] is None
    assert completeness.doubts == (
        "1 row(s) of registered_model_tags were left out: key is missing or not of type string",
    )
    assert completeness.counts["registered_model_tags"] == (2, 2)


def test_names_that_differ_by_case_or_a_blank_stay_two(uri):
    if not uri.startswith("postgresql"):
        for table, column in (("registered_models", "name"), ("model_versions", "run_id")):
            run(uri, f"alter table {table} modify {column} varchar(250) collate utf8mb4_nopad_bin")
    run(
        uri,
        *[MODEL.format(name) for name in ("m", "M", "m ")],
        VERSION.format(1, "null", "'ABC'"),
        VERSION.format(2, "'runs:/abd/model'", "null"),
        VERSION.format(4, "'RUNS:/abe/model'", "'abd '"),
        *[RUN.format(name, 1, 2) for name in ("abc", "abd", "abe")],
    )
    tables, completeness = everything(open_source(uri, artifacts="none"))
    assert {row["model"] for row in tables["registered_models"]} == {"m", "M", "m "}
    assert [row["run_id"] for row in tables["runs"]] == ["abd"]
    assert completeness.gaps == 1
    assert completeness.complete


def test_text_that_is_not_unicode_is_marked_and_loses_nothing(pg_server):
    pg_server.execute(
        "drop database if exists raw; drop database if exists latin;"
        "create database raw encoding 'SQL_ASCII' template template0;"
        "create database latin encoding 'LATIN1' locale 'C' template template0;"
    )
    for name, stored, expected in (
        ("raw", "E'caf\\xe9'", BYTES_MARK + base64.b64encode(b"caf\xe9").decode()),
        ("latin", "chr(233) || 'x'", "éx"),
    ):
        tables = pg_server.execute(_SCHEMA_OF, EMPTY)
        pg_server.execute(tables, name)
        pg_server.execute(f"insert into registered_models (name) values ({stored})", name)
        found, completeness = everything(open_source(pg_server.uri(name), artifacts="none"))
        assert [row["model"] for row in found["registered_models"]] == [expected]
        assert completeness.complete


_SCHEMA_OF = """
select string_agg(format('create table %I (%s);', relname, columns), '') from (
    select c.relname, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
           order by a.attnum) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and c.relname in ('registered_models', 'model_versions') group by c.relname) t
"""


def test_a_latin1_column_and_a_blob_are_read_as_text(my_server):
    uri = new_store(my_server)
    run(
        uri,
        "alter table registered_models modify description varchar(500) character set latin1",
        "alter table registered_models modify name varbinary(250)",
        MODEL.format("m"),
        "update registered_models set description = _latin1 x'636166e9'",
        "update registered_models set name = x'ff41'",
    )
    (found,) = everything(open_source(uri, artifacts="none"))[0]["registered_models"]
    assert found["description"] == "café"
    assert found["model"] == BYTES_MARK + base64.b64encode(b"\xffA").decode()


# -- failures ---------------------------------------------------------------------------------------


def test_login_host_database_and_tls_each_fail_clearly(pg_server, my_server):
    login = f"ann:{quote(PASSWORD, safe='')}"
    cases = [
        (f"postgresql://{login}@127.0.0.1:{free_port()}/m", "Connection refused"),
        (f"postgresql://{login}@nowhere.invalid/m", "nowhere.invalid"),
        (f"postgresql://{login}@127.0.0.1:{pg_server.port}/nix", "ann"),
        (f"postgresql://postgres@127.0.0.1:{pg_server.port}/nix", '"nix" does not exist'),
        (f"postgresql://postgres@127.0.0.1:{pg_server.port}/{EMPTY}?sslmode=require", "SSL"),
        (f"postgresql://postgres@127.0.0.1:{pg_server.port}/{EMPTY}?foo=1", "foo"),
        (f"mysql://{login}@127.0.0.1:{free_port()}/m", "refused"),
        (f"mysql://{login}@nowhere.invalid/m", "nowhere.invalid"),
        (f"mysql://mlflow:{quote(PASSWORD, safe='')}@127.0.0.1:{my_server.port}/{EMPTY}", "denied"),
        (f"mysql://mlflow:mlflow@127.0.0.1:{my_server.port}/nix", "nix"),
        (f"mysql://mlflow:mlflow@127.0.0.1:{my_server.port}/", "names no database"),
        (f"mysql://mlflow:mlflow@127.0.0.1:{my_server.port}/{EMPTY}?ssl_ca=/no/file", "file"),
        (f"mysql+nix://mlflow:mlflow@127.0.0.1:{my_server.port}/{EMPTY}", "nix"),
    ]
    for uri, says in cases:
        assert says in refused(uri).what, uri


def test_a_wrong_password_of_postgresql_is_one_clear_error(pg_server):
    hba = Path(pg_server.execute("show hba_file").strip())
    before = hba.read_text()
    pg_server.execute("drop role if exists locked; create role locked login password 'right'")
    hba.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + before)
    try:
        pg_server.execute("select pg_reload_conf()")
        uri = f"postgresql://locked:{quote(PASSWORD, safe='')}@127.0.0.1:{pg_server.port}/{EMPTY}"
        error = refused(uri)
        assert "password authentication failed" in error.what
        assert "password" in error.hint
    finally:
        hba.write_text(before)
        pg_server.execute("select pg_reload_conf()")


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [
        ("postgresql", "adbc_driver_postgresql.dbapi", "postgresql"),
        ("mysql", "sqlalchemy", "mysql"),
        ("mysql", "pymysql", "mysql"),
    ],
)
def test_a_missing_driver_says_what_to_install(monkeypatch, scheme, module, extra):
    importlib.import_module(module)
    monkeypatch.setitem(sys.modules, module, None)
    assert f"pip install 'auditreg[{extra}]'" in refused(f"{scheme}://ann@127.0.0.1/m").hint


def test_another_applications_database_and_a_hidden_schema(pg_server, my_server):
    assert "without MLflow's table" in refused(pg_server.database("other")).what
    assert "without MLflow's table" in refused(my_server.database("other")).what
    uri = new_store(pg_server)
    run(uri, "create schema hidden", "alter table registered_models set schema hidden")
    assert "?schema=hidden" in refused(uri).hint
    run(uri, *[f"alter table {t} set schema hidden" for t in ("model_versions", "runs")])
    tables, completeness = everything(open_source(f"{uri}?schema=hidden", artifacts="none"))
    assert completeness.complete
    assert tables["registered_models"] == []
    run(uri, "drop role if exists outsider", "create role outsider login")
    error = refused(uri.replace("postgres@", "outsider@"))
    assert 'GRANT USAGE ON SCHEMA "hidden" TO "outsider"' in error.hint


def test_of_two_schemas_with_mlflows_tables_the_one_read_is_named(pg_server):
    """An abandoned pilot in `public`, and the registry in `tracking`."""
    uri = new_store(pg_server)
    run(
        uri,
        MODEL.format("pilot"),
        "create schema tracking",
        *[
            f"create table tracking.{table} as table public.{table}"
            for table in ("registered_models", "model_versions", "runs", "experiments")
        ],
        "update tracking.registered_models set name = 'motor'",
    )
    for address, model, schema, other in (
        (uri, "pilot", "public", "tracking"),
        (f"{uri}?schema=tracking", "motor", "tracking", "public"),
    ):
        with open_source(address, artifacts="none").read() as reading:
            assert [row["model"] for row in rows(reading, "registered_models")] == [model]
            lines = [line for line in reading.info.cannot_show if "in the schema" in line]
            assert reading.completeness().complete
        (line,) = lines
        assert f"in the schema {other} hold: those in the schema {schema} were read" in line
        assert f"?schema={other}`" in line
    settings = SourceSettings(uri=uri, tracking_uri=f"{uri}?schema=tracking")
    with open_source(settings, artifacts="none").read() as reading:
        assert not [line for line in reading.info.cannot_show if "in the schema" in line]


def test_a_missing_table_is_said_and_not_a_kind(uri):
    run(uri, MODEL.format("m"), "drop table registered_model_aliases")
    with open_source(uri, artifacts="none").read() as reading:
        assert "alias" not in reading.kinds()
        assert any(line.startswith("aliases: this MLflow") for line in reading.info.cannot_show)
        assert rows(reading, "aliases") == []
        assert len(rows(reading, "registered_models")) == 1
        assert reading.completeness().complete


def test_a_schema_newer_than_any_known_is_read_and_said(uri):
    run(uri, MODEL.format("m"), "update alembic_version set version_num = 'feedfacecafe'")
    with open_source(uri, artifacts="none").read() as reading:
        assert reading.info.schema_version == "feedfacecafe"
        assert any("newer" in line for line in reading.info.cannot_show)
        assert len(rows(reading, "registered_models")) == 1


def test_the_list_of_schema_versions_is_mlflows(empty_store):
    from mlflow.store import db_migrations

    known = {}
    for file in Path(db_migrations.__file__).parent.glob("versions/*.py"):
        found = re.search(r'^revision\W[^"]*"(\w+)"', file.read_text(), re.MULTILINE)
        before = re.search(r'^down_revision[^\n]*"(\w+)"', file.read_text(), re.MULTILINE)
        if found:
            known[before[1] if before else None] = found[1]
    chain, last = [], None
    while last in known:
        last = known[last]
        chain.append(last)
    assert tuple(chain) == schema_versions.HEADS
    assert set(schema_versions.ADDED.values()) <= set(schema_versions.HEADS)


def _many(uri: str) -> None:
    number = "generate_series(1, 150000)" if uri.startswith("postgresql") else "seq_1_to_150000"
    column = "g" if uri.startswith("postgresql") else "seq"
    alias = " g" if uri.startswith("postgresql") else ""
    text = f"repeat('x', 200) || {column}" if alias else f"concat(repeat('x', 200), {column})"
    run(
        uri,
        MODEL.format("m"),
        "insert into registered_model_tags select "
        f"{'cast(' + column + ' as text)' if alias else column}, {text}, 'm', 'default' "
        f"from {number}{alias}",
    )


def test_a_connection_cut_half_way_is_one_clear_error(server, uri):
    _many(uri)
    with open_source(uri, artifacts="none").read() as reading:
        batches = reading.table("registered_model_tags")
        assert next(batches).num_rows
        if uri.startswith("postgresql"):
            server.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'auditreg'"
            )
        else:
            ids = "select id from information_schema.processlist where user = 'mlflow'"
            server.execute("".join(f"kill {one};" for one in server.execute(ids).split()))
        with pytest.raises(SourceError) as caught:
            list(batches)
    assert "run it again" in caught.value.hint
    assert caught.value.exit_code == ExitCode.ERROR


def test_a_statement_timeout_says_how_to_lift_it(pg_server):
    uri = new_store(pg_server)
    _many(uri)
    error = refused(f"{uri}?options=-cstatement_timeout%3D1")
    assert "statement_timeout" in error.hint


def test_a_hot_standbys_refusal_is_explained():
    from auditreg.sources.database.errors import postgresql

    class Conflict(Exception):
        sqlstate = "40001"

    said = Conflict("ERROR:  canceling statement due to conflict with recovery")
    error = postgresql(Address.parse("postgresql://db/m"), "postgresql://db/m", said)
    assert "hot_standby_feedback" in error.hint


def test_rows_hidden_by_a_policy_are_an_error_and_never_fewer_rows(pg_server):
    uri, role = new_store(pg_server), f"filtered_{free_port()}"
    run(
        uri,
        MODEL.format("m"),
        MODEL.format("secret"),
        f"create role {role} login",
        f"grant select on all tables in schema public to {role}",
        "alter table registered_models enable row level security",
        "create policy p on registered_models using (name <> 'secret')",
    )
    assert "BYPASSRLS" in refused(uri.replace("postgres@", f"{role}@")).hint


def test_two_readings_at_once_do_not_disturb_each_other(uri):
    run(uri, *[MODEL.format(f"m{n}") for n in range(50)])
    found: list[int] = []

    def read() -> None:
        found.append(len(everything(open_source(uri, artifacts="none"))[0]["registered_models"]))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [50, 50, 50]
