"""The auditor: populations, policy, waivers, selections, past moments, a firm's own rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from auditreg.audit import Auditor, Limits
from auditreg.audit.carried import prepare_carried
from auditreg.audit.isolation import result_table
from auditreg.audit.ratings import rank_sql, rate_subjects
from auditreg.audit.results import policy_overrides
from auditreg.audit.snapshot import Moment, reads_of
from auditreg.audit.testing.cases import empty_ledger, run_cases
from auditreg.audit.testing.registry import AS_OF, Case, build
from auditreg.config import Config, parse_config
from auditreg.errors import ConfigError, NothingToAudit, UsageError
from auditreg.fields import FIELD_IDS
from auditreg.ledger import definitions, template
from auditreg.ledger.planning import plan_plainly
from auditreg.ledger.settings import create_state, refresh_settings
from auditreg.models import CheckResult, Grade, RuleInfo, Scope, Severity, Status
from auditreg.rules.parse import builtin_rules, parse_rule
from auditreg.waivers import parse_waivers

HEADER = """/*
title = "T"
severity = "{severity}"
scope = "{scope}"
repair = "{repair}"
looks_for = "x"
rationale = "x"
remediation = "x"
{more}
*/
"""
ALL = "select subject, 'fail' as status, 'because' as reason from population_{scope}"


def rule(
    sql: str | None = None,
    *,
    name: str = "mine",
    scope: str = "live_version",
    repair: str = "tag",
    severity: str = "high",
    more: str = "",
    custom: bool = False,
) -> RuleInfo:
    header = HEADER.format(severity=severity, scope=scope, repair=repair, more=more)
    return parse_rule(header + (sql or ALL.format(scope=scope)), name, custom=custom)


def case(**parts: object) -> Case:
    return msgspec.convert({"name": "registry", **parts}, Case)


MOTOR = case(
    models={
        "motor": {
            "tags": {"gov.owner": "jane"},
            "aliases": {"candidate": 8},
            "versions": {
                "6": {"stage": "Archived"},
                "7": {},
                "8": {"stage": "None", "created_at": "2026-09-01T00:00:00"},
            },
        },
        "home": {"versions": {"1": {"created_at": "2020-01-01T00:00:00"}}},
    },
)


@pytest.fixture(scope="module")
def made() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_ledger() as connection:
        yield connection


@pytest.fixture
def empty(made: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty ledger, the same for every test: what one does is rolled back."""
    made.execute("begin")
    yield made
    made.execute("rollback")


@pytest.fixture(scope="module")
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two models; no test writes to it, for a check makes only temporary tables."""
    with empty_ledger() as connection:
        connection.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
        build(connection, MOTOR)
        yield connection


@pytest.fixture
def own(empty: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same as `ledger`, to be written to."""
    empty.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
    build(empty, MOTOR)
    return empty


