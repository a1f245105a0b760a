"""What happened within a second is told as one moment, not as an interval of nothing."""

from __future__ import annotations

import re

import pytest

from auditreg.audit import Auditor
from auditreg.config import Config
from auditreg.ledger.store import Ledger
from auditreg.models import Finding
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import opened
from tests.ledger.captured import CapturedRegistry

RULES = builtin_rules()
SAME_SECOND = re.compile(r"between (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* and \1")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """Of a registry in which everything takes a fifth of a second, between two readings too."""
    path = tmp_path_factory.mktemp("empty") / "audit.duckdb"
    with Ledger(path).writer():
        pass
    with opened(path) as book:
        registry = CapturedRegistry()
        registry.tick = 200
        registry.create("motor")
        registry.version("motor", approver="jane", approval_date="2026-01-01")
        registry.stage("motor", 1, "Production")
        registry.version("motor", approver="jane")
        registry.stage("motor", 2, "Production", archive=True)
        book.take(registry.look().reading)
        registry.tag("motor", 2, "approver", "bob")
        registry.delete_version("motor", 2)
        registry.stage("motor", 1, "Production")
        book.take(registry.look().reading)
        result = Auditor(book.con, Config(), RULES).check()
        assert not [rule.error for rule in result.rules if rule.error]
        return list(result.every)


def test_an_interval_below_a_second_is_a_moment(answers: list[Finding]) -> None:
    assert len(RULES) > 9
    reasons = [answer.reason for answer in answers]
    assert [reason for reason in reasons if SAME_SECOND.search(reason)] == []
    at_moments = [reason for reason in reasons if re.search(r" at \d{4}-\d\d-\d\d \d\d:", reason)]
    assert len(at_moments) > 5
