"""The life of findings over quarters: events stay open until answered, and the past stays as it was.

One registry, whose models go live unapproved in the third quarter; the rules are of the tests' own.
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from auditreg.config import Config, parse_config
from auditreg.errors import ExitCode
from auditreg.formats import check_format
from auditreg.formats.interface import CheckView, OutputTarget
from auditreg.formats.report.html import HtmlFormat
from auditreg.ledger.import_parse import parse_history
from auditreg.ledger.import_record import record
from auditreg.ledger.secrets import load_key
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.models import CheckResult, Finding, RuleInfo, Severity, Status
from auditreg.report import build_report
from auditreg.report.model import Report
from auditreg.rules.parse import parse_rule
from auditreg.workflows.check import CheckOptions, CheckOutcome, exit_code, open_check, run_check
from auditreg.workflows.policy import PolicySet
from tests.ledger.conftest import ask, empty_file, take  # noqa: F401 - a fixture
from tests.ledger.reading import START, MemoryReading, Registry, moment

HEADER = """/*
title = "{title}"
severity = "high"
scope = "{scope}"
repair = "history"
looks_for = "x"
rationale = "x"
remediation = "x"
*/
"""
RULES = {
    "approved": (
        "promotion",
        """
        select p.subject, case when t.value is null then 'fail' else 'pass' end as status,
               p.model || '/' || p.version || coalesce(' was approved by ' || t.value,
                                                       ' went live unapproved') as reason,
               r.live_not_after as condition_since, r.live_via
        from population_promotion p join promotions r using (subject)
        left join model_version_tags t on t.subject = r.version_subject and t.key = 'approved'
        """,
    ),
    "kept": (
        "live_in_period",
        """
        select p.subject, case when v.deleted then 'fail' else 'pass' end as status,
               p.model || '/' || p.version || case when v.deleted then ' was deleted'
                                                   else ' is kept' end as reason
        from population_live_in_period p left join model_versions v using (subject)
        """,
    ),
    "owned": (
        "registered_model",
        """
        select p.subject, case when min(f.value) is null then 'not_evidenced' else 'pass' end as status,
               p.model || coalesce(' is owned by ' || min(f.value), ' has no owner') as reason
        from population_registered_model p
        left join fields f on f.model_subject = p.subject and f.field = 'owner'
        group by p.subject, p.model
        """,
    ),
    "frozen": (
        "ledger",
        """
        select 'ledger' as subject,
               case when count(*) = 0 then 'pass' else 'fail' end as status,
               count(*) || ' versions came in the period' as reason
        from model_versions
        where created_at >= period_start() and created_at < period_end() and model = 'frozen'
        """,
    ),
    "windowed": (
        "promotion",
        """
        select subject, 'not_applicable' as status, 'No window is set' as reason
        from population_promotion
        """,
    ),
}
Q3_CHECK = datetime(2026, 9, 10, 12)
LATE_EVENT = datetime(2026, 9, 25)
Q3_END = datetime(2026, 10, 1)
Q4_CHECK = datetime(2026, 10, 5, 12)


def at(day: datetime) -> int:
    return START + int((day - moment(START)).total_seconds() * 1000)


@cache
def parsed(name: str, scope: str, sql: str) -> RuleInfo:
    return parse_rule(HEADER.format(title=name, scope=scope) + sql, name, custom="own" in name)


class Firm:
    """A registry, its ledger, and what it is judged by."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger, self.folder = ledger, folder
        self.registry = Registry()
        self.config: Config = parse_config("", folder / "auditreg.toml")
        self.waivers: str | None = None
        self.rules = dict(RULES)

    def live(self, day: datetime, name: str, version: int = 1) -> None:
        """Register a model or a version and put it live at once."""
        self.registry.clock = at(day)
        if name not in self.registry.models:
            self.registry.create(name)
        self.registry.version(name)
        self.registry.stage(name, version, "Production", archive=True)

    def policy(self) -> PolicySet:
        rules = tuple(parsed(name, *rest) for name, rest in self.rules.items())
        return PolicySet(self.config, rules, (), self.waivers)

    def read(self, day: datetime) -> None:
        self.registry.clock = at(day) - 1000  # which a reading takes
        take(self.ledger, self.registry.read())

    def check(self, **options: Any) -> CheckOutcome:
        return run_check(self.ledger, self.policy(), CheckOptions(**options))

    def then(self, day: datetime = Q3_END) -> CheckResult:
        """A check of a past moment."""
        return self.check(as_of=day).result

    def states(self, number: int) -> list[tuple[Any, ...]]:
        return ask(
            self.ledger,
            "select status, strftime(since, '%m-%d'), strftime(closed_at, '%m-%d'), closed_why "
            "from finding_history where number = ? order by seq",
            number,
        )

    def adds_up(self, start: datetime | None, end: datetime) -> dict[str, int]:
        """What happened to all findings between two moments; opening and closing agree with it."""
        with self.ledger.reader() as con:
            cursor = con.execute("from finding_movement(?::TIMESTAMP, ?::TIMESTAMP)", [start, end])
            names = [column[0] for column in cursor.description][1:]
            rows = [row[1:] for row in cursor.fetchall()]
        total = dict(zip(names, map(sum, zip(*rows, strict=True)), strict=True))
        given = sum(total[name] for name in ("opening", "new", "reopened", "reclassified"))
        gone = sum(n for name, n in total.items() if name not in GIVEN)
        assert given - gone == total["closing"]
        return {name: number for name, number in total.items() if number}


GIVEN = ("opening", "new", "reopened", "reclassified", "closing")


