"""Registries in memory for the tests of the ledger, and readings of them.

`Registry` keeps MLflow's rows and MLflow's habits: a stage or description moves a version's
`last_updated_time`, tags and aliases move none, a deleted version leaves a tombstone. Its clock
only goes on, so that every change and every reading has a moment of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from auditreg.sources.interface import (
    READS,
    STAGING,
    Completeness,
    Reading,
    SourceInfo,
    arrow_schema,
)

EPOCH = datetime(1970, 1, 1)
START = 1_767_225_600_000
"""The first moment of the tests: 2026-01-01, in milliseconds."""

Rows = dict[str, list[dict[str, Any]]]


def moment(ms: int) -> datetime:
    """Milliseconds as the naive UTC moment the ledger holds."""
    return EPOCH + timedelta(milliseconds=ms)


class MemoryReading(Reading):
    """A reading of rows that are already here.

    `journal` is the id of the server's journal, whose rows are those of the table `journal`; None
    for a source that shows none.
    """

    def __init__(
        self,
        rows: Mapping[str, Iterable[Mapping[str, Any]]],
        at: int,
        *,
        started: int | None = None,
        kinds: tuple[str, ...] = tuple(READS),
        doubts: tuple[str, ...] = (),
        shows_deleted: bool = True,
        source: str = "sql",
        location: str = "memory",
        journal: str | None = None,
        hidden: tuple[str, ...] = (),
        asked: Mapping[str, str] | None = None,
    ) -> None:
        self.info = SourceInfo(source, location, "3.17.2", "abc", shows_deleted, ("who",), hidden)
        self.started_at = at if started is None else started
        self.ended_at = at
        self._rows = {table: [dict(row) for row in rows.get(table, ())] for table in STAGING}
        self._kinds = kinds
        self._doubts = doubts
        self._asked = dict(asked or {})
        self.journal = journal
        self._sealed: Sequence[tuple[int, int]] = ()

    def skip_journal(self, sealed: Sequence[tuple[int, int]]) -> None:
        """Leave these rows of the journal out: the ledger has them."""
        self._sealed = sealed

    def journal_ranges(self) -> list[tuple[int, int]]:
        """The ids of the journal's rows, consecutive ones together."""
        ranges: list[tuple[int, int]] = []
        for number in sorted(row["id"] for row in self._rows.get("journal", ())):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return ranges

    def kinds(self) -> tuple[str, ...]:
        """The kinds given."""
        return self._kinds

    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """All rows in one batch; columns that are not given are NULL."""
        rows = self._rows[name]
        if name == "journal":
            rows = [r for r in rows if not any(a <= r["id"] <= b for a, b in self._sealed)]
        filled = [{column: row.get(column) for column in STAGING[name]} for row in rows]
        yield pa.RecordBatch.from_pylist(filled, schema=arrow_schema(name))

    def contents(self) -> str:
        return "a reading of nothing"

    def completeness(self) -> Completeness:
        """As counted; the doubts given."""
        counts = {table: (len(rows), len(rows)) for table, rows in self._rows.items()}
        return Completeness(counts, doubts=self._doubts, options=self._asked)


