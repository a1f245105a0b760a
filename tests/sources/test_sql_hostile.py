"""Hostile values through every source up to the ledger's state: nothing changed on the way."""

from __future__ import annotations

import base64
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditreg.ledger.secrets import KEY_PATTERN
from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from tests.servers.mlflow_server import MlflowServer
from tests.sources.databases import DATABASES, SERVERS, Made, connected, new_store

LIMIT = 1.7976931348623157e308
"""What MLflow's store keeps for an infinite metric."""

LAST_MOMENT = 253_402_300_799_999
"""The end of the year 9999."""

TABLES = (
    "registered_models", "registered_model_tags", "model_versions", "model_version_tags",
    "registered_model_aliases", "runs", "params", "latest_metrics",
)  # fmt: skip

_odd = list("'\"\\\n\r\t;%_`$:/{}[]<&\u202e\u200b\u2028\ufeff\U0001f697e\u0301\U0010ffff")
text = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
              st.sampled_from(_odd)),
    min_size=1, max_size=30,
).filter(lambda value: not re.search(KEY_PATTERN, f"0 {value}"))  # fmt: skip
"""Texts that name no credential: those are replaced, which other tests are about."""
with_nul = st.builds("{}\x00{}".format, text, text) | st.builds("\x00${}".format, text)
number = st.floats(width=64, min_value=-1e300, max_value=1e300) | st.sampled_from(
    [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2]
)
moment = st.sampled_from(
    [0, 1, -1, 999, 1_700_000_000_000, 253_402_300_800_000, 1_831_000_000_000_000]
)


@pytest.fixture(scope="module")
def databases(empty_store, request, tmp_path_factory):
    """An empty store in each database."""

    def make(name):
        if name in SERVERS:
            return new_store(request.getfixturevalue(SERVERS[name]))
        path = shutil.copy(empty_store, tmp_path_factory.mktemp("hostile") / "mlflow.db")
        return f"sqlite:///{path}"

    return Made(make)


@pytest.fixture(scope="module")
def served(databases, tmp_path_factory):
    """The databases, and a server over the one in SQLite."""
    folder = tmp_path_factory.mktemp("server")
    off = {"AUDITREG_CAPTURE": "off"}
    with MlflowServer(folder, databases["sqlite"], settings=off) as server:
        databases["rest"] = server.uri
        yield databases


