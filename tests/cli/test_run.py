"""`auditreg run`: the phases in their order, one exit code, and what is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from auditreg.cli import cli
from auditreg.errors import ExitCode

pytestmark = pytest.mark.integration  # whole programs

SOURCES = """
[[source]]
name = "pricing"
uri = "sqlite:///pricing.db"
artifacts = "none"
"""
SECOND = """
[[source]]
name = "claims"
uri = "sqlite:///claims.db"
artifacts = "none"
"""


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["run", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def published() -> list[str]:
    return sorted(path.name for path in Path("copies").glob("*.duckdb"))


@pytest.fixture(autouse=True)
def settings(small_registry, tmp_path, monkeypatch, two_rules) -> Callable[[str], None]:
    """One source and two rules; what it returns writes the settings anew, with more at the end."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(small_registry, "pricing.db")

    def write(more: str = "") -> None:
        Path("auditreg.toml").write_text(f"{two_rules}{SOURCES}{more}")

    write()
    return write


def test_a_line_per_phase_and_the_code_of_the_check():
    done = run("--publish", "copies", code=ExitCode.FINDINGS)
    extract, check, publish = done.stdout.splitlines()
    assert extract.startswith("extract  pricing: first extraction; 4 models")
    assert check.startswith("check    ")
    assert " open (" in check
    assert "information" not in check
    assert publish.startswith("publish  published copies/")
    assert done.stderr == ""
    assert len(published()) == 1
    with duckdb.connect("audit.duckdb", read_only=True) as con:
        kinds = con.execute("select kind from ledger.log where kind in ('extraction', 'check')")
        assert kinds.fetchall() == [("extraction",), ("check",)]
    run("--fail-on", "none")


def test_the_folder_may_stand_in_the_settings(settings):
    settings('[publish]\nfolder = "copies"\n')
    document = json.loads(run("--format", "json", "--fail-on", "none").stdout)
    assert document["schema"] == "auditreg.run/1"
    assert (document["exit_code"], document["trusted"]) == (0, True)
    assert document["extract"]["extractions"][0]["status"] == "recorded"
    assert document["check"]["open"]["high"] > 0
    assert document["publish"]["complete"] is True
    assert [Path(document["publish"]["file"]).name] == published()


def test_where_one_registry_fails_the_rest_is_for_information(settings):
    settings(SECOND)
    done = run("--publish", "copies", code=ExitCode.ERROR)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("extract  pricing: first extraction")
    assert lines[1].startswith("extract  claims: failed: There is no")
    assert "trust no result until every registry is read completely" in lines[2]
    assert lines[3].startswith("publish  published")
    assert "registry  claims\nerror     There is no" in done.stderr
    run("--source", "pricing", code=ExitCode.FINDINGS)


def test_where_nothing_is_recorded_the_last_copy_stays_the_newest():
    run("--publish", "copies", "--fail-on", "none")
    before = published()
    Path("pricing.db").write_bytes(b"no database at all")
    done = run("--publish", "copies", "--fail-on", "none", code=ExitCode.ERROR)
    assert "publish  not published: nothing was recorded" in done.stdout
    assert "trust no result" in done.stdout
    assert published() == before


def test_without_a_ledger_nothing_is_checked():
    Path("pricing.db").unlink()
    done = run(code=ExitCode.ERROR)
    assert "check    not checked: there is no ledger" in done.stdout
    document = json.loads(run("--format", "json", code=ExitCode.ERROR).stdout)
    assert (document["trusted"], document["check"]) == (False, None)
    assert document["skipped"] == {"check": "not checked: there is no ledger"}


def test_an_incomplete_reading_is_published_as_such_and_ends_in_2(monkeypatch):
    from dataclasses import replace

    from auditreg.sources.database.source import SqlReading

    honest = SqlReading.completeness
    monkeypatch.setattr(
        SqlReading, "completeness", lambda self: replace(honest(self), doubts=("a row too few",))
    )
    done = run("--publish", "copies", "--fail-on", "none", code=ExitCode.ERROR)
    assert "pricing: INCOMPLETE (a row too few): first extraction" in done.stdout
    assert "of an INCOMPLETE reading, which it says" in done.stdout
    assert len(published()) == 1


def test_a_fault_of_the_check_does_not_keep_the_copy_from_being_published(monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr("auditreg.workflows.check.run_check", broken)
    done = run("--publish", "copies", code=ExitCode.ERROR)
    assert "check    failed: RuntimeError: nobody foresaw this" in done.stdout
    assert "The check did not finish." in done.stderr
    assert len(published()) == 1


def test_a_phase_that_fails_is_told_and_counts(settings):
    Path("copies").write_text("a file, no folder")
    settings('[publish]\nfolder = "copies"\n')
    done = run("--fail-on", "none", code=ExitCode.ERROR)
    assert "publish  failed: " in done.stdout
    assert "error     " in done.stderr
