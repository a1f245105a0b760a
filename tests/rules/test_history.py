"""The rules that only history makes possible, on a ledger of a registry under capture.

The cases beside this file write the rows of `changes`, `promotions` and the rest by hand; here they
come from readings and the server's journal, now and for a moment in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditreg.audit import Auditor
from auditreg.config import parse_config
from auditreg.ledger.import_parse import parse_deployments
from auditreg.ledger.import_record import record
from auditreg.ledger.store import Ledger
from auditreg.models import RuleInfo
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import KEY, Book, opened
from tests.ledger.captured import CapturedRegistry, Look
from tests.ledger.reading import moment

PEOPLE = "".join(f'[[people]]\nid = "{name}"\n' for name in ("jane", "bob", "mallory"))


class Told:
    """A registry of five models, played under capture, and what the rules say of it.

    Version 1 of `late` goes live twice: before anybody approved it, and once more when Bob takes the
    alias back from version 2, to which it had been moved past capture.
    """

    def __init__(self, book: Book) -> None:
        self.book, self.registry = book, CapturedRegistry()
        self.registry.capture()
        for name in ("good", "forged", "late", "plain", "gone"):
            self.by("dora").create(name)
            self.registry.version(name)
            self.registry.version(name)
        self.approve("jane", "good", 2, "jane")
        self.by("bob").stage("good", 1, "Production")
        self.by("bob").stage("good", 2, "Staging")
        self.registry.stage("good", 2, "Production", archive=True)
        self.approve("mallory", "forged", 1, "jane")
        self.by("jane").alias("forged", "champion", 1)
        self.by("bob").alias("late", "champion", 1)
        self.approve("jane", "late", 1, "jane")
        self.approve("jane", "gone", 1, "jane")
        self.by("bob").stage("gone", 1, "Production")
        self.by("bob").delete_version("gone", 1)
        self.take(self.registry.look())
        self.between = self.registry.wait(60_000)
        self.registry.tamper(("tag", "good", 2, "approver", "mallory"), moves=False)
        self.registry.tamper(("alias", "late", 2, "champion"), moves=False)
        self.by("bob").alias("late", "champion", 1)
        self.take(self.registry.look())
        self.deploy("good", 1, self.between - 1000)
        self.deploy("forged", 1, self.between + 1000)

    def deploy(self, model: str, version: int, since: int) -> None:
        """Have a deployment imported."""
        line = {"system": "engine", "model": model, "version": version}
        content = json.dumps({**line, "from": f"{moment(since).isoformat()}Z"}).encode()
        record(
            self.book.con,
            parse_deployments(content, "d.jsonl"),
            file="d.jsonl",
            content=content,
            registry="default",
            key=KEY,
        )

    def by(self, actor: str) -> CapturedRegistry:
        self.registry.actor = actor
        return self.registry

    def approve(self, actor: str, name: str, number: int, approver: str) -> None:
        self.by(actor).tag(name, number, "approver", approver)

    def take(self, look: Look) -> None:
        self.book.take(look.reading)

    def check(self, rule: RuleInfo, *, past: bool = False) -> dict[str, str]:
        """What a rule answers, by name of the subject; at the moment between the readings."""
        config = parse_config(PEOPLE, Path("auditreg.toml"))
        auditor = Auditor(self.book.con, config, [rule])
        result = auditor.check(moment(self.between) if past else None, only=[rule.id])
        assert [r.error for r in result.rules] == [None]
        answers: dict[str, list[str]] = {}
        for answer in result.every:
            answers.setdefault(answer.subject.label, []).append(str(answer.status))
        return {label: " ".join(found) for label, found in answers.items()}


RULES = {rule.id: rule for rule in builtin_rules()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    path = tmp_path_factory.mktemp("empty") / "audit.duckdb"
    with Ledger(path).writer():
        pass
    with opened(path) as book:
        yield Told(book)


NOW = {
    "approval-recorded-at-promotion": {
        "good/2": "pass",
        "forged/1": "pass",
        "late/1": "pass not_applicable",
    },
    "approval-precedes-live": {
        "good/2": "pass",
        "forged/1": "not_applicable",
        "late/1": "fail pass",
    },
    "approval-set-by-approver": {
        "good/2": "undecided",
        "forged/1": "fail",
        "late/1": "pass",
    },
    "approver-not-promoter": {"good/2": "pass", "forged/1": "fail", "late/1": "pass pass"},
    "approval-unchanged-after-promotion": {"good/2": "fail", "forged/1": "pass"},
    "staged-before-production": {"good/1": "fail", "good/2": "pass"},
    "no-uncaptured-change": {"good": "fail", "forged": "pass", "plain": "pass"},
    "no-capture-gap": {"the ledger": "pass"},
    "not-rolled-back-early": {
        "good/1": "pass",
        "good/2": "pass",
        "late/1": "pass pass",
        "late/2": "not_evidenced",
    },
    "not-deleted-while-live": {"good/2": "pass", "gone/1": "fail"},
    "promotion-in-window": {"good/2": "not_applicable"},
    "model-unchanged-after-approval": {"forged/1": "undecided"},
    "engine-runs-live-version": {"good": "fail", "forged": "pass", "plain": "not_applicable"},
}
THEN = {
    "approval-set-by-approver": {"good/2": "undecided", "forged/1": "fail"},
    "approval-unchanged-after-promotion": {"good/2": "undecided", "forged/1": "pass"},
    "no-uncaptured-change": {"good": "undecided", "forged": "pass"},
    "approver-not-promoter": {"good/2": "pass"},
    "engine-runs-live-version": {"good": "fail", "forged": "not_applicable"},
    "no-capture-gap": {"the ledger": "pass"},
}


@pytest.mark.integration
@pytest.mark.parametrize("rule", NOW)
def test_the_rules_tell_what_happened(told: Told, rule: str) -> None:
    answers = told.check(RULES[rule])
    assert {label: answers.get(label) for label in NOW[rule]} == NOW[rule]


@pytest.mark.parametrize("rule", THEN)
def test_of_a_past_moment_they_say_what_may_have_happened(told: Told, rule: str) -> None:
    answers = told.check(RULES[rule], past=True)
    assert {label: answers.get(label) for label in THEN[rule]} == THEN[rule]
