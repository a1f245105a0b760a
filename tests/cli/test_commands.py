"""Every command on a real ledger: what it answers and the code it ends in."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.errors import UsageError
from auditreg.formats import CHECK_FORMATS, TABLE_FORMATS
from auditreg.formats.check_json import json_schema
from tests.cli.running import in_every_format

ROOT = Path(__file__).parents[2]


def auditreg(*arguments: str, code: int = 0, **options) -> str:
    """The standard output of a command that ends in `code`."""
    done = CliRunner().invoke(cli, list(arguments), **options)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def rows(*arguments: str, code: int = 0) -> list[dict]:
    return json.loads(auditreg(*arguments, "--format", "json", code=code))


# -- record -------------------------------------------------------------------------------------


def test_a_first_extraction_says_what_it_cannot_know(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = auditreg("extract", "--from", str(small_registry))
    assert "4 models, 4 versions" in shown
    assert "first extraction" in shown
    assert "MLflow overwrites stages" in shown
    assert "next         auditreg check" in shown
    again = auditreg("extract", "--from", str(small_registry))
    assert "nothing since the last extraction" in again
    assert "cannot know" not in again


def test_the_uri_comes_from_the_settings(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("auditreg.toml").write_text('[[source]]\nname = "pricing"\nuri_env = "WHERE"\n')
    monkeypatch.setenv("WHERE", f"sqlite:///{small_registry}")
    auditreg("extract")
    assert rows("status")[0]["registry"] == "pricing"


def test_an_empty_registry(small_registry, ledger):
    from auditreg.errors import NothingToAudit, SourceError

    empty = Path("empty.db")
    with sqlite3.connect(small_registry) as source, sqlite3.connect(empty) as copy:
        source.backup(copy)
    with sqlite3.connect(empty) as copy:
        for table in (
            "registered_model_aliases",
            "registered_model_tags",
            "model_version_tags",
            "model_versions",
            "registered_models",
        ):
            copy.execute(f"delete from {table}")
    copy.close()
    source.close()
    with pytest.raises(NothingToAudit):
        auditreg("extract", "--from", str(empty), "--ledger", "new.duckdb")
    assert not Path("new.duckdb").exists()
    with pytest.raises(SourceError, match="empty"):
        auditreg("extract", "--from", str(empty))
    assert "gone" in auditreg("extract", "--from", str(empty), "--allow-empty")


def test_status(ledger):
    (row,) = rows("status")
    assert (row["state"], row["models"], row["live"]) == ("fresh", 4, 3)
    assert rows("status", "--max-age", "0", code=1)[0]["state"] == "stale"


# -- judge --------------------------------------------------------------------------------------


def test_check_is_sealed_and_findings_keep_their_numbers(checked):
    first = json.loads(Path("json.out").read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(first)
    second = json.loads(auditreg("check", "--format", "json", code=1))
    numbers = {f["key"]: f["id"] for f in first["findings"]}
    assert all(number.startswith("F-") for number in numbers.values())
    assert second["findings"] == first["findings"]
    assert {f["key"]: f["id"] for f in second["findings"]} == numbers
    assert all(f["since"] for f in first["findings"])
    with duckdb.connect(str(checked), read_only=True) as con:
        # The second check comes to the first one's result: only what differs is sealed.
        assert con.execute("select count(*) from checks").fetchone() == (1,)


def test_the_first_screen(checked):
    shown = Path("text.out").read_text()
    assert len(shown.splitlines()) <= 40
    assert "3 versions in use" in shown
    assert "exit 1" in shown


def test_hostile_names_are_inert_everywhere(ledger):
    shown = in_every_format("check", "--all", formats=CHECK_FORMATS, code=1)
    listed = in_every_format("inventory", "--all-columns", formats=TABLE_FORMATS)
    for text in (*shown.values(), *listed.values()):
        assert "hostile" in text
        assert not {"\x1b", "\u202e"} & set(text)
    (hostile,) = [r for r in csv.DictReader(io.StringIO(listed["csv"])) if r["model"] == "hostile"]
    assert hostile["owner"] == "'=2+5"
    assert "<b>" not in listed["markdown"]


def test_a_selection_judges_only_what_is_named(ledger):
    for named in ("home", "home/1", "home@champion", "models:/home/1", "models:/home@champion"):
        only = ("--rule", "risk-rating-recorded", "--format", "json")
        found = json.loads(auditreg("check", named, *only, code=1))
        assert {f["model"] for f in found["findings"]} == {"home"}


def test_a_version_named_is_judged_though_it_is_not_live(ledger):
    found = json.loads(auditreg("check", "motor-frequency/1", "--format", "json", code=1))
    assert {(f["model"], f["version"]) for f in found["findings"] if f["version"]} == {
        ("motor-frequency", 1)
    }


def test_a_selected_check_closes_nothing_else(ledger):
    rule = ("--rule", "risk-rating-recorded")
    auditreg("check", *rule, code=1)
    before = rows("query", "select id, open from findings order by number")
    assert len(before) > 1
    auditreg("check", "home", *rule, code=1)
    assert rows("query", "select id, open from findings order by number") == before


def test_a_selection_that_names_nothing(ledger):
    from auditreg.errors import UsageError

    with pytest.raises(UsageError) as caught:
        auditreg("check", "motor-freqency")
    assert "motor-frequency" in caught.value.hint


def test_fail_on(ledger):
    auditreg("check", "--rule", "description-present", "--fail-on", "none")
    auditreg("check", "--rule", "owner-recorded", "motor-frequency", "--fail-on", "low")
    auditreg("check", "--rule", "description-present", "--fail-on", "critical")
    auditreg("check", "--rule", "description-present", "--fail-on", "medium", code=1)


def test_a_past_moment_seals_nothing(ledger):
    before = ledger.read_bytes()
    rule = ("--rule", "risk-rating-recorded", "--format", "json")
    found = json.loads(auditreg("check", "--as-of", "2099-12-31", *rule, code=1))
    assert {f["id"] for f in found["findings"]} == {None}
    assert ledger.read_bytes() == before


def test_nothing_to_judge_is_3(ledger):
    shown = auditreg("check", "--as-of", "2001-01-01", "--rule", "owner-recorded", code=3)
    assert "exit 3: there was nothing to judge" in shown


def test_a_doubtful_reading_is_2(ledger):
    from auditreg.models import CheckResult, Severity
    from auditreg.workflows.check import exit_code

    result = CheckResult(None, (None, None), "", {"extractions": [{"complete": False}]}, (), ())
    assert exit_code(result, Severity.LOW) == 2


def test_a_copy_that_cannot_be_written_is_judged_all_the_same(ledger, monkeypatch):
    from auditreg.errors import LedgerError
    from auditreg.ledger.store import Ledger

    def refuse(self, **_):
        raise LedgerError("The folder cannot be written to.")

    monkeypatch.setattr(Ledger, "writer", refuse)
    done = CliRunner().invoke(cli, ["check", "--rule", "risk-rating-recorded"])
    assert done.exit_code == 1
    assert "not sealed" in done.stderr


@pytest.mark.integration
def test_a_read_only_ledger_is_judged_and_never_replaced(ledger):
    from auditreg.errors import LedgerError

    before = ledger.read_bytes()
    ledger.chmod(0o444)
    done = CliRunner().invoke(cli, ["check", "--rule", "risk-rating-recorded"])
    assert done.exit_code == 1
    assert "not sealed" in done.stderr
    with pytest.raises(LedgerError, match="read-only") as refused:
        auditreg("report", "--format", "html", "--output", "issued", "--issue")
    assert f"chmod u+w {ledger.name}" in refused.value.hint
    assert not Path("issued").exists()
    assert ledger.read_bytes() == before


def test_check_without_a_ledger(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--rule", "risk-rating-recorded", "--format", "json")
    found = json.loads(auditreg("check", "--from", str(small_registry), *arguments, code=1))
    assert found["findings"]
    assert {f["id"] for f in found["findings"]} == {None}
    assert list(tmp_path.iterdir()) == []


def test_what_is_named_is_judged_as_if_all_had_been_read(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--all", "--format", "json")
    ledger = ("--ledger", "whole.duckdb")
    auditreg("extract", "--from", str(small_registry), *ledger)
    for name in ("motor-frequency/1", "motor-frequency@champion", "models:/hostile/latest", "home"):
        part = json.loads(
            auditreg("check", "--from", str(small_registry), name, *arguments, code=1)
        )
        whole = json.loads(auditreg("check", name, *ledger, *arguments, code=1))
        rules = {rule["id"]: rule for rule in part["rules"]}
        unread = {rule["id"] for rule in rules.values() if rule["reads"] != "model"}
        assert {"dependencies-sound", "no-uncaptured-change", "approval-precedes-live"} < unread
        for rule in unread:
            assert rules[rule]["population"] == 0
            assert "only the models that were named were read" in rules[rule]["not_asked"]
        expected = [f for f in whole["findings"] if f["rule"] not in unread]
        assert answers_of(part["findings"]) == answers_of(expected)
        assert len(expected) > 20


def answers_of(findings: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Status and sentence by rule and subject."""
    return {
        (f["rule"], f"{f['model']}/{f['version']}"): (f["status"], f["reason"]) for f in findings
    }