@pytest.fixture(scope="module")
def made(empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Firm:  # noqa: F811
    """Motor went live in August; home in September, after the check of the third quarter."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copyfile(empty_file, folder / "audit.duckdb")
    firm = Firm(Ledger(folder / "audit.duckdb"), folder)
    firm.live(datetime(2026, 8, 5), "motor")
    firm.read(Q3_CHECK)
    firm.check()
    firm.live(LATE_EVENT, "home")
    firm.read(Q4_CHECK)
    return firm


@pytest.fixture
def firm(made: Firm, tmp_path: Path) -> Firm:
    """The same firm, to go on with."""
    shutil.copyfile(made.ledger.path, tmp_path / "audit.duckdb")
    firm = Firm(Ledger(tmp_path / "audit.duckdb"), tmp_path)
    firm.registry = copy.deepcopy(made.registry)
    return firm


def told(result: CheckResult) -> dict[str, tuple[Any, ...]]:
    """Number, status and ages of every finding, by rule and name."""
    return {
        f"{a.rule.id} {a.subject.label}": (
            *(a.id, a.status.value, a.since, a.first_reported, a.carried),
        )
        for a in result.answers
    }


def of(result: CheckResult, rule: str, label: str) -> Finding:
    [found] = [a for a in result.answers if (a.rule.id, a.subject.label) == (rule, label)]
    return found


def test_an_event_of_last_quarter_is_open_in_this_one(firm: Firm):
    outcome = firm.check()
    found = told(outcome.result)
    assert found["approved motor/1"] == ("F-1", "fail", Q3_CHECK, Q3_CHECK, True)
    # It happened after the last check and before this quarter: no check has judged it before.
    assert found["approved home/1"] == ("F-3", "fail", Q4_CHECK, Q4_CHECK, True)
    assert found["owned motor"] == ("F-2", "not_evidenced", Q3_CHECK, Q3_CHECK, False)
    assert of(outcome.result, "approved", "motor/1").condition_since < Q3_CHECK
    approved = next(r for r in outcome.result.rules if r.rule.id == "approved")
    assert (approved.population, approved.counts, approved.carried) == (0, {}, {Status.FAIL: 2})
    assert outcome.sealed is not None
    assert outcome.sealed.closed == 0
    assert exit_code(outcome.result, Severity.HIGH) is ExitCode.FINDINGS
    assert firm.adds_up(Q3_CHECK, Q4_CHECK) == {"opening": 2, "new": 2, "closing": 4}
    assert verify(firm.ledger).ok


def test_a_model_renamed_since_is_called_by_its_name_of_the_moment(firm: Firm):
    firm.check()
    firm.registry.clock = at(datetime(2026, 10, 19))
    firm.registry.rename("motor", "car")
    firm.read(datetime(2026, 10, 20))
    found = told(firm.check().result)
    assert {name for name in found if "motor" in name} == set()
    assert found["approved car/1"][:2] == ("F-1", "fail")
    assert of(firm.check().result, "approved", "car/1").reason == "car/1 went live unapproved"
    # At the end of the quarter before, it had its former name.
    assert told(firm.then())["approved motor/1"][:2] == ("F-1", "fail")
    with firm.ledger.reader() as con:
        names = con.execute(
            "select distinct model from population_retired_version union "
            "select distinct model from population_live_in_period"
        ).fetchall()
    assert ("motor",) not in names


def test_a_report_dates_what_was_reported_later_by_the_record(firm: Firm):
    firm.check()
    report = report_on(firm)
    [home] = (a for row in report.rules for a in row.findings if a.subject.label == "home/1")
    [by_model] = (group for group in report.by_model if group.label == "home")
    assert (home.since, home.condition_since) == (None, by_model.oldest)
    assert by_model.oldest is not None
    assert by_model.oldest.date() == LATE_EVENT.date()
    [old] = (number for number in report.numbers if number.id == "old")
    assert old.detail == "first date not recorded for 1; 1 dated by the record, before any check"
    page = HtmlFormat().render(report)["report.html"].decode()
    day = '<span class="nowrap">2026-09-25</span>'
    assert f'{day}<br><span class="quiet">by the record; no check had reported it</span>' in page
    assert 'not known<br><span class="quiet">no check had reported it</span>' in page


@pytest.mark.integration
def test_the_same_result_is_read_back(firm: Firm):
    first = firm.check().result
    again = firm.check().result
    assert (again.answers, again.rules) == (first.answers, first.rules)
    assert ask(firm.ledger, "select count(*) from checks") == [(2,)]
    fresh = firm.check(everything=True).result
    assert (fresh.answers, fresh.rules) == (first.answers, first.rules)


def test_last_quarter_says_the_same_before_and_after_this_quarter_s_check(firm: Firm):
    before = told(firm.then())
    reported = report_of(firm)
    firm.registry.tag("motor", None, "gov.owner", "jane")
    firm.read(datetime(2026, 10, 6))
    firm.check()
    after = told(firm.then())
    assert before["approved motor/1"] == ("F-1", "fail", Q3_CHECK, Q3_CHECK, False)
    # What a later check was the first to see gets its number, and no age of then.
    assert after.pop("approved home/1") == ("F-3", "fail", None, None, False)
    assert before.pop("approved home/1") == (None, "fail", None, None, False)
    assert after.pop("owned home") == ("F-4", "not_evidenced", None, None, False)
    assert before.pop("owned home") == (None, "not_evidenced", None, None, False)
    assert after == before
    again = report_of(firm)
    assert reported == {key: again[key] for key in reported}
    assert firm.states(2) == [
        ("not_evidenced", "09-10", None, None),
        ("closed", "09-10", "10-06", "repaired"),
    ]
    closed = ask(firm.ledger, "select count(*) from findings where not open and closed_why is null")
    assert closed == [(0,)]


def report_on(firm: Firm) -> Report:
    """The report of the third quarter."""
    policy, span = firm.policy(), firm.config.period("2026-Q3")
    options = CheckOptions(as_of=span.end_utc, period=span, seal=False)
    with open_check(firm.ledger, policy, options) as (connection, check):
        return build_report(connection, check, [], firm.config, span)


def report_of(firm: Firm) -> dict[str, tuple[Any, ...]]:
    """What the report of the third quarter says of the findings it has numbers for."""
    report = report_on(firm)
    return {
        answer.key: (answer.id, answer.status, answer.since, answer.reason)
        for row in report.rules
        for answer in row.findings
        if answer.since is not None
    }


APPROVED = """
    select p.subject, case when a.subject is null then 'fail' else 'pass' end as status,
           'An approval of ' || p.model || '/' || p.version || ' by ' || coalesce(a.approver, 'nobody') as reason
    from population_promotion p join promotions r using (subject)
    left join approvals a on a.subject = r.version_subject
"""


def given(firm: Firm, **line: object) -> None:
    """Import an approval of motor/1 from a ticket of August."""
    line = {
        "at": "2026-08-05T12:00:00Z", "model": "motor", "version": 1, "what": "approval",
        "system": "JIRA", "actor": "ann", "after": "approved", **line,
    }  # fmt: skip
    content = json.dumps(line).encode()
    with firm.ledger.writer() as con:
        record(
            con,
            parse_history(content, "tickets.jsonl"),
            file="tickets.jsonl",
            content=content,
            registry="default",
            key=load_key(firm.ledger.key_path),
        )


def past_numbers(firm: Firm, more: str = "") -> list[tuple[Any, ...]]:
    """What SQL says was open and had happened by the end of the third quarter."""
    by_then = f"timestamp '{Q3_END}'{more}"
    return [
        *ask(firm.ledger, f"select id, since from findings_as_of({by_then}) where open order by id"),
        *ask(firm.ledger, f"select severity, new, repaired, closing from finding_movement(null, {by_then}) where new > 0"),
    ]  # fmt: skip


@pytest.mark.integration
def test_a_ticket_imported_in_the_next_quarter_leaves_the_numbers_of_the_last(firm: Firm):
    firm.rules["approved"] = ("promotion", APPROVED)
    firm.check()
    before, numbers = told(firm.then()), past_numbers(firm)
    assert numbers == [("F-1", Q3_CHECK), ("F-2", Q3_CHECK), ("high", 2, 0, 2)]
    given(firm)
    firm.check()
    assert firm.states(1)[-1] == ("closed", "09-10", "10-05", "repaired")
    assert past_numbers(firm) == numbers
    # What is on record today is what the past moment is judged by; that more was open then is said.
    after = firm.then()
    assert before.pop("approved motor/1")[:2] == ("F-1", "fail")
    assert told(after) == before
    assert after.no_longer_found == ("F-1",)
    assert firm.check(as_of=Q3_END, only=("owned",)).result.no_longer_found == ()
    text = check_format("text").render(after, CheckView(ExitCode.OK, target=OutputTarget(100)))
    assert "open at the last check by then, not so by the record of today: F-1\n" in text.decode()
    assert (
        "Open at the last check before the moment this report speaks of, and not open at that moment "
        "by what is on record today: F-1."
    ) in report_on(firm).notices


@pytest.mark.integration
def test_a_check_made_again_over_the_same_reading_is_told_from_the_first(firm: Firm):
    firm.rules["approved"] = ("promotion", APPROVED)
    firm.check()
    [(known,)] = ask(firm.ledger, "select max(recorded_at) from checks")
    first = ask(firm.ledger, "from finding_movement(null, ?::TIMESTAMP)", Q4_CHECK)
    given(firm)
    firm.check()
    again = ask(firm.ledger, "from finding_movement(null, ?::TIMESTAMP)", Q4_CHECK)
    assert again != first
    assert first == ask(
        firm.ledger, "from finding_movement(null, ?::TIMESTAMP, known_at := ?)", Q4_CHECK, known
    )


def test_a_check_of_a_past_moment_rests_on_the_readings_of_then(firm: Firm):
    readings = firm.then().ledger["extractions"]
    assert [reading["observed_at"] for reading in readings] == [Q3_CHECK]


def test_an_event_that_came_right_closes_as_repaired(firm: Firm):
    firm.check()
    firm.registry.tag("motor", 1, "approved", "ann")
    firm.read(datetime(2026, 11, 2))
    result = firm.check().result
    assert "approved motor/1" not in told(result)
    assert firm.states(1)[-1] == ("closed", "09-10", "11-02", "repaired")
    [(reason,)] = ask(firm.ledger, "select reason from findings where number = 1")
    assert reason == "motor/1 was approved by ann"


ANSWER = """
[[waiver]]
rule = "approved"
{names}
status = "{status}"
reason = "Filed on paper"
answered_by = "ann"
answered_on = {day}
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("status", "names"),
    [("repaired", 'versions = ["motor/1"]'), ("rejected", 'findings = ["F-1"]')],
)
def test_an_answer_closes_an_event_for_good(firm: Firm, status: str, names: str):
    firm.check()
    firm.waivers = ANSWER.format(names=names, status=status, day="2026-10-05")
    result = firm.check().result
    answered = of(result, "approved", "motor/1")
    assert (answered.status, answered.words) == (Status.ANSWERED, status)
    assert [w.judged for w in result.waivers] == ["in_force"]
    assert "approved home/1" in told(result)
    assert firm.states(1)[-1] == ("answered", "09-10", "10-05", status)
    # The next check has nothing to say of it, and the file may keep the answer or lose it.
    firm.read(datetime(2027, 1, 4))
    result = firm.check().result
    assert "approved motor/1" not in told(result)
    assert [w.judged for w in result.waivers] == ["in_force"]
    assert firm.states(1)[-1] == ("closed", "09-10", "10-05", status)
    firm.waivers = None
    assert "approved motor/1" not in told(firm.check().result)
    assert len(firm.states(1)) == 4  # open, carried forward, answered, closed
    # The third quarter's report still shows it as it was then.
    assert told(firm.then(Q3_END))["approved motor/1"][1] == "fail"
    movement = firm.adds_up(None, datetime(2027, 1, 4))
    assert movement[status] == 1


