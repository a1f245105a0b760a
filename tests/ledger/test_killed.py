"""Killed at any moment: the ledger is as it was before or as it is after, and goes on."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.sources import open_source
from tests.ledger import killed
from tests.ledger.conftest import ask

KILLS = int(os.environ.get("AUDITREG_TEST_KILLS", "200"))

SERIES = 4
"""Into so many series the kills are divided, which processes may share."""

BEFORE, AFTER = ("", "waiting"), ("replaced", "done")
"""Phases in which nothing of the new file is there yet, and in which all of it is."""

MOMENTS = (
    "begun",
    "reading registered models",
    "reading run params",
    "comparing",
    "writing registered models",
    "sealing",
    "building tables",
    "finishing",
    "replacing",
    "replaced",
)
"""Phases that last so short that chance alone would rarely kill there: some kills aim at them."""

PATIENCE_S = 120.0
"""How long an extraction may say nothing."""


class Extraction:
    """An extraction in a process of its own, to be watched and killed."""

    def __init__(self, store: Path, ledger: Ledger) -> None:
        fork = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if fork else "spawn")
        if fork:
            context.set_forkserver_preload([killed.__name__])
        self.line, theirs = context.Pipe(duplex=False)
        self.process: BaseProcess = context.Process(
            target=killed.extract, args=(str(store), str(ledger.path), theirs)
        )
        self.begun = time.monotonic()
        self.process.start()
        theirs.close()
        self.phase = ""

    def reach(self, phase: str) -> None:
        """Wait until it is in a phase, or ends."""
        while self.phase != phase and self._hear(PATIENCE_S):
            pass

    def kill(self) -> str:
        """SIGKILL, if it still runs; the phase it was in."""
        self.process.kill()
        return self.end()

    def end(self) -> str:
        """Wait until it has ended; the last phase it was in."""
        while self._hear(PATIENCE_S):
            pass
        self.process.join(PATIENCE_S)
        assert self.process.exitcode is not None
        self.line.close()
        return self.phase

    def _hear(self, seconds: float) -> bool:
        assert self.line.poll(seconds), f"nothing after {self.phase!r}"
        try:
            self.phase = self.line.recv()
        except (EOFError, OSError):
            return False
        return True


@pytest.fixture
def store(small_registry: Path, tmp_path: Path) -> Path:
    """A registry of one's own, in a database file."""
    return Path(shutil.copy(small_registry, tmp_path / "mlflow.db"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger that is not there yet."""
    return Ledger(tmp_path / "ledger" / "audit.duckdb")


def change(store: Path, number: int) -> None:
    """Change states of several kinds: what differs is written, what is gone is told."""
    con = sqlite3.connect(store)
    with con:
        con.execute("update registered_models set description = ?", [f"read {number} times"])
        con.execute("update model_versions set status_message = ?", [f"looked at {number}"])
        con.execute("delete from registered_model_tags where key like 'turn%'")
        con.execute("delete from tags where key like 'turn%'")
        con.executemany(
            "insert into registered_model_tags (name, key, value) values ('home', ?, ?)",
            [(f"turn{number}.{n}", "x" * 50) for n in range(50)],
        )
        con.executemany(
            "insert into tags (run_uuid, key, value) select run_uuid, ?, ? from runs",
            [(f"turn{number}.{n}", "x" * 50) for n in range(50)],
        )
    con.close()


def take(store: Path, ledger: Ledger) -> None:
    """The next run, here and to its end."""
    with open_source(f"sqlite:///{store}", artifacts="none").read() as reading:
        assert ledger.ingest(reading, registry="default", policies=()).complete
    assert left_over(ledger) == []


def left_over(ledger: Ledger) -> list[str]:
    """Names of drafts and what belongs to them."""
    return [path.name for path in ledger.path.parent.glob(".*") if ".draft" in path.name]


def readings(ledger: Ledger) -> int:
    """How many readings are sealed."""
    if not ledger.exists:
        return 0
    ((number,),) = ask(ledger, "select count(*) from extractions")
    return int(number)


def possible(phase: str, before: int) -> set[int]:
    """How many readings may be sealed when the next one was killed in a phase."""
    if phase in AFTER:
        return {before + 1}
    return {before, before + 1} if phase == "replacing" else {before}


@pytest.mark.parametrize(
    ("kills", "seed"),
    [
        pytest.param(len(MOMENTS), 1, marks=pytest.mark.integration),
        *(pytest.param(KILLS // SERIES, n, marks=pytest.mark.slow) for n in range(SERIES)),
    ],
)
def test_killed_at_any_moment(store: Path, ledger: Ledger, kills: int, seed: int) -> None:
    rng, fell, lasts = random.Random(seed), Counter[str](), 1.0
    for kill in range(kills):
        if kill % 4 == 0:  # the first reading into a ledger, and then later ones
            shutil.rmtree(ledger.path.parent, ignore_errors=True)
        change(store, kill)
        before = readings(ledger)
        extraction = Extraction(store, ledger)
        if kill % 2 or kills == len(MOMENTS):
            extraction.reach(MOMENTS[kill // 2 % len(MOMENTS) if kills > len(MOMENTS) else kill])
            time.sleep(rng.choice((0, rng.uniform(0, lasts / 10))))
        else:
            time.sleep(rng.uniform(0, 1.1 * lasts))
        phase = extraction.kill()
        fell["before" if phase in BEFORE else "after" if phase in AFTER else phase] += 1
        assert readings(ledger) in possible(phase, before), phase
        assert not ledger.exists or verify(ledger).problems == ()
        before, begun = readings(ledger), time.monotonic()
        take(store, ledger)
        lasts = time.monotonic() - begun
        assert readings(ledger) == before + 1
    assert verify(ledger).ok
    print(f"{kills} kills: {dict(fell.most_common())}")
    assert fell["replacing"] + fell["after"], "no kill fell into the replacement"
    assert len(fell) > min(kills, 12) // 2, fell


def test_two_at_once_are_both_taken_in(store: Path, ledger: Ledger) -> None:
    both = [Extraction(store, ledger), Extraction(store, ledger)]
    assert [one.end() for one in both] == ["done", "done"]
    assert readings(ledger) == 2
    assert verify(ledger).ok


@pytest.mark.parametrize("killed_one", ["waiting", "writing"])
def test_killed_while_one_waits_for_the_other(store: Path, ledger: Ledger, killed_one: str) -> None:
    take(store, ledger)
    change(store, 1)
    with ledger.writer():
        waiting = Extraction(store, ledger)
        waiting.reach("waiting")
        if killed_one == "waiting":
            assert waiting.kill() == "waiting"
    if killed_one == "writing":
        waiting.reach("begun")
        other = Extraction(store, ledger)
        other.reach("waiting")
        assert waiting.kill() not in AFTER
        assert other.end() == "done"
        assert readings(ledger) == 2
    take(store, ledger)
    assert readings(ledger) == (2 if killed_one == "waiting" else 3)
    assert verify(ledger).ok
