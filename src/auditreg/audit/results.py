"""What rules answered: checked against the population, and judged.

What policy and waivers make of the answers is one small table, `override`; `auditreg.audit.answers`
reads both together.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted or bound

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from auditreg.audit.answers import Columns, condition_sql, table_name
from auditreg.audit.isolation import result_table
from auditreg.audit.waiver_givers import giver_of
from auditreg.ledger import entries
from auditreg.models import (
    OPEN,
    Grade,
    JudgedWaiver,
    Repair,
    RuleInfo,
    RuleResult,
    Scope,
    Status,
)
from auditreg.rules.validate import COLUMNS, STATUSES
from auditreg.sql import listed, moment_literal, quoted
from auditreg.waivers import COVERING, Reach, Waiver

if TYPE_CHECKING:
    import duckdb

_OPEN = f"({listed(OPEN)})"
NO_REASON = "coalesce(trim(reason::VARCHAR), '') = ''"
_OVERRIDE = "rule VARCHAR, subject VARCHAR, was VARCHAR, status VARCHAR, waiver INTEGER"
AGAIN = "some subjects were answered for more than once"
_OWN = "list_contains($own::VARCHAR[], split_part({}.subject, '/', 1))"
_AGED = (Repair.RETRAIN, Repair.HISTORY)


def _created(table: str, kind: str) -> str:
    """SELECT of when rows came: as they claim, unless a reading before it did not show them."""
    return (
        "select subject, greatest(min(c.created_at), any_value(f.at)) as at "
        f"from {table} c left join (select subject, min_by(lo, (observed_at, place, seq)) as at "
        f"from ledger.timeline('{kind}', null::TIMESTAMP) group by subject) f using (subject) "
        "group by subject"
    )


_CREATED = {
    "model_created": _created("registered_models", "registered_model"),
    "version_created": _created("model_versions", "model_version"),
    "promotion_created": "select subject, live_not_after as at from promotions",
}
"""When the subjects of rules came, by a name of this SELECT."""

_CREATED_OF = {
    Scope.REGISTERED_MODEL: "model_created",
    Scope.PROMOTION: "promotion_created",
}
"""Scope of a rule to one of `_CREATED`; that of versions for all others."""


def check_results(
    connection: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    problems: Mapping[str, str | None],
    columns: Columns,
    *,
    selected: bool = False,
) -> list[RuleResult]:
    """Compare the tables of rules with what a rule has to return, and with their populations.

    One statement counts for all rules; only a rule whose numbers are not right is looked at
    closer, for the words of its error.

    Args:
        connection: where `result_<id>` and `population_<scope>` are.
        rules: the rules.
        problems: rule id to why it did not run, where it did not.
        columns: of the rules' tables, as `result_columns` gives them.
        selected: whether the populations are a selection; answers outside it are then dropped,
            while answers about what is in no population at all stay an error.
    """
    ran = [rule for rule in rules if problems.get(rule.id) is None]
    whole = [rule for rule in ran if set(COLUMNS) <= set(columns[table_name(rule)])]
    if selected:
        for rule in whole:
            _drop_unselected(connection, rule)
    sizes = population_sizes(connection, rules)
    counted = _counts(connection, whole, columns)
    results = []
    for rule in rules:
        size = sizes[rule.scope]
        problem = problems.get(rule.id)
        counts = counted.get(rule.id)
        if problem is not None:
            results.append(RuleResult(rule, size, 0, {}, problem))
        elif counts is not None and counts.agrees_with(size):
            results.append(RuleResult(rule, size, size, counts.by_status))
        else:
            results.append(_faulty_result(connection, rule, columns[table_name(rule)], size))
    return results


@dataclass(slots=True)
class _Counts:
    """What a rule's table holds: answers by status, faulty ones, and subjects of its population answered for."""

    by_status: dict[Status, int] = field(default_factory=dict)
    returned: int = 0
    faulty: int = 0
    reached: int = 0

    def agrees_with(self, size: int) -> bool:
        """Whether each subject of a population of this size has exactly one proper answer."""
        # As many answers as subjects, and every subject has an answer: so none has two, and no answer
        # is about anything else.
        return not self.faulty and self.returned == self.reached == size