@pytest.fixture
def file(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same as `ledger`, in a file that is open for reading only."""
    path = tmp_path / "audit.duckdb"
    path.write_bytes(template.empty_ledger())
    with duckdb.connect(path) as connection:
        refresh_settings(connection, {})
        connection.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
        build(connection, MOTOR)
    with duckdb.connect(path, read_only=True) as connection:
        yield connection


def check(
    ledger: duckdb.DuckDBPyConnection,
    *rules: RuleInfo,
    config: str = "",
    waivers: str = "",
    **options: object,
) -> CheckResult:
    settings = parse_config(config, Path("auditreg.toml")) if config else Config()
    entries = parse_waivers(waivers, Path("waivers.toml")) if waivers else ()
    auditor = Auditor(ledger, settings, rules, entries, limits=Limits(seconds=2, megabytes=2048))
    # As `auditreg check` does: every view is prepared only where a report asks for more.
    return auditor.check(**{"all_views": False, **options})  # type: ignore[arg-type]


def labels(result: CheckResult) -> list[str]:
    return [answer.subject.label for answer in result.answers]


def test_every_builtin_rule_answers_for_its_whole_population(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    result = check(ledger, *builtin_rules())
    assert [r.error for r in result.rules] == [None] * len(builtin_rules())
    assert all(r.examined == r.population == sum(r.counts.values()) for r in result.rules)
    assert result.period == (date(2026, 7, 1), date(2026, 9, 30))
    assert result.as_of == AS_OF
    ranks = [answer.severity.rank for answer in result.answers]
    assert ranks == sorted(ranks)
    assert len(list(result.every)) == sum(r.population for r in result.rules)
    assert {a.status for a in result.answers} <= {Status.FAIL, Status.NOT_EVIDENCED}


def test_a_small_ledger_is_judged_like_any_other(own: duckdb.DuckDBPyConnection) -> None:
    """Without DuckDB's optimizer, that is."""

    def judged() -> tuple[object, ...]:
        result = check(own, *builtin_rules())
        return result.rules, result.answers, list(result.every)

    own.execute("pragma enable_optimizer")
    optimized = judged()
    assert own.execute("select current_setting('enable_optimizer')").fetchone() == (True,)
    plan_plainly(own)
    assert own.execute("select current_setting('enable_optimizer')").fetchone() == (False,)
    assert judged() == optimized


def test_nobody_is_asked_about_an_empty_population(ledger: duckdb.DuckDBPyConnection) -> None:
    wrong = "select no_such_column from population_{}"
    [of_promotions, of_models] = check(
        ledger,
        rule(wrong.format("promotion"), name="of-promotions", scope="promotion"),
        rule(wrong.format("registered_model"), name="of-models", scope="registered_model"),
    ).rules
    assert (of_promotions.population, of_promotions.error) == (0, None)
    assert of_models.population == 2
    assert "no_such_column" in (of_models.error or "")


def test_further_columns_are_evidence(ledger: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "select subject, 'fail' as status, 'because' as reason, 'observed' as grade, "
        "'do it' as fix, 3 as n, null as nothing, 'a\"b' as \"odd name\" "
        "from population_live_version where true"
    )
    answer = check(ledger, rule(sql)).answers[0]
    assert answer.evidence == {"n": 3, "odd name": 'a"b'}
    assert (answer.grade, answer.fix) == (Grade.OBSERVED, "do it")
    assert (answer.subject.registry, answer.subject.model) == ("default", "home")
    assert answer.number is None
    assert answer.id is None
    assert len(answer.key) == 16


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select subject from population_live_version", "does not return the column status"),
        (
            "select subject, 'maybe' as status, 'said' as reason from population_live_version",
            "'maybe'",
        ),
        ("select subject, null as status, 'said' as reason from population_live_version", "'NULL'"),
        (
            "select subject, 'pass' as status, null as reason from population_live_version",
            "no reason",
        ),
        (
            "select subject, 'pass' as status, ' ' as reason from population_live_version",
            "no reason",
        ),
        (
            (
                "select subject, 'pass' as status, 'said' as reason, 'good' as grade "
                "from population_live_version"
            ),
            "the grade 'good'",
        ),
        (
            (
                "select subject, 'pass' as status, 'said' as reason from population_live_version "
                "where model = 'home'"
            ),
            "examined 1 of 2; nothing was said about motor/7",
        ),
        (
            (
                "select subject, 'pass' as status, 'said' as reason from population_live_version "
                "union all select 'x', 'pass', 'said'"
            ),
            "1 answers are about subjects outside its scope, as x",
        ),
        (
            # As many answers as subjects, all of the population, but not one for each.
            (
                "select 'm-1/7' as subject, 'pass' as status, 'said' as reason "
                "union all select 'm-1/7', 'fail', 'said'"
            ),
            "examined 1 of 2",
        ),
        (
            "select subject, 'pass' as status, 'said' as reason from population_live_version, range(2)",
            "more than once",
        ),
        ("select nowhere from population_live_version", "nowhere"),
        ("select 1/0 as subject, error_code, 1 as reason", "error_code"),
    ],
)
def test_a_wrong_rule_is_an_error_and_hides_no_other(
    ledger: duckdb.DuckDBPyConnection, sql: str, problem: str
) -> None:
    result = check(ledger, rule(sql, name="wrong"), rule(name="right"))
    wrong, right = result.rules
    assert wrong.error is not None
    assert problem in wrong.error
    assert wrong.population == 2
    assert not wrong.counts
    assert right.error is None
    assert right.counts == {Status.FAIL: 2}
    assert result.answers[0].status is Status.ERROR
    assert result.answers[0].reason == wrong.error


