"""What else is registered in the same database is named, and is not read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from auditreg.sources import open_source
from auditreg.sources.database.other_registries import REGISTRIES
from auditreg.sources.database.schema_versions import ADDED
from auditreg.sources.database.sqlite import SQLite
from tests.sources.databases import connected, new_store
from tests.sources.reading import run_sql

SERVER = "insert into mcp_servers (workspace, name, created_at, last_updated_at) values ('{}', '{}', 1, 1)"
QUEUE = (
    "insert into review_queues (queue_id, experiment_id, name, name_key, queue_type, creation_time_ms,"
    " last_update_time_ms) values ('rq-1', 0, 'claims', 'claims', 'CUSTOM', 1, 1)"
)


def named(uri: str) -> list[str]:
    with open_source(uri, artifacts="none").read() as reading:
        return [line for line in reading.info.cannot_show if "other registries" in line]


def test_those_that_hold_something_are_named_in_one_line(empty_store, tmp_path):
    path = Path(shutil.copy(empty_store, tmp_path))
    assert named(str(path)) == []
    run_sql(path, SERVER.format("default", "a"), SERVER.format("claims", "b"), QUEUE)
    assert named(str(path)) == [
        "other registries in this database: MCP servers (2), review queues (1)"
    ]


def test_a_table_of_that_name_of_another_program_is_none(empty_store, tmp_path):
    path = Path(shutil.copy(empty_store, tmp_path))
    run_sql(path, "drop table endpoints", "create table endpoints (path text)",
            "insert into endpoints values ('/x')")  # fmt: skip
    assert named(str(path)) == []


@pytest.mark.parametrize("table", REGISTRIES)
def test_they_are_mlflows_tables_since_the_version_that_is_known(empty_store, table):
    database = SQLite(str(empty_store))
    assert REGISTRIES[table][1] in database.columns(table)
    database.close()
    from mlflow.store import db_migrations

    (file,) = Path(db_migrations.__file__).parent.glob(f"versions/{ADDED[table]}_*.py")
    source = file.read_text()
    assert re.search(rf'create_table\(\s*(?:"{table}"|\w+\.__tablename__)', source)


@pytest.mark.integration
def test_those_this_user_may_not_look_into_are_named_too(pg_server):
    uri = new_store(pg_server)
    with connected(uri) as connection:
        connection.exec_driver_sql("drop role if exists looker")
        connection.exec_driver_sql("create role looker login")
        for table in ("registered_models", "model_versions", "alembic_version", "webhooks"):
            connection.exec_driver_sql(f"grant select on {table} to looker")
    assert named(uri) == []
    (line,) = named(uri.replace("postgres@", "looker@"))
    assert "may not look into (MCP servers, AI Gateway endpoints, " in line
    assert "webhooks" not in line