def _counts(
    connection: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    columns: Columns,
) -> dict[str, _Counts]:
    """The counts of every rule's table, by rule id."""
    counts = {rule.id: _Counts() for rule in rules}
    if not rules:
        return counts
    allowed, grades = listed(STATUSES), listed(Grade)
    parts = []
    for number, rule in enumerate(rules):
        graded = "grade" in columns[table_name(rule)]
        grade = f"coalesce(grade::VARCHAR not in ({grades}), false)" if graded else "false"
        parts.append(
            f"select {number} as rule, status::VARCHAR as status, count(*) as answers, count(*) filter "
            f"({NO_REASON} or coalesce(status::VARCHAR, '') not in ({allowed}) or {grade}) as faulty, "
            f"0 as reached from {result_table(rule)} group by status"
        )
        parts.append(
            f"select {number}, null, 0, 0, count(*) from population_{rule.scope} p "
            f"semi join {result_table(rule)} r on r.subject::VARCHAR = p.subject"
        )
    rows = connection.execute(f"{' union all '.join(parts)} order by rule, status").fetchall()
    for number, status, answers, faulty, reached in rows:
        count = counts[rules[number].id]
        count.returned += answers
        count.reached += reached
        count.faulty += faulty
        if answers and not faulty:
            count.by_status[Status(status)] = answers
    return counts


def population_sizes(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[RuleInfo]
) -> dict[str, int]:
    """How large the population of each scope is."""
    scopes = sorted({rule.scope for rule in rules})
    if not scopes:
        return {}
    counts = " union all ".join(
        f"select '{scope}', count(*) from population_{scope}" for scope in scopes
    )
    return dict(connection.execute(counts).fetchall())


def _drop_unselected(connection: duckdb.DuckDBPyConnection, rule: RuleInfo) -> None:
    """Drop the answers about what is in the rule's population, but not in the selection."""
    population = f"population_{rule.scope}"
    connection.execute(
        f"delete from {result_table(rule)} "
        f"where subject in (select subject from whole_{population}) "
        f"and subject not in (select subject from {population})"
    )


def _faulty_result(
    connection: duckdb.DuckDBPyConnection, rule: RuleInfo, columns: Collection[str], size: int
) -> RuleResult:
    """The result of a rule whose table is not as it has to be, with the reason in words."""
    table, population = result_table(rule), f"population_{rule.scope}"
    problem = column_problem(connection, table, columns)
    if problem is not None:
        return RuleResult(rule, size, 0, {}, problem)
    returned = entries.number(connection, f"select count(*) from {table}")
    examined = entries.number(
        connection,
        f"select count(distinct r.subject) from {table} r semi join {population} p "
        "on p.subject = r.subject",
    )
    problem = _subject_problem(connection, table, population, size, examined, returned)
    return RuleResult(rule, size, examined, {}, problem)


def column_problem(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Collection[str]
) -> str | None:
    """What is wrong with the columns and values, apart from the subjects."""
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        return f"it does not return the column {', '.join(missing)}"
    row = connection.execute(
        f"select any_value(coalesce(status::VARCHAR, 'NULL')) from {table} "
        f"where coalesce(status::VARCHAR, '') not in ({listed(STATUSES)})"
    ).fetchone()
    if row and row[0] is not None:
        return f"it answers {row[0]!r}; allowed: {', '.join(STATUSES)}"
    if entries.number(connection, f"select count(*) from {table} where {NO_REASON}"):
        return "it gives no reason for some subjects"
    if "grade" in columns:
        row = connection.execute(
            f"select min(grade::VARCHAR) from {table} where grade::VARCHAR not in ({listed(Grade)})"
        ).fetchone()
        if row and row[0] is not None:
            return f"it gives the grade {row[0]!r}; allowed: {', '.join(Grade)}"
    return None