OTHER_TYPES = ("['a']", "{'a': 1}", "'\\xAA'::BLOB", "date '2026-01-01'", "null", "1", "1.5")


@pytest.mark.parametrize("selection", [[], ["motor"]])
def test_a_rule_of_ones_own_may_return_anything(
    ledger: duckdb.DuckDBPyConnection, selection: list[str]
) -> None:
    columns = ("subject", "status", "reason", "grade", "fix", "more")
    usual = {"subject": "subject", "status": "'fail'", "reason": "'x'", "grade": "null"}
    answers = [
        ", ".join(f"{value} as {name}" for name, value in {**usual, column: expression}.items())
        for column in columns
        for expression in OTHER_TYPES
    ]
    answers += ["subject, subject, 'fail' as status, 'x' as reason, 1 as a, 2 as A", "1 as nothing"]
    wrong = [
        rule(f"select {answer} from population_live_version", name=f"mine-{n}", custom=True)
        for n, answer in enumerate(answers)
    ]
    none = rule(f"{wrong[0].sql} where false", name="none", custom=True)
    result = check(ledger, *wrong, none, rule(name="right"), selection=selection)
    errors = {r.rule.id: r.error or "" for r in result.rules}
    assert errors["right"] == ""
    assert all("outside its scope" in errors[r.id] for r in wrong[: len(OTHER_TYPES)])
    assert len(list(result.every)) == len(result.answers)


def test_parameters_come_from_rule_then_config(ledger: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "select subject, 'fail' as status, getvariable('limit')::VARCHAR as reason "
        "from population_live_version"
    )
    mine = rule(sql, more="[params]\nlimit = 3")
    assert check(ledger, mine).answers[0].reason == "3"
    config = "[rules.params.mine]\nlimit = 4"
    assert check(ledger, mine, config=config).answers[0].reason == "4"
    with pytest.raises(ConfigError, match="no parameter 'limits'"):
        check(ledger, mine, config="[rules.params.mine]\nlimits = 4")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("days = nan", "days of rule mine has to be a number: nan"),
        ("days = -1", "days of rule mine is negative: -1"),
        ("days = true", "days of rule mine has to be a number: True"),
        ('days = "ten"', "days of rule mine has to be a number: 'ten'"),
        ("limit = inf", "limit of rule mine has to be a number: inf"),
        ('days = "4"', None),
        ("days = 0", None),
        ("limit = -0.5", None),
        ('word = "-1"', None),
    ],
)
def test_an_amount_is_a_number_from_nought_on(
    ledger: duckdb.DuckDBPyConnection, line: str, problem: str | None
) -> None:
    mine = rule(more='[params]\ndays = 3\nlimit = 1\nword = ""')
    config = f"[rules.params.mine]\n{line}"
    if problem is None:
        assert check(ledger, mine, config=config).answers
    else:
        with pytest.raises(ConfigError, match=problem):
            check(ledger, mine, config=config)


def test_config_leaves_rules_out_and_changes_severity(ledger: duckdb.DuckDBPyConnection) -> None:
    config = '[rules]\ndisabled = ["other"]\nseverity = { mine = "low" }'
    result = check(ledger, rule(), rule(name="other"), config=config)
    assert [(r.rule.id, r.rule.severity) for r in result.rules] == [("mine", Severity.LOW)]
    for key, text in (
        ("disabled", 'disabled = ["oter"]'),
        ("severity", 'severity = { oter = "low" }'),
        ("severity_by_rating.low", 'severity_by_rating = { low = { oter = "low" } }'),
        ("params", "params = { oter = { x = 1 } }"),
    ):
        with pytest.raises(ConfigError, match=rf"auditreg\.toml: rules\.{key}: .*no rule 'oter'"):
            check(ledger, rule(name="other"), config=f"[rules]\n{text}")
    assert [r.rule.id for r in check(ledger, rule(), rule(name="b"), only=["b"]).rules] == ["b"]


RATED = case(
    models={
        "motor": {"tags": {"risk_rating": "Low"}, "versions": {"1": {}}},
        "home": {"tags": {"risk_rating": "high"}, "versions": {"1": {}}},
        "travel": {"versions": {"1": {}}},
    },
)