@pytest.mark.integration
def test_an_answer_covers_no_contradiction_that_came_after_it(firm: Firm):
    firm.rules["granted"] = (
        "live_in_period",
        """
        select p.subject, case t.value when 'no' then 'fail' when 'yes' then 'pass' else 'not_evidenced' end as status,
               p.model || '/' || p.version || ' is approved: ' || coalesce(t.value, 'not recorded') as reason
        from population_live_in_period p
        left join model_version_tags t on t.subject = p.subject and t.key = 'approved'
        """,
    )
    answer = ANSWER.replace("approved", "granted").replace("{names}", 'versions = ["motor/1"]')
    firm.check()
    firm.waivers = answer.format(status="repaired", day="2026-10-05")
    assert of(firm.check().result, "granted", "motor/1").status is Status.ANSWERED
    firm.registry.tag("motor", 1, "approved", "no")
    firm.read(datetime(2026, 10, 8))
    assert of(firm.check().result, "granted", "motor/1").status is Status.FAIL
    firm.read(datetime(2026, 10, 9))
    assert of(firm.check().result, "granted", "motor/1").status is Status.FAIL
    firm.waivers = answer.format(status="repaired", day="2026-10-08")
    assert of(firm.check().result, "granted", "motor/1").status is Status.ANSWERED


