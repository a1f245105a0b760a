"""What the ledger knows of findings at the moment that is judged: the table `known_finding`.

Numbers and ages are lent from it, what is open about earlier periods is carried forward from it, and
what is not open any more is found by comparing with it.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted

from __future__ import annotations

from typing import TYPE_CHECKING

from auditreg.models import OPEN
from auditreg.queries.finding_numbers import FINDINGS_BY, LATEST_FINDINGS
from auditreg.sql import listed, moment_literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import duckdb

    from auditreg.models import Finding, RuleInfo


def prepare_known_findings(con: duckdb.DuckDBPyConnection, past: datetime | None) -> None:
    """Make the table of every finding, as it was known at a past moment, or as it is now.

    Args:
        con: a connection to a ledger.
        past: the moment; None for what the last check left.
    """
    text = LATEST_FINDINGS
    if past is not None or not _has_ages(con) or _some_erased(con):
        at = "timestamp '9999-12-31'" if past is None else moment_literal(past)
        text = FINDINGS_BY.format(t=at)
    con.execute(f"create or replace temp table known_finding as {text}")


def no_longer_found(
    con: duckdb.DuckDBPyConnection, findings: Iterable[Finding], rules: Iterable[RuleInfo] | None
) -> tuple[str, ...]:
    """Numbers of what `known_finding` says was open and is not among the findings of a check.

    Args:
        con: where the table is.
        findings: of the check.
        rules: those that ran; None for all.
    """
    ran = "" if rules is None else f"and rule in ({listed(rule.id for rule in rules)}) "
    rows = con.execute(
        f"select number from known_finding where status in ({listed(OPEN)}) {ran}order by number"
    ).fetchall()
    found = {finding.number for finding in findings}
    return tuple(f"F-{number}" for (number,) in rows if number not in found)


def _has_ages(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table of findings is one of this release; else the log is asked."""
    columns = con.execute("from findings limit 0").description or ()
    return "first_reported" in {column[0] for column in columns}


def _some_erased(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether entries were erased: the table then lacks findings whose last one was, and the log is asked.

    To erase what a finding says answers nothing.
    """
    return con.execute("select 1 from erasures limit 1").fetchone() is not None