@pytest.mark.parametrize(
    ("more", "config", "expected"),
    [
        ("", "", {"motor/1": "high", "home/1": "high", "travel/1": "high"}),
        (
            'severity_by_rating = { low = "medium" }',
            "",
            {"motor/1": "medium", "home/1": "high", "travel/1": "high"},
        ),
        (
            'severity_by_rating = { low = "medium" }',
            '[rules.severity_by_rating]\nLOW.mine = "low"\nhigh.mine = "critical"',
            {"motor/1": "low", "home/1": "critical", "travel/1": "high"},
        ),
        (  # one severity for the rule stands for every rating
            'severity_by_rating = { low = "medium" }',
            '[rules.severity]\nmine = "critical"',
            {"motor/1": "critical", "home/1": "critical", "travel/1": "critical"},
        ),
    ],
)
@pytest.mark.parametrize("scope", ["live_version", "live_in_period"])
def test_severity_follows_the_rating_on_record(
    empty: duckdb.DuckDBPyConnection, more: str, config: str, expected: dict[str, str], scope: str
) -> None:
    empty.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
    build(empty, RATED)
    result = check(empty, rule(more=more, scope=scope), config=config)
    assert {f.subject.label: f.severity.value for f in result.open} == expected
    ranks = [finding.severity.rank for finding in result.open]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("of_high", ["critical", "medium"])
def test_of_several_possible_ratings_the_worst_gives_the_severity(
    empty: duckdb.DuckDBPyConnection, of_high: str
) -> None:
    rerated = {"version": "motor/1", "field": "risk_rating", "before": "low", "after": "high"}
    build(empty, case(models={"motor": {"versions": {"1": {}}}}, uncertain=[rerated]))
    mine = rule(more=f'severity_by_rating = {{ low = "low", high = "{of_high}" }}')
    rate_subjects(empty, [mine])
    rank, joined = rank_sql(mine)
    ranks = empty.execute(f"select {rank} from (select 'm-1/1' as subject) r {joined}").fetchall()
    assert ranks == [(Severity(of_high).rank,)]


def test_what_is_older_than_the_policy_is_counted_apart(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    config = "[policy]\neffective = 2026-01-01"
    result = check(ledger, rule(repair="retrain", name="old"), rule(name="today"), config=config)
    old, today = result.rules
    assert old.counts == {Status.FAIL: 1, Status.PREDATES_POLICY: 1}
    assert today.counts == {Status.FAIL: 2}
    assert [a.status for a in result.answers if a.rule.id == "old"] == [
        Status.FAIL,
        Status.PREDATES_POLICY,
    ]


def test_a_promotion_is_judged_by_when_it_went_live(empty: duckdb.DuckDBPyConnection) -> None:
    promotions = [
        {"version": "motor/7", "live_not_before": at, "live_not_after": at}
        for at in ("2026-07-02T00:00:00", "2026-08-02T00:00:00")
    ]
    created = {"created_at": "2020-01-01T00:00:00"}
    build(empty, case(models={"motor": {"versions": {"7": created}}}, promotions=promotions))
    mine = rule(scope="promotion", repair="history")
    empty.execute(f"create temp table {result_table(mine)} as {mine.sql}")
    prepare_carried(empty)
    policy_overrides(empty, [mine], datetime(2026, 8, 1))
    assert empty.execute("select subject from override").fetchall() == [("m-1/7+1",)]


WAIVER = """
[[waiver]]
rule = "mine"
models = ["motor"]
status = "accepted"
reason = "known"
approver = "{approver}"
expires = {expires}
"""


def test_an_accepted_finding_is_waived(ledger: duckdb.DuckDBPyConnection) -> None:
    result = check(ledger, rule(), waivers=WAIVER.format(approver="ann", expires="2026-09-30"))
    assert result.rules[0].counts == {Status.FAIL: 1, Status.WAIVED: 1}
    waived = [a for a in result.answers if a.status is Status.WAIVED]
    assert [a.subject.label for a in waived] == ["motor/7"]
    assert waived[0].waiver is not None
    assert waived[0].waiver.until == date(2026, 9, 30)
    assert [w.judged for w in result.waivers] == ["in_force"]
    assert result.waivers[0].covers == 1


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        (WAIVER.format(approver="ann", expires="2026-09-29"), "expired"),
        (WAIVER.format(approver=" Jane", expires="2026-12-31"), "self_approved"),
        (WAIVER.format(approver="ann", expires="2026-12-31").replace('"motor"', ""), "over_broad"),
        (
            WAIVER.format(approver="ann", expires="2026-12-31").replace('"motor"', '"*"'),
            "over_broad",
        ),
        (WAIVER.format(approver="ann", expires="2026-12-31").replace("motor", "nix"), "unused"),
        (WAIVER.format(approver="ann", expires="2026-12-31").replace("mine", "nix"), "unused"),
    ],
)
def test_a_bad_waiver_covers_nothing(
    ledger: duckdb.DuckDBPyConnection, text: str, judged: str
) -> None:
    result = check(ledger, rule(), waivers=text)
    assert [w.judged for w in result.waivers] == [judged]
    assert result.waivers[0].is_bad
    assert result.waivers[0].sentence.endswith(".")
    assert result.rules[0].counts == {Status.FAIL: 2}


