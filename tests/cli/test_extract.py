"""`auditreg extract` of one registry and of several: what it says, records, logs and ends in."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner, Result

from auditreg.cli import cli
from auditreg.cli.log_setup import logging_to
from auditreg.cli.redaction import redact, redacted
from auditreg.errors import ConfigError, SourceError, UsageError
from auditreg.formats.extract_json import json_schema
from tests.sources.firm_29 import DATA

SOURCES = """
[[source]]
name = "pricing"
uri = "sqlite:///pricing.db"
artifacts = "none"

[source.workspace.default.live]
aliases = []

[[source]]
name = "claims"
uri_env = "CLAIMS_DB"
artifacts = "none"
"""
HOSTILE = "evil\x1b[31m\u202e\nname"


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def rows(query: str) -> list[tuple]:
    with duckdb.connect("audit.duckdb", read_only=True) as con:
        return con.execute(query).fetchall()


def change(path: str, *statements: str) -> None:
    with sqlite3.connect(path) as con:
        for statement in statements:
            con.execute(statement)
    con.close()


@pytest.fixture
def several(small_registry, tmp_path, monkeypatch):
    """Two registries and the settings that name them; the second's address is not set."""
    monkeypatch.chdir(tmp_path)
    for name in ("pricing.db", "claims.db"):
        shutil.copy(small_registry, name)
    Path("auditreg.toml").write_text(SOURCES)
    monkeypatch.delenv("CLAIMS_DB", raising=False)


def test_all_sources_are_read_and_each_is_sealed(several, monkeypatch):
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    shown = run("extract").stdout
    first, second, *rest = shown.splitlines()
    assert first.startswith("pricing      first extraction; 4 models, 4 versions")
    assert second.startswith("claims       first extraction; 4 models")
    assert [line.split()[0] for line in rest] == ["ledger", "root", "next"]
    assert rows("select registry, complete from extractions order by seq") == [
        ("pricing", True), ("claims", True),
    ]  # fmt: skip
    # What a workspace does in its own way takes effect, in any DuckDB and only there.
    assert rows("select registry, count(*) from live_versions group by all") == [("claims", 3)]
    change("claims.db", "delete from registered_model_aliases where name = 'home'")
    assert "claims       1 alias gone; 4 models" in run("extract").stdout


def test_one_that_fails_stops_no_other(several):
    done = run("extract", code=2)
    assert "pricing      first extraction" in done.stdout
    assert "claims       failed: uri_env of the source claims names" in done.stdout
    assert "next         repair the cause" in done.stdout
    assert "registry  claims\nerror     uri_env of the source claims" in done.stderr
    assert rows("select registry from extractions") == [("pricing",)]


def test_the_worst_code_counts(several, monkeypatch):
    empty = ("registered_model_aliases", "registered_model_tags", "model_version_tags",
             "model_versions", "registered_models")  # fmt: skip
    change("claims.db", *(f"delete from {table}" for table in empty))
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    assert (
        "claims       empty: sqlite:///claims.db is an MLflow store"
        in run("extract", code=3).stdout
    )
    Path("pricing.db").write_bytes(b"no database")
    document = json.loads(run("extract", "--format", "json", code=2).stdout)
    assert [one["status"] for one in document["extractions"]] == ["failed", "empty"]
    assert document["exit_code"] == 2


def test_a_bug_in_one_stops_no_other(several, monkeypatch):
    from auditreg.sources.database.source import SqlReading

    honest = SqlReading.completeness

    def broken(self):
        if "pricing" in self.info.location:
            raise KeyError("sqlite://u:hunter2@h")
        return honest(self)

    monkeypatch.setattr(SqlReading, "completeness", broken)
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    done = run("extract", code=2)
    assert "failed: KeyError" in done.stdout
    assert "hunter2" not in done.output
    assert "This is a bug in auditreg" in done.stderr
    assert rows("select registry from extractions") == [("claims",)]
    with pytest.raises(KeyError):
        run("extract", "--source", "pricing")


def test_a_source_is_chosen_by_name(several):
    run("extract", "--source", "pricing")
    assert rows("select registry from extractions") == [("pricing",)]
    with pytest.raises(ConfigError, match="CLAIMS_DB"):
        run("extract", "--source", "claims")
    with pytest.raises(UsageError, match="no source 'pricin'") as caught:
        run("extract", "--source", "pricin")
    assert "Did you mean pricing?" in caught.value.hint