@dataclass
class Version:
    """One version as MLflow's row has it."""

    number: int
    created: int
    updated: int
    stage: str = "None"
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    run_id: str | None = None
    source: str | None = None
    storage_location: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether only the tombstone is left."""
        return self.stage == "Deleted_Internal"


@dataclass
class Model:
    """One registered model with what belongs to it."""

    created: int
    updated: int
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


class Registry:
    """A registry with a clock; `history` holds (moment, models) after every change."""

    def __init__(self, start: int = START) -> None:
        self.clock = start
        self.tick = 1000
        self.models: dict[str, Model] = {}
        self.history: list[tuple[int, dict[str, Model]]] = [(start, {})]

    def wait(self, ms: int = 1000) -> int:
        """Let time pass; the moment it is then."""
        self.clock += ms
        return self.clock

    def _begin(self) -> int:
        """Let a change begin: the time the server gives it. Changes take `tick` milliseconds."""
        return self.wait(self.tick)

    def _done(self) -> None:
        self.history.append((self.clock, copy.deepcopy(self.models)))

    def at(self, ms: int) -> dict[str, Model]:
        """The truth at a moment: what the changes up to and including it had made."""
        return next(models for when, models in reversed(self.history) if when <= ms)

    def create(self, name: str, **tags: str) -> Model:
        """Register a model."""
        now = self._begin()
        self.models[name] = Model(now, now, tags=dict(tags))
        self._done()
        return self.models[name]

    def version(
        self, name: str, run_id: str | None = None, source: str | None = None, **tags: str
    ) -> Version:
        """Register the next version of a model."""
        now = self._begin()
        model = self.models[name]
        model.updated = now
        number = len(model.versions) + 1
        made = Version(number, now, now, tags=dict(tags), run_id=run_id, source=source)
        model.versions[made.number] = made
        self._done()
        return made

    def copy(self, name: str, number: int, target: str) -> Version:
        """Copy a version to another model."""
        run_id = self.models[name].versions[number].run_id
        return self.version(target, run_id=run_id, source=f"models:/{name}/{number}")

    def stage(self, name: str, number: int, stage: str, *, archive: bool = False) -> None:
        """Move a version to a stage; with `archive`, those that were there to Archived."""
        model = self.models[name]
        version = model.versions[number]
        version.updated = model.updated = self._begin()
        for other in model.versions.values() if archive else ():
            if other is not version and other.stage == stage:
                other.stage, other.updated = "Archived", version.updated
        version.stage = stage
        self._done()

    def describe(self, name: str, number: int | None, text: str | None) -> None:
        """Describe a version or, without a number, the model."""
        model = self.models[name]
        row = model if number is None else model.versions[number]
        row.updated = self._begin()
        row.description = text
        self._done()

    def tag(self, name: str, number: int | None, key: str, value: str | None) -> None:
        """Set a tag of a version or the model, or remove it (None)."""
        model = self.models[name]
        tags = model.tags if number is None else model.versions[number].tags
        self._begin()
        if value is None:
            tags.pop(key, None)
        else:
            tags[key] = value
        self._done()

    def alias(self, name: str, alias: str, number: int | None) -> None:
        """Point an alias at a version, or remove it (None)."""
        self._begin()
        if number is None:
            self.models[name].aliases.pop(alias, None)
        else:
            self.models[name].aliases[alias] = number
        self._done()

    def delete_version(self, name: str, number: int) -> None:
        """Delete a version: its tombstone stays, its aliases go."""
        model = self.models[name]
        version = model.versions[number]
        version.updated = model.updated = self._begin()
        version.stage, version.description, version.run_id = "Deleted_Internal", None, None
        model.aliases = {a: n for a, n in model.aliases.items() if n != number}
        self._done()

    def delete(self, name: str) -> None:
        """Delete a model and everything in it."""
        self._begin()
        del self.models[name]
        self._done()

    def rename(self, old: str, new: str) -> None:
        """Rename a model; MLflow moves the update times of its versions too."""
        now = self._begin()
        model = self.models[new] = self.models.pop(old)
        model.updated = now
        for version in model.versions.values():
            version.updated = now
        self._done()

    def rows(self) -> Rows:
        """What the staging tables of a reading hold now."""
        rows: Rows = {table: [] for table in STAGING}
        for name, model in self.models.items():
            key = {"workspace": "default", "model": name}
            rows["registered_models"].append(
                {
                    **key,
                    "creation_time": model.created,
                    "last_updated_time": model.updated,
                    "description": model.description,
                }
            )
            rows["registered_model_tags"] += [
                {**key, "key": k, "value": v} for k, v in model.tags.items()
            ]
            rows["aliases"] += [{**key, "alias": a, "version": n} for a, n in model.aliases.items()]
            for number, version in model.versions.items():
                own = {**key, "version": number}
                rows["model_versions"].append(
                    {
                        **own,
                        "creation_time": version.created,
                        "last_updated_time": version.updated,
                        "description": version.description,
                        "stage": version.stage,
                        "run_id": version.run_id,
                        "source": version.source or f"/models/{number}",
                        "storage_location": version.storage_location,
                        "status": "READY",
                    }
                )
                rows["model_version_tags"] += [
                    {**own, "key": k, "value": v} for k, v in version.tags.items()
                ]
        return rows

    def read(self, **options: Any) -> MemoryReading:
        """A reading of what it holds now, at a moment of its own."""
        return MemoryReading(self.rows(), self.wait(), **options)


def run_rows(run_id: str, **run: Any) -> Rows:
    """Staging rows of a run: its columns, and `params`, `tags`, `metrics` as mappings."""
    children = {name: run.pop(name, {}) for name in ("params", "tags", "metrics")}
    return {
        "runs": [{"run_id": run_id, "experiment_id": "1", "lifecycle_stage": "active", **run}],
        "run_params": [
            {"run_id": run_id, "key": k, "value": v} for k, v in children["params"].items()
        ],
        "run_tags": [{"run_id": run_id, "key": k, "value": v} for k, v in children["tags"].items()],
        "run_metrics": [
            {"run_id": run_id, "key": k, "value": v, "timestamp": START, "step": 0}
            for k, v in children["metrics"].items()
        ],
    }


def together(*parts: Mapping[str, list[dict[str, Any]]]) -> Rows:
    """The rows of several parts, table by table."""
    return {table: [row for part in parts for row in part.get(table, ())] for table in STAGING}
