"""What becomes of the answers: the waivers are judged, and the findings counted.

Counts are of a rule's population. What is carried forward from earlier periods is counted apart.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from auditreg.audit.answers import Answers, Columns, table_name
from auditreg.audit.results import Moments, waiver_overrides
from auditreg.audit.waiver_givers import prepare_givers
from auditreg.config import calendar
from auditreg.models import NO_FINDING, JudgedWaiver, RuleInfo, RuleResult, Status
from auditreg.sql import listed
from auditreg.waivers import Reach, Waiver, judge

if TYPE_CHECKING:
    import duckdb


def with_carried(con: duckdb.DuckDBPyConnection, results: Sequence[RuleResult]) -> list[RuleResult]:
    """The results with what is carried forward."""
    carried = _carried_counts(con, "select rule, subject, status from carried_answer")
    return [replace(result, carried=carried.get(result.rule.id, {})) for result in results]


def _carried_counts(con: duckdb.DuckDBPyConnection, answers: str) -> dict[str, dict[Status, int]]:
    """Rule to how many findings are carried forward, by status, of a SELECT of answers."""
    counts: dict[str, dict[Status, int]] = {}
    rows = con.execute(
        f"select rule, status, count(*) from ({answers}) "
        f"where status not in ({listed(NO_FINDING)}) group by all order by all"
    ).fetchall()
    for rule, status, number in rows:
        counts.setdefault(rule, {})[Status(status)] = number
    return counts


def _not_asked(answers: Answers) -> dict[str, str]:
    """Rule to why it was asked of nothing, as a sentence, for those that were."""
    empty = [r for r in answers.results if not r.error and not r.population]
    applying_to_none = [
        r
        for r in answers.results
        if r.population and r.counts.get(Status.NOT_APPLICABLE, 0) == r.population
    ]
    why = {result.rule.id: result.rule.scope.nobody for result in empty}
    examples = answers.examples(applying_to_none)
    for result in applying_to_none:
        reasons, example = examples[result.rule.id]
        sentence = f"{example.reason.rstrip('.')}."
        if reasons > 1 or example.subject.label in sentence:
            sentence = f"It applies to none of {result.population:,}. For example: {sentence}"
        why[result.rule.id] = sentence
    return why


def judge_waivers(
    con: duckdb.DuckDBPyConnection,
    waivers: Sequence[Waiver],
    results: Sequence[RuleResult],
    columns: Columns,
    as_of: datetime,
    zone: str,
    *,
    known: Collection[str],
    whole: bool,
) -> tuple[JudgedWaiver, ...]:
    """Judge every waiver and let those that hold cover what they name.

    Args:
        con: the connection of the check; `override` is there.
        waivers: the entries of waivers.toml.
        results: of the rules.
        columns: of the rules' tables.
        as_of: the moment that is judged.
        zone: the configured time zone, in which waivers end.
        known: the names of all rules there are.
        whole: whether everything was checked, so that covering nothing means something.
    """
    if waivers:
        prepare_givers(con)
    # Of a faulty rule there is only what is carried forward.
    faulty = {result.rule.id for result in results if result.error}
    by_name = {
        name: result.rule
        for result in results
        if not result.error or result.carried
        for name in (result.rule.id, *result.rule.aliases)
    }
    today: date = calendar.local_day(as_of, zone)
    judged = []
    for number, waiver in enumerate(waivers):
        rule = by_name.get(waiver.rule)

        def verdict(
            reach: Reach,
            given: str | None,
            waiver: Waiver = waiver,
            rule: RuleInfo | None = rule,
        ) -> JudgedWaiver:
            return judge(
                waiver,
                today,
                reach,
                whole=whole and rule is not None and rule.id not in faulty,
                known=waiver.rule in known,
                given=given,
                about_events=rule is None or rule.is_about_events,
            )

        day = waiver.answered_on
        judged.append(
            waiver_overrides(
                con,
                rule,
                None if rule is None or rule.id in faulty else columns[table_name(rule)],
                number,
                waiver,
                Moments(as_of, today, calendar.moment(day, zone) if day else None),
                verdict,
            )
        )
    return tuple(judged)


def counted(answers: Answers) -> Iterator[RuleResult]:
    """The results with their counts after waivers and policy, and why a rule was asked of nothing."""
    con = answers.connection
    changed = con.execute(
        "select rule, was, status, count(*) from override where status <> was "
        "and (rule, subject) not in (select (rule, subject) from carried_answer) group by all"
    ).fetchall()
    carried = _carried_counts(
        con,
        "select c.rule, c.subject, coalesce(o.status, c.status) as status from carried_answer c "
        "left join override o on o.rule = c.rule and o.subject = c.subject",
    )
    why = _not_asked(answers)
    for result in answers.results:
        counts = dict(result.counts)
        for rule, was, status, number in changed:
            if rule == result.rule.id:
                counts[Status(was)] = counts.get(Status(was), 0) - number
                counts[Status(status)] = counts.get(Status(status), 0) + number
        yield replace(
            result,
            counts={s: counts[s] for s in Status if counts.get(s)},
            carried=carried.get(result.rule.id, {}),
            not_asked=why.get(result.rule.id),
        )
