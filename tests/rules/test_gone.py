"""What rules say of versions and aliases that are gone: by what the ledger read of them before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditreg.audit import Auditor
from auditreg.config import Config
from auditreg.ledger.store import Ledger
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import Book, opened
from tests.ledger.captured import CapturedRegistry
from tests.ledger.reading import moment

RULES = {rule.id: rule for rule in builtin_rules()}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    path = tmp_path / "audit.duckdb"
    with Ledger(path).writer():
        pass
    with opened(path) as book:
        yield book


def answers(book: Book, rule: str) -> dict[str, str]:
    result = Auditor(book.con, Config(), [RULES[rule]]).check()
    assert [one.error for one in result.rules] == [None]
    return {answer.subject.label: str(answer.status) for answer in result.every}


def test_the_reason_for_a_change_outlives_its_model(book: Book):
    registry = CapturedRegistry()
    registry.create("home")
    registry.create("motor")
    registry.version("motor")
    registry.stage("motor", 1, "Production")
    registry.version("motor")
    registry.tag("motor", 2, "change_reason", "CHG-1")
    book.take(registry.look().reading)
    registry.stage("motor", 2, "Production", archive=True)
    registry.wait(60_000)
    book.take(registry.look().reading)
    registry.delete("motor")
    registry.wait(60_000)
    book.take(registry.look().reading)
    assert answers(book, "change-reason-recorded")["motor/2"] == "pass"


@pytest.mark.parametrize("gone", ["model", "version"])
def test_that_a_model_is_from_a_vendor_outlives_it(book: Book, gone: str):
    registry = CapturedRegistry()
    registry.create("boat")
    for name, number in (("score", None), ("rate", 1), ("home", None)):
        registry.create(name)
        registry.version(name)
        if name != "home":
            registry.tag(name, number, "gov.vendor.name", "Acme Scoring")
        registry.stage(name, 1, "Production")
    registry.wait(60_000)
    book.take(registry.look().reading)
    for name in ("score", "rate", "home"):
        if gone == "model":
            registry.delete(name)
        else:
            registry.delete_version(name, 1)
    registry.wait(60_000)
    book.take(registry.look().reading)
    assert answers(book, "developer-recorded") == {
        "score/1": "not_applicable",
        "rate/1": "not_applicable",
        "home/1": "not_evidenced",
    }


def test_an_alias_may_have_been_free_before_the_version_that_it_is_given_to(book: Book):
    registry = CapturedRegistry()
    registry.create("motor")
    registry.version("motor")
    registry.alias("motor", "champion", 1)
    seen = registry.wait(60_000)
    book.take(registry.look().reading)
    registry.wait(60_000)
    registry.alias("motor", "champion", None)
    free = registry.wait(60_000)
    registry.delete_version("motor", 1)
    registry.wait(60_000)
    registry.version("motor")
    registry.alias("motor", "champion", 2)
    registry.wait(60_000)
    book.take(registry.look().reading)
    ((low, _),) = book.rows(
        "select ended_not_before, ended_not_after from promotions where version = 1"
    )
    assert moment(seen) <= low < moment(free)
    assert book.rows(
        "select certainty from aliases_as_of(?::TIMESTAMP) where version = 1", moment(free)
    ) == [("uncertain",)]
    assert answers(book, "not-deleted-while-live")["motor/1"] == "undecided"
