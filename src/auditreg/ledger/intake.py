"""A reading on its way into the log: what every step of taking it in has to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.ledger.entries import Appender
from auditreg.ledger.staging import StagedReading
from auditreg.sources.interface import Reading

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A reading on its way into the log.

    `observed` is its moment, `first` whether it is the registry's first, `late` whether later readings
    were taken in before it, `base` the first sequence number it may write.
    """

    con: duckdb.DuckDBPyConnection
    reading: Reading
    registry: str
    staged: StagedReading
    started: datetime
    observed: datetime
    first: bool
    late: bool
    recorded_at: datetime
    appender: Appender
    base: int