def put(uri: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Replace everything a store holds; bytes stand in SQLite as text that is no Unicode."""
    with connected(uri) as connection:
        for name in TABLES:
            connection.exec_driver_sql(f"delete from {name}")
            rows = tables.get(name)
            if not rows:
                continue
            table = sqlalchemy.table(name, *[sqlalchemy.column(column) for column in rows[0]])
            for row in rows:
                values = {
                    key: sqlalchemy.cast(value, sqlalchemy.Text)
                    if isinstance(value, bytes)
                    else value
                    for key, value in row.items()
                }
                connection.execute(table.insert().values(**values))


def rows_of(
    texts: list[Any], numbers: list[float], moments: list[int]
) -> dict[str, list[dict[str, Any]]]:
    """A registry that holds each value wherever such a value may stand."""
    run = {
        "run_uuid": "a" * 32, "name": "n", "experiment_id": 0, "status": "FINISHED",
        "source_type": "LOCAL", "lifecycle_stage": "active", "artifact_uri": "/nowhere",
        "start_time": moments[0], "end_time": moments[-1], "user_id": "u", "source_name": "",
        "entry_point_name": "", "source_version": "",
    }  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    found["runs"] = [run]
    for n, value in enumerate(texts):
        # In front of what is to be kept apart by names stands a number: some collations would
        # take two of them for one.
        name = value if isinstance(value, bytes) else f"{n} {value[:100]}"
        owner = {"workspace": "default", "name": f"model {n}"}
        version = {**owner, "version": 1}
        found["registered_models"].append(
            {**owner, "description": value, "creation_time": 5, "last_updated_time": moments[0]}
        )
        found["registered_model_tags"].append({**owner, "key": name, "value": value})
        found["model_versions"].append(
            {**version, "description": value, "current_stage": "None", "run_id": run["run_uuid"],
             "creation_time": 5, "last_updated_time": 6, "status": "READY", "source": "/nowhere"}
        )  # fmt: skip
        found["model_version_tags"].append({**version, "key": name, "value": value})
        found["registered_model_aliases"].append({**version, "alias": name})
        found["params"].append({"run_uuid": run["run_uuid"], "key": name, "value": value})
    for n, value in enumerate(numbers):
        stored = 0.0 if math.isnan(value) else max(-LIMIT, min(LIMIT, value))
        found["latest_metrics"].append(
            {"run_uuid": run["run_uuid"], "key": f"m{n}", "value": stored, "step": n,
             "timestamp": moments[n % len(moments)], "is_nan": math.isnan(value)}
        )  # fmt: skip
    return found


def kept(value: Any) -> str:
    """A stored text as the state tables hold it."""
    raw = value if isinstance(value, bytes) else value.encode()
    if isinstance(value, bytes) or value.startswith("\x00$"):
        return f'{{"$bytes":"{base64.b64encode(raw).decode()}"}}'
    return str(value)


EXPECTED = {
    "registered_models": ("registered_models", ("name", "description")),
    "registered_model_tags": ("registered_model_tags", ("name", "key", "value")),
    "model_versions": ("model_versions", ("name", "description")),
    "model_version_tags": ("model_version_tags", ("name", "key", "value")),
    "aliases": ("registered_model_aliases", ("name", "alias")),
    "run_params": ("params", ("key", "value")),
}


def check(uri: str, tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    ledger = Ledger(path)
    with open_source(uri, artifacts="none").read() as reading:
        done = ledger.ingest(reading, registry="default", policies=())
    assert done.complete, done.completeness.doubts
    assert done.secrets == 0
    with ledger.reader() as con:
        for state, (table, columns) in EXPECTED.items():
            names = ", ".join("model" if column == "name" else column for column in columns)
            expected = {tuple(kept(row[column]) for column in columns) for row in tables[table]}
            assert set(con.execute(f"select {names} from {state}").fetchall()) == expected, state
        metrics = {
            key: (value, ms)
            for key, value, ms in con.execute(
                "select key, value, epoch_ms(recorded_at) from run_metrics"
            ).fetchall()
        }
    assert len(metrics) == len(tables["latest_metrics"])
    for row in tables["latest_metrics"]:
        value, ms = metrics[row["key"]]
        # A moment no calendar has is no moment of the state; the entry keeps the number.
        assert ms == (row["timestamp"] if row["timestamp"] <= LAST_MOMENT else None)
        stored = row["value"]
        if row["is_nan"]:
            assert math.isnan(value)
        elif abs(stored) == LIMIT:
            assert value == math.copysign(math.inf, stored)
        else:
            assert value == stored  # the sign of zero is not kept by every database


def limited(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip


def values(texts: int) -> Any:
    """So many texts at a time, and numbers and moments in proportion."""
    return given(
        st.lists(text, min_size=texts // 10, max_size=texts),
        st.lists(with_nul, min_size=1, max_size=texts // 6),
        st.lists(number, min_size=texts // 20, max_size=texts // 2),
        st.lists(moment, min_size=1, max_size=4),
    )


hostile = values(24)
many_hostile = values(160)  # a registry with many of them costs hardly more than with a few


def through(source: str, databases, tmp_path_factory, values: tuple[list[Any], ...]) -> None:
    texts, nuls, numbers, moments = values
    # PostgreSQL refuses NUL in a text. MLflow's own limits leave room for a long one.
    common = [*texts, "long " + "\U0001f697" * 900]
    tables = rows_of(common if source == "postgresql" else [*common, *nuls], numbers, moments)
    put(databases["sqlite" if source == "rest" else source], tables)
    check(databases[source], tables, tmp_path_factory.mktemp("ledger") / "audit.duckdb")


@pytest.mark.parametrize("source", DATABASES)
@limited(3)
@hostile
def test_hostile_values_reach_the_state_unchanged(
    databases, tmp_path_factory, source, texts, nuls, numbers, moments
):
    through(source, databases, tmp_path_factory, (texts, nuls, numbers, moments))


@limited(3)
@hostile
def test_hostile_values_reach_the_state_through_a_server(
    served, tmp_path_factory, texts, nuls, numbers, moments
):
    through("rest", served, tmp_path_factory, (texts, nuls, numbers, moments))


@pytest.mark.slow
@limited(20)
@many_hostile
def test_many_hostile_values_reach_the_state_through_a_server(
    served, tmp_path_factory, texts, nuls, numbers, moments
):
    through("rest", served, tmp_path_factory, (texts, nuls, numbers, moments))


@pytest.mark.slow
@pytest.mark.parametrize("source", DATABASES)
@limited(20)
@many_hostile
def test_many_hostile_values_reach_the_state_unchanged(
    databases, tmp_path_factory, source, texts, nuls, numbers, moments
):
    through(source, databases, tmp_path_factory, (texts, nuls, numbers, moments))


def test_text_that_is_no_unicode_reaches_the_state_with_every_byte(databases, tmp_path_factory):
    raw = [b"\xff\x00\xfe", b"\xed\xa0\x80", b"caf\xe9", b"\xf0\x9f"]
    tables = rows_of(raw, [0.5], [1])
    put(databases["sqlite"], tables)
    check(databases["sqlite"], tables, tmp_path_factory.mktemp("ledger") / "audit.duckdb")