def test_another_store_is_not_taken_for_the_registry(several, monkeypatch):
    change("claims.db", "update registered_models set creation_time = creation_time - 86400000")
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    run("extract", "--source", "pricing")
    with pytest.raises(SourceError) as caught:
        run("extract", "--from", "claims.db", "--registry", "pricing")
    assert "claims.db shows none of the 4 models" in caught.value.what
    assert "pricing.db (read " in caught.value.what
    assert rows("select registry, complete from extractions") == [("pricing", True)]
    # Another registry under a name of its own; or the same one, moved, as somebody says.
    run("extract", "--source", "claims")
    wrong = ("--from", "claims.db", "--registry", "pricing")
    assert "4 models new, 4 models gone" in run("extract", *wrong, "--allow-replacement").stdout
    assert rows("select asked from extractions where registry = 'pricing' order by seq")[1] == (
        '{"runs": "linked", "artifacts": "none", "replacement": "allowed"}',
    )
    for command in ("extract", "run"):
        with pytest.raises(UsageError, match="about one registry"):
            run(command, "--allow-replacement")


@pytest.mark.integration
@pytest.mark.parametrize("how", ["option", "settings"])
def test_a_run_takes_in_a_registry_that_was_moved(several, monkeypatch, how):
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    run("run", "--source", "claims", "--fail-on", "none")
    change("claims.db", "update registered_models set creation_time = creation_time + 86400000")
    run("run", "--source", "claims", "--fail-on", "none", code=2)
    if how == "settings":
        Path("auditreg.toml").write_text(f"{SOURCES}allow_replacement = true\n")
    option = ["--allow-replacement"] if how == "option" else []
    shown = run("run", "--source", "claims", "--fail-on", "none", *option).stdout
    assert "4 models new, 4 models gone" in shown


def test_an_address_needs_to_be_somebodys(several):
    with pytest.raises(UsageError, match="nothing says which"):
        run("extract", "--from", "claims.db")
    run("extract", "--from", "claims.db", "--registry", "claims")
    run("extract", "--from", "sqlite:///pricing.db")
    assert rows("select registry from extractions") == [("claims",), ("pricing",)]
    for wrong in (
        ("--from", "claims.db", "--source", "claims"),
        ("--registry", "claims"),
        ("--allow-empty",),
        ("--allow-replacement",),
        ("--observed-at", "2026-09-30"),
    ):
        with pytest.raises(UsageError):
            run("extract", *wrong)
    assert len(rows("from extractions")) == 2


