"""Whatever happens to a registry and whenever it is read: the ledger says what was so, and how
sure it is; it never changes a row; its tables follow from the log; the order of reading does not
matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.ledger.book import Book, opened
from tests.ledger.histories import TRUTH, Told, answers_at, at_each, examples, happen, histories
from tests.ledger.reading import MemoryReading, Registry, moment


def play(steps: Sequence[tuple[Any, ...]]) -> tuple[Registry, list[MemoryReading]]:
    registry, readings = Registry(), []
    for step in steps:
        if step[0] == "read":
            readings.append(registry.read())
        else:
            happen(registry, step)
        note(f"{registry.clock - 1_767_225_600_000}: {step}")
    registry.wait()
    return registry, readings


def moments(registry: Registry, readings: Sequence[MemoryReading], picks: list[int]) -> list[int]:
    """Moments worth asking about: some of the changes and readings, and between them."""
    interesting = sorted(
        {when for when, _ in registry.history} | {reading.ended_at for reading in readings}
    )
    every = [ms for at in interesting for ms in (at, at + 500)] + [registry.clock]
    last = readings[-1].ended_at
    return sorted({every[pick % len(every)] for pick in picks} | {last})


def compare(book: Book, registry: Registry, readings: Sequence[int], moments: list[int]) -> None:
    for table in TRUTH:
        told = Told(table, registry, readings)
        for ms, answers in answers_at(book.con, table, moments).items():
            for item in told.items() | answers.keys():
                wrong = told.wrong(item, ms, answers.get(item, ()))
                place = ms - 1_767_225_600_000
                assert not wrong, f"{table} {item} at {place}: {wrong}: {answers.get(item)}"


def compare_inventory(
    book: Book, registry: Registry, readings: Sequence[int], moments: list[int]
) -> None:
    """One row per version, whatever is uncertain about it."""
    told = Told("model_versions", registry, readings)
    answers = answers_at(book.con, "model_versions", moments)
    listed = Counter(
        (at, subject)
        for at, subject, version in at_each(book.con, "subject, version", "inventory", moments)
        if version is not None
    )
    assert set(listed.values()) <= {1}
    for ms in moments:
        known = [item for item in told.items() if item in told.at(ms) and answers[ms].get(item)]
        assert sum(at == moment(ms) for at, _ in listed) >= len(known)
    for population in ("model_version", "live_version"):
        rows = at_each(book.con, "subject", f"population_{population}", moments)
        assert len(rows) == len(set(rows)), population


@pytest.mark.integration
@examples(2)
@given(histories(4, 6), st.lists(st.integers(0, 400), min_size=8, max_size=8))
def test_what_the_ledger_says_of_a_moment(
    empty_file: Path, steps: list[tuple[Any, ...]], picks: list[int]
) -> None:
    registry, readings = play(steps)
    with opened(empty_file) as book:
        before: list[tuple[Any, ...]] = []
        for reading in readings:
            book.take(reading, allow_empty=True)
            after = book.log()
            assert after[: len(before)] == before
            assert book.tables() == book.rebuilt()
            before = after
        asked = moments(registry, readings, picks)
        at = [reading.ended_at for reading in readings]
        compare(book, registry, at, asked)
        compare_inventory(book, registry, at, asked)


def known_as(book: Book) -> dict[str, str]:
    """Subject of each model -> its creation time: the subject depends on the first name seen."""
    return {
        subject: str(created)
        for subject, created in book.rows(
            "select distinct subject, created_at from ledger.log where kind = 'registered_model'"
        )
    }


def answers(book: Book, moments: Sequence[int]) -> list[tuple[Any, ...]]:
    """Everything the ledger says about moments, with names that do not depend on the order."""
    rows: list[tuple[Any, ...]] = [
        (table, ms, item, states)
        for table in TRUTH
        for ms, items in answers_at(book.con, table, moments).items()
        for item, states in items.items()
    ]
    names = known_as(book)
    for relation, columns in _NAMED.items():
        for at, subject, *rest in at_each(book.con, columns, relation, moments):
            rows.append((relation, at, names[subject], *rest))
    return sorted(rows, key=repr)


_NAMED = {
    "inventory": "model_subject, version, stage, aliases, live, possibly_live, deleted, "
    "uncertain_fields, owner, certainty",
    "promotions": "model_subject, version, live_via, live_not_before, live_not_after, "
    "ended_not_before, ended_not_after",
}


@pytest.mark.integration
@examples(2)
@given(
    histories(4, 5),
    st.permutations(range(4)),
    st.lists(st.integers(0, 400), min_size=6, max_size=6),
)
def test_the_order_of_reading_does_not_matter(
    empty_file: Path, steps: list[tuple[Any, ...]], order: list[int], picks: list[int]
) -> None:
    registry, readings = play(steps)
    with opened(empty_file) as one, opened(empty_file) as other:
        for reading in readings:
            one.take(reading, allow_empty=True)
        before: list[tuple[Any, ...]] = []
        for place in order:
            other.take(readings[place], allow_empty=True)
            after = other.log()
            assert after[: len(before)] == before
            assert other.tables() == other.rebuilt()
            before = after
        at = [reading.ended_at for reading in readings]
        asked = moments(registry, readings, picks)
        compare(other, registry, at, asked)
        assert answers(one, asked) == answers(other, asked)
