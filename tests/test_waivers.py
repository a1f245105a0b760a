"""waivers.toml: what is read, and how each entry is judged."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditreg.config import parse_config
from auditreg.errors import ConfigError
from auditreg.waivers import Reach, Waiver, judge, parse_waivers
from auditreg.workflows.policy import PolicySet

ACCEPTED = """
[[waiver]]
rule = "owner-recorded"
models = ["motor"]
versions = ["home/with/slash/3"]
status = "accepted"
reason = "known"
approver = "ann"
ticket = "M-1"
expires = 2026-12-31
"""
REPAIR = """
[[waiver]]
rule = "owner-recorded"
models = ["motor"]
status = "under_repair"
reason = "known"
owner = "ops"
due = 2026-12-31
"""
TODAY = date(2026, 9, 30)


def parse(text: str) -> tuple[Waiver, ...]:
    return parse_waivers(text, Path("waivers.toml"))


def test_entries() -> None:
    accepted, repair = parse(ACCEPTED + REPAIR)
    assert accepted.pairs == (("home/with/slash", 3),)
    assert accepted.scope == "motor, home/with/slash/3"
    assert accepted.until == repair.until == date(2026, 12, 31)
    assert (repair.ref.owner, accepted.ref.approver, accepted.ref.ticket) == ("ops", "ann", "M-1")
    assert parse("") == ()


def test_an_entry_may_be_for_one_workspace_and_registry() -> None:
    narrow = REPAIR + 'workspace = "fraud"\nregistry = "eu"\n'
    [both], [one] = parse(narrow), parse(REPAIR + 'registry = "eu"')
    assert both.scope == "motor in workspace fraud of registry eu"
    assert one.scope == "motor of registry eu"
    assert (
        "for motor in workspace fraud of registry eu: ops" in judge(both, TODAY, Reach(1)).sentence
    )
    [broad] = parse(narrow.replace('["motor"]', "[]"))
    assert judge(broad, TODAY, Reach()).judged == "over_broad"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[waiver]", "not TOML"),
        (ACCEPTED.replace("ticket", "tickets"), "tickets"),
        (ACCEPTED.replace('"accepted"', '"ignored"'), "ignored"),
        (ACCEPTED.replace("2026-12-31", '"soon"'), "expires"),
        (ACCEPTED.replace('approver = "ann"', ""), "'approver' is missing"),
        (ACCEPTED.replace("expires = 2026-12-31", ""), "'expires' is missing"),
        (ACCEPTED.replace('"known"', '" "'), "'reason' is missing"),
        (ACCEPTED.replace("slash/3", "slash/three"), "write it as model/3"),
        (ACCEPTED.replace("home/with/slash/3", "/3"), "write it as model/3"),
        (REPAIR.replace('owner = "ops"', ""), "'owner' is missing"),
        (REPAIR.replace("due = 2026-12-31", ""), "'due' is missing"),
        (ACCEPTED.replace("slash/3", f"slash/{'9' * 5000}"), "write it as model/3"),
        (
            ACCEPTED.replace("2026-12-31", "9999-12-31"),
            "waiver 1 (owner-recorded): 'expires' is 9999-12-31",
        ),
        (f"a = {'[' * 5000}", "not TOML"),
        (ACCEPTED + "workspace = 1", "workspace"),
        ("[waivers]", "waivers"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert problem in str(caught.value)
    assert "waivers.toml" in caught.value.what


def test_the_file_beside_the_settings(tmp_path: Path) -> None:
    config = parse_config("", tmp_path / "auditreg.toml")
    assert PolicySet.load(config).parsed_waivers() == ()
    path = tmp_path / "waivers.toml"
    path.write_text(REPAIR)
    assert len(PolicySet.load(config).parsed_waivers()) == 1
    path.write_bytes(b"# \xff")
    with pytest.raises(ConfigError, match="cannot be read: it is not UTF-8 text"):
        PolicySet.load(config)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        PolicySet.load(config)


@pytest.mark.parametrize(
    ("text", "options", "judged", "words"),
    [
        (ACCEPTED, {"covers": 1}, "in_force", "holds until 2026-12-31"),
        (ACCEPTED, {"covers": 0}, "unused", "covers no open finding"),
        (ACCEPTED, {"covers": 0, "whole": False}, "in_force", "holds"),
        (ACCEPTED, {"covers": 1, "known": False}, "unused", "no such rule"),
        (ACCEPTED, {"covers": 1, "given": "self_approved"}, "self_approved", "approved by ann"),
        (ACCEPTED, {"covers": 1, "given": "names_nobody"}, "names_nobody", "which names nobody"),
        (ACCEPTED, {"covers": 1, "given": "service_account"}, "service_account", "a service"),
        (ACCEPTED, {"covers": 1, "given": "not_in_office"}, "not_in_office", "is not in office"),
        (ACCEPTED, {"covers": 1, "given": "by_stranger"}, "by_stranger", "ann is nobody listed"),
        (ACCEPTED, {"covers": 0, "given": "by_stranger"}, "unused", "covers no open finding"),
        (ACCEPTED, {"covers": 0, "withheld": 1}, "self_approved", "by ann, who owns or developed"),
        (ACCEPTED, {"covers": 0, "withheld": 1, "whole": False}, "partly_self_approved", "but not"),
        (
            ACCEPTED,
            {"covers": 2, "withheld": 1},
            "partly_self_approved",
            "holds until 2026-12-31, but not for what ann owns or developed.",
        ),
        (
            ACCEPTED,
            {"covers": 1, "withheld": 1, "given": "by_stranger"},
            "partly_self_approved",
            "but",
        ),
        (
            ACCEPTED.replace("2026-12", "2025-12"),
            {"covers": 1, "withheld": 1},
            "expired",
            "expired",
        ),
        (ACCEPTED.replace("2026-12", "2025-12"), {"covers": 1}, "expired", "expired"),
        (ACCEPTED.replace("2026-12-31", "2026-09-30"), {"covers": 1}, "in_force", "holds"),
        (REPAIR, {"covers": 1}, "in_force", "it stays open"),
        (REPAIR.replace("2026-12", "2025-12"), {"covers": 1}, "overdue", "was due on 2025-12-31"),
        (REPAIR.replace('["motor"]', "[]"), {"covers": 1}, "over_broad", "covers nothing"),
        (REPAIR.replace('"motor"', '"*"'), {"covers": 1}, "over_broad", "covers nothing"),
    ],
)
def test_judged(text: str, options: dict[str, Any], judged: str, words: str) -> None:
    reach = Reach(options["covers"], withheld=options.get("withheld", 0))
    more = {name: value for name, value in options.items() if name not in ("covers", "withheld")}
    result = judge(parse(text)[0], TODAY, reach, **more)
    assert (result.judged, words in result.sentence) == (judged, True)
    holds = judged in ("in_force", "by_stranger", "partly_self_approved")
    assert result.is_bad == (not holds)
    assert result.covers == (options["covers"] if holds or judged == "overdue" else 0)
