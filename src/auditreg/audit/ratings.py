"""How severe a finding is for a model of its risk rating, where a rule tells ratings apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from auditreg.models import RuleInfo, Severity
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

RATINGS = "field_evidence 'risk_rating'"
"""What the ratings of models are read from, as `reads_of` takes it."""

_RATED = (
    "create or replace temp table rated as select subject, lower(trim(rating)) as rating "
    "from (select subject, unnest(values_of(state, value, possible)) as rating "
    "from field_evidence where field = 'risk_rating')"
)

_SEVERITIES = {severity.rank: severity for severity in Severity}


def rate_subjects(connection: duckdb.DuckDBPyConnection, rules: Iterable[RuleInfo]) -> None:
    """Make the table of the risk ratings on record, all that are possible, where any rule needs it."""
    if any(rule.severity_by_rating for rule in rules):
        connection.execute(_RATED)


def rank_sql(rule: RuleInfo) -> tuple[str, str]:
    """SQL for the rank of the severity of a row `r` of a rule's table, and the join it needs.

    Without a rating on record, or with one the rule does not name, it is the rule's own severity; of
    several ratings that are possible at the moment, the worst.
    """
    if not rule.severity_by_rating:
        return str(rule.severity.rank), ""
    cases = " ".join(
        f"when {quoted(rating)} then {severity.rank}"
        for rating, severity in sorted(rule.severity_by_rating.items())
    )
    ranks = f"case rating {cases} else {rule.severity.rank} end"
    ranked = f"select subject, min({ranks}) as rank from rated group by subject"  # noqa: S608 - quoted
    # A promotion's subject is that of its version, a plus sign and a number.
    return (
        f"coalesce(g.rank, {rule.severity.rank})",
        f"left join ({ranked}) g on g.subject = split_part(r.subject, '+', 1)",
    )


def rank_of_word(column: str) -> str:
    """SQL for the rank of a severity's word; NULL where it is none."""
    return f"case {column} {' '.join(f'when {quoted(s)} then {s.rank}' for s in Severity)} end"


def by_rating(rule: RuleInfo, rank: int) -> Severity | None:
    """The severity of that rank, where it is not the rule's own."""
    return None if rank == rule.severity.rank else _SEVERITIES[rank]