@pytest.mark.integration
def test_other_commands_ask_whose(several, monkeypatch):
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    run("extract")
    line = {"system": "x", "model": "home", "version": 1, "from": "2026-01-01T00:00:00Z"}
    Path("a.jsonl").write_text(json.dumps(line))
    Path("b.jsonl").write_text(json.dumps({**line, "registry": "claims", "system": "y"}))
    with pytest.raises(UsageError, match="nothing says which"):
        run("import", "deployments", "a.jsonl")
    run("import", "deployments", "a.jsonl", "--registry", "pricing")
    run("import", "deployments", "b.jsonl")
    assert rows("select system, registry from deployments order by 1") == [
        ("x", "pricing"), ("y", "claims"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="nothing says which"):
        run("check", "--from", "claims.db")
    with pytest.raises(UsageError, match="nothing says which"):
        run("capture", "sealed")

    def judged(registry: str, code: int) -> int:
        done = run("check", "--from", "claims.db", "--registry", registry, "--format", "json",
                   "--rule", "owner-recorded", "--fail-on", "none", code=code)  # fmt: skip
        (rule,) = [r for r in json.loads(done.stdout)["rules"] if r["id"] == "owner-recorded"]
        return rule["population"]

    assert judged("claims", 0) == 3
    assert judged("pricing", 3) == 0  # nothing is live there: the workspace has no alias for it


def test_the_document(several, monkeypatch):
    monkeypatch.setenv("CLAIMS_DB", "sqlite:///claims.db")
    run("extract", "--source", "pricing")
    change(
        "pricing.db",
        "update registered_models set description = 'new' where name = 'home'",
        "update registered_model_aliases set version = 1 where name = 'motor-frequency'",
        "delete from registered_model_tags where name = 'hostile'",
    )
    Path("claims.db").unlink()
    done = run("extract", "--format", "json", "--format", "text=said.txt", code=2)
    document = json.loads(done.stdout)
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(document)
    assert not validator.is_valid({**document, "exit_code": "2"})
    pricing, claims = document["extractions"]
    assert pricing["status"] == "recorded"
    assert pricing["counts"]["registered_models"] == {"source": 4, "read": 4}
    assert pricing["changes"] == {
        "registered_model": {"new": 0, "changed": 1, "gone": 0},
        "alias": {"new": 0, "changed": 1, "gone": 0},
        "registered_model_tag": {"new": 0, "changed": 0, "gone": 2},
    }
    assert pricing["root"] == rows("select root from extractions order by seq desc limit 1")[0][0]
    assert claims["status"] == "failed"
    assert "no file" in claims["error"]["what"]
    said = Path("said.txt").read_text()
    assert said.startswith(
        "pricing      1 model changed, 1 alias moved, 2 model tags gone; 4 models"
    )


def test_what_changed_is_the_first_line(several):
    run("extract", "--source", "pricing")
    change("pricing.db", "update registered_model_aliases set version = 1")
    first = run("extract", "--source", "pricing").stdout.splitlines()[0]
    assert first == "changed      1 alias moved"
    quiet = run("extract", "--source", "pricing", "-q").stdout
    assert quiet == "pricing: no change; 4 models, 4 versions read\n"


def test_hostile_text_is_inert_and_the_screen_is_short(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "a\x1b[31m\u202eb.db"
    shutil.copy(small_registry, place)
    for name in ("text", "json"):
        shown = run("extract", "--from", str(place), "--format", name).stdout
        assert not {"\x1b", "\u202e"} & set(shown)
    assert len(run("extract", "--from", str(place)).stdout.splitlines()) <= 40


def test_settings_of_a_source_hold_unless_an_option_says_otherwise(several):
    run("extract", "--source", "pricing")
    assert rows("select count(*) from model_artifacts") == [(0,)]
    run("extract", "--source", "pricing", "--artifacts", "all")
    assert rows("select count(*) from model_artifacts") == [(4,)]


def test_the_files_of_today_are_not_taken_for_a_backups(several):
    asked = (
        "select asked ->> '$.artifacts', contains(kinds, 'model_artifact') from extractions "
        "order by seq desc limit 1"
    )
    backup = ("extract", "--source", "pricing", "--observed-at")
    run(*backup, "2020-01-01")
    assert rows(asked) == [("none", False)]
    assert rows("select count(*) from model_artifacts") == [(0,)]
    run(*backup, "2020-01-02", "--artifacts", "all")
    assert rows(asked) == [("all", True)]
    run("extract", "--source", "pricing", "--artifacts", "live")
    assert rows(asked) == [("live", True)]
    ((unseen, said),) = rows(
        "select left_out ->> '$.\"model files of versions that are not live, not looked at\"', "
        "contains(cannot_show, 'not live: nobody looked') from extractions order by seq desc limit 1"
    )
    assert int(unseen) > 0
    assert said


def test_users_and_rights_are_read_where_a_source_names_their_database(several, monkeypatch):
    Path("users.db").write_bytes(gzip.decompress((DATA / "users.db.gz").read_bytes()))
    change(
        "users.db",
        "delete from registered_model_permissions",
        "delete from experiment_permissions",
        "delete from users where username <> 'nobody'",
    )
    named = 'auth_uri_env = "USERS_DB"\nauth_default = "EDIT"\n'
    Path("auditreg.toml").write_text(SOURCES.replace("[source.w", f"{named}[source.w"))
    monkeypatch.setenv("USERS_DB", "sqlite:///users.db")
    run("extract", "--source", "pricing")
    asked = "select account, model, permission from effective_permissions where model = 'home'"
    assert rows(asked) == [("nobody", "home", "EDIT")]
    # What is read from elsewhere is of another moment than that database.
    monkeypatch.delenv("USERS_DB")
    run("extract", "--from", "claims.db", "--registry", "pricing")


def test_the_choice_of_workspaces_is_sealed(several):
    Path("auditreg.toml").write_text(SOURCES + 'workspaces = { except = ["default"] }\n')
    with pytest.raises(Exception, match="no registered model"):
        run("extract", "--from", "claims.db", "--registry", "claims")


# -- the log --------------------------------------------------------------------------------------


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_log_is_a_json_line_per_event(several):
    done = run("extract", "--log-format", "json", "--log", "log.jsonl", code=2)
    shown, kept = events(done.stderr), events(Path("log.jsonl").read_text())
    for found in (shown, kept):
        assert {e["event"] for e in found} >= {"started", "table", "phase", "recorded", "failed"}
        assert all(e["time"].endswith("Z") and e["level"] and e["logger"] for e in found)
    (table,) = [e for e in kept if e.get("table") == "model_versions"]
    assert (table["registry"], table["phase"], table["rows"]) == ("pricing", "reading", 4)
    (failed,) = [e for e in shown if e["event"] == "error"]
    assert "CLAIMS_DB" in failed["what"]
    assert "CLAIMS_DB" in failed["do"]
    before = len(kept)
    run("extract", "--source", "pricing", "--log", "log.jsonl")
    assert len(events(Path("log.jsonl").read_text())) > before


def test_the_log_of_a_program_is_asked_for_by_the_environment(several, monkeypatch):
    monkeypatch.setenv("AUDITREG_LOG", "json")
    assert events(run("extract", "--source", "pricing").stderr)[0]["event"] == "started"


def test_without_a_log_nothing_is_said_beside_the_result(several):
    assert run("extract", "--source", "pricing").stderr == ""
    assert "table registry=pricing" in run("extract", "--source", "pricing", "-v").stderr.replace(
        "extract: ", ""
    )


def test_a_log_that_cannot_be_written(several):
    with pytest.raises(UsageError, match="cannot be written to"):
        run("extract", "--source", "pricing", "--log", "nowhere/log")
    assert not Path("audit.duckdb").exists()


def test_whoever_logs_a_password_it_is_not_in_the_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok-secret-9")
    redact("postgresql://me:p%40ss%2Fword@db/x")
    theirs = logging.getLogger("mlflow.somewhere")
    # Once MLflow is imported its loggers pass nothing on; which tests ran before is not the question.
    monkeypatch.setattr(logging.getLogger("mlflow"), "propagate", True)
    own = logging.StreamHandler(sys.stderr)  # MLflow has handlers of its own
    theirs.addHandler(own)
    try:
        with logging_to(tmp_path / "log", as_json=False, verbose=2):
            theirs.debug("to %s", "https://u:hunter2@host/x?token=abcdef")
            theirs.warning("Authorization: Bearer tok-secret-9, p@ss/word, p%40ss%2Fword")
            try:
                urlopen("nothing://u:hunter2@host")
            except OSError:
                theirs.exception("failed\x1b[2J")
            theirs.info("%d", "no number")
    finally:
        theirs.removeHandler(own)
    kept = (tmp_path / "log").read_text()
    shown = capsys.readouterr().err
    for text in (kept, shown):
        for secret in ("hunter2", "abcdef", "tok-secret-9", "p@ss/word", "p%40ss%2Fword"):
            assert secret not in text, secret
        assert "u:***@host" in text
    assert events(kept)[-1]["event"] == "%d"
    assert redacted("a:b") == "a:b"


def test_a_check_of_a_registry_and_its_run_show_no_password(several, monkeypatch):
    from auditreg.sources.database.source import SqlSource

    def retried(self, **_):
        logging.getLogger("mlflow.somewhere").warning("again: https://u:hunter2@host/x")
        raise SourceError("https://u:hunter2@host/x does not answer")

    monkeypatch.setattr(logging.getLogger("mlflow"), "propagate", True)
    monkeypatch.setattr(SqlSource, "read", retried)
    done = CliRunner().invoke(cli, ["check", "--from", "pricing.db", "--registry", "pricing"])
    assert "again: https://u:***@host/x" in done.stderr
    assert "hunter2" not in done.output
    done = run("run", "--source", "pricing", "--format", "json", code=2)
    assert "https://u:***@host/x does not answer" in done.stdout
    assert "hunter2" not in done.output


@pytest.mark.integration
def test_a_verbose_extraction_from_a_server_shows_no_password(tmp_path):
    """The whole program, with MLflow's and urllib3's own log, on a server that refuses."""
    done = subprocess.run(
        [sys.executable, "-m", "auditreg", "extract", "-vvv", "--log", "log",
         "--from", "http://me:hunter2-pass@127.0.0.1:9/x"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
             "MLFLOW_TRACKING_PASSWORD": "other-secret", "MLFLOW_TRACKING_USERNAME": "me"},
    )  # fmt: skip
    assert done.returncode == 2
    everything = done.stdout + done.stderr + (tmp_path / "log").read_text()
    assert "urllib3" in everything
    assert "hunter2-pass" not in everything
    assert "other-secret" not in everything


def test_a_password_in_the_settings_is_warned_about(several):
    text = SOURCES.replace("sqlite:///pricing.db", "sqlite://me:hunter2@/pricing.db")
    Path("auditreg.toml").write_text(text)
    done = run("extract", code=2)
    assert "warning   uri of the source pricing holds a password" in done.stderr
    assert "hunter2" not in done.output


# -- the shell ------------------------------------------------------------------------------------


def test_the_names_of_sources_are_completed(several):
    def completed(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "auditreg"], capture_output=True, text=True, check=False,
            env={**os.environ, "_AUDITREG_COMPLETE": "bash_complete",
                 "COMP_WORDS": " ".join(("auditreg", *words)), "COMP_CWORD": str(len(words))},
        )  # fmt: skip
        return done.stdout

    assert completed("extract", "--source", "p") == "plain,pricing\n"
    assert "plain,claims" in completed("run", "--source", "")
    Path("auditreg.toml").write_text("nonsense = ")
    assert completed("extract", "--source", "p").strip() == ""