@pytest.mark.integration
def test_an_answer_closes_nothing_where_the_record_came_right(firm: Firm):
    firm.check()
    firm.registry.tag("motor", 1, "approved", "ann")
    firm.read(datetime(2026, 11, 2))
    firm.check()
    assert firm.states(1)[-1] == ("closed", "09-10", "11-02", "repaired")
    firm.waivers = ANSWER.format(names='findings = ["F-1"]', status="repaired", day="2026-11-01")
    [waiver] = firm.check().result.waivers
    assert (waiver.judged, waiver.covers) == ("unused", 0)
    assert firm.states(1)[-1] == ("closed", "09-10", "11-02", "repaired")


@pytest.mark.integration
def test_an_answer_covers_what_had_happened_by_its_day(firm: Firm):
    firm.waivers = ANSWER.format(
        names='models = ["motor", "home"]', status="rejected", day="2026-09-20"
    )
    found = told(firm.check().result)
    assert found["approved motor/1"][1] == "answered"
    assert found["approved home/1"][1] == "fail"


@pytest.mark.parametrize(
    ("text", "judged", "status"),
    [
        (ANSWER.format(names='findings = ["F-1"]', status="rejected", day="2026-10-06"), "not_yet", "fail"),
        (
            ANSWER.format(names='models = ["motor"]', status="rejected", day="2026-10-05").replace(
                '"approved"', '"owned"'
            ),
            "no_event",
            "fail",
        ),
        (ANSWER.format(names='findings = ["F-2"]', status="rejected", day="2026-10-05"), "unused", "fail"),
        (ANSWER.format(names="", status="rejected", day="2026-10-05"), "over_broad", "fail"),
    ],
)  # fmt: skip
@pytest.mark.integration
def test_an_answer_that_does_not_hold(firm: Firm, text: str, judged: str, status: str):
    firm.waivers = text
    result = firm.check().result
    assert [w.judged for w in result.waivers] == [judged]
    assert result.waivers[0].is_bad
    assert told(result)["approved motor/1"][1] == status
    assert told(result)["owned motor"][1] == "not_evidenced"


@pytest.mark.integration
def test_who_developed_or_owns_a_model_does_not_answer_for_it(firm: Firm):
    firm.registry.tag("motor", None, "gov.owner", "ann")
    firm.read(datetime(2026, 10, 6))
    for names in ('findings = ["F-1"]', 'models = ["motor"]'):
        firm.waivers = ANSWER.format(names=names, status="repaired", day="2026-10-05")
        result = firm.check().result
        assert [w.judged for w in result.waivers] == ["self_approved"]
        assert told(result)["approved motor/1"][1] == "fail"


@pytest.mark.integration
def test_who_owned_a_model_does_not_answer_for_it_when_it_is_deleted(firm: Firm):
    firm.registry.tag("motor", None, "gov.owner", "ann")
    firm.read(datetime(2026, 10, 6))
    firm.check()
    firm.registry.delete("motor")
    firm.read(datetime(2026, 10, 7))
    for names in ('findings = ["F-1"]', 'models = ["motor"]'):
        firm.waivers = ANSWER.format(names=names, status="repaired", day="2026-10-06")
        result = firm.check().result
        assert [w.judged for w in result.waivers] == ["self_approved"]
        assert told(result)["approved motor/1"][1] == "fail"


@pytest.mark.integration
@pytest.mark.parametrize("number", [1, None])
def test_who_ever_was_recorded_as_developer_does_not_answer(firm: Firm, number: int | None):
    """To overwrite the tag, or to remove it, lets nobody answer for what they developed."""
    firm.registry.tag("motor", number, "gov.developer", "Ann")
    firm.read(datetime(2026, 10, 6))
    for day, name in ((7, "zed"), (8, None)):
        firm.registry.tag("motor", number, "gov.developer", name)
        firm.read(datetime(2026, 10, day))
        for names in ('findings = ["F-1"]', 'models = ["motor"]', 'versions = ["motor/1"]'):
            firm.waivers = ANSWER.format(names=names, status="repaired", day="2026-10-05")
            result = firm.check().result
            assert [w.judged for w in result.waivers] == ["self_approved"]
            assert told(result)["approved motor/1"][1] == "fail"


def test_who_owned_a_model_once_answers_when_another_owns_it(firm: Firm):
    firm.registry.tag("motor", None, "gov.owner", "ann")
    firm.read(datetime(2026, 10, 6))
    firm.registry.tag("motor", None, "gov.owner", "zed")
    firm.read(datetime(2026, 10, 7))
    firm.waivers = ANSWER.format(names='findings = ["F-1"]', status="repaired", day="2026-10-06")
    result = firm.check().result
    assert [w.judged for w in result.waivers] == ["in_force"]
    assert told(result)["approved motor/1"][1] == "answered"


def judged_thrice(firm: Firm) -> list[str]:
    """How the first waiver is judged by a check, by `auditreg waivers`, and by the next check."""
    sealed = firm.check().result
    with open_check(firm.ledger, firm.policy(), CheckOptions(seal=False)) as (_, listed):
        words = [result.waivers[0].judged for result in (sealed, listed)]
    return [*words, firm.check(everything=True).result.waivers[0].judged]


@pytest.mark.integration
@pytest.mark.parametrize(("giver", "judged"), [("ann", "self_approved"), ("bob", "in_force")])
def test_a_rename_changes_nothing_of_who_may_answer(firm: Firm, giver: str, judged: str):
    firm.registry.tag("motor", None, "gov.owner", "ann")
    firm.read(datetime(2026, 10, 6))
    firm.check()
    answer = ANSWER.replace('"ann"', f'"{giver}"')
    firm.waivers = answer.format(names='findings = ["F-1"]', status="repaired", day="2026-10-05")
    firm.registry.rename("motor", "motor2")
    firm.read(datetime(2026, 10, 7))
    assert judged_thrice(firm) == [judged] * 3
    assert (firm.states(1)[-1][-1] == "repaired") == (judged == "in_force")


