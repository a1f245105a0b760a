"""Every answer of every rule on a played estate, beside those of a judge who saw all that happened.

60 pricing models over three years on a real MLflow 2.9.2 server; see tests/servers/estate_29.py. The
judge is tests/judge/judge.py. `make integration PYTEST=tests/judge` runs it; `-s` prints the shares.

What no reading saw, a ledger cannot know. Where a record was overwritten, or a version was live, only
between two readings, an answer is compared a second time with a judge who read the registry as often as
auditreg did; such answers are counted apart.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.config import parse_config
from auditreg.ledger.store import Ledger
from auditreg.rules.parse import builtin_rules
from tests.judge.compare import RULES, Court, Told
from tests.judge.words import Firm
from tests.servers.estate_29 import MODELS, unpacked
from tests.servers.truth import Truth

LEFT_OUT = {
    "needs capture": {
        "approval-set-by-approver", "approver-not-promoter", "developer-not-promoter", "no-capture-gap",
        "no-uncaptured-change",
    },
    "needs users and rights": {"default-permission-safe", "production-writers-known"},
    "needs model files": {
        "environment-pinned", "files-match-registry", "live-version-ready", "model-unchanged-after-approval",
        "signature-complete", "signature-present",
    },
    "needs imports": {"engine-runs-live-version", "running-version-approved"},
    "asks about readings, not about the registry": {"inventory-fresh"},
}  # fmt: skip
QUARTERS = (1, 4, 6, 9, 11)
"""Which of the twelve quarters are judged; all of them are read."""
PAST = (2, 6, 9)
"""Which quarters' ends are asked about afterwards."""
HALF_A_QUARTER = 45 * 86_400_000
WRONG = ("false pass", "false failure", "left out")
Estate = tuple[dict[int, Path], Truth, str]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """The stores by the moment of their reading, all events, and the settings."""
    return unpacked(tmp_path_factory.mktemp("estate"))


def court_of(estate: Estate, folder: Path, readings: list[int]) -> Court:
    """A new ledger, and what the judge needs."""
    _, truth, text = estate
    settings = folder / "auditreg.toml"
    settings.write_text(text, encoding="utf-8")
    ledger = Ledger(folder / "audit.duckdb")
    court = Court(ledger, parse_config(text, settings), truth, Firm(text))
    for at in readings:
        court.read(estate[0][at], at)
    return court


@pytest.fixture(scope="module")
def quarterly(estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> tuple[Court, Told]:
    """A ledger that read each quarter's end, judged at several of them."""
    court = court_of(estate, tmp_path_factory.mktemp("quarterly"), [])
    told = Told()
    for number, (at, store) in enumerate(estate[0].items()):
        court.read(store, at)
        if number in QUARTERS:
            court.compare(told)
    return court, told


def say(told: Told, name: str) -> None:
    """Print the shares."""
    total = told.total
    print(f"\n{name}: {total.total()} answers, {total['undecided'] / total.total():.1%} undecided")
    print(f"  {sum(told.unknown.values())} more were not given, of what no reading saw")
    print(f"  {sum(told.overwritten.values())} are belied by what was overwritten unread:")
    for rule, count in sorted(told.overwritten.items()):
        print(f"    {rule:36} {count:6}")
    print("\n".join(f"  {line}" for line in told.shares()))


def wrong(told: Told, *kinds: str) -> str:
    """The answers that are not the judge's, as text."""
    return "\n".join(map(str, told.of(*kinds)))


def test_the_estate_is_what_a_firm_has(estate: Estate):
    stores, truth, _ = estate
    assert len(stores) == 12
    assert len({event.model for event in truth.events if event.do == "create model"}) == MODELS
    done = {event.do for event in truth.events}
    assert done >= {
        "create run",
        "delete run",
        "delete model",
        "delete version",
        "set alias",
        "untag version",
    }
    assert len(truth.events) > 10_000


def test_every_rule_is_judged_or_left_out_with_a_reason():
    left_out = set().union(*LEFT_OUT.values())
    assert {rule.id for rule in builtin_rules()} == set(RULES) | left_out
    assert not set(RULES) & left_out


@pytest.mark.integration
def test_a_ledger_that_read_each_quarter(quarterly: tuple[Court, Told]):
    _, told = quarterly
    say(told, "read quarterly")
    assert wrong(told, *WRONG) == ""
    assert told.outside.total() == 0
    assert told.total["undecided"] < 0.1 * told.total.total()
    assert set(told.counted) == set(RULES)


@pytest.mark.integration
def test_the_same_ledger_asked_about_its_past(quarterly: tuple[Court, Told], estate: Estate):
    court, _ = quarterly
    told = Told()
    for number in PAST:
        court.compare(told, past=list(estate[0])[number])
    say(told, "read quarterly, asked afterwards")
    assert wrong(told, *WRONG) == ""


@pytest.mark.slow
def test_between_two_readings(quarterly: tuple[Court, Told], estate: Estate):
    court, _ = quarterly
    told = Told()
    for number in PAST:
        court.compare(told, past=list(estate[0])[number] - HALF_A_QUARTER)
    say(told, "read quarterly, asked about moments between readings")
    assert wrong(told, "false pass", "false failure") == ""
    assert told.total["undecided"] < 0.3 * told.total.total()


@pytest.mark.integration
def test_a_ledger_that_read_once(estate: Estate, tmp_path_factory: pytest.TempPathFactory):
    last = max(estate[0])
    court = court_of(estate, tmp_path_factory.mktemp("once"), [last])
    told = Told()
    court.compare(told)
    say(told, "read once")
    assert wrong(told, *WRONG) == ""
    assert told.total["undecided"] < 0.1 * told.total.total()


@pytest.mark.slow
def test_a_ledger_that_read_once_asked_about_its_past(
    estate: Estate, tmp_path_factory: pytest.TempPathFactory
):
    stores = list(estate[0])
    court = court_of(estate, tmp_path_factory.mktemp("past"), stores[-1:])
    told = Told()
    for number in PAST:
        court.compare(told, past=stores[number])
    say(told, "read once, asked about the past")
    assert wrong(told, "false pass", "false failure") == ""
    assert told.total["undecided"] < 0.6 * told.total.total()
