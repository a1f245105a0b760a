"""A store that a real MLflow 2.9.2 server filled, first read today: what is said of the time before.

The story was played once by `tests/servers/played_29.py`, with the clock of the one who played it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from tests.servers.played_29 import unpacked
from tests.servers.truth import State, Truth

Rows = dict[tuple[int, int], list[dict[str, Any]]]
"""What is said, per model's creation time and version number."""
Said = Callable[[str, int], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory, empty_file: Path
) -> Iterator[tuple[Truth, Said]]:
    """What happened, and a way to ask a ledger that read the store once."""
    folder = tmp_path_factory.mktemp("played")
    store, truth = unpacked(folder)
    ledger = Ledger(folder / "audit.duckdb")
    ledger.path.write_bytes(empty_file.read_bytes())
    with open_source(str(store), artifacts="none").read() as reading:
        ledger.ingest(reading, registry="default", policies=())
    with ledger.reader() as con:

        def said(table: str, ms: int) -> list[dict[str, Any]]:
            cursor = con.execute(f"from {table}_as_of(?)", [_moment(ms)])
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield truth, said


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def _milliseconds(moment: datetime) -> int:
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def _asked(truth: Truth, moments: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randint(truth.began, truth.ended) for _ in range(moments)]


def _versions(said: Said, made: dict[str, int], ms: int) -> Rows:
    found: Rows = {}
    for row in said("model_versions", ms):
        found.setdefault((made[row["model_subject"]], row["version"]), []).append(row)
    return found


def _agrees(row: dict[str, Any], states: list[State], key: tuple[int, int]) -> bool:
    """Whether a row says what was so, in one of the states that held."""
    for state in states:
        true = state.versions.get(key)
        if true is None or row["deleted"] != true["deleted"]:
            continue
        # Of a deleted version MLflow keeps nothing else.
        told = (row["stage"], row["description"] or None, row["model"])
        name = state.models[key[0]]["name"]
        if true["deleted"] or told == (true["stage"], true["description"], name):
            return True
    return False


def test_the_store_is_what_the_story_led_to(played: tuple[Truth, Said]):
    truth, said = played
    (end,) = truth.at(truth.ended + 1)
    now = _milliseconds(datetime.now(UTC).replace(tzinfo=None))
    made = _made(said, now)
    versions = _versions(said, made, now)
    assert versions.keys() == end.versions.keys()
    assert all(_agrees(row, [end], key) for key, rows in versions.items() for row in rows)
    assert len(end.models) >= 50
    assert len(end.versions) >= 200
    assert len(truth.events) >= 1_000


def _made(said: Said, ms: int) -> dict[str, int]:
    return {
        row["subject"]: _milliseconds(row["created_at"]) for row in said("registered_models", ms)
    }


@pytest.mark.parametrize(
    ("moments", "seed"),
    [(40, 29), *(pytest.param(250, seed, marks=pytest.mark.slow) for seed in range(4))],
)
def test_what_is_said_of_the_time_before_the_first_reading(
    played: tuple[Truth, Said], moments: int, seed: int
):
    truth, said = played
    made = _made(said, _milliseconds(datetime.now(UTC).replace(tzinfo=None)))
    counted: Counter[str] = Counter()
    wrong = []
    for ms in _asked(truth, moments, seed):
        states, answers = truth.at(ms), _versions(said, made, ms)
        for key, rows in answers.items():
            if [row["certainty"] for row in rows] == ["certain"]:
                counted["certain"] += 1
                if not _agrees(rows[0], states, key):
                    wrong.append((ms, key, rows[0], [state.versions.get(key) for state in states]))
        there = states[-1].versions.keys()
        counted["there"] += len(there)
        counted["known"] += sum(
            [row["certainty"] for row in answers.get(key, [])] == ["certain"] for key in there
        )
    assert wrong == []
    share = counted["known"] / counted["there"]
    print(f"{share:.1%} of {counted['there']} versions at {moments} moments are known exactly")
    # What MLflow's own times give: a version is known from its last update on.
    assert 0.1 < share < 0.9
