"""A check that would come to the last one's result reads that back, and seals nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from auditreg import resources
from auditreg.config import Config, load_config
from auditreg.config.calendar import quarter_of
from auditreg.ledger.store import Ledger
from auditreg.models import CheckResult, Finding
from auditreg.rules.parse import builtin_rules
from auditreg.workflows.check import CheckOptions, run_check
from auditreg.workflows.policy import PolicySet
from tests.cli.running import run

WAIVERS = """
[[waiver]]
rule = "owner-recorded"
models = ["home"]
status = "under_repair"
reason = "known"
owner = "ops"
due = 2099-12-31

[[waiver]]
rule = "owner-recorded"
models = ["home", "motor-frequency"]
status = "under_repair"
reason = "known"
owner = "ops"
due = 2099-12-31

[[waiver]]
rule = "approver-recorded"
models = ["motor-frequency"]
status = "accepted"
reason = "known"
approver = "ann"
expires = 2099-12-31

[[waiver]]
rule = "run-linked"
models = ["home"]
status = "accepted"
reason = "known"
approver = "ann"
expires = 2001-12-31

[[waiver]]
rule = "no-such-rule"
models = ["home"]
status = "under_repair"
reason = "known"
owner = "ops"
due = 2099-12-31
"""


JUDGED = {"owner-recorded", "approver-recorded", "run-linked", "model-recreated"}
"""The rules that are in force, for speed: those of the waivers, and one that finds nothing."""

DISABLED = [f'"{rule.id}"' for rule in builtin_rules() if rule.id not in JUDGED]
SETTINGS = f"""
[live]
stages = ["Production"]
aliases = ["champion"]
[rules]
disabled = [{", ".join(DISABLED)}]
"""


def check(ledger: Path, **options: object) -> CheckResult:
    settings = Path("auditreg.toml")
    config = load_config(settings) if settings.exists() else Config()
    return run_check(Ledger(ledger), PolicySet.load(config), CheckOptions(**options)).result  # type: ignore[arg-type]


def checks(ledger: Path) -> int:
    with Ledger(ledger).reader() as con:
        return con.execute("select count(*) from checks").fetchone()[0]


@pytest.fixture
def judged(ledger: Path) -> Path:
    """A ledger that was checked with waivers, by the settings in the current folder."""
    Path("auditreg.toml").write_text(SETTINGS)
    Path("waivers.toml").write_text(WAIVERS)
    check(ledger)
    assert checks(ledger) == 1
    return ledger


def test_the_same_result_is_read_back(judged: Path, tmp_path: Path) -> None:
    before = judged.read_bytes()
    again = check(judged)
    assert judged.read_bytes() == before

    # What judging comes to: the same log, as if no check had been the last.
    copy = tmp_path / "copy.duckdb"
    shutil.copy(judged, copy)
    everything = check(copy, everything=True)
    assert checks(copy) == 2
    assert again.ledger["tree_size"] > 0
    fresh = replace(everything, every=(), ledger=again.ledger)
    assert again == fresh
    assert [list(finding.evidence) for finding in again.answers] == [
        list(finding.evidence) for finding in fresh.answers
    ]
    # The second waiver covers nothing that the first does not cover already; ann owns the model.
    assert {waiver.judged for waiver in again.waivers} == {
        *("in_force", "unused", "self_approved", "expired"),
    }
    assert any(waiver.covers for waiver in again.waivers)


def test_findings_are_not_compared_with_each_other(judged: Path, monkeypatch) -> None:
    def compared(*_: object) -> bool:
        raise AssertionError("every finding is compared with all that a waiver covers")

    monkeypatch.setattr(Finding, "__eq__", compared)
    assert any(waiver.covers for waiver in check(judged).waivers)


def test_who_may_not_write_the_lock_file_gets_the_result(judged: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "audit.duckdb.lock")

    monkeypatch.setattr("auditreg.ledger.store.locked", refused)
    Path("waivers.toml").write_text("")
    outcome = run_check(
        Ledger(judged), PolicySet.load(load_config(Path("auditreg.toml"))), CheckOptions()
    )
    assert outcome.unsealed == "audit.duckdb.lock: Permission denied."
    assert outcome.result.open


def reading(ledger: Path, registry: Path) -> None:
    run("extract", "--from", f"sqlite:///{registry}", "--ledger", str(ledger))


CHANGES: dict[str, Callable[[Path], object]] = {
    "the waivers": lambda _: Path("waivers.toml").write_text(
        WAIVERS.replace("known", "well known")
    ),
    "the settings": lambda _: Path("auditreg.toml").write_text(
        SETTINGS.replace("disabled = [", 'disabled = ["run-linked", ')
    ),
    "a check of one model": lambda ledger: check(ledger, selection=("home",)),
    "a check by one rule": lambda ledger: check(ledger, only=("owner-recorded",)),
    "a check of another period": lambda ledger: check(
        ledger, period=quarter_of(datetime(2001, 2, 1), "UTC", 1)
    ),
}


@pytest.mark.integration
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_result_follows_from_is_judged_anew(judged: Path, change: str) -> None:
    CHANGES[change](judged)
    before = checks(judged)
    check(judged)
    assert checks(judged) == before + 1
    check(judged)
    assert checks(judged) == before + 1


def test_a_new_reading_is_judged(judged: Path, small_registry: Path) -> None:
    reading(judged, small_registry)
    first = check(judged).as_of
    assert checks(judged) == 2
    assert check(judged).as_of == first
    assert checks(judged) == 2


def test_another_release_judges_anew(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "tool_version", lambda: "99.0")
    check(judged)
    assert checks(judged) == 2


def test_a_narrower_check_is_never_read_back(judged: Path) -> None:
    """Nor one of every answer: only what is open is sealed."""
    rules = {result.rule.id for result in check(judged, only=("owner-recorded",), seal=False).rules}
    assert rules == {"owner-recorded"}
    assert list(check(judged, everything=True, seal=False).every)


def test_a_report_between_changes_nothing(judged: Path) -> None:
    from auditreg.ledger.seal import seal_report

    with Ledger(judged).writer() as con:
        seal_report(
            con,
            period=(date(2026, 7, 1), date(2026, 9, 30)),
            as_of=datetime(2026, 9, 30),
            template="main",
            draft=False,
            files={},
            policy="",
        )
    check(judged)
    assert checks(judged) == 1
    with Ledger(judged).reader() as con:
        [(rules,)] = con.execute("select rules from checks").fetchall()
    assert {rule["id"] for rule in json.loads(rules)} == JUDGED