@pytest.mark.integration
def test_an_answer_that_closed_a_finding_keeps_holding_when_the_model_is_renamed(firm: Firm):
    firm.check()
    firm.waivers = ANSWER.format(names='models = ["motor"]', status="rejected", day="2026-10-05")
    firm.check()
    firm.registry.rename("motor", "motor2")
    firm.read(datetime(2026, 10, 7))
    assert judged_thrice(firm) == ["in_force"] * 3
    assert "approved motor2/1" not in told(firm.check().result)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "judged", "status"), [("home", "unused", "fail"), ("home2", "in_force", "answered")]
)
def test_an_answer_names_a_model_by_the_name_it_has(
    firm: Firm, name: str, judged: str, status: str
):
    """What happened in the period is asked about again: an answer to the former name does not seem to hold."""
    firm.live(datetime(2026, 10, 5, 15), "home", 2)
    firm.read(datetime(2026, 10, 6))
    firm.waivers = ANSWER.format(names='versions = ["home/2"]', status="rejected", day="2026-10-05")
    assert told(firm.check().result)["approved home/2"][1] == "answered"
    firm.registry.rename("home", "home2")
    firm.read(datetime(2026, 10, 7))
    firm.waivers = firm.waivers.replace("home/2", f"{name}/2")
    assert judged_thrice(firm) == [judged] * 3
    assert told(firm.check().result)["approved home2/2"][1] == status


def in_two_workspaces(firm: Firm, workspace: str) -> None:
    """Read two models called motor, that went live unapproved: default/motor is bob's, the other one eve's."""
    firm.live(datetime(2026, 10, 5, 15), "other")
    firm.registry.tag("motor", None, "gov.owner", "bob")
    firm.registry.tag("other", None, "gov.owner", "eve")
    firm.registry.clock = at(datetime(2026, 10, 6)) - 1000
    rows = firm.registry.rows()
    for row in (row for table in rows.values() for row in table if row.get("model") == "other"):
        row |= {"workspace": workspace, "model": "motor"}
    take(firm.ledger, MemoryReading(rows, firm.registry.wait()))


NAMED = [
    ('models = ["motor"]', "zed", "in_force", {"default", "fraud"}),
    ('models = ["motor"]', "bob", "partly_self_approved", {"fraud"}),
    ('versions = ["motor/1"]', "eve", "partly_self_approved", {"default"}),
    ('models = ["motor"]\nworkspace = "fraud"', "zed", "in_force", {"fraud"}),
    ('models = ["motor"]\nworkspace = "fraud"', "bob", "in_force", {"fraud"}),
    ('models = ["motor"]\nworkspace = "default"', "bob", "self_approved", set()),
    ('versions = ["motor/1"]\nworkspace = "default"', "eve", "in_force", {"default"}),
    ('models = ["motor"]\nregistry = "{registry}"', "zed", "in_force", {"default", "fraud"}),
    ('models = ["motor"]\nregistry = "other"', "zed", "unused", set()),
    ('models = ["motor"]\nworkspace = "Fraud"', "zed", "unused", set()),
    ('models = ["motor"]\nworkspace = ""', "zed", "unused", set()),
    ('models = ["fraud/motor"]', "zed", "unused", set()),
    ('findings = ["{fraud}"]', "bob", "in_force", {"fraud"}),
    ('findings = ["{fraud}"]', "eve", "self_approved", set()),
    ('findings = ["{default}", "{fraud}"]', "bob", "partly_self_approved", {"fraud"}),
    ('findings = ["{fraud}"]\nworkspace = "default"', "zed", "unused", set()),
    ('workspace = "fraud"', "zed", "over_broad", set()),
]
"""What an answer names, who gave it, how it is judged, and the workspaces whose finding it answers."""


def answers_each(firm: Firm, waiver: tuple[str, str, str, set[str]], *, seal: bool) -> CheckResult:
    """The result of a check with that answer, compared with what it is to say."""
    names, giver, judged, answered = waiver
    rows = "from findings where rule = 'approved' and model = 'motor'"
    found = ask(firm.ledger, f"select workspace, id, registry {rows}")
    names = names.format(**{place: number for place, number, _ in found}, registry=found[0][2])
    text = ANSWER.replace('"ann"', f'"{giver}"')
    firm.waivers = text.format(names=names, status="rejected", day="2026-10-05")
    with open_check(firm.ledger, firm.policy(), CheckOptions(seal=False)) as (_, result):
        statuses = {
            a.subject.workspace: a.status.value
            for a in result.answers
            if (a.rule.id, a.subject.label) == ("approved", "motor/1")
        }
    left = {"default", "fraud"} - answered
    assert statuses == {**dict.fromkeys(answered, "answered"), **dict.fromkeys(left, "fail")}, names
    [judgement] = result.waivers
    assert (judgement.judged, judgement.covers) == (judged, len(answered)), names
    assert ("but not for what" in judgement.sentence) == (judged == "partly_self_approved")
    assert judgement.is_bad == (not answered)
    return firm.check().result if seal else result


@pytest.mark.integration
def test_who_may_answer_is_asked_of_each_model_of_a_name(firm: Firm):
    in_two_workspaces(firm, "fraud")
    firm.check()
    for waiver in NAMED:
        answers_each(firm, waiver, seal=False)


@pytest.mark.integration
@pytest.mark.parametrize("waiver", [NAMED[2], NAMED[4]])
def test_an_answer_within_a_workspace_is_sealed_and_read_back(
    firm: Firm, waiver: tuple[str, str, str, set[str]]
):
    in_two_workspaces(firm, "fraud")
    firm.check()
    sealed = answers_each(firm, waiver, seal=True)
    again = firm.check().result
    for result in (sealed, again):
        [found] = result.waivers
        assert (found.judged, found.covers) == (waiver[2], len(waiver[3]))
    assert sealed.waivers[0].sentence == again.waivers[0].sentence


@pytest.mark.integration
def test_a_workspace_of_any_name_is_compared_as_text(firm: Firm):
    hostile = """fr'aud" or "1"='1 -- $models { \\ """
    in_two_workspaces(firm, hostile)
    for workspace, covers in ((hostile, 1), (hostile[:-1], 0)):
        names = f'models = ["motor"]\nworkspace = {json.dumps(workspace)}'
        firm.waivers = ANSWER.format(
            names=names.replace("{", "{{"), status="rejected", day="2026-10-05"
        ).replace("{{", "{")
        [waiver] = firm.check().result.waivers
        assert (waiver.covers, waiver.scope) == (covers, f"motor in workspace {workspace}")


ACCEPTED = """
[[waiver]]
rule = "approved"
models = ["motor"]
status = "accepted"
reason = "small"
approver = "ann"
expires = {day}
"""


@pytest.mark.integration
def test_an_accepted_event_is_open_again_when_that_has_run_out(firm: Firm):
    firm.waivers = ACCEPTED.format(day="2026-12-31")
    result = firm.check().result
    waived = of(result, "approved", "motor/1")
    assert (waived.status, waived.carried) == (Status.WAIVED, True)
    firm.read(datetime(2027, 1, 4))
    again = of(firm.check().result, "approved", "motor/1")
    assert (again.status, again.since) == (Status.FAIL, Q3_CHECK)
    assert firm.states(1)[1] == ("waived", "09-10", "10-05", "accepted")


