"""Many clients, two workers, the whole server killed in the middle: journal and tables agree."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.capture.clients import Crowd
from tests.capture.replay import replay
from tests.capture.tables import Row, changes, dump, journal
from tests.servers.mlflow_server import MlflowServer

pytestmark = pytest.mark.integration

MUTATIONS = int(os.environ.get("AUDITREG_TEST_MUTATIONS", "10000"))


def written(rows: list[Row]) -> Counter[str]:
    """How often each text was written: rows that hold it and did not before."""
    counts: Counter[str] = Counter()
    for row in changes(rows):
        after, before = row["after_row"] or {}, row["before_row"] or {}
        for column in ("value", "description"):
            text = after.get(column)
            if text and text != before.get(column):
                counts[text] += 1
    return counts


def under_fire(folder: Path, database: str, mutations: int, kills: int) -> tuple[Crowd, list[Row]]:
    """Let clients change the registry and kill the server between; the rows of the journal."""
    with MlflowServer(folder, database, workers=2) as server:
        crowd = Crowd(server, mutations)
        crowd.prepare()
        crowd.start()
        for kill in range(1, kills + 1):
            while crowd.busy and crowd.sent < mutations * kill // (kills + 1):
                time.sleep(0.01)
            assert crowd.busy, "the clients were done before the server was killed"
            server.kill()
            server.start()
        crowd.join()
        server.kill()
    return crowd, journal(database)


@pytest.mark.parametrize(
    ("kind", "mutations", "kills"),
    [
        ("sqlite", 150, 1),
        *(pytest.param(kind, MUTATIONS, 2, marks=pytest.mark.slow, id=f"{kind}-slow")
          for kind in ("sqlite", "postgresql", "mariadb")),
    ],
)  # fmt: skip
def test_journal_and_tables_agree_whatever_is_killed(
    captured: None,
    empty_database: Callable[[str], str],
    tmp_path: Path,
    kind: str,
    mutations: int,
    kills: int,
):
    database = empty_database(kind)
    began = time.monotonic()
    crowd, rows = under_fire(tmp_path, database, mutations, kills)
    took = time.monotonic() - began
    # What a long run met is part of its result: `-s` shows it, and a failure.
    print(
        f"{kind}: {mutations} mutations in {took:.0f} s, {len(changes(rows))} rows, "
        f"{len(crowd.confirmed)} texts confirmed, {dict(crowd.answers)}, {dict(crowd.problems)}",
        file=sys.stderr,
    )
    assert replay(rows) == dump(database)
    texts = written(rows)
    assert not [text for text in crowd.confirmed if texts[text] != 1]
    assert not [text for text in crowd.unknown if texts[text] > 1]
    assert set(texts) <= {*crowd.confirmed, *crowd.unknown}
    assert len(crowd.confirmed) > mutations / 10
    starts = [row["process"] for row in rows if row["operation"] == "start"]
    # A worker says that it started with its first look at the registry; some never get to it.
    assert len(set(starts)) == len(starts) > kills
    assert {row["process"] for row in changes(rows)} <= set(starts)
    assert sum(row["operation"] == "journal" for row in rows) >= 1
