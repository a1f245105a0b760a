"""The tables a check is made on say what the ledger's views and macros say of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from auditreg.audit.snapshot import Moment, population_names, prepare_snapshot
from auditreg.ledger import definitions
from auditreg.ledger.planning import plan_plainly
from tests.ledger.book import Book, opened
from tests.ledger.captured import CapturedRegistry
from tests.ledger.reading import moment


@pytest.fixture(scope="module")
def history(empty_file: Path) -> Iterator[tuple[Book, list[datetime]]]:
    """A registry that was captured, was not, and was again, with a rename and a deleted model; and moments:
    before the first reading, at readings, between them, and while a change may have been made.
    """
    registry, moments = CapturedRegistry(), []
    with opened(empty_file) as book:
        plan_plainly(book.con)  # as the check of a small ledger does
        moments.append(moment(registry.clock))
        registry.create("motor")
        registry.create("home")
        for number in (1, 2):
            registry.version("motor")
            registry.tag("motor", number, "approved_by", "bo")
        book.take(registry.look().reading)
        moments.append(moment(registry.clock))
        registry.capture()
        registry.stage("motor", 1, "Production")
        moments.append(moment(registry.clock))
        registry.alias("motor", "champion", 2)
        registry.tag("motor", 1, "approved_by", None)
        book.take(registry.look().reading)
        registry.tamper(("stage", "motor", 2, "Production"), moves=False)
        moments.append(moment(registry.clock))
        book.take(registry.look(journal=False).reading)
        registry.rename("motor", "vehicle")
        registry.delete("home")
        book.take(registry.look().reading)
        moments.append(moment(registry.clock))
        yield book, moments


def rows(book: Book, text: str) -> list[str]:
    return sorted(map(repr, book.rows(text)))


MOMENTS = [n if n == 3 else pytest.param(n, marks=pytest.mark.integration) for n in range(5)]
"""One for every run: after a change behind the server's back and before the reading that shows it."""


@pytest.mark.parametrize("number", MOMENTS)
def test_of_a_past_moment_they_are_what_the_macros_give(
    history: tuple[Book, list[datetime]], number: int
):
    book, moments = history
    at = moments[number]
    names = (*definitions.state_tables(), "deployments", *definitions.VIEWS)
    # Populations of a period and completeness hang on the check's period and on nothing of a moment.
    macros = [name for name in names if name not in (*population_names(), "completeness")]
    expected = {name: rows(book, f"from {name}_as_of(timestamp '{at}')") for name in macros}
    prepare_snapshot(book.con, Moment(at, at, at, past=at))
    for name in macros:
        assert rows(book, f"from temp.{name}") == expected[name], name
    assert (
        any(expected[name] for name in ("model_versions", "promotions", "changes")) or number == 0
    )
