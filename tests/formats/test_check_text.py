"""The first screen of a check: short, worst first, and saying what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from rich.cells import cell_len

from auditreg.errors import ExitCode
from auditreg.formats.interface import CheckView, OutputTarget
from auditreg.formats.terminal.check import CheckText
from auditreg.models import (
    Grade,
    JudgedWaiver,
    Repair,
    RuleResult,
    Scope,
    Severity,
    Status,
    WaiverRef,
)
from tests.formats.results import REJECTED, WAIVED, answer, large, result, rule


def shown(made, *, code=ExitCode.FINDINGS, fail_on=Severity.LOW, everything=False, **target):
    view = CheckView(code, fail_on, everything=everything, target=OutputTarget(**target))
    return CheckText().render(made, view).decode()


OWNER = rule()
RATING = rule("risk-rating-recorded", Severity.CRITICAL)
HISTORY = rule("approved-before", Severity.MEDIUM, Repair.HISTORY, Scope.PROMOTION)
COMMIT = rule("git-commit-recorded", Severity.LOW, Repair.RETRAIN)
ALIAS = rule("alias-agrees", Severity.HIGH, Repair.REGISTRY, Scope.REGISTERED_MODEL)


def many(of, count, status=Status.NOT_EVIDENCED, start=0, **more):
    return [answer(of, f"m{n}", 1, status, **more) for n in range(start, start + count)]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 30), (200, 50)])
def test_the_first_screen_has_at_most_40_lines(size, width):
    text = shown(large(*size), width=width)
    rows = sum(max(1, -(-cell_len(line) // width)) for line in text.splitlines())
    assert rows <= 40
    assert "next:" in text


def test_everything_wrong_at_once_still_fits():
    made = large(60, 20)
    waiver = JudgedWaiver(
        "r", "s", "accepted", "x", "a", None, None, None, None, "expired", "y" * 300
    )
    broken = [(rule(f"broken-{n}"), "z" * 300) for n in range(9)]
    made = result(*made.answers, errors=broken, waivers=(waiver,) * 5, selection=("m" * 300,))
    assert len(shown(made, code=ExitCode.ERROR).splitlines()) <= 40


def test_groups_by_what_it_takes_and_worst_first():
    made = result(
        *many(OWNER, 9), *many(RATING, 5), *many(HISTORY, 3, Status.FAIL), *many(COMMIT, 2),
        *many(ALIAS, 1), *many(OWNER, 40, Status.PASS, 9),
    )  # fmt: skip
    text = shown(made)
    places = [
        text.index(heading)
        for heading in (
            "To be recorded, if it took place: 14",
            "Fixable in the registry today: 1",
            "Resolved by the next training: 2",
            "Past events (cannot be undone; need a response): 3",
        )
    ]
    assert places == sorted(places)
    assert text.index("risk-rating-recorded") < text.index("owner-recorded")
    assert "9 of 49" in text
    assert "3 not met" in text


def test_counts_and_what_the_exit_code_means():
    made = result(
        *many(OWNER, 2), answer(OWNER, "x", 1, Status.WAIVED, waiver=WAIVED),
        *many(HISTORY, 3, Status.PREDATES_POLICY), *many(COMMIT, 4, Status.PASS),
        *many(ALIAS, 1, Status.NOT_APPLICABLE),
    )  # fmt: skip
    text = shown(made)
    assert "4 met · 2 open (2 no record, 0 not met)" in text
    assert "1 accepted · 3 older than the policy · 1 not applicable" in text
    assert "exit 1: 2 findings open" in text
    assert "auditreg check --all" in text
    assert "auditreg rules show owner-recorded" in text


def test_few_findings_are_shown_in_full():
    text = shown(result(answer(OWNER, "motor", 3, number=4, fix='client.set("motor")')))
    for part in ("F-4", "motor/3", "found", "looked for", 'do           client.set("motor")'):
        assert part in text


def test_starts_with_what_can_be_done():
    broken = rule("past", Severity.CRITICAL, Repair.HISTORY)
    text = shown(result(*many(broken, 8), *many(RATING, 8, fix="do this")))
    assert "do this" in text.partition("Start with")[2]


def test_nothing_open():
    text = shown(result(*many(OWNER, 3, Status.PASS)), code=ExitCode.OK)
    assert "3 met · nothing open" in text
    assert "exit 0: nothing open" in text


def test_fail_on():
    made = result(*many(COMMIT, 2))
    assert "exit 0: nothing open of severity high or worse" in shown(
        made, code=ExitCode.OK, fail_on=Severity.HIGH
    )
    assert "exit 0: open findings do not count" in shown(made, code=ExitCode.OK, fail_on=None)


def test_a_rule_that_failed_comes_first():
    text = shown(result(*many(OWNER, 9), errors=[(COMMIT, "no column x")]), code=ExitCode.ERROR)
    assert text.index("1 rule could not be evaluated: trust no result.") < text.index(
        "To be recorded"
    )
    assert "no column x" in text
    assert "exit 2: not everything could be judged" in text


def test_waivers_that_do_not_hold():
    waiver = JudgedWaiver(
        "r", "s", "accepted", "x", "a", None, None, None, None, "expired", "It ran out."
    )
    text = shown(result(*many(OWNER, 1), waivers=(waiver,)))
    assert "1 invalid waiver" in text
    assert "It ran out." in text


def test_under_repair_is_counted_and_stays_open():
    promised = replace(WAIVED, status="under_repair")
    text = shown(result(answer(OWNER, waiver=promised), *many(OWNER, 1, start=5)))
    assert "2 open" in text
    assert "1 of the open under repair" in text


def test_a_registry_without_conventions_is_helped():
    near = {"nearest_tag": "team", "nearest_value": "pricing"}
    made = result(*many(OWNER, 60, evidence=near), *many(COMMIT, 60, Status.PASS))
    text = shown(made)
    assert "Hardly any tag the rules look for is set" in text
    assert "60 answers from MLflow's own records: git-commit-recorded" in text
    assert '"team" (owner)' in text
    assert 'auditreg.toml: [fields] owner = ["team", "gov.owner", "owner"]' in text
    assert 'client.set_registered_model_tag(m.name, "gov.owner", "…")' in text
    assert len(text.splitlines()) <= 40


def test_a_registry_with_conventions_needs_no_such_help():
    made = result(*many(OWNER, 20), *many(OWNER, 40, Status.PASS, 20))
    assert "Hardly any tag" not in shown(made)


def test_all_shows_every_subject_and_cuts_nothing():
    reason = "because " * 60
    made = result(
        *many(OWNER, 2, reason=reason, evidence={"tag": "t" * 90}),
        *many(OWNER, 2, Status.PASS, 2, reason="found it"),
        answer(OWNER, "waived", 1, Status.WAIVED, waiver=WAIVED),
    )
    text = shown(made, everything=True)
    assert text.count("because") == 120
    assert text.count("t" * 60) == 2
    assert text.count(": met\n") == 2
    assert "small book, by jane, until 2027-01-31, T-1" in text


def test_hostile_text_is_inert():
    made = result(
        answer(
            OWNER,
            "\x1b[2J[red]m\u202e",
            1,
            reason="a\x1b]0;x\x07\nb",
            fix="\x1b[1m",
            evidence={"e": "\x9b"},
        )
    )
    for everything in (False, True):
        text = shown(made, everything=everything)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
        assert "[red]m" in text


def test_colours_only_on_a_terminal():
    assert "\x1b[" in shown(result(*many(OWNER, 9)), colour=True)
    assert "\x1b[" not in shown(result(*many(OWNER, 9)))


def test_the_end_of_a_day_is_called_so():
    made = result(*many(OWNER, 1), as_of=datetime(2026, 9, 30, 23))
    view = CheckView(ExitCode.FINDINGS, Severity.LOW, target=OutputTarget(timezone="Europe/London"))
    assert "as of the end of 2026-09-30 Europe/London" in CheckText().render(made, view).decode()


@pytest.mark.golden
def test_golden_first_screen(golden):
    near = {"nearest_tag": "team", "nearest_value": "pricing"}
    made = result(
        *many(OWNER, 60, evidence=near), *many(RATING, 60, fix='client.set_tag("m0", "tier", "…")'),
        *many(HISTORY, 30, Status.FAIL), *many(COMMIT, 60, Status.PASS), *many(ALIAS, 4, Status.FAIL),
    )  # fmt: skip
    golden("check/first-screen.txt", shown(made).encode())


def test_the_next_line_names_the_rule_to_start_with():
    approver = rule("approver-recorded", Severity.HIGH, Repair.HISTORY)
    made = result(*many(approver, 9), *many(OWNER, 9))
    text = shown(made)
    assert "owner-recorded" in text[text.index("Start with") :].splitlines()[1]
    assert "auditreg rules show owner-recorded" in text


def test_a_repair_is_not_called_accepted_and_a_grade_is_whole():
    repair = WaiverRef("under_repair", "reorganised", None, "ops", None, date(2026, 11, 30))
    under_repair = answer(OWNER, "a", grade=Grade.CAPTURED, evidence={"tag": "x"}, waiver=repair)
    accepted = answer(OWNER, "b", status=Status.WAIVED, waiver=WAIVED)
    text = shown(result(under_repair, accepted), everything=True, width=120)
    assert f"evidence     {Grade.CAPTURED.words}: tag = x" in text
    assert "repair       reorganised, by ops" in text
    assert f"accepted     {WAIVED.reason}" in text


def test_what_cannot_be_told_and_what_was_not_asked_is_counted_apart():
    silent = RuleResult(
        rule("silent"), 2, 2, {Status.NOT_APPLICABLE: 2}, not_asked="No window is set."
    )
    made = result(*many(OWNER, 3, Status.UNDECIDED), *many(OWNER, 1, Status.PASS, 3))
    made = replace(made, rules=(*made.rules, silent))
    text = shown(made, code=ExitCode.OK)
    assert "1 met · nothing open" in text
    assert "3 cannot be told from the readings (auditreg check --all)" in text
    assert "1 rule not asked: nothing they apply to" in text
    assert "exit 0: nothing open" in text
    everything = shown(made, code=ExitCode.OK, everything=True)
    assert everything.count(": cannot be told from the readings\n") == 3
    assert "not asked    No window is set." in everything
    assert "examined 2 of 2" not in everything.replace("  ", " ")


def test_no_rule_is_examined_with_a_hanging_colon():
    empty = RuleResult(OWNER, 0, 0, {}, not_asked=Scope.PROMOTION.nobody)
    broken = RuleResult(COMMIT, 4, 0, {}, "no column x")
    text = shown(replace(result(), rules=(empty, broken)), everything=True)
    assert "not asked    No version went live in the period." in text
    assert "examined     0 of 4\n" in text
    assert ": \n" not in text
    assert "of 0:" not in text


def test_what_is_carried_forward_is_open_and_says_so():
    since = datetime(2026, 8, 1)
    old = answer(HISTORY, "motor", 7, Status.FAIL, carried=True, number=3, since=since)
    made = result(old, *many(HISTORY, 2, Status.PASS))
    carried = replace(
        made.rules[0], population=2, examined=2, counts={Status.PASS: 2}, carried={Status.FAIL: 1}
    )
    made = replace(made, rules=(carried,))
    text = shown(made)
    assert "2 met · 1 open (0 no record, 1 not met)" in text
    assert "1 of the open from earlier periods" in text
    assert "motor/7, from an earlier period" in text
    everything = shown(made, everything=True)
    assert "examined     2 of 2: 2 met" in everything
    assert "from before  1 not met" in everything
    assert "F-3  motor/7: not met, since 2026-08-01, from an earlier period" in everything


def test_an_answer_is_told_by_what_it_says():
    since = datetime(2026, 8, 1)
    disputed = answer(
        HISTORY, "a", 1, Status.ANSWERED, waiver=REJECTED, condition_since=since, since=since
    )
    text = shown(result(disputed), code=ExitCode.OK, everything=True)
    assert "a/1: rejected, since 2026-08-01, so since 2026-08-01" in text
    assert "answered     approved on paper, by ann, on 2026-11-20" in text
    assert "1 answered" in text


def test_whose_waivers_hold_is_said_where_they_are_not_todays():
    made = result(*many(OWNER, 1), answers_known=datetime(2026, 9, 10, 12))
    assert "waivers as the check of 2026-09-10 12:00 UTC knew them, not those of today" in shown(
        made
    )


def test_every_moment_is_on_the_firm_s_clock():
    readings = [{"registry": "default", "observed_at": datetime(2026, 11, 22, 3), "complete": True}]
    one = answer(
        OWNER,
        "a",
        since=datetime(2026, 11, 22, 3),
        condition_since=datetime(2026, 11, 2, 2),
        evidence={"live_not_after": "2026-11-22 03:00:00", "stated": "2026-11-22 03:00:00"},
        moments=frozenset({"live_not_after"}),
    )
    made = result(one, ledger={"extractions": readings}, answers_known=datetime(2026, 11, 22, 3))
    local = "2026-11-21 22:00 EST"
    text = shown(made, everything=True, timezone="America/Toronto", width=120)
    assert "as of 2026-11-22 04:12 EST" in text
    assert f"last reading of the registry {local}, complete" in text
    assert f"waivers as the check of {local} knew them" in text
    assert f"live not after = {local}; stated = 2026-11-22 03:00:00" in text
    assert "since 2026-11-21, so since 2026-11-01" in text
    assert "Z" not in text


def test_a_long_name_keeps_the_number_of_its_version():
    made = result(answer(OWNER, "household-" + "x" * 90 + "-north", 47))
    [line] = (line for line in shown(made).splitlines() if "owner-recorded  household" in line)
    assert line.endswith("-north/47")
    assert cell_len(line) <= 80


def test_a_sentence_goes_on_in_the_next_line():
    sentence = "The waiver of alias-stage-consistent for motor-windscreen-tweedie was approved by "
    sentence += "Helen Ashworth, who owns or developed the model."
    waiver = JudgedWaiver(
        "r", "s", "accepted", "x", "a", None, None, None, None, "self_approved", sentence
    )
    text = shown(result(*many(OWNER, 1), waivers=(waiver,)))
    assert " ".join(text.split()).count(sentence) == 1
    assert "…" not in text
