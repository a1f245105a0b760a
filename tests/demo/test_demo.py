"""What the tool says of the recorded registry, and what the recording is."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from auditreg import demo, resources
from auditreg.api import LedgerView
from auditreg.demo import recording, replay
from auditreg.errors import AuditregError, UsageError
from auditreg.ledger.store import Ledger
from auditreg.models import CheckResult, Status
from auditreg.sources.database.source import SqlSource
from auditreg.workflows.check import CheckOptions, run_check
from auditreg.workflows.policy import PolicySet
from tests.demo.conftest import BLOCKED
from tests.report.tables import columns_add_up, table_after
from tests.stores import ROOT
from tools.demo.violations import VIOLATIONS

ARCHIVE = resources.recorded_demo() / recording.ARCHIVE
BY_RULE = [violation for violation in VIOLATIONS if violation.rule]


@pytest.fixture(scope="module")
def quarter(ledger) -> CheckResult:
    """What is judged of the third quarter, as its report is."""
    span = ledger.config.period("2026-Q3")
    options = CheckOptions(as_of=span.end_utc, period=span, seal=False, everything=True)
    return run_check(Ledger(ledger.path), PolicySet.load(ledger.config), options).result


def test_what_made_the_recording_cannot_be_imported_where_the_demo_is_made():
    for name in ("mlflow", "sklearn", "auditreg_capture"):
        done = subprocess.run(
            [sys.executable, BLOCKED, f"import {name}"], capture_output=True, text=True, check=False
        )
        assert f"No module named '{name}'" in done.stderr


def test_the_folder_holds_what_the_readme_says(demo_files):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (`[^|]+`) \|", readme.partition("reports/demo/`:")[2])
    promised = {name for row in rows[:6] for name in re.findall(r"`([^`]+)`", row)}
    assert promised == {
        *("report/report.html", "report/report.pdf", "report/dossiers/"),
        *("audit.duckdb", "mlflow.db", "artifacts/"),
        *("auditreg.toml", "waivers.toml", "deployments.jsonl"),
    }
    assert [name for name in promised if not (demo_files.folder / name).exists()] == []


def test_every_reading_is_taken_in_at_its_moment(ledger):
    taken_in = ledger.query("select observed_at, complete from extractions order by seq")
    moments = [moment.to_pydatetime() for moment in taken_in["observed_at"]]
    members = [recording.member_of(moment.tz_localize("UTC")) for moment in taken_in["observed_at"]]
    assert members == [name for name, _ in recording.members(ARCHIVE) if name.endswith(".db")]
    assert taken_in["complete"].all()
    days = [moment.date() for moment in moments]
    assert {date(2026, 6, 30), date(2026, 9, 30), date(2026, 10, 5)} <= {*days}
    assert {date(2026, 8, day) for day in (11, 12, 13, 14)} <= {*days}
    assert all((later - earlier).days <= 15 for earlier, later in pairwise(days))


@pytest.mark.parametrize("violation", BY_RULE, ids=lambda violation: violation.key)
def test_the_rule_finds_the_violation(quarter, violation):
    versions = {
        answer.subject.version
        for answer in quarter.answers
        if (answer.rule.id, answer.subject.model) == (violation.rule, violation.model)
        and answer.status in {Status.FAIL, Status.NOT_EVIDENCED}
    }
    assert versions
    # Some rules answer for the model as a whole.
    assert violation.version is None or versions & {None, violation.version}


def test_nothing_is_contradicted_that_is_not_in_the_story(quarter):
    story = {violation.model for violation in VIOLATIONS}
    contradicted = {a.subject.model for a in quarter.answers if a.status is Status.FAIL}
    assert contradicted <= story


PROMOTIONS = {
    ("household-severity-gamma", 2): ("after going live", None, "approver"),
    ("household-water-frequency", 2): ("contested", "approver-recorded", "approver"),
    ("motor-frequency-glm", 2): ("holds", None, "not recorded"),
    ("motor-frequency-glm", 3): ("none", None, None),
    ("motor-frequency-glm", 4): ("contested", "approval-set-by-approver", "somebody else"),
    ("motor-renewal-lapse", 2): ("none", None, None),
    ("motor-severity-glm", 2): ("contested", "approver-independent", "approver"),
    ("motor-windscreen-tweedie", 2): ("holds", None, "not recorded"),
    ("motor-windscreen-tweedie", 3): ("holds", None, "approver"),
    ("van-frequency", 1): ("holds", None, "approver"),
    ("van-frequency", 2): ("holds", None, "approver"),
}
"""The promotions of the third quarter, and by hand from the played events: verdict, what contests it, who entered it."""


def test_every_promotion_of_the_quarter_has_its_verdict_now_and_then(ledger, quarter):
    span = ledger.config.period("2026-Q3")
    for view in ("approval_verdicts", f"approval_verdicts_as_of(timestamp '{span.end_utc}')"):
        rows = ledger.query(
            f"select model, version, verdict, contested_by, entered from {view} "
            f"where about = 'promotion' and live_not_after > timestamp '{span.start_utc}' "
            f"and live_not_before < timestamp '{span.end_utc}'"
        )
        told = {
            (row.model, row.version): (row.verdict, _text(row.contested_by), _text(row.entered))
            for row in rows.itertuples()
        }
        assert told == PROMOTIONS


def test_live_gives_the_verdict_of_the_promotion_that_made_a_version_live(ledger):
    span = ledger.config.period("2026-Q3")
    rows = ledger.live(at=span.end_utc.isoformat())
    told = {
        (row.model, row.version): (row.approval, _text(row.contested_by))
        for row in rows.itertuples()
        if (row.model, row.version) in PROMOTIONS
    }
    assert len(told) >= 7
    assert told == {name: PROMOTIONS[name][:2] for name in told}


def test_the_rules_say_of_promotions_what_the_verdicts_say(quarter):
    said = {
        (answer.subject.model, answer.subject.version): answer.status
        for answer in quarter.every
        if answer.rule.id == "approval-precedes-live"
    }
    statuses = {"holds": Status.PASS, "after going live": Status.FAIL}
    assert said == {
        name: statuses.get(verdict, Status.NOT_APPLICABLE)
        for name, (verdict, _, _) in PROMOTIONS.items()
    }
    contested = {(name, rule) for name, (_, rule, _) in PROMOTIONS.items() if rule}
    found = {((a.subject.model, a.subject.version), a.rule.id) for a in quarter.open}
    assert contested <= found


def test_one_missing_approver_is_one_finding(quarter):
    found = [a.rule.id for a in quarter.open if a.subject.model == "motor-renewal-lapse"]
    assert [rule for rule in found if "appro" in rule] == ["approver-recorded"]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def test_every_rule_adds_up_and_one_that_asked_nothing_says_why(quarter, demo_files):
    assert all(sum(r.counts.values()) == r.population == r.examined for r in quarter.rules)
    silent = {rule.rule.id: rule.not_asked for rule in quarter.rules if rule.not_asked}
    assert "No release window is configured" in silent["promotion-in-window"]
    page = (demo_files.folder / "report" / "report.html").read_text(encoding="utf-8")
    asked = columns_add_up(page)
    _, *rows = table_after(page, "Not asked")
    titles = {rule.rule.title for rule in quarter.rules if rule.not_asked}
    assert {title for title, _ in rows} == titles
    with_findings = {answer.rule.id for answer in quarter.open}
    assert asked == len(quarter.rules) - len(with_findings) - len(silent)


def test_no_finding_closes_without_a_reason_and_their_movement_adds_up(ledger):
    closed = ledger.query(
        "from findings where not open and (closed_why is null or closed_at is null)"
    )
    assert closed.empty
    events = ledger.query(
        "select closed_why from findings where rule in ('approval-precedes-live', "
        "'approver-not-promoter', 'not-rolled-back-early') and not open"
    )
    assert events.empty
    given = ("opening", "new", "reopened", "reclassified")
    before = 0
    for start, end in (("null", "'2026-06-30'"), ("'2026-06-30'", "'2026-09-30'"),
                       ("'2026-09-30'", "'2026-12-31'")):  # fmt: skip
        total = ledger.query(f"from finding_movement({start}, {end})").sum(numeric_only=True)
        left = total.drop([*given, "closing"]).sum()
        assert total["opening"] == before
        assert total[[*given]].sum() - left == total["closing"]
        before = total["closing"]
    assert before == ledger.query("from findings where open").shape[0] > 0
    assert total["new"] > 0


def test_the_third_quarter_has_the_numbers_and_ages_its_own_check_gave(quarter, ledger):
    """Although the check of the fourth was sealed since."""
    sealed = ledger.query(
        "select json_extract_string(entry, '$.body.key') as key, "
        "'F-' || json_extract_string(entry, '$.body.number') as id, "
        "make_timestamp(json_extract(entry, '$.body.since')::bigint * 1000) as since, "
        "json_extract_string(entry, '$.body.status') as status "
        "from ledger.log where kind = 'finding' and observed_at < '2026-10-01' order by seq"
    )
    last = {row.key: row for row in sealed.itertuples()}
    then = {
        key: (row.id, row.since.to_pydatetime())
        for key, row in last.items()
        if row.status != "closed"
    }
    shown = {answer.key: (answer.id, answer.since) for answer in quarter.open}
    known = then.keys() & shown.keys()
    assert len(known) == 28
    assert {key: shown[key] for key in known} == {key: then[key] for key in known}
    # The last check of that quarter was three weeks before its end.
    later = [answer for answer in quarter.open if answer.key not in then]
    assert later
    assert all(answer.since is None and answer.id for answer in later)
    carried = ledger.query("from findings where open and carried")
    assert {*carried["key"]} <= shown.keys()
    assert len(carried) > 5
    assert [reading["observed_at"].month for reading in quarter.ledger["extractions"]] == [9]


def test_of_the_waivers_two_hold_one_ran_out_and_one_is_the_owners(quarter):
    assert {waiver.rule: waiver.judged for waiver in quarter.waivers} == {
        "description-present": "in_force",
        "validation-current": "in_force",
        "working-tree-clean": "expired",
        "alias-stage-consistent": "self_approved",
    }


def test_the_logged_password_is_nowhere_in_the_ledger(ledger, demo_files):
    with closing(sqlite3.connect(demo_files.folder / "mlflow.db")) as store:
        query = "select value from params where key = 'db_password'"
        ((password,),) = store.execute(query).fetchall()
    entries = ledger.query(
        f"select contains(entry, '{password}') shown, contains(entry, 'db_password') named "
        "from ledger.log"
    )
    assert not entries["shown"].any()
    assert entries["named"].any()


def test_the_renamed_model_keeps_its_history(ledger):
    history = ledger.history("household-water-frequency")
    renamed = history[(history["item"] == "name") & history["before"].notna()]
    names = renamed[["before", "after"]].to_numpy().tolist()
    assert names == [["home-water-frequency", "household-water-frequency"]]


def test_three_days_in_august_are_told_to_the_day(ledger):
    for day, version in (("10", 2), ("11", 3), ("13", 3), ("14", 2)):
        live = ledger.live("motor-frequency-glm", at=f"2026-08-{day}")
        assert live["version"].tolist() == [version], day


def test_the_change_behind_the_server_is_the_only_one(ledger):
    changes = ledger.changes(uncaptured=True)
    assert changes[["model", "item", "before", "after"]].to_numpy().tolist() == [
        ["household-severity-gamma", "gov.validation.next_due", "2028-07-31", "2029-07-31"]
    ]


def test_the_readme_quotes_what_live_says(demo_files):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (quoted,) = re.findall(r"```text\n(motor-frequency-glm: .*?)```", readme, re.DOTALL)
    command = ("live", "motor-frequency-glm", "--at", "2026-09-30")
    output = subprocess.run(
        [sys.executable, "-m", "auditreg", *command],
        cwd=demo_files.folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert output.split() == quoted.split()


def test_the_registry_is_at_home_in_the_folder(demo_files):
    home = (demo_files.folder / "artifacts").as_uri()
    with closing(sqlite3.connect(demo_files.folder / "mlflow.db")) as store:
        text = "\n".join(store.iterdump())
        query = "select artifact_location from logged_models"
        addresses = [address for (address,) in store.execute(query)]
    assert recording.PLACE not in text
    assert len(addresses) == 26
    for address in addresses:
        assert address.startswith(home)
        described = Path(unquote(urlsplit(address).path)) / "MLmodel"
        assert f"artifact_path: {address}\n" in described.read_text(encoding="utf-8")


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not an empty folder"):
        demo.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("damage", ["cut", "no archive"])
def test_a_damaged_recording_is_told_as_such(tmp_path, monkeypatch, damage):
    content = ARCHIVE.read_bytes()
    shutil.copytree(ARCHIVE.parent, tmp_path / "recorded")
    damaged = content[: len(content) // 2] if damage == "cut" else b"<html>"
    (tmp_path / "recorded" / ARCHIVE.name).write_bytes(damaged)
    monkeypatch.setattr(resources, "recorded_demo", lambda: tmp_path / "recorded")
    with pytest.raises(AuditregError, match="is damaged") as raised:
        list(recording.unpack(tmp_path / "demo"))
    assert "pip install" in raised.value.hint


def test_the_readme_beside_the_recording_is_about_this_one():
    readme = (ARCHIVE.parent / "README.md").read_text(encoding="utf-8")
    content = ARCHIVE.read_bytes()
    assert hashlib.sha256(content).hexdigest() in readme
    assert f"{len(content):,} bytes" in readme
    assert len(content) < 500_000


@pytest.mark.integration
def test_it_is_played_whatever_the_clock_of_this_machine_says(tmp_path, monkeypatch):
    monkeypatch.setitem(SqlSource.__init__.__kwdefaults__, "now", lambda: 0)
    unpack = recording.unpack
    monkeypatch.setattr(recording, "unpack", lambda folder: islice(unpack(folder), 1))
    done = replay.run(tmp_path / "demo")
    assert LedgerView(done.files.ledger, done.config).query("from extractions").shape[0] == 1