def test_what_was_accepted_later_was_open_then(firm: Firm):
    firm.check()
    firm.waivers = ACCEPTED.format(day="2026-12-31")
    firm.check()
    past = firm.then()
    assert of(past, "approved", "motor/1").status is Status.FAIL
    assert past.answers_known == Q3_CHECK
    assert past.waivers == ()
    now = firm.check(as_of=datetime(2026, 10, 31)).result
    assert of(now, "approved", "motor/1").status is Status.WAIVED
    assert now.answers_known is None


@pytest.mark.integration
def test_a_deleted_model_s_event_stays_open(firm: Firm):
    firm.check()
    firm.registry.delete("motor")
    firm.read(datetime(2026, 11, 1))
    found = told(firm.check().result)
    assert found["approved motor/1"][:3] == ("F-1", "fail", Q3_CHECK)
    assert found["kept motor/1"][1] == "fail"
    assert firm.states(2)[-1] == ("closed", "09-10", "11-01", "no longer in scope")
    firm.read(datetime(2027, 2, 1))
    found = told(firm.check().result)
    assert found["kept motor/1"][1:] == (
        "fail", datetime(2026, 11, 1), datetime(2026, 11, 1), True,
    )  # fmt: skip
    assert len(ask(firm.ledger, "select 1 from findings where open")) == 4


@pytest.mark.integration
def test_an_event_the_record_no_longer_has_stays_as_it_was(firm: Firm):
    """Where `Production` is not live any more, nothing ever went live."""
    firm.check()
    firm.config = parse_config('[live]\nstages = ["Live"]', firm.folder / "auditreg.toml")
    result = firm.check().result
    kept = of(result, "approved", "motor/1")
    assert (kept.status, kept.since, kept.carried) == (Status.FAIL, Q3_CHECK, True)
    assert kept.evidence["live_via"] == "stage Production"
    assert kept.reason == "motor/1 went live unapproved"


@pytest.mark.integration
def test_of_a_past_moment_such_an_event_stays_as_it_was_by_then(firm: Firm):
    firm.check()
    changed_rule(firm, "approved", "'fail'", "'not_evidenced'")
    firm.read(datetime(2026, 11, 2))
    firm.check()
    assert [state[0] for state in firm.states(1)] == ["fail", "fail", "not_evidenced"]
    firm.config = parse_config('[live]\nstages = ["Live"]', firm.folder / "auditreg.toml")
    kept = of(firm.then(datetime(2026, 10, 31)), "approved", "motor/1")
    assert (kept.status, kept.since, kept.carried) == (Status.FAIL, Q3_CHECK, True)
    assert kept.reason == "motor/1 went live unapproved"


@pytest.mark.integration
def test_a_rule_about_a_period_remembers_the_one_before(firm: Firm):
    firm.live(datetime(2026, 10, 2), "frozen")
    firm.read(datetime(2026, 10, 7))
    first = of(firm.check().result, "frozen", "the ledger")
    assert first.reason == "1 versions came in the period"
    firm.read(datetime(2027, 1, 4))
    second = of(firm.check().result, "frozen", "the ledger")
    assert (second.status, second.since) == (Status.FAIL, datetime(2026, 10, 7))
    number = second.number
    firm.waivers = ANSWER.replace('"approved"', '"frozen"').format(
        names=f'findings = ["F-{number}"]', status="repaired", day="2027-01-03"
    )
    answered = of(firm.check().result, "frozen", "the ledger")
    assert answered.status is Status.ANSWERED
    # An answer settles what was before; what comes in the next quarter is new.
    firm.live(datetime(2027, 4, 2), "frozen", 2)
    firm.read(datetime(2027, 4, 3))
    third = of(firm.check().result, "frozen", "the ledger")
    assert (third.status, third.since) == (Status.FAIL, datetime(2027, 4, 3))
    assert third.first_reported == datetime(2026, 10, 7)


def changed_rule(firm: Firm, name: str, old: str, new: str) -> None:
    scope, sql = firm.rules[name]
    assert old in sql
    firm.rules[name] = (scope, sql.replace(old, new))


def test_a_rule_about_a_period_finds_again_what_came_between_two_periods(firm: Firm):
    # It came after the last check of the third quarter; that of the fourth is the first to see it.
    firm.live(datetime(2026, 9, 26), "frozen")
    for day in (datetime(2026, 10, 6), datetime(2026, 10, 7), datetime(2027, 1, 8)):
        firm.read(day)
        found = of(firm.check().result, "frozen", "the ledger")
        assert (found.status, found.since) == (Status.FAIL, datetime(2026, 10, 6))
    assert ask(firm.ledger, "select count(*) from finding_history where closed_at is not null") == [
        (0,)
    ]


@pytest.mark.integration
def test_a_check_by_one_rule_does_not_stand_for_the_others(firm: Firm):
    """What happened after the third quarter's last check is still judged by the rule that was not run."""
    firm.check(only=("owned",))
    broken = firm.rules["approved"]
    firm.rules["approved"] = ("promotion", "select nothing from population_promotion")
    assert of(firm.check().result, "approved", "the ledger").status is Status.ERROR
    firm.rules["approved"] = broken
    found = told(firm.check().result)
    assert found["approved home/1"][1:] == ("fail", Q4_CHECK, Q4_CHECK, True)
    assert found["approved motor/1"][1:] == ("fail", Q3_CHECK, Q3_CHECK, True)
    assert ask(firm.ledger, "select closed_why, reason from findings where subject = 'ledger'") == [
        ("repaired", "The rule can be judged again.")
    ]


@pytest.mark.integration
def test_to_erase_what_a_finding_says_answers_nothing(firm: Firm):
    firm.check()
    [(seq,)] = ask(firm.ledger, "select max(seq) from finding_history where number = 1")
    firm.ledger.erase(seq, "a name")
    assert ask(firm.ledger, "select status from findings where number = 1") == []
    found = told(firm.check().result)
    assert found["approved motor/1"] == ("F-1", "fail", Q3_CHECK, Q3_CHECK, True)
    assert verify(firm.ledger).ok
    opened = ask(firm.ledger, "select count(*) from findings where open")
    assert firm.adds_up(None, Q4_CHECK)["closing"] == opened[0][0]


