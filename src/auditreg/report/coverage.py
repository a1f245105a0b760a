"""Which records bear on which clause of the frameworks that a firm says apply to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from auditreg.config.settings import AppliedFramework
from auditreg.fields import DUE_WHERE
from auditreg.frameworks.parse import Clause, Framework, Population
from auditreg.models import CheckResult, RuleResult, Status
from auditreg.report.model import ClauseCoverage, FieldPresence, FrameworkCoverage, RuleCounts

Values = Mapping[str, frozenset[str]]
"""What is recorded of one version or model: values by field, several where it is not sure."""

Applied = tuple[Framework, AppliedFramework]
"""A framework, and the firm's word on whether it applies."""

_RATING = "risk_rating"


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
