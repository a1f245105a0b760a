"""Killed at any moment: the ledger is as it was before or as it is after, and goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.ledger.conftest import ask, take
from tests.ledger.reading import START, Registry

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("AUDITREG_TEST_KILLS", "50"))


@pytest.mark.parametrize("kills", [6, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_killed_at_any_moment(tmp_path: Path, kills: int):
    if kills == KILLS and "AUDITREG_TEST_KILLS" not in os.environ:
        pytest.skip("AUDITREG_TEST_KILLS says how often")
    ledger, rng, count, inside = Ledger(tmp_path / "audit.duckdb"), random.Random(1), 0, 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    program = [sys.executable, str(Path(__file__).with_name("killed.py")), str(ledger.path)]
    kill = 0
    # At least so many, and on until one fell into a write: how soon one begins is the machine's matter.
    while kill < kills or (not inside and kill < 5 * kills):
        child = subprocess.Popen(
            [*program, str(count)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.uniform(0, 2.5 if kill else 0.5))
        child.kill()
        done = [int(line) for line in child.stdout.read().split()]
        child.wait()
        child.stdout.close()
        kill += 1
        inside += any(".draft" in path.name for path in tmp_path.iterdir())
        if not ledger.exists:
            assert not done
            continue
        found = verify(ledger, state_too=kill % 3 == 0)
        assert found.problems == ()
        ((readings,),) = ask(ledger, "select count(*) from extractions")
        assert count + len(done) <= readings <= count + len(done) + 1
        count = readings
    assert inside, "no kill fell into a write"
    registry = Registry(START + (count + 2) * 1_000_000)
    registry.create("last")
    take(ledger, registry.read())
    assert verify(ledger).ok
    assert not [path for path in tmp_path.iterdir() if ".draft" in path.name]