def _subject_problem(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    population: str,
    size: int,
    examined: int,
    returned: int,
) -> str:
    """How the subjects answered for differ from the population."""
    parts = [f"it examined {examined} of {size}"]
    foreign = connection.execute(
        f"select count(*), min(subject) from {table} r anti join {population} p "
        "on p.subject = r.subject"
    ).fetchone()
    outside = int(foreign[0]) if foreign else 0
    if examined < size:
        example = connection.execute(
            f"select min(coalesce(model || coalesce('/' || version, ''), subject)) "
            f"from {population} p anti join {table} r on p.subject = r.subject"
        ).fetchone()
        parts.append(f"nothing was said about {example[0] if example else ''}")
    if foreign and outside:
        parts.append(f"{outside} answers are about subjects outside its scope, as {foreign[1]}")
    if returned - outside > examined:
        parts.append(AGAIN)
    return "; ".join(parts)


def policy_overrides(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[RuleInfo], effective: datetime | None
) -> None:
    """Start the table `override` with what is older than the policy.

    Only rules that a training or nothing can repair look at age: the version's creation, the
    model's for rules about models, and for a promotion the moment it went live. `carried_answer`
    is there.
    """
    connection.execute(f"create or replace temp table override ({_OVERRIDE})")
    if effective is None:
        return
    aged = [
        (rule, _CREATED_OF.get(rule.scope, "version_created"))
        for rule in rules
        if rule.repair in _AGED and rule.scope is not Scope.LEDGER
    ]
    if not aged:
        return
    created = ", ".join(
        f"{n} as materialized ({_CREATED[n]})" for n in sorted({name for _, name in aged})
    )
    older = " union all ".join(
        f"select {quoted(rule.id)}, r.subject, r.status, 'predates_policy', null "
        f"from ({_given(rule)}) r join {name} c on c.subject = r.subject "
        f"where r.status in {_OPEN} and c.at < {moment_literal(effective)}"
        for rule, name in aged
    )
    connection.execute(f"insert into override with {created} {older}")


def _given(rule: RuleInfo) -> str:
    """SELECT of what a rule answers in its period, and of what is carried forward: subject, status."""
    here = f"select subject, status from {result_table(rule)}"
    if not rule.scope.is_event:
        return here
    carried = f"select subject, status from carried_answer where rule = {quoted(rule.id)}"
    return f"{here} union all {carried}"


def waiver_overrides(
    connection: duckdb.DuckDBPyConnection,
    rule: RuleInfo | None,
    columns: Collection[str] | None,
    number: int,
    waiver: Waiver,
    judged_at: Moments,
    verdict: Callable[[Reach, str | None], JudgedWaiver],
) -> JudgedWaiver:
    """Judge one waiver and let it cover what it may; an earlier waiver goes first.

    What it names of a model that its giver owns or developed stays uncovered.

    Args:
        connection: where results, `override`, `known_finding` and the tables of `prepare_givers` are.
        rule: the rule it names, None if that did not run.
        columns: of that rule's table; None where only what is carried forward of it is there.
        number: its place in the file, from 0.
        waiver: the waiver.
        judged_at: the moments its cover depends on.
        verdict: judges it from what it reaches, and from what speaks against who gave it.
    """
    giver = giver_of(connection, waiver, judged_at.today)
    if rule is None:
        return verdict(Reach(), giver.against)
    values = _values(waiver, giver.own)
    named = _named_open(rule, columns, waiver, judged_at)
    [(covers, withheld)] = connection.execute(
        f"select count(*) filter (not own), count(*) filter (own) from ({named})", values
    ).fetchall()
    answered = _answered(connection, rule, columns, waiver, values) if waiver.is_answer else 0
    judged = verdict(Reach(covers, answered, withheld), giver.against)
    if judged.judged in COVERING:
        status = {"accepted": "'waived'", "under_repair": "was"}.get(waiver.status, "'answered'")
        connection.execute(
            f"insert into override select rule, subject, was, {status}, {number} from ({named}) "
            "where not own",
            values,
        )
    return judged


@dataclass(frozen=True, slots=True)
class Moments:
    """The moment that is judged, its local day, and the end of the day an answer was given on, UTC."""

    as_of: datetime
    today: date
    answered_by_end_of: datetime | None = None