def test_self_approval_is_judged_on_persons(own: duckdb.DuckDBPyConnection) -> None:
    own.execute(
        "insert into people (person, account, service, kind) values ('j', 'jane', false, 'person'), "
        "('j', 'jane smith', false, 'person')"
    )
    result = check(own, rule(), waivers=WAIVER.format(approver="Jane Smith", expires="2026-12-31"))
    assert result.waivers[0].judged == "self_approved"


@pytest.mark.parametrize(
    ("developer", "approver", "judged"),
    [
        ("Pricing", "ann", "self_approved"),
        ("Pricing", "pricing", "self_approved"),
        ("Pricing", "bob", "in_force"),
        ("a.smith", "ann", "self_approved"),
        ("ann", "pricing", "in_force"),  # eve, the other member, did not
        ("passed on", "ann", "self_approved"),
        ("passed on", "bob", "self_approved"),
        ("passed on", "eve", "in_force"),
        ("TBD", "ann", "in_force"),
    ],
)
def test_developers_are_the_persons_their_names_may_mean(
    own: duckdb.DuckDBPyConnection, developer: str, approver: str, judged: str
) -> None:
    own.execute(
        "insert into people (person, account, service, kind, valid_until) values "
        "('ann', 'ann', false, 'person', null), ('ann', 'a.smith', false, 'person', null), "
        "('bob', 'bob', false, 'person', null), ('eve', 'eve', false, 'person', null), "
        "('ann', 'passed on', false, 'person', date '2026-06-30'), "
        "('bob', 'passed on', false, 'person', null), ('pricing', 'pricing', false, 'body', null)"
    )
    own.execute(
        "insert into body_members (body, member, part) values "
        "('pricing', 'ann', 'member'), ('pricing', 'eve', 'member'), ('pricing', 'bob', 'secretary')"
    )
    own.execute(
        "update registered_model_tags set key = 'gov.developer', value = ? where key = 'gov.owner'",
        [developer],
    )
    result = check(own, rule(), waivers=WAIVER.format(approver=approver, expires="2026-12-31"))
    assert [w.judged for w in result.waivers] == [judged]
    assert result.waivers[0].covers == (judged == "in_force")


@pytest.mark.parametrize(
    ("approver", "judged"),
    [
        ("TBD", "names_nobody"),
        ("ci", "service_account"),
        ("left", "not_in_office"),
        ("last", "in_force"),
        ("passed on", "in_force"),
        ("zed", "by_stranger"),
    ],
)
def test_who_accepts_is_somebody_in_office(
    own: duckdb.DuckDBPyConnection, approver: str, judged: str
) -> None:
    """A finding that nobody who may accepted stays open; a stranger may, and it is said."""
    own.execute(
        "insert into people (person, account, service, kind, valid_from, valid_until) values "
        "('ci', 'ci', true, 'service', null, null), "
        "('left', 'left', false, 'person', null, date '2026-09-29'), "
        "('last', 'last', false, 'person', null, date '2026-09-30'), "
        "('left', 'passed on', false, 'person', null, date '2026-06-30'), "
        "('last', 'passed on', false, 'person', date '2026-07-01', null)"
    )
    result = check(own, rule(), waivers=WAIVER.format(approver=approver, expires="2026-12-31"))
    assert [w.judged for w in result.waivers] == [judged]
    covers = judged in ("in_force", "by_stranger")
    assert result.rules[0].counts.get(Status.WAIVED, 0) == covers
    assert result.waivers[0].covers == covers
    if judged == "by_stranger":
        assert result.waivers[0].sentence.endswith("; zed is nobody listed in auditreg.toml.")


