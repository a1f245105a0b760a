"""Where no version counts as live, no result looks as if something had been judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.ledger.store import Ledger
from tests.ledger.conftest import empty_file, take  # noqa: F401 - a fixture
from tests.ledger.reading import Registry


@pytest.fixture
def folder(tmp_path: Path, empty_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A ledger of a registry whose names for "in use" are none of the built-in ones."""
    monkeypatch.chdir(tmp_path)
    ledger, registry = Ledger(tmp_path / "audit.duckdb"), Registry()
    ledger.path.write_bytes(empty_file.read_bytes())
    registry.create("motor")
    registry.create("greeting", **{"mlflow.prompt.is_prompt": "true"})
    for _ in range(2):
        registry.version("motor", env='eu "prod"\x1b[2J')
    registry.version("greeting", env="hidden")
    registry.alias("motor", 'prod"eu', 2)
    registry.stage("motor", 1, "Staging")
    take(ledger, registry.read())
    return tmp_path


def auditreg(*arguments: str, code: int) -> str:
    done = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert done.exit_code == code, done.output
    assert "\x1b" not in done.output
    return done.stdout


def test_it_says_which_names_count_and_which_there_are(folder):
    for _ in range(2):  # judged, and read back as it was sealed
        shown = " ".join(auditreg("check", code=3).split())
        assert "No version counts as in use, so none was judged." in shown
        assert "stages Production; aliases champion" in shown
        assert 'found stages None (1), Staging (1); aliases prod"eu (1); tags env = eu' in shown
        assert r'[live] aliases = ["prod\"eu"] and stages = ["Staging"]' in shown
        assert "hidden" not in shown
        assert "exit 3: no version was judged" in shown
    found = json.loads(auditreg("check", "--format", "json", code=3))["summary"]["nothing_live"]
    assert found["stages"] == ["Production"]
    assert {"kind": "alias", "name": 'prod"eu', "versions": 1} in found["found"]
    assert "none was judged" in " ".join(auditreg("check", "--all", code=3).split())


OF_ALL_VERSIONS = """/*
title = "Described"
severity = "low"
scope = "model_version"
repair = "tag"
looks_for = "x"
rationale = "x"
remediation = "x"
*/
select subject, 'pass' as status, 'A version' as reason from population_model_version
"""


def test_a_rule_about_all_versions_makes_no_green_screen(folder):
    Path("rules").mkdir()
    Path("rules/x-described.sql").write_text(OF_ALL_VERSIONS)
    Path("auditreg.toml").write_text('[rules]\npacks = ["rules"]\n')
    chosen = ("--rule", "x-described", "--rule", "owner-recorded")
    found = json.loads(auditreg("check", *chosen, "--format", "json", code=3))
    assert [rule["counts"]["pass"] for rule in found["rules"]] == [0, 2]
    assert found["summary"]["nothing_live"]["found"]


def test_the_report_says_so_before_the_first_number(folder):
    auditreg("report", "--draft", "--period", "2026-Q1", "--output", "report", code=0)
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert "No version counts as in use, so none was judged" in page
    assert page.index("none was judged") < page.index('class="card"')


def test_what_is_judged_is_not_called_unjudged(folder):
    rule = ("--rule", "version-gap-explained")  # asked of models
    text = auditreg("check", *rule, "--format", "json", code=0)
    assert json.loads(text)["summary"]["nothing_live"] is None
    auditreg("check", "motor/1", code=1)
    Path("auditreg.toml").write_text("[live]\naliases = ['prod\"eu']\n")
    assert (
        json.loads(auditreg("check", "--format", "json", code=1))["summary"]["nothing_live"] is None
    )