def test_a_check_of_a_part_says_what_it_did_not_ask(small_registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = auditreg("check", "--from", str(small_registry), "motor-frequency/2", code=1)
    assert "rules not asked: they need a ledger, with other models or what was before" in shown
    with pytest.raises(
        UsageError, match="has no registered model for 'moter-frequency/2'"
    ) as refused:
        auditreg("check", "--from", str(small_registry), "moter-frequency/2")
    assert "Did you mean motor-frequency?" in refused.value.hint
    with pytest.raises(UsageError, match="motor-frequency has no version '99'"):
        auditreg("check", "--from", str(small_registry), "motor-frequency/99")


def test_a_broken_rule_is_2(ledger):
    pack = Path("pack")
    pack.mkdir()
    header = (
        '/*\ntitle = "t"\nseverity = "low"\nscope = "live_version"\nrepair = "tag"\n'
        'looks_for = "l"\nrationale = "r"\nremediation = "m"\n*/\n'
    )
    (pack / "own-rule.sql").write_text(f"{header}select nonsense from nowhere")
    Path("auditreg.toml").write_text('[rules]\npacks = ["pack"]\n')
    shown = auditreg("check", "--rule", "own-rule", "--rule", "owner-recorded", code=2)
    assert "1 rule could not be evaluated" in shown
    assert "own-rule" in shown


def test_outputs_into_files(ledger):
    rule = ("--rule", "risk-rating-recorded")
    shown = auditreg("check", *rule, "--format", "json=out/check.json", "--format", "text", code=1)
    assert "exit 1" in shown
    assert json.loads(Path("out/check.json").read_text())["schema"] == "auditreg.check/1"


def test_rules(ledger):
    listed = rows("rules", "list")
    assert {"owner-recorded", "description-present"} <= {row["rule"] for row in listed}
    Path("auditreg.toml").write_text(
        '[rules]\ndisabled = ["run-linked"]\nseverity = { "owner-recorded" = "low" }\n'
    )
    changed = {row["rule"]: row for row in rows("rules", "list")}
    assert changed["run-linked"]["runs"] == "off"
    assert changed["owner-recorded"]["severity"] == "low"


def test_a_rule_s_sql_runs_in_a_plain_duckdb(ledger):
    sql = auditreg("rules", "show", "owner-recorded", "--sql")
    with duckdb.connect(str(ledger), read_only=True) as con:
        assert len(con.execute(sql).fetchall()) == 3


def test_rules_show(ledger):
    shown = auditreg("rules", "show", "owner-recorded")
    for label in ("title", "severity", "looks for", "why", "do", "SHA-256", "select"):
        assert label in shown


@pytest.mark.parametrize(("expected", "code", "word"), [("pass", 0, "ok"), ("fail", 1, "FAILED")])
def test_rules_test(tmp_path, expected, code, word):
    rule = tmp_path / "always.sql"
    rule.write_text(
        '/*\ntitle = "t"\nseverity = "low"\nscope = "registered_model"\nrepair = "tag"\n'
        'looks_for = "l"\nrationale = "r"\nremediation = "m"\n*/\n'
        "select subject, 'pass' as status, 'so' as reason from population_registered_model"
    )
    cases = tmp_path / "cases.toml"
    cases.write_text(
        f'[[case]]\nname = "one"\nexpect = {{ motor = "{expected}" }}\n[case.models.motor]\n'
    )
    shown = auditreg("rules", "test", str(rule), "--cases", str(cases), code=code)
    assert shown.startswith(word)


def test_a_field_and_a_rule_of_ones_own_as_the_docs_have_them(ledger):
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    page = page[page.index("## A field and a rule of your own") :]
    settings, sql, cases = re.findall(r"```(?:toml|sql)\n(.*?)```", page, re.DOTALL)[:3]
    assert len(sql.splitlines()) < 15
    assert len([line for line in settings.splitlines() if "fields." in line]) == 1
    Path("rules/cases").mkdir(parents=True)
    Path("auditreg.toml").write_text(settings)
    Path("rules/peer-review-recorded.sql").write_text(sql)
    Path("rules/cases/peer-review-recorded.toml").write_text(cases)
    assert "3 cases, 0 failed" in auditreg("rules", "test", "rules/peer-review-recorded.sql")
    shown = auditreg("check", "--rule", "peer-review-recorded", code=1)
    assert "is recorded; looked for the tags peer.review.by" in " ".join(shown.split())


APPLIED = """
[[frameworks.applied]]
id = "osfi-e23-2027"
applies = "benchmark"
reason = "for tests"
by = "Model Risk"
since = 2026-01-05
"""


def test_frameworks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = {row["framework"]: row for row in rows("frameworks", "list")}
    assert {row["applies"] for row in listed.values()} == {None}
    osfi = listed["osfi-e23-2027"]
    assert (osfi["text"], osfi["verified"]) == ("verified", f"primary {osfi['clauses']}")
    assert listed["sr-26-2"]["text"] == "draft"
    assert "unchecked 1" in listed["sr-26-2"]["verified"]
    assert "automated" in osfi["coverage"]
    Path("auditreg.toml").write_text(APPLIED)
    listed = {row["framework"]: row for row in rows("frameworks", "list")}
    assert [name for name, row in listed.items() if row["applies"]] == ["osfi-e23-2027"]
    done = CliRunner().invoke(cli, ["frameworks", "show", "osfi-e23-2027", "--format", "json"])
    assert done.stderr == "Applies: benchmark. for tests (Model Risk, since 2026-01-05)\n"
    clauses = {row["clause"]: row for row in json.loads(done.stdout)}
    assert "owner-recorded" in clauses["App. 1, min. 4"]["rules"]
    assert clauses["App. 1, min. 4"]["asked of"] == "registered models"
    assert "approver-not-promoter" in clauses["P3.5"]["supports"]
    assert clauses["P3.5"]["how"] == "primary"
    done = CliRunner().invoke(cli, ["frameworks", "show", "nist-ai-rmf"])
    assert "do not say whether it applies" in done.stderr


def test_waivers(ledger):
    Path("waivers.toml").write_text(
        '[[waiver]]\nrule = "risk-rating-recorded"\nmodels = ["home"]\nstatus = "accepted"\n'
        'reason = "small book"\napprover = "jane"\nexpires = 2099-01-01\n'
        '[[waiver]]\nrule = "owner-recorded"\nmodels = ["home"]\nstatus = "accepted"\n'
        'reason = "old"\napprover = "jane"\nexpires = 2001-01-01\n'
    )
    judged = {row["rule"]: row["judged"] for row in rows("waivers")}
    assert judged == {"risk-rating-recorded": "in_force", "owner-recorded": "expired"}
    told = CliRunner().invoke(cli, ["waivers"])
    assert "holds" in told.stdout
    assert "in_force" not in told.stdout
    assert told.stderr == "next      mend 1 waiver in waivers.toml, then auditreg check\n"
    named = ("--rule", "risk-rating-recorded", "--rule", "owner-recorded")
    shown = auditreg("check", *named, code=1)
    assert "1 accepted" in shown
    assert "1 invalid waiver" in shown


# -- answer -------------------------------------------------------------------------------------


def test_inventory(ledger):
    found = rows("inventory")
    assert {(row["model"], row["version"]) for row in found} == {
        ("motor-frequency", 1), ("motor-frequency", 2), ("home", 1), ("hostile", 1), ("empty", None),
    }  # fmt: skip
    assert {row["owner"] for row in rows("inventory", "motor-frequency/2")} == {"ann"}
    assert len(rows("inventory", "--live")) == 3
    assert rows("inventory", "--as-of", "2001-01-01") == []
    assert len(rows("inventory", "--as-of", "2099-01-01")) == 5


def test_the_inventory_table_is_short_and_the_others_are_whole(ledger):
    assert "risk_rationale" not in auditreg("inventory")
    assert "risk_rationale" in auditreg("inventory", "--format", "csv")


def test_changes(ledger):
    assert rows("changes") == []
    assert rows("changes", "home", "--period", "2001") == []


@pytest.mark.parametrize(
    ("expression", "as_json", "as_text"),
    [
        ("timestamptz '2026-03-29 02:30:00+02'", "2026-03-29T00:30:00Z", "2026-03-29 00:30:00Z"),
        ("[timestamptz '2026-03-29 02:30:00+02']", ["2026-03-29T00:30:00Z"], None),
        ("{'at': timestamptz '2026-03-29 02:30:00+02'}", {"at": "2026-03-29T00:30:00Z"}, None),
        ("timetz '10:00:00+02'", "10:00:00+02", "10:00:00+02"),
        ("interval 3 month", "3 months", "3 months"),
        ("[interval 3 month]", ["3 months"], None),
    ],
)
def test_query_prints_values_with_a_zone(ledger, expression, as_json, as_text):
    statement = f"select {expression} as v, 1 as w"
    assert rows("query", f"select {expression} as v") == [{"v": as_json}]
    if as_text is not None:
        assert auditreg("query", statement, "--format", "csv") == f"v,w\n{as_text},1\n"
        escaped = as_text.replace("+", "&#43;")
        assert f"| {escaped} | 1 |" in auditreg("query", statement, "--format", "markdown")
        assert as_text in auditreg("query", statement)


@pytest.mark.parametrize(
    "sql",
    ["select 1 as n; -- done", "select 1 as n /* ; */ ; /* two */", "select 1 as n;;"],
)
def test_a_comment_may_follow_a_statement_s_end(ledger, sql):
    assert rows("query", sql) == [{"n": 1}]
    assert rows("query", "select 'ä;' as n; -- ä;") == [{"n": "ä;"}]


def test_query(ledger):
    assert rows("query", "select 6 * 7 as answer") == [{"answer": 42}]
    assert rows("query", "from (select count(*) as n from inventory);") == [{"n": 5}]
    (moment,) = rows("query", "select as_of() as at", "--as-of", "2026-09-30")
    assert moment["at"].startswith("2026-10-01T00:00:00")
    assert auditreg("query", "-", "--format", "csv", input="select 1 as a") == "a\n1\n"


@pytest.mark.parametrize(
    "sql",
    [
        "delete from findings",
        "create table x(i int)",
        "select 1; select 2",
        "",
        "with x as (delete from findings returning *) select * from x",
        "select * from read_csv('/etc/passwd')",
        "attach 'x.db'",
        "set threads = 1",
        "select nonsense",
        "copy (select 1) to 'x'",
    ],
)
def test_query_only_reads_the_ledger(ledger, sql):
    from auditreg.errors import UsageError

    before = ledger.read_bytes()
    with pytest.raises(UsageError):
        auditreg("query", sql)
    assert ledger.read_bytes() == before
    assert not Path("x").exists()


def test_every_question_has_an_answer(ledger):
    listed = rows("questions")
    assert listed
    for question in listed:
        auditreg("questions", question["id"])


def test_an_unknown_question(ledger):
    from auditreg.errors import UsageError

    with pytest.raises(UsageError, match="live-nowadays"):
        auditreg("questions", "live-nowadays")


# -- prove --------------------------------------------------------------------------------------


def test_verify(ledger):
    shown = auditreg("verify")
    assert shown.endswith("verified\n")
    root = json.loads(auditreg("verify", "--log-only", "--format", "json"))
    assert root["verified"]
    kept = f"{root['entries']}:{root['root']}"
    auditreg("check", "--rule", "owner-recorded", "--fail-on", "none")
    auditreg("verify", "--log-only", "--root", kept)
    wrong = f"{root['entries']}:{'0' * 64}"
    shown = auditreg("verify", "--log-only", "--root", wrong, code=4)
    assert "NOT VERIFIED: 1 problem\n" in shown


def test_a_changed_ledger_does_not_verify(ledger):
    with duckdb.connect(str(ledger)) as con:
        (seq,) = con.execute("select min(seq) from ledger.log where model like 'motor%'").fetchone()
        con.execute(
            "update ledger.log set entry = replace(entry, 'motor', 'rotor') where seq = ?", [seq]
        )
    shown = auditreg("verify", code=4)
    assert f"entry {seq}" in shown


def test_erase(ledger):
    (first,) = rows("query", "select min(seq) as seq from model_version_tags")
    seq = rows("query", "select seq from registered_model_tags where value like '%2+5'")[0]["seq"]
    assert first
    assert "Aborted" not in auditreg("erase", str(seq), "--reason", "asked for", "--yes")
    assert "1 erased with proof" in auditreg("verify")
    assert rows("query", f"select entry from ledger.log where seq = {seq}") == [{"entry": None}]


def test_erase_asks(ledger):
    done = CliRunner().invoke(cli, ["erase", "30", "--reason", "x"], input="n\n")
    assert done.exit_code == 1
    assert "erased" not in done.stdout


# -- report -------------------------------------------------------------------------------------


def test_an_issued_report(ledger):
    from auditreg.errors import VerificationError

    Path("auditreg.toml").write_text(APPLIED + APPLIED.replace("osfi-e23-2027", "pra-ss1-23"))
    assert "report.html" in auditreg("report", "--format", "html", "--output", "issued", "--issue")
    page = Path("issued/report.html").read_text()
    assert "Identifier of the model" in page
    assert "Not printed: SS1/23" in page
    assert "An independent validation function" not in page  # which is known second-hand
    (issued,) = rows("reports")
    assert issued["files"] >= 1
    shown = in_every_format("verify", "issued/report.html", formats=("text", "json"))
    assert "verified   the file is the one that was issued" in shown["text"]
    document = json.loads(shown["json"])
    assert (document["schema"], document["file"]) == ("auditreg.issued/1", "report.html")
    assert document["sha256"] in shown["text"]
    Path("issued/report.html").write_text("changed")
    with pytest.raises(VerificationError):
        auditreg("verify", "issued/report.html")


def test_an_issued_report_takes_no_drafts_of_frameworks(ledger):
    with pytest.raises(UsageError, match="--drafts and --issue"):
        auditreg("report", "--format", "html", "--issue", "--drafts")
    assert not list(Path().glob("report-*"))


@pytest.mark.integration
def test_a_report_that_cannot_be_written_is_not_issued(ledger, monkeypatch):
    from auditreg.cli import report
    from auditreg.errors import AuditregError

    written = []

    def refuse_the_third(path, content):
        if len(written) == 2:
            raise AuditregError("The disk is full.", state="as it was")
        written.append(path)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    before = ledger.read_bytes()
    Path("issued").mkdir()
    Path("issued/report.html").write_text("of the period before")
    monkeypatch.setattr(report, "write_file", refuse_the_third)
    with pytest.raises(AuditregError, match="full") as stopped:
        auditreg("report", "--format", "html", "--output", "issued", "--issue")
    assert stopped.value.state.startswith("No report was issued")
    assert len(written) == 2
    files = {path: path.read_text() for path in Path("issued").rglob("*") if path.is_file()}
    assert files == {Path("issued/report.html"): "of the period before"}
    assert ledger.read_bytes() == before


@pytest.mark.integration
def test_a_report_of_a_period_without_models(ledger):
    from auditreg.errors import NothingToAudit

    with pytest.raises(NothingToAudit):
        auditreg("report", "--period", "2001-Q1", "--format", "html")


def test_a_moment_outside_the_period(ledger):
    from auditreg.errors import UsageError

    with pytest.raises(UsageError, match="not in the period"):
        auditreg("report", "--period", "2026-Q3", "--as-of", "2026-12-31", "--format", "html")


# -- start --------------------------------------------------------------------------------------


def test_config_show(ledger):
    Path("auditreg.toml").write_text('[live]\nstages = ["Live"]\n')
    found = {row["setting"]: row for row in rows("config", "show")}
    assert found["live.stages"] == {
        "setting": "live.stages", "value": '["Live"]', "origin": "auditreg.toml",
    }  # fmt: skip
    assert found["live.aliases"]["origin"] == "default"


def test_config_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(auditreg("config", "schema")))