def test_under_repair_stays_open_and_says_who(ledger: duckdb.DuckDBPyConnection) -> None:
    repair = """
[[waiver]]
rule = "mine"
versions = ["motor/7"]
status = "under_repair"
reason = "being reorganised"
owner = "ops"
due = {due}
"""
    for due, judged in (("2026-12-31", "in_force"), ("2026-09-01", "overdue")):
        result = check(ledger, rule(), waivers=repair.format(due=due))
        assert [w.judged for w in result.waivers] == [judged]
        assert result.rules[0].counts == {Status.FAIL: 2}
        motor = next(a for a in result.answers if a.subject.label == "motor/7")
        assert motor.status.is_open
        assert motor.waiver is not None
        assert motor.waiver.owner == "ops"


def test_a_selected_check_does_not_call_waivers_unused(ledger: duckdb.DuckDBPyConnection) -> None:
    text = WAIVER.format(approver="ann", expires="2026-12-31")
    assert check(ledger, rule(), waivers=text, selection=["home"]).waivers[0].judged == "in_force"


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (["motor"], ["motor/7"]),
        (["motor/8"], ["motor/8"]),
        (["motor/7", "home"], ["home/1", "motor/7"]),
        (["motor@Candidate"], ["motor/8"]),
        (["models:/motor/8"], ["motor/8"]),
        (["models:/motor@candidate"], ["motor/8"]),
        (["models:/motor/latest"], ["motor/8"]),
        (["models:/motor/Production"], ["motor/7"]),
    ],
)
def test_selections(
    ledger: duckdb.DuckDBPyConnection, selection: list[str], found: list[str]
) -> None:
    # The second rule looks at the whole table of live versions, not at its population.
    careless = rule(
        "select subject, 'fail' as status, 'x' as reason from live_versions", name="careless"
    )
    result = check(ledger, rule(), careless, selection=selection)
    assert [r.error for r in result.rules] == [None, None]
    assert [a.subject.label for a in result.answers if a.rule.id == "mine"] == found
    assert [a.subject.label for a in result.answers if a.rule.id == "careless"] == found