@pytest.mark.integration
def test_a_firm_s_own_rules_remember_too(firm: Firm):
    """They run in a process of their own, which is told of earlier periods."""
    firm.rules = {"own-approved": RULES["approved"], "own-frozen": RULES["frozen"]}
    firm.live(datetime(2026, 10, 7), "frozen")
    firm.read(datetime(2026, 10, 8))
    found = told(firm.check().result)
    # Of what was before its first check a rule is not asked.
    assert set(found) == {"own-approved frozen/1", "own-frozen the ledger"}
    firm.read(datetime(2027, 1, 4))
    result = firm.check().result
    assert [r.error for r in result.rules] == [None, None]
    assert set(told(result)) == set(found)
    assert of(result, "own-frozen", "the ledger").since == datetime(2026, 10, 8)
    assert of(result, "own-approved", "frozen/1").carried


@pytest.mark.integration
def test_a_changed_rule_is_why(firm: Firm):
    firm.check()
    changed_rule(firm, "approved", "'fail'", "'pass'")
    changed_rule(firm, "owned", "'not_evidenced'", "'undecided'")
    result = firm.check().result
    assert not told(result)
    assert firm.states(1)[-1] == ("closed", "09-10", "10-05", "rule changed")
    assert firm.states(2)[-1] == ("undecided", "09-10", "10-05", "rule changed")
    assert firm.adds_up(Q3_CHECK, Q4_CHECK) == {"opening": 2, "new": 2, "rule_changed": 4}


@pytest.mark.integration
def test_other_settings_are_why_only_where_they_are(firm: Firm):
    """Two findings go at once: one because of a tag, one because the settings read another."""
    firm.registry.tag("motor", None, "gov.owner", "jane")
    firm.registry.tag("home", None, "team", "pricing")
    firm.check()
    assert told(firm.check().result)["owned home"][1] == "not_evidenced"
    firm.registry.tag("motor", None, "unrelated", "x")
    firm.read(datetime(2026, 10, 6))
    firm.config = parse_config(
        '[fields]\nowner = ["gov.owner", "team"]', firm.folder / "auditreg.toml"
    )
    result = firm.check().result
    assert not [name for name in told(result) if name.startswith("owned")]
    whys = ask(
        firm.ledger,
        "select model, closed_why from findings where rule = 'owned' order by model",
    )
    assert whys == [("home", "policy changed"), ("motor", "repaired")]


@pytest.mark.integration
def test_what_a_rule_no_longer_asked_had_found_is_closed(firm: Firm):
    firm.check()
    firm.config = parse_config('[rules]\ndisabled = ["owned"]', firm.folder / "auditreg.toml")
    del firm.rules["approved"]
    firm.check()
    rows = ask(firm.ledger, "select rule, closed_why, reason from findings order by number")
    assert set(rows) == {
        ("owned", "policy changed", "The rule is switched off."),
        ("approved", "rule changed", "There is no such rule any more."),
    }


@pytest.mark.integration
def test_a_renamed_rule_finds_again_what_it_had_found(firm: Firm):
    firm.check()
    policy = firm.policy()
    rules = tuple(
        replace(rule, id="sanctioned", aliases=("approved",)) if rule.id == "approved" else rule
        for rule in policy.rules
    )
    result = run_check(firm.ledger, replace(policy, rules=rules), CheckOptions()).result
    assert {name for name in told(result) if "/1" in name} == {
        "sanctioned motor/1",
        "sanctioned home/1",
    }
    rows = ask(
        firm.ledger, "select distinct closed_why, reason from findings where rule = 'approved'"
    )
    assert rows == [("rule changed", "The rule is called sanctioned now.")]


