"""Random histories of a registry, and what a ledger may say about a moment of one.

The strategies draw what happens; `Told` compares what the ledger answers with what was so.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.ledger.reading import EPOCH, Model, Registry, moment

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

EXAMPLES = int(os.environ.get("AUDITREG_TEST_EXAMPLES", "0"))
"""More examples, and random ones, where it is set; a few fixed ones otherwise."""

ABSENT = "absent"

Facts = Mapping[Hashable, Hashable]


def examples(number: int) -> Any:
    """Settings of a property test that takes a second per example."""
    return settings(
        max_examples=EXAMPLES or number,
        derandomize=not EXAMPLES,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink)[: 3 if EXAMPLES else 2],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


NAMES = ("a", "b", "c")
"""What models are called; nothing else in a step is."""

_NAMES = st.sampled_from(NAMES[:2])
_NEW_NAMES = st.sampled_from(NAMES)
_NUMBERS = st.integers(1, 3)
_KEYS = st.sampled_from(["owner", "note"])
_VALUES = st.sampled_from([None, "x", "y"])
_STAGES = st.sampled_from(["None", "Staging", "Production", "Archived"])

OPERATIONS = st.one_of(
    st.tuples(st.just("create"), _NAMES),
    st.tuples(st.just("version"), _NAMES),
    st.tuples(st.just("version"), _NAMES),
    st.tuples(st.just("tag"), _NAMES, st.none() | _NUMBERS, _KEYS, _VALUES),
    st.tuples(st.just("tag"), _NAMES, st.none() | _NUMBERS, _KEYS, _VALUES),
    st.tuples(st.just("alias"), _NAMES, st.sampled_from(["champion", "old"]), st.none() | _NUMBERS),
    st.tuples(st.just("stage"), _NAMES, _NUMBERS, _STAGES),
    st.tuples(st.just("stage"), _NAMES, _NUMBERS, _STAGES),
    st.tuples(st.just("describe"), _NAMES, st.none() | _NUMBERS, _VALUES),
    st.tuples(st.just("delete_version"), _NAMES, _NUMBERS),
    st.tuples(st.just("delete"), _NAMES),
    st.tuples(st.just("rename"), _NAMES, _NEW_NAMES),
    st.tuples(st.just("again"), _NAMES),
)
READ = st.tuples(st.just("read"))
BEGINNING = (("create", "a"), ("version", "a"), ("version", "a"), ("create", "b"), ("version", "b"))


def histories(readings: int, operations: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """What happens between `readings` readings: up to `operations` things each time."""
    between = st.lists(OPERATIONS, min_size=0, max_size=operations)
    parts = st.lists(between, min_size=readings, max_size=readings)
    return parts.map(
        lambda lists: [
            *BEGINNING,
            *(step for part in lists for step in (*part, ("read",))),
        ]
    )


def happen(registry: Registry, step: tuple[Any, ...]) -> None:
    """Let one thing happen where it can."""
    what, name, *rest = step
    models = registry.models
    if what == "create":
        if name not in models:
            registry.create(name)
        return
    if name not in models:
        return
    if what == "again":
        registry.delete(name)
        registry.create(name)
        registry.version(name)
    elif what == "rename":
        if rest[0] not in models:
            registry.rename(name, rest[0])
    elif what in ("delete", "version"):
        getattr(registry, what)(name)
    elif what == "prompt":
        registry.tag(name, None, "mlflow.prompt.is_prompt", "true")
    else:
        _happen_to(registry, what, name, rest)


def _happen_to(registry: Registry, what: str, name: str, rest: list[Any]) -> None:
    """Let something happen to a version, or to the model where no version is named."""
    number = rest[1] if what == "alias" else rest[0]
    version = registry.models[name].versions.get(number)
    if number is not None and (version is None or version.deleted):
        return
    if what == "archive":
        registry.stage(name, *rest, archive=True)
    elif what != "copy" or rest[1] in registry.models:
        getattr(registry, what)(name, *rest)


# What was so: identity of an item -> value, from the models of a moment.


def versions(models: Mapping[str, Model]) -> dict[Hashable, Hashable]:
    """Stage and description of every version that is not deleted."""
    return {
        (model.created, number): (version.stage, version.description)
        for model in models.values()
        for number, version in model.versions.items()
        if not version.deleted
    }


def version_tags(models: Mapping[str, Model]) -> dict[Hashable, Hashable]:
    """Every tag of every version, those of tombstones too: MLflow leaves them."""
    return {
        (model.created, number, key): value
        for model in models.values()
        for number, version in model.versions.items()
        for key, value in version.tags.items()
    }


def aliases(models: Mapping[str, Model]) -> dict[Hashable, Hashable]:
    """Where every alias points."""
    return {
        (model.created, alias): number
        for model in models.values()
        for alias, number in model.aliases.items()
    }


TRUTH = {
    "model_versions": versions,
    "model_version_tags": version_tags,
    "aliases": aliases,
}

_ITEMS = {
    "model_versions": "model_subject, version",
    "model_version_tags": "model_subject, version, key",
    "aliases": "model_subject, alias",
}
_FACTS = {
    "model_versions": "case when not deleted then [stage, description] end",
    "model_version_tags": "value",
    "aliases": "version",
}


Answers = dict[Hashable, list[tuple[Hashable, str, str]]]
"""Item -> [(value, certainty, candidate)]."""


def answers_at(
    con: duckdb.DuckDBPyConnection, table: str, moments: Sequence[int]
) -> dict[int, Answers]:
    """What the ledger says of each moment, all moments in one query."""
    born = {
        subject: _ms(created)
        for subject, created in con.execute(
            "select distinct subject, created_at from ledger.log where kind = 'registered_model'"
        ).fetchall()
    }
    answers: dict[int, Answers] = {ms: {} for ms in moments}
    columns = f"{_ITEMS[table]}, {_FACTS[table]}, certainty, candidate"
    for at, subject, *rest, value, certainty, candidate in at_each(con, columns, table, moments):
        fact = tuple(value) if isinstance(value, list) else ABSENT if value is None else value
        item = (born[subject], *rest)
        answers[_ms(at)].setdefault(item, []).append((fact, certainty, candidate))
    return {
        ms: {item: sorted(rows, key=repr) for item, rows in items.items()}
        for ms, items in answers.items()
    }


def at_each(
    con: duckdb.DuckDBPyConnection, columns: str, relation: str, moments: Sequence[int]
) -> list[tuple[Any, ...]]:
    """The rows of the macro `<relation>_as_of` at each moment, which comes first in a row."""
    return con.execute(
        f"select ts, state.* from (select unnest($1::TIMESTAMP[]) as ts) m, lateral "
        f"(select {columns} from {relation}_as_of(m.ts)) state",
        [[moment(ms) for ms in moments]],
    ).fetchall()


def _ms(when: datetime) -> int:
    return round((when - EPOCH).total_seconds() * 1000)


class Told:
    """The truth about one table, and what each reading saw of it.

    Args:
        table: one of `TRUTH`.
        registry: what happened.
        readings: the moments of the readings, in order.
    """

    def __init__(self, table: str, registry: Registry, readings: Sequence[int]) -> None:
        self._truth = TRUTH[table]
        self._registry = registry
        self._readings = sorted(readings)
        self._seen = {at: self.at(at) for at in self._readings}

    def at(self, ms: int) -> Facts:
        """What was so at a moment."""
        return self._truth(self._registry.at(ms))

    def items(self) -> set[Hashable]:
        """Everything any reading saw."""
        return {item for seen in self._seen.values() for item in seen}

    def _around(self, item: Hashable, ms: int) -> tuple[Hashable | None, Hashable | None]:
        """What the readings next to a moment saw; None where there is no such reading."""
        before = [at for at in self._readings if at <= ms]
        after = [at for at in self._readings if at >= ms]
        return (
            self._seen[before[-1]].get(item, ABSENT) if before else None,
            self._seen[after[0]].get(item, ABSENT) if after else None,
        )

    def _changes(self, item: Hashable, ms: int) -> int:
        """How often it changed between the readings next to a moment."""
        low = max((at for at in self._readings if at <= ms), default=0)
        high = min((at for at in self._readings if at >= ms), default=ms)
        values = [
            self._truth(models).get(item, ABSENT)
            for when, models in self._registry.history
            if when <= high
        ]
        start = sum(1 for when, _ in self._registry.history if when <= low)
        walked = values[max(start - 1, 0) :]
        return sum(1 for a, b in itertools.pairwise(walked) if a != b)

    def wrong(self, item: Hashable, ms: int, rows: Iterable[tuple[Hashable, str, str]]) -> str:
        """Why an answer about a moment is wrong; empty where it is right."""
        rows = list(rows)
        truth = self.at(ms).get(item, ABSENT)
        before, after = self._around(item, ms)
        if not rows:
            unseen = before in (None, ABSENT) and after in (None, ABSENT)
            return "" if unseen or truth == ABSENT else f"no answer, but {truth}"
        certainties = {certainty for _, certainty, _ in rows}
        values = [value for value, _, _ in rows]
        if certainties == {"uncertain"}:
            return self._wrong_uncertain(item, ms, rows, truth)
        if len(rows) > 1:
            return "two answers that are not both uncertain"
        (certainty,) = certainties
        value = values[0]
        expected = {
            "certain": truth,
            "seen_same": before if before == after else "no two equal readings",
            "not_seen_since": before if after is None else "a later reading",
            "unknown": after if before is None else "an earlier reading",
        }[certainty]
        return "" if value == expected else f"{certainty} {value}, but {expected}"

    def _wrong_uncertain(
        self, item: Hashable, ms: int, rows: list[tuple[Hashable, str, str]], truth: Hashable
    ) -> str:
        values = {value for value, _, _ in rows}
        before, after = self._around(item, ms)
        candidates = sorted(candidate for _, _, candidate in rows)
        possible = {before, after} - {None}
        if not values <= possible | {ABSENT}:
            return f"uncertain {values}, but {possible} were seen"
        if candidates not in (["after", "before"], ["before"], ["only"], ["after"]):
            return f"candidates {candidates}"
        if truth in values or (truth == ABSENT and len(rows) == 1):
            return ""
        return "" if self._changes(item, ms) > 1 else f"{truth} is not among {values}"
