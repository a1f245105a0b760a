"""The simulated clock: MLflow believes it is 2026, and its ids are the same in every play.

MLflow's stores take the time from `mlflow.utils.time.get_current_time_millis`, which two dozen
modules import by name. All of them run that one function, and it looks `time` up in its own
module when called; replacing that one name therefore reaches every holder, also the modules that
are imported later. The one other clock that ends up in
what is stored is `datetime.now` in `mlflow.models.model` (`utc_time_created` in MLmodel), and
the journal's is `time` in `auditreg_capture.journal`. That no other one is missed is not assumed: `outside`
looks at every time in the finished store.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from tools.demo.environment import stand_in


class SimulatedClock:
    """A clock that stands still until it is told to move, and never runs backwards."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    @property
    def now(self) -> datetime:
        """The simulated moment, in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let some time pass."""
        self.move_to(self._now + timedelta(seconds=seconds))

    def move_to(self, moment: datetime) -> None:
        """Go on to a moment.

        Raises:
            ValueError: if the moment has passed already; the calendar is out of order then.
        """
        if moment < self._now:
            raise ValueError(f"the simulated clock cannot go back from {self._now} to {moment}")
        self._now = moment


class Ids:
    """A source of version-4-shaped UUIDs that yields the same ones in every play."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def uuid4(self) -> uuid.UUID:
        """The next id."""
        self._count += 1
        digest = hashlib.sha256(f"{self._seed} {self._count}".encode()).digest()
        return uuid.UUID(bytes=digest[:16], version=4)


def simulate(clock: SimulatedClock) -> None:
    """From now on MLflow and capture take the time from the simulated clock."""
    import auditreg_capture.journal
    import mlflow.models.model
    import mlflow.utils.time

    class _Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.now.timestamp(), tz)

    def now() -> float:
        return clock.now.timestamp()

    simulated = stand_in(time, time=now, time_ns=lambda: round(now() * 1000) * 1_000_000)
    mlflow.utils.time.time = simulated
    mlflow.models.model.datetime = _Datetime
    auditreg_capture.journal.time = simulated  # type: ignore[attr-defined]


def repeat_ids(ids: Ids) -> None:
    """From now on what MLflow and capture take for a random UUID comes from `ids`.

    Modules that are imported later still draw random ones, so everything is imported before.
    """
    repeating = stand_in(uuid, uuid4=ids.uuid4)
    for name, module in list(sys.modules.items()):
        known = name.partition(".")[0] in {"mlflow", "auditreg_capture"}
        if known and vars(module).get("uuid") is uuid:
            module.uuid = repeating  # type: ignore[attr-defined]


def outside(database: Path, first: datetime, last: datetime) -> list[str]:
    """Every time in an MLflow SQLite store that lies before `first` or after `last`.

    Looks at all whole-number columns whose name speaks of a time, in all tables, so that a column
    a later MLflow adds is looked at too.
    """
    bounds = [int(moment.astimezone(UTC).timestamp() * 1000) for moment in (first, last)]
    strangers: list[str] = []
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as store:
        tables = [
            row[0] for row in store.execute("select name from sqlite_master where type = 'table'")
        ]
        for table in tables:
            for _, column, kind, *_ in store.execute(f'pragma table_info("{table}")').fetchall():
                if "INT" not in kind.upper() or ("time" not in column and "_at" not in column):
                    continue
                # Table and column names come from the store's own catalogue.
                query = f'select "{column}" from "{table}" where "{column}" not between ? and ?'  # noqa: S608
                strangers += [
                    f"{table}.{column} = {row[0]}" for row in store.execute(query, bounds)
                ]
    return strangers
