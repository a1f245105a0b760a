"""The same registry looks the same through its database and through its server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from auditreg.sources.interface import READS, STAGING
from auditreg.sources.permissions import RIGHTS
from auditreg.sources.server.source import HIDDEN_COLUMNS
from tests.servers.process import require
from tests.sources.conftest import has_capture
from tests.sources.databases import Made
from tests.sources.reading import everything, rows

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Limits:
    """What a way to read the registry does not show: columns, tombstones, who did it, the journal."""

    hidden: tuple[str, ...] = ()
    tombstones: bool = True
    actors: bool = True
    journal: bool = True

    def hides(self, row: dict[str, Any]) -> bool:
        """Whether it does not show a row."""
        return not self.tombstones and (row.get("model"), row.get("version")) == TOMBSTONE

    def shown(self, table: str, row: dict[str, Any], but: frozenset[str] = frozenset()) -> str:
        """What it shows of a row, some columns left out."""
        return repr(
            {n: v for n, v in row.items() if n not in but and f"{table}.{n}" not in self.hidden}
        )


OTHERS = {
    "rest": Limits(HIDDEN_COLUMNS, tombstones=False, actors=False),
    "postgresql": Limits(),
    "mariadb": Limits(),
}
"""The ways to read the registry besides SQLite; a new source is one more."""
STATE = [table for table in STAGING if table != "journal" and table not in RIGHTS]
TOMBSTONE = ("motor", 2)
"""The deleted version, which a server does not show."""


@pytest.fixture(scope="module")
def read(registries):
    """The registry as each way of reading it gives it."""

    def make(name):
        registries["rest"]  # its start is a row of the journal that every other reading has too
        return everything(open_source(registries[name]))

    return Made(make)


@pytest.fixture(scope="module")
def both(read):
    return read["sqlite"], read["rest"]


def comparable(table: str, found: list[dict[str, Any]], limits: Limits) -> list[str]:
    if table == "journal":
        return [repr(row) for row in found]  # also in the same order
    return sorted(limits.shown(table, row) for row in found if not limits.hides(row))


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("table", [table for table in STAGING if table not in RIGHTS])
def test_same_rows_whatever_they_are_read_from(read, table, other):
    if table == "journal":
        require(has_capture(), "auditreg-capture is not installed")
    limits = OTHERS[other]
    sqlite, found = read["sqlite"][0][table], read[other][0][table]
    if table == "journal" and not limits.journal:
        assert not found
    else:
        assert comparable(table, sqlite, limits) == comparable(table, found, limits)
    assert sqlite, "the filled store has something in every table"


@pytest.fixture(scope="module")
def states(registries, tmp_path_factory):
    """The state tables of a ledger that read the registry once, for each way of reading it."""
    folder = tmp_path_factory.mktemp("ledgers")

    def make(name):
        registries["rest"]
        ledger = Ledger(folder / f"{name}.duckdb")
        with open_source(registries[name]).read() as reading:
            assert ledger.ingest(reading, registry="default", policies=()).complete
        with ledger.reader() as con:
            return {
                table: con.sql(f'from main."{table}"').to_arrow_table().to_pylist()
                for table in STATE
            }

    return Made(make)


# What each reading gives of its own: when it was, at which place of the log, and the key that is
# minted for a model. A server names nobody who made a change, and no deleted version.
OWN = frozenset(
    {"seq", "not_before", "not_after", "subject", "model_subject", "grade", "certainty", "candidate",
     "actor", "actor_from"}
)  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("table", STATE)
def test_same_state_whatever_it_was_read_from(states, table, other):
    limits = OTHERS[other]
    but = OWN - {"grade", "certainty", "actor"} if limits.actors else OWN

    def state(name: str) -> list[str]:
        rows = (row for row in states[name][table] if not limits.hides(row))
        return sorted(limits.shown(table, row, but) for row in rows)

    assert state("sqlite") == state(other)
    assert states[other][table]


def test_both_are_complete_and_rest_counts_the_gap(both):
    (_, sql), (_, rest) = both
    assert sql.complete
    assert rest.complete
    assert sql.left_out == {"runs no version points to": 2}
    assert rest.left_out == {}
    assert (sql.gaps, sql.tombstones) == (0, 1)
    assert (rest.gaps, rest.tombstones) == (1, 0)
    asked = {"runs": "linked", "artifacts": "all", "manifest": "local"}
    asked |= {"hashed up to": str(2 * 2**30), "bytes hashed": "1390"}
    assert sql.options == rest.options == asked
    assert rest.counts["runs"][0] is None  # a server does not say how many there are
    assert rest.passes == 2


def test_all_runs_are_the_same_too(store, server):
    sql, _ = everything(open_source(f"sqlite:///{store}", artifacts="none"), "all")
    rest, _ = everything(open_source(server, artifacts="none"), "all")
    assert len(sql["runs"]) == 5
    for table in ("runs", "run_params", "run_metrics", "run_tags", "run_datasets", "experiments"):
        assert comparable(table, sql[table], OTHERS["rest"]) == (
            comparable(table, rest[table], OTHERS["rest"])
        )


def test_metrics_that_are_not_finite_come_back_as_such(both):
    for tables, _ in both:
        found = {row["key"]: row["value"] for row in tables["run_metrics"]}
        assert math.isnan(found["nan"])
        assert (found["inf"], found["ninf"]) == (math.inf, -math.inf)
        assert found["auc"] == 0.1 + 0.2


def test_prompts_aliases_deleted_and_tagged_runs_are_there(both):
    for tables, _ in both:
        assert {"model": "greeting", "workspace": "default", "alias": "live", "version": 1} in (
            tables["aliases"]
        )
        assert "deleted" in {run["lifecycle_stage"] for run in tables["runs"]}
        assert {"empty model", "motor", "greeting"} == {
            model["model"] for model in tables["registered_models"]
        }


@pytest.mark.parametrize("other", [name for name, limits in OTHERS.items() if limits.journal])
def test_the_journal_is_the_same_through_all(registries, other):
    require(has_capture(), "auditreg-capture is not installed")
    seen = []
    for name in (other, "sqlite"):  # the server, if it is one of the two, starts first
        address = registries[name]
        with open_source(address, artifacts="none").read() as reading:
            ranges = reading.journal_ranges()
            reading.skip_journal([(2, 5), (9, 9)])
            seen.append((reading.journal, ranges, rows(reading, "journal")))
            assert reading.completeness().complete
            assert any(
                line.startswith("changes from before capture first")
                for line in reading.info.cannot_show
            )
            if not address.startswith("sqlite"):
                assert abs(reading.info.clock_offset_ms) < 5_000
    identity, ranges, found = seen[0]
    assert seen[1] == seen[0]
    assert len(identity) == 32
    assert [row["id"] for row in found][:5] == [1, 6, 7, 8, 10]
    assert found[0]["operation"] == "journal"


def test_tombstones_are_kept_by_sql(both):
    (sql, _), _ = both
    (tombstone,) = [row for row in sql["model_versions"] if row["stage"] == "Deleted_Internal"]
    assert (tombstone["version"], tombstone["run_id"]) == (2, "REDACTED-RUN-ID")
    assert {"key": "x", "model": "motor", "value": "y", "version": 2, "workspace": "default"} in (
        sql["model_version_tags"]
    )


def test_info_says_what_each_shows(store, server):
    with open_source(f"sqlite:///{store}").read() as reading:
        assert reading.info.shows_deleted
        assert reading.info.schema_version
        # A store without basic-auth keeps no users: tests/sources/test_access.py has one with it.
        assert (*reading.kinds(), "principal", "permission") == tuple(READS)
    with open_source(server, artifacts="none").read() as reading:
        assert not reading.info.shows_deleted
        assert reading.info.mlflow_version
        assert "model_artifact" not in reading.kinds()
        assert reading.started_at <= reading.ended_at


def test_reading_a_server_changes_no_global_state(server):
    import os

    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))
    everything(open_source(server))
    assert before == (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), dict(os.environ))