def test_a_candidate_is_judged_in_models_of_its_own_only(ledger: duckdb.DuckDBPyConnection) -> None:
    result = check(
        ledger,
        rule(scope="registered_model"),
        rule(scope="ledger", name="whole"),
        selection=["motor/8"],
    )
    assert labels(result) == ["motor"]
    # The next check sees the whole registry again.
    assert labels(check(ledger, rule(scope="model_version"))) == [
        "home/1",
        "motor/6",
        "motor/7",
        "motor/8",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("motr", "Did you mean motor?"),
        ("motor/9", "go up to 8"),
        ("motor@champion", "It has: candidate."),
        ("motor/Staging", "no version 'Staging'"),
        ("models:/", "Names can be written as"),
    ],
)
def test_an_unknown_selection_says_what_there_is(
    ledger: duckdb.DuckDBPyConnection, text: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check(ledger, rule(), selection=[text])
    assert hint in str(caught.value)


def test_hostile_names_and_values_pass_through(empty: duckdb.DuckDBPyConnection) -> None:
    name = "a'b\"<script>\n\x00\x1b[31m)--"
    versions = {"1": {"tags": {"approver": name}}}
    empty.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
    build(empty, case(models={name: {"tags": {"Owner Team": name}, "versions": versions}}))
    result = check(empty, *builtin_rules())
    assert [r.error for r in result.rules] == [None] * len(builtin_rules())
    owner = next(a for a in result.answers if a.rule.id == "owner-recorded")
    assert owner.subject.model == name
    assert owner.evidence["nearest_value"] == name
    assert owner.fix is not None
    # The command is Python with the name as a literal: nothing of it can end the call.
    call = ast.parse(owner.fix, mode="eval").body
    assert isinstance(call, ast.Call)
    assert [ast.literal_eval(argument) for argument in call.args] == [name, "gov.owner", "<owner>"]
    assert labels(check(empty, rule(), selection=[name])) == [f"{name}/1"]


def test_an_empty_ledger_is_nothing_to_audit(empty: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NothingToAudit):
        check(empty, rule())


def test_the_past_is_not_the_present(ledger: duckdb.DuckDBPyConnection) -> None:
    before = AS_OF - timedelta(days=3000)
    result = check(ledger, *builtin_rules(), as_of=before)
    assert [r.error for r in result.rules] == [None] * len(builtin_rules())
    assert result.as_of == before
    # The log of this ledger is empty, so nothing was there; afterwards the present is back.
    assert {r.rule.scope for r in result.rules if r.population} == {Scope.LEDGER}
    assert check(ledger, rule()).rules[0].population == 2


@pytest.mark.parametrize("past", [None, AS_OF - timedelta(days=3000)])
def test_a_check_needs_only_the_views_that_are_read(
    ledger: duckdb.DuckDBPyConnection, past: datetime | None
) -> None:
    auditor = Auditor(ledger, Config(), builtin_rules())
    whole = auditor.check(past)
    narrow = auditor.check(past, all_views=False)
    assert (narrow.rules, narrow.answers) == (whole.rules, whole.answers)


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("select 'the inventory' || 'it''s inventory' as reason", False),
        ("select 1 -- the inventory\n/* an\ninventory */", False),
        ("select 'a' || (select max(model) from inventory) || 'b'", True),
        ("select '--' from inventory", True),
        ("select e'\\'' from inventory", True),
        ("select $$'$$ from inventory", True),
        ("from query_table('inventory')", True),
    ],
)
def test_words_in_sentences_are_no_tables(sql: str, read: bool) -> None:
    assert ("inventory" in reads_of([sql], Moment(AS_OF, AS_OF, AS_OF)).relations) is read


def test_only_fields_are_listed_that_a_rule_or_a_view_names() -> None:
    """What is made of every field, and a firm's own rule, which may name one by a parameter, see all."""
    present = Moment(AS_OF, AS_OF, AS_OF)
    of_rule = reads_of(["from fields where field = 'owner'"], present).listed or frozenset()
    of_view = (
        reads_of(["from developers where developer <> 'owner'"], present).listed or frozenset()
    )
    assert of_rule & set(FIELD_IDS) == {"owner"}
    assert of_view & set(FIELD_IDS) == {"owner", "developer"}
    assert reads_of(["from inventory"], present).listed is None
    assert reads_of(["from fields where field = 'owner'"], present, every_field=True).listed is None


def test_everything_a_rule_or_view_reads_is_prepared(ledger: duckdb.DuckDBPyConnection) -> None:
    """A view that was not prepared would show the latest state, whatever the moment."""
    present = Moment(AS_OF, AS_OF, AS_OF)
    known = {*definitions.state_tables(), "deployments", *definitions.VIEWS}
    texts = [builtin.sql for builtin in builtin_rules()]
    texts += [definitions.view_sql(name, as_of=False) for name in definitions.VIEWS]
    for text in texts:
        [(tree,)] = ledger.execute("select json_serialize_sql(?::VARCHAR)", [text]).fetchall()
        named = known & set(re.findall(r'"table_name":"(\w+)"', tree))
        assert named <= reads_of([text], present).relations
        assert reads_of(named, present).relations <= reads_of([text], present).relations


def test_a_view_of_the_past_shows_the_past(own: duckdb.DuckDBPyConnection) -> None:
    """Also those that no built-in rule reads: what a reading held, and prompts."""
    counting = rule(
        "select subject, 'fail' as status, (select count(*) from COMPLETENESS) || ' '"
        " || (select count(*) from extractions) as reason from population_ledger",
        scope="ledger",
    )
    own.execute("update extractions set counts = '{\"runs\": [1, 1]}'")
    auditor = Auditor(own, Config(), [counting])
    assert auditor.check(all_views=False).answers[0].reason == "1 1"
    before = AS_OF - timedelta(days=1)
    assert auditor.check(before, all_views=False).answers[0].reason == "0 1"


