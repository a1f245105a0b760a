"""The simulated clock, and the check that nothing escaped it."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from auditreg.demo.clock import Ids, SimulatedClock, outside, repeatable_ids, simulated

START = datetime(2026, 4, 1, 7, 0, tzinfo=UTC)


def test_it_stands_still_until_it_is_moved():
    clock = SimulatedClock(START)
    assert clock.now == clock.now == START
    clock.advance(90)
    assert clock.now == START + timedelta(seconds=90)


def test_it_never_goes_back():
    clock = SimulatedClock(START)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.move_to(START - timedelta(seconds=1))


def test_modules_that_hold_the_function_by_name_get_the_simulated_time_and_lose_it_again(played):
    from mlflow.store.model_registry import sqlalchemy_store as registry
    from mlflow.store.tracking import sqlalchemy_store as tracking

    wanted = int(START.timestamp() * 1000)
    with simulated(SimulatedClock(START)):
        assert registry.get_current_time_millis() == wanted
        assert tracking.get_current_time_millis() == wanted
    assert registry.get_current_time_millis() > wanted
    assert registry.get_current_time_millis is tracking.get_current_time_millis


def test_ids_repeat_for_mlflow_and_for_nobody_else(played):
    from mlflow.store.tracking import sqlalchemy_store as tracking

    drawn = []
    for _ in range(2):
        with repeatable_ids(Ids("seed")):
            drawn.append([tracking.uuid.uuid4() for _ in range(3)])
            assert uuid.uuid4() not in drawn[-1]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3
    assert all(one.version == 4 for one in drawn[0])
    assert tracking.uuid is uuid


def test_a_time_outside_the_calendar_is_found(tmp_path):
    database = tmp_path / "store.db"
    inside = int(START.timestamp() * 1000)
    with closing(sqlite3.connect(database)) as store:
        store.execute("create table runs (start_time bigint, created_at bigint, step bigint)")
        store.execute("insert into runs values (?, null, 7)", (inside,))
        store.commit()
        assert outside(database, START, START) == []
        store.execute("insert into runs values (?, ?, 7)", (inside + 1, inside - 1))
        store.commit()
    assert outside(database, START, START) == [
        f"runs.start_time = {inside + 1}",
        f"runs.created_at = {inside - 1}",
    ]