OF_PROMOTIONS = "from population_promotion p join promotions r using (subject)"
FAULTS = {
    "no reason": f"select p.subject, 'fail' as status {OF_PROMOTIONS}",
    "an empty reason": f"select p.subject, 'fail' as status, null as reason {OF_PROMOTIONS}",
    "no status of ours": f"select p.subject, 'maybe' as status, 'x' as reason {OF_PROMOTIONS}",
    "no grade of ours": f"select p.subject, 'fail' as status, 'x' as reason, 'good' as grade {OF_PROMOTIONS}",
    "twice": f"select p.subject, 'fail' as status, 'x' as reason {OF_PROMOTIONS}, range(2)",
    "not all": f"select p.subject, 'fail' as status, 'x' as reason {OF_PROMOTIONS} where p.model <> 'boat'",
    "no SQL that runs": f"select p.subject, 'fail' as status, p.model::INTEGER::VARCHAR as reason {OF_PROMOTIONS}",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_faulty_rule_had_found_stays_as_it_was(firm: Firm, fault: str):
    firm.waivers = ACCEPTED.format(day="2027-12-31")
    before = told(firm.check().result)
    assert before["approved motor/1"][:2] == ("F-1", "waived")
    assert before["approved home/1"][1] == "fail"
    firm.live(datetime(2026, 10, 20), "boat")
    firm.read(datetime(2026, 10, 21))
    firm.rules["approved"] = ("promotion", FAULTS[fault])
    result = firm.check().result
    found = told(result)
    assert found.pop("approved the ledger")[1] == "error"
    assert found.pop("owned boat")[1] == "not_evidenced"
    assert found == before
    approved = next(rule for rule in result.rules if rule.rule.id == "approved")
    assert (approved.counts, approved.carried) == ({}, {Status.FAIL: 1, Status.WAIVED: 1})
    assert [waiver.judged for waiver in result.waivers] == ["in_force"]
    assert {row[0] for row in firm.states(1)} == {"fail", "waived"}
    assert "reopened" not in firm.adds_up(Q3_CHECK, datetime(2026, 10, 21))


OF_CARRIED = {
    "no reason": "select * replace (case when about = 'motor' then null else reason end as reason)",
    "an empty status": "select * replace (case when about = 'motor' then '' else status end as status)",
    "no grade of ours": "select *, case when about = 'motor' then 'good' else 'none' end as grade",
    "twice": "select *",
}


@pytest.mark.parametrize("fault", OF_CARRIED)
def test_a_rule_is_faulty_by_what_it_says_of_an_earlier_period_too(firm: Firm, fault: str):
    before = told(firm.check().result)
    scope, sql = firm.rules["approved"]
    sql = sql.replace("r.live_via", "r.live_via, p.model as about")
    more = (
        f" union all by name select * from ({sql}) where about = 'motor'"
        if fault == "twice"
        else ""
    )
    firm.rules["approved"] = (scope, f"{OF_CARRIED[fault]} from ({sql}){more}")
    result = firm.check().result
    found = told(result)
    assert found.pop("approved the ledger")[1] == "error"
    assert found == before
    approved = next(rule for rule in result.rules if rule.rule.id == "approved")
    said = {
        "no reason": "it gives no reason for some subjects",
        "an empty status": "it answers ''; allowed: pass, fail, not_evidenced, undecided, not_applicable",
        "no grade of ours": "it gives the grade 'good'; allowed: none, asserted, observed, captured, signed, timestamped",
        "twice": "some subjects were answered for more than once",
    }
    assert approved.error == said[fault]
    assert exit_code(result, None) is ExitCode.ERROR


def test_why_a_rule_was_not_asked_is_no_sentence_of_an_earlier_period(firm: Firm):
    firm.waivers = ACCEPTED.format(day="2027-12-31")
    firm.live(datetime(2026, 10, 20), "boat")
    firm.read(datetime(2026, 10, 21))
    scope, sql = firm.rules["approved"]
    new = "select subject, case when model = 'boat' then 'not_applicable' else status end as status, reason"
    firm.rules["approved"] = (
        scope,
        f"{new}, live_via, model from ({sql.replace('r.live_via', 'p.model, r.live_via')})",
    )
    result = firm.check().result
    assert of(result, "approved", "motor/1").carried
    [said] = [rule.not_asked for rule in result.rules if rule.rule.id == "approved"]
    assert said == "It applies to none of 1. For example: boat/1 went live unapproved."


@pytest.mark.integration
def test_an_event_carried_forward_may_predate_the_policy(firm: Firm):
    firm.config = parse_config("[policy]\neffective = 2026-09-10\n", firm.folder / "auditreg.toml")
    # Nothing went live in the quarter that is judged; what is carried forward into it is older.
    found = told(firm.check().result)
    assert (found["approved motor/1"][1], found["approved home/1"][1]) == (
        "predates_policy",
        "fail",
    )


@pytest.mark.integration
def test_a_check_of_a_part_leaves_other_waivers_as_they_were_judged(firm: Firm):
    accepted = ACCEPTED.format(day="2027-12-31")
    unused = accepted.replace('"motor"', '"none"') + accepted.replace("approved", "kept")
    firm.waivers = accepted + unused

    def judged() -> list[tuple[str, str]]:
        return ask(firm.ledger, "select rule, judged from waivers order by all")

    firm.check()
    whole = judged()
    assert whole == [("approved", "in_force"), ("approved", "unused"), ("kept", "unused")]
    firm.check(selection=("home",))
    firm.check(only=("owned",))
    assert judged() == whole


@pytest.mark.integration
def test_what_is_not_checked_does_not_close(firm: Firm):
    firm.check()
    firm.registry.tag("motor", None, "gov.owner", "jane")
    firm.registry.tag("motor", 1, "approved", "ann")
    firm.read(datetime(2026, 10, 6))
    assert told(firm.check(only=("kept",)).result) == {}
    home = told(firm.check(selection=("home",)).result)
    assert set(home) == {"approved home/1", "owned home"}
    assert {row[0] for row in ask(firm.ledger, "select closed_why from findings")} == {None}
    firm.check(selection=("motor",))
    rows = ask(firm.ledger, "select model, closed_why from findings where not open order by number")
    assert rows == [("motor", "repaired"), ("motor", "repaired")]


def test_of_one_version_only_its_own_findings_are_carried_forward(firm: Firm):
    changed_rule(firm, "kept", "when v.deleted then 'fail'", "when v.version = 1 then 'fail'")
    firm.live(datetime(2026, 9, 26), "motor", 2)
    firm.read(datetime(2026, 10, 6))
    everything = told(firm.check().result)
    result = firm.check(selection=("motor/1",)).result
    assert [f"{a.rule.id} {a.subject.label}" for a in result.answers] == [
        name for name in everything if name.endswith((" motor/1", " motor"))
    ]
    for rule in result.rules:  # none is counted for another rule, or twice
        found = [a for a in result.answers if a.rule.id == rule.rule.id]
        assert sum(rule.carried.values()) == len([a for a in found if a.carried])


@pytest.mark.integration
def test_readings_that_no_longer_tell_close_nothing_as_repaired(firm: Firm):
    firm.rules["owned"] = (
        "registered_model",
        """
        select subject, case when (select max(observed_at) from extractions) < '2026-10-06'
                             then 'fail' else 'undecided' end as status, 'because' as reason
        from population_registered_model
        """,
    )
    firm.check()
    firm.read(datetime(2026, 10, 6))
    result = firm.check().result
    owned = next(r for r in result.rules if r.rule.id == "owned")
    assert (owned.counts, owned.not_asked) == ({Status.UNDECIDED: 2}, None)
    assert "owned motor" not in told(result)
    assert firm.states(2)[1:] == [
        ("fail", "09-10", None, None),
        ("undecided", "09-10", "10-06", "cannot be told"),
    ]
    again = firm.check(everything=True).result
    assert len(firm.states(2)) == 3
    assert Status.UNDECIDED in {answer.status for answer in again.every}


def test_columns_add_up_and_what_was_not_asked_says_why(firm: Firm):
    for result in (firm.check(everything=True).result, firm.then()):
        assert all(sum(r.counts.values()) == r.population == r.examined for r in result.rules)
        windowed = next(r for r in result.rules if r.rule.id == "windowed")
        asked = (
            "No window is set." if windowed.population else "No version went live in the period."
        )
        assert windowed.not_asked == asked
        assert {r.rule.id for r in result.rules if r.not_asked is None} >= {"owned", "frozen"}
    assert windowed.population == 2
    view = CheckView(ExitCode.FINDINGS, everything=True, target=OutputTarget(100))
    text = check_format("text").render(replace(result, every=()), view).decode()
    assert "examined 0 of 0" not in text
    assert "not asked    No window is set." in text
    document = json.loads(check_format("json").render(result, CheckView(ExitCode.FINDINGS)))
    rules = {rule["id"]: rule for rule in document["rules"]}
    assert rules["windowed"]["not_asked"] == "No window is set."
    assert rules["owned"]["not_asked"] is None