def test_the_first_instant_of_a_quarter_closes_the_one_before(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    result = check(ledger, rule(), as_of=datetime(2026, 7, 1))
    assert result.period == (date(2026, 4, 1), date(2026, 6, 30))


def test_a_sealed_finding_lends_its_number(own: duckdb.DuckDBPyConnection) -> None:
    own.execute(
        "insert into findings (number, rule, subject, status, since, first_reported) values "
        "(12, 'mine', 'm-1/7', 'fail', TIMESTAMP '2026-02-01', TIMESTAMP '2026-01-01'), "
        "(13, 'mine', 'm-2/1', 'closed', TIMESTAMP '2026-02-01', TIMESTAMP '2026-01-01')"
    )
    home, motor = check(own, rule()).answers
    assert (motor.id, motor.since) == ("F-12", datetime(2026, 2, 1))
    assert (home.id, home.since) == ("F-13", None)
    assert motor.first_reported == home.first_reported == datetime(2026, 1, 1)


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_own_rules_run_in_a_child(kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "file":
        ledger = request.getfixturevalue("file")
    else:
        ledger = duckdb.connect()
        create_state(ledger)
        ledger.execute("insert into settings (name, value) values ('as_of', ?)", [str(AS_OF)])
        build(ledger, MOTOR)
    good = rule(
        name="own-good",
        custom=True,
        more="[params]\nword = 'hello'",
        sql=(
            "select subject, 'fail' as status, getvariable('word') as reason, owner, 2 as n "
            "from population_live_version join inventory i using (subject)"
        ),
    )
    result = check(ledger, good, rule(), selection=["motor"])
    assert [r.error for r in result.rules] == [None, None]
    answer = next(a for a in result.answers if a.rule.id == "own-good")
    assert (answer.reason, answer.evidence) == ("hello", {"owner": "jane", "n": 2})


def test_own_rules_read_fields_that_they_do_not_name_in_quotes(
    ledger: duckdb.DuckDBPyConnection,
) -> None:
    """One may count them all, or be given one as a parameter."""
    counting = rule(
        name="own-counting",
        custom=True,
        more="[params]\nfield = 'owner'",
        sql=(
            "select subject, 'fail' as status, count(*) || ' fields: '"
            " || coalesce(max(case when field = getvariable('field') then value end), 'none') as reason "
            "from population_live_version join field_evidence using (subject) group by subject"
        ),
    )
    [(fields,)] = ledger.execute("select count(distinct field) from governance_fields").fetchall()
    result = check(ledger, counting, selection=["motor"])
    assert [answer.reason for answer in result.answers] == [f"{fields} fields: jane"]
    expected = {"expect": {"motor/7": "fail"}, "reasons": {"motor/7": f"{fields} fields: jane"}}
    [outcome] = run_cases(counting, [case(models=MOTOR.models, **expected)])
    assert not [problem for problem in outcome.problems if problem.startswith("motor/7")]


@pytest.mark.integration
def test_a_child_is_stopped_and_the_other_rules_still_answer(
    file: duckdb.DuckDBPyConnection,
) -> None:
    endless = rule(
        name="own-endless",
        custom=True,
        sql=(
            "select subject, 'fail' as status, (select sum(a.range * b.range) from range(10000000) a, "
            "range(10000000) b)::VARCHAR as reason from population_live_version"
        ),
    )
    bomb = rule(
        name="own-bomb",
        custom=True,
        sql=(
            "select subject, 'fail' as status, length(repeat(subject, 3000000000))::VARCHAR as reason "
            "from population_live_version"
        ),
    )
    wrong = rule(
        name="own-wrong", custom=True, sql="select subject, status from population_live_version"
    )
    last = rule(name="own-last", custom=True)
    result = check(file, endless, bomb, wrong, last)
    errors = {r.rule.id: r.error for r in result.rules}
    assert errors["own-endless"] is not None
    assert "2 seconds" in errors["own-endless"]
    assert errors["own-bomb"] is not None
    assert errors["own-wrong"] is not None
    assert "status" in errors["own-wrong"]
    assert errors["own-last"] is None