def _values(waiver: Waiver, own: Collection[str]) -> dict[str, object]:
    """What `_names` and `_OWN` compare with."""
    return {
        "models": list(waiver.models),
        "versions": [f"{model}/{version}" for model, version in waiver.pairs],
        "numbers": list(waiver.numbers),
        "workspace": waiver.workspace,
        "registry": waiver.registry,
        "own": list(own),
    }


def _names(place: str, finding: str) -> str:
    """SQL for whether a waiver names what has these names and this number."""
    return (
        f"(list_contains($models::VARCHAR[], {place}.model) "
        f"or list_contains($versions::VARCHAR[], {place}.model || '/' || {finding}.version) "
        "or list_contains($numbers::BIGINT[], k.number)) "
        f"and coalesce({place}.workspace = $workspace::VARCHAR, $workspace::VARCHAR is null) "
        f"and coalesce({place}.registry = $registry::VARCHAR, $registry::VARCHAR is null)"
    )


def _named_open(
    rule: RuleInfo, columns: Collection[str] | None, waiver: Waiver, judged_at: Moments
) -> str:
    """SELECT of the open findings a waiver names, and whether they are about a model of its giver's own.

    A model is named by the name it has at the moment. An answer covers what had happened by the end
    of its day: what the rule dates itself, a promotion by when it went live, else what the ledger
    knew as open by then. Where nothing was on record then, what contradicts now came later.
    """
    joined = (
        f"({_named_answers(rule, columns)}) p left join known_finding k "
        f"on k.rule = {quoted(rule.id)} and k.subject = p.subject"
    )
    happened = ""
    if waiver.is_answer and judged_at.answered_by_end_of is not None:
        moments = ["p.condition_since", "k.since"]
        if rule.scope is Scope.PROMOTION:
            joined += " left join promotions e on e.subject = p.subject"
            moments.append("e.live_not_after")
        end = moment_literal(judged_at.answered_by_end_of)
        joined += (
            " left join (select subject, arg_max(status, seq) as status from finding_history "
            f"where rule = {quoted(rule.id)} and open and as_of <= {end} group by subject) h "
            "on h.subject = p.subject"
        )
        happened = (
            f"and coalesce(list_min([{', '.join(moments)}]), {moment_literal(judged_at.as_of)}) <= {end} "
            "and not (p.status = 'fail' and coalesce(h.status = 'not_evidenced', false)) "
        )
    return (
        f"select {quoted(rule.id)} as rule, p.subject, p.status as was, {_OWN.format('p')} as own "
        f"from {joined} where p.status in {_OPEN} and {_names('p', 'p')} {happened}"
        f"and p.subject not in (select subject from override where rule = {quoted(rule.id)})"
    )


def _named_answers(rule: RuleInfo, columns: Collection[str] | None) -> str:
    """SELECT of what a rule answers, carried forward or not, with names and when it began."""
    carried = (
        "select subject, status, condition_since, registry, workspace, model, version "
        f"from carried_answer where rule = {quoted(rule.id)}"
    )
    if columns is None:
        return carried
    here = (
        f"select r.subject, r.status, {condition_sql(columns)} as condition_since, "
        "p.registry, p.workspace, p.model, p.version "
        f"from {result_table(rule)} r join population_{rule.scope} p on p.subject = r.subject"
    )
    return f"{here} union all {carried}" if rule.scope.is_event else here


def _answered(
    connection: duckdb.DuckDBPyConnection,
    rule: RuleInfo,
    columns: Collection[str] | None,
    waiver: Waiver,
    values: Mapping[str, object],
) -> int:
    """How many of the findings that an answer names it has closed already.

    A rename since makes no difference: names that their models had count too. What the record shows
    repaired closed without an answer; one that was answered keeps the answer.
    """
    return entries.number(
        connection,
        "select count(distinct k.number) from known_finding k join ledger.log l using (seq) "
        "left join model_names n on n.subject = split_part(k.subject, '/', 1) "
        f"where k.rule = {quoted(rule.id)} and k.closed_why = {quoted(waiver.status)} "
        "and json_extract_string(l.entry, '$.body.waiver') is not null "
        f"and {_names('n', 'k')} and not {_OWN.format('k')} and k.subject not in "
        f"(select subject from ({_named_answers(rule, columns)}) where status in {_OPEN})",
        values,
    )
