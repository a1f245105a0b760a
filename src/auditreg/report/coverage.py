"""Which records bear on which clause of the frameworks that a firm says apply to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditreg.config.settings import AppliedFramework
from auditreg.fields import DUE_WHERE
from auditreg.frameworks.parse import Clause, Framework, Population
from auditreg.models import CheckResult, RuleResult, Status

Values = Mapping[str, frozenset[str]]
"""What is recorded of one version or model: values by field, several where it is not sure."""

Applied = tuple[Framework, AppliedFramework]
"""A framework, and the firm's word on whether it applies."""

_RATING = "risk_rating"


@dataclass(frozen=True, slots=True)
class FieldPresence:
    """For how many of those a clause asks it of a governance field is recorded; not how well.

    `due_where` says in which cases it is due, and is empty for all: of others that hold nothing it cannot
    be told whether a record is lacking.
    """

    field: str
    title: str
    recorded: int
    of: int
    due_where: str = ""


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """What one rule answered, over its own population; that is None where it did not run."""

    rule: str
    population: int | None
    counts: dict[Status, int]
    error: str | None


@dataclass(frozen=True, slots=True)
class ClauseCoverage:
    """One clause, with what was found: by its rules, by the firm's own controls, in its fields."""

    clause: Clause
    rules: tuple[RuleCounts, ...]
    supports: tuple[RuleCounts, ...]
    fields: tuple[FieldPresence, ...]


@dataclass(frozen=True, slots=True)
class FrameworkCoverage:
    """One supervisor's text, clause by clause, and the firm's word on whether it applies."""

    framework: Framework
    statement: AppliedFramework
    clauses: tuple[ClauseCoverage, ...]


def coverage(
    applied: Iterable[Applied],
    check: CheckResult,
    recorded: Mapping[Population, Sequence[Values]],
    titles: Mapping[str, str],
) -> tuple[FrameworkCoverage, ...]:
    """Each framework clause by clause.

    Args:
        applied: those to print.
        check: what the rules answered.
        recorded: the governance fields recorded for each version in use, and for each model.
        titles: the governance fields' titles by id.
    """
    results = {result.rule.id: result for result in check.rules}

    def clauses(framework: Framework, negligible: frozenset[str]) -> Iterable[ClauseCoverage]:
        for clause in framework.clauses:
            asked = [
                values
                for values in recorded[clause.population]
                if not (clause.unless_negligible and _rated_as(negligible, values))
            ]
            yield ClauseCoverage(
                clause,
                rules=tuple(_counts(rule, results.get(rule)) for rule in clause.rules),
                supports=tuple(_counts(rule, results.get(rule)) for rule in clause.supports),
                fields=_presence(clause, asked, titles),
            )

    return tuple(
        FrameworkCoverage(
            framework,
            statement,
            tuple(clauses(framework, frozenset(map(_folded, statement.negligible)))),
        )
        for framework, statement in applied
    )


def _rated_as(ratings: frozenset[str], values: Values) -> bool:
    """Whether a risk rating is recorded and is one of these; where it is unsure, each of them."""
    found = set(map(_folded, values.get(_RATING, ())))
    return bool(found) and found <= ratings


def _folded(text: str) -> str:
    return text.strip().lower()


def _counts(rule: str, result: RuleResult | None) -> RuleCounts:
    if result is None:
        return RuleCounts(rule, None, {}, None)
    carried = result.carried
    counts = {status: result.counts.get(status, 0) + carried.get(status, 0) for status in Status}
    return RuleCounts(rule, result.population + sum(carried.values()), counts, result.error)


def _presence(
    clause: Clause, asked: Sequence[Values], titles: Mapping[str, str]
) -> tuple[FieldPresence, ...]:
    return tuple(
        FieldPresence(
            field,
            titles.get(field, field),
            sum(field in values for values in asked),
            len(asked),
            DUE_WHERE.get(field, ""),
        )
        for field in clause.fields
    )
