"""Tables filled from what a reading staged hold exactly what its entries say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from auditreg.ledger import ingest, state, state_entries
from auditreg.sources.interface import BYTES_MARK
from tests.ledger.book import KEY, opened
from tests.ledger.reading import START, Registry, run_rows, together
from tests.ledger.test_log import ODD

ODDER = {
    **{name: value for name, value in ODD.items() if name != "large"},
    "bytes": f"{BYTES_MARK}//79",
    "no mark": "\x00$what",
    "nothing": None,
    "password": "swordfish-1",
    f"{BYTES_MARK}//4=": "a key of bytes",
}
METRICS = {"nan": math.nan, "up": math.inf, "down": -math.inf, "small": 5e-324, "zero": -0.0}


def rows(registry: Registry, **run: str | None) -> dict[str, list[dict[str, object]]]:
    """The registry with a run that holds every odd value in every place."""
    found = together(
        registry.rows(),
        run_rows("r1", params=ODDER, tags=ODDER, metrics=METRICS, **run),
        run_rows("r2"),
    )
    found["model_version_tags"] += [
        {"workspace": "default", "model": "motor", "version": 1, "key": key, "value": value}
        for key, value in ODDER.items()
    ]
    found["run_datasets"] = [
        {"run_id": "r1", "name": name, "digest": "d", "source": value, "schema": value}
        for name, value in ODDER.items()
    ]
    return found


@pytest.mark.parametrize("block", [state_entries.BLOCK, 7])
def test_every_table_is_what_the_entries_say(
    empty_file: Path, monkeypatch: pytest.MonkeyPatch, block: int
):
    monkeypatch.setattr(state, "MANY", 0)
    monkeypatch.setattr(state_entries, "BLOCK", block)
    filled = []
    original = state._insert_staged
    monkeypatch.setattr(
        state, "_insert_staged", lambda con, kind: filled.append(kind) or original(con, kind)
    )
    registry = Registry()
    registry.create("motor", owner="ann")
    registry.version("motor", run_id="r1")
    registry.describe("motor", 1, ODD["quotes"])
    with opened(empty_file) as book:
        for turn, name in enumerate(("\x00$what", f"{BYTES_MARK}//4=", "as before")):
            given = rows(registry, name=name)
            if turn == 2:  # what goes on is kept, what is gone is told, what changed is replaced
                given["run_params"] = given["run_params"][:3]
                given["model_version_tags"] = given["model_version_tags"][2:]
            reading = registry.read()
            reading._rows = given
            reading.started_at = reading.ended_at = START + 10**6 * (turn + 1)
            # Blocks that fill up across statements need a transaction of their own.
            ingest.ingest(book.con, reading, registry="default", key=KEY, policies=())
            assert book.tables() == book.rebuilt()
    assert {"run", "model_version", "model_version_tag"} <= set(filled)
