"""`auditreg import` and `auditreg capture` on real ledger files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.errors import LedgerError, NothingToAudit, UsageError
from auditreg.ledger.store import Ledger
from tests.ledger.reading import Registry

RECORD = {"at": "2026-03-01T12:00:00Z", "model": "home", "what": "stage", "system": "JIRA"}
RUN = {"system": "engine", "model": "home", "version": 1, "from": "2026-03-01T12:00:00Z"}


def auditreg(*arguments: str, code: int = 0, **options) -> str:
    """The standard output of a command that ends in `code`."""
    done = CliRunner().invoke(cli, list(arguments), **options)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def rows(*arguments: str, code: int = 0) -> list[dict]:
    return json.loads(auditreg(*arguments, "--format", "json", code=code))


def written(*records: dict, name: str = "in.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return name


def test_history_is_imported_once_and_the_ledger_verifies(ledger):
    file = written(RECORD, {**RECORD, "model": "boat\x1b[31m", "note": "x"})
    shown = auditreg("import", "history", file)
    assert "recorded     2 new, as asserted" in shown
    assert r"1 model the ledger does not know: boat\x1b[31m" in shown
    assert "0 new, as asserted; 2 were on record before" in auditreg("import", "history", file)
    assert [row["system"] for row in rows("query", "from history_records")] == ["JIRA", "JIRA"]
    assert "verified" in auditreg("verify")


def test_what_an_import_names_that_is_not_on_record_is_told(ledger):
    file = written({**RECORD, "workspace": "pricng"}, {**RECORD, "at": "2001-03-01T12:00:00Z"})
    shown = auditreg("import", "history", file)
    assert "unknown      1 workspace the ledger does not know: pricng" in shown
    assert "note         1 record whose model had no such name then, or is in several" in shown


def test_history_comes_from_standard_input_too(ledger):
    auditreg("import", "history", "-", input=json.dumps(RECORD))
    assert rows("query", "select file from history_records") == [{"file": "standard input"}]


def test_a_bad_file_leaves_the_ledger_as_it_was(ledger):
    before = ledger.read_bytes()
    with pytest.raises(UsageError, match=r"in\.jsonl, line 2: there is no key `by`"):
        auditreg("import", "history", written(RECORD, {**RECORD, "by": "bob"}))
    with pytest.raises(UsageError, match=r"nothing\.jsonl cannot be read"):
        auditreg("import", "history", "nothing.jsonl")
    assert ledger.read_bytes() == before


def test_an_import_makes_no_ledger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerError, match="There is no ledger"):
        auditreg("import", "history", written(RECORD))
    assert not Path("audit.duckdb").exists()


def test_patterns_for_secrets_and_the_registry_come_from_the_settings(ledger):
    Path("auditreg.toml").write_text(
        '[[source]]\nname = "pricing"\n[secrets]\npatterns = ["kennwort"]\n'
    )
    record = {**RECORD, "what": "tag", "item": "kennwort", "after": "geheim-123"}
    assert "1 value that looks like a credential," in auditreg("import", "history", written(record))
    [row] = rows("query", "select registry, after from history_records")
    assert row["registry"] == "pricing"
    assert "geheim" not in row["after"]


def test_deployments_are_compared_with_what_is_live(ledger):
    now = {**RUN, "from": "2020-01-01T00:00:00Z"}
    coming = {**RUN, "from": "2099-01-01T00:00:00Z", "system": "batch"}
    auditreg("import", "deployments", written(now, {**now, "model": "motor-frequency"}, coming))
    ran = rows("query", "select model, version, live, live_versions from running order by model")
    assert ran == [
        {"model": "home", "version": 1, "live": True, "live_versions": "1"},
        {"model": "motor-frequency", "version": 1, "live": False, "live_versions": "2"},
    ]
    [asked] = rows("questions", "running-but-not-live")
    assert (asked["model"], asked["version"]) == ("motor-frequency", 1)
    with pytest.raises(UsageError, match="line 1: it has neither `version` nor `digest`"):
        auditreg("import", "deployments", written({**RUN, "version": None}))


def test_an_imported_record_can_be_erased(ledger):
    auditreg("import", "history", written({**RECORD, "actor": "Ann Lee of 1 High Street"}))
    [row] = rows("query", "select seq from history_records")
    auditreg("erase", str(row["seq"]), "--reason", "asked for", "--yes")
    assert rows("query", "from history_records") == []
    assert b"High Street" not in ledger.read_bytes()
    assert "verified" in auditreg("verify")


def test_capture_without_a_journal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = Registry()
    registry.create("home")
    Ledger(Path("audit.duckdb")).ingest(registry.read(), registry="default", policies=())
    with pytest.raises(NothingToAudit, match="holds no journal of a server"):
        auditreg("capture", "status")
    with pytest.raises(NothingToAudit, match="no journal of the registry 'default'"):
        auditreg("capture", "sealed")


def test_the_list_of_imports_tells_the_file(ledger):
    auditreg("import", "deployments", written(RUN, name="engine 1.jsonl"))
    [row] = rows("query", "from imports")
    assert (row["what"], row["file"], row["lines"]) == ("deployment", "engine 1.jsonl", 1)