def test_every_way_to_a_ledger_takes_the_settings_sealed_in_it(sealed):
    import auditreg as package

    shown = CliRunner().invoke(cli, ["inventory"])
    assert "settings: auditreg.toml as sealed in audit.duckdb" in shown.stderr
    assert package.open(sealed).config.calendar.timezone == "Europe/Zurich"
    Path("auditreg.toml").write_text('[calendar]\ntimezone = "Asia/Tokyo"\n')
    assert package.open(sealed).config.calendar.timezone == "Asia/Tokyo"


def test_sealed_settings_that_this_release_cannot_use(sealed, monkeypatch):
    import auditreg as package
    from auditreg import config
    from auditreg.errors import ConfigError

    def refuse(text, path):
        raise ConfigError(f"{path}: there is no setting x.", state="No settings were loaded.")

    parse = config.parse_config
    monkeypatch.setattr(config, "parse_config", refuse)
    for use in (lambda: auditreg("inventory"), lambda: package.open("audit.duckdb")):
        with pytest.raises(ConfigError, match=r"settings sealed in audit\.duckdb") as refused:
            use()
        assert "--config" in refused.value.hint
    for command in ("verify", "status", "reports"):
        auditreg(command)
    monkeypatch.setattr(config, "parse_config", parse)
    Path("mine.toml").write_text("")
    auditreg("inventory", "--config", "mine.toml")


def test_sealed_settings_beside_what_another_program_left(sealed):
    from auditreg.errors import ConfigError

    for left in (b"", b"no write-ahead log"):
        Path("audit.duckdb.wal").write_bytes(left)
        for command in ("check", "extract", "inventory"):
            with pytest.raises(ConfigError, match="cannot be trusted") as refused:
                auditreg(command)
            assert "move audit.duckdb.wal away" in refused.value.hint
    Path("audit.duckdb.wal").unlink()
    auditreg("inventory")


def test_the_commands_after_a_demo_can_be_copied(tmp_path, monkeypatch):
    import click

    from auditreg import demo
    from auditreg.cli import report
    from auditreg.config import Config

    files = demo.DemoFiles(tmp_path / "my demo")
    check = SimpleNamespace(as_of=datetime(2026, 9, 3), open=())
    done = SimpleNamespace(files=files, config=Config(), check=check)
    monkeypatch.setattr(demo, "run", lambda _folder, **_: done)
    monkeypatch.setattr(report, "report", click.Command("report", callback=lambda **_: None))
    shown = auditreg("demo", str(tmp_path / "my demo"))
    assert f"  cd '{tmp_path}/my demo' && auditreg check" in shown
