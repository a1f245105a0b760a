"""Which rules can be judged where only the models that were named were read.

A registry that is read for them alone, without a ledger, shows neither other models nor what was before. A
rule that needs those is not asked: its answer would be about what nobody looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from auditreg.models import Extent, RuleInfo, RuleResult

if TYPE_CHECKING:
    import duckdb


def rules_within_reach(
    con: duckdb.DuckDBPyConnection, rules: Sequence[RuleInfo]
) -> tuple[RuleInfo, ...]:
    """The rules that what was read suffices for: all of them, unless it was only what was named."""
    row = con.execute(
        "select coalesce(bool_or(json_extract_string(asked, '$.models') = 'named'), false) "
        "from extractions"
    ).fetchone()
    named_only = bool(row and row[0])
    return tuple(rule for rule in rules if not named_only or rule.reads is Extent.MODEL)


def with_unreached(
    rules: Sequence[RuleInfo], results: Iterable[RuleResult]
) -> tuple[RuleResult, ...]:
    """The results in the order of the rules, with those that need more than was read: asked of nothing."""
    judged = {result.rule.id: result for result in results}
    return tuple(judged.get(rule.id) or _unreached(rule) for rule in rules)


def _unreached(rule: RuleInfo) -> RuleResult:
    why = f"It reads {rule.reads.words}; only the models that were named were read."
    return RuleResult(rule, 0, 0, {}, not_asked=why, out_of_reach=True)
