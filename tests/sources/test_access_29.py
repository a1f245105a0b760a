"""Users and rights as MLflow kept them before roles: a real 2.9.2 server's databases, and its decisions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditreg.config import SourceSettings
from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from tests.ledger.conftest import ask, take
from tests.servers.releases import ORDINARY, interpreter
from tests.sources import firm_29
from tests.sources.reading import rows, run_sql


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of the databases that are kept with the tests."""
    for name in ("mlflow.db", "users.db"):
        packed = (firm_29.DATA / f"{name}.gz").read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(packed))
    return tmp_path


def judged(folder: Path, told: list[Any]) -> None:
    """The ledger says of every user and model what the server did."""
    source = open_source(
        SourceSettings(
            uri=str(folder / "mlflow.db"), auth_uri=str(folder / "users.db"), auth_default="READ"
        ),
        artifacts="none",
    )
    ledger = Ledger(folder / "audit.duckdb")
    with source.read() as reading:
        assert rows(reading, "permissions")[-1]["via"] == "default"
        take(ledger, reading)
    said = ask(
        ledger,
        "select account, model, permission <> 'NO_PERMISSIONS', can_write, may_be_more "
        "from effective_permissions",
    )
    assert sorted(said) == sorted((*pair, False) for pair in told)


def stored(kept):
    """The source of a store and the users beside it."""
    return open_source(
        SourceSettings(uri=str(kept / "mlflow.db"), auth_uri=str(kept / "users.db")),
        artifacts="none",
    )


def test_effective_rights_are_what_the_server_decided(kept):
    told = json.loads((firm_29.DATA / "decided.json").read_text(encoding="ascii"))
    assert len(told) == len(firm_29.MODELS) * (len(firm_29.RIGHTS) + 1)
    judged(kept, told)


def test_every_right_is_read_and_no_hash(kept):
    with stored(kept).read() as reading:
        found = rows(reading, "permissions")
        assert "blanked" not in repr(rows(reading, "principals") + found)
    given = {
        (row["principal"], row["resource_type"], row["resource"], row["permission"])
        for row in found
        if row["principal"] not in ("admin", "*")
    }
    expected = {
        (name, "registered_model", model, permission)
        for name, rights in firm_29.RIGHTS.items()
        for model, permission in rights.items()
    }
    assert given - expected == {("reader", "experiment", "1", "EDIT")}
    assert expected <= given


def test_rights_whose_name_is_missing_are_left_out_and_said(kept):
    run_sql(
        kept / "users.db",
        "create table unnamed as select id, null as name, user_id, permission "
        "from registered_model_permissions",
        "drop table registered_model_permissions",
        "alter table unnamed rename to registered_model_permissions",
    )
    with stored(kept).read() as reading:
        assert {row["resource_type"] for row in rows(reading, "permissions")} == {"experiment", "*"}
        assert any(
            "permissions were left out: resource is" in d for d in reading.completeness().doubts
        )


def test_older_rights_are_not_looked_at_beside_roles(kept):
    """MLflow leaves the older tables behind when it brings roles, and does not read them any more."""
    run_sql(
        kept / "users.db",
        "create table roles (id integer, name text, workspace text, description text)",
        "create table role_permissions "
        "(role_id integer, resource_type text, resource_pattern text, permission text)",
        "create table user_role_assignments (user_id integer, role_id integer)",
        "insert into roles values (1, 'stewards', 'default', null)",
        "insert into role_permissions values (1, 'registered_model', '*', 'EDIT')",
    )
    with stored(kept).read() as reading:
        found = rows(reading, "permissions")
    assert [(row["principal"], row["via"]) for row in found] == [
        ("stewards", "role"),
        ("*", "floor"),
    ]


@pytest.mark.releases
def test_a_server_of_that_release_decides_so_today(tmp_path):
    judged(tmp_path, firm_29.play(tmp_path, interpreter(ORDINARY)))
