"""The numbers findings were given, and their ages, as they were known at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.models import Finding
from auditreg.queries.reader import Row, fetch_rows

if TYPE_CHECKING:
    import duckdb

LATEST_FINDINGS = """
select key, number, rule, subject, registry, workspace, model, version, status,
       case when status <> 'closed' then since end as since, first_reported, closed_why, seq
from findings
order by number
"""
"""Every finding that was ever sealed, as the last check left it."""

FINDINGS_BY = """
with entry as (
    select subject, registry, workspace, model, version, observed_at, seq,
           from_json(entry, '{{"body":{{"number":"BIGINT","key":"VARCHAR","rule":"VARCHAR","subject":"VARCHAR","status":"VARCHAR","since":"BIGINT","first_reported":"BIGINT","closed_why":"VARCHAR"}}}}').body as body
    from ledger.log where kind = 'finding' and entry is not null
),
known as (
    select any_value(body.key) as key, max(body.number) as number, any_value(body.rule) as rule,
           any_value(body.subject) as subject,
           max_by({{'status': body.status, 'since': body.since, 'registry': registry,
                   'workspace': workspace, 'model': model, 'version': version,
                   'closed_why': body.closed_why, 'seq': seq}},
                  (observed_at, seq)) filter (where observed_at <= {t}) as last,
           min(least(observed_at, make_timestamp(body.first_reported * 1000)))
               filter (where observed_at <= {t}) as first_reported
    from entry group by entry.subject
)
select key, number, rule, subject, last.registry as registry, last.workspace as workspace,
       last.model as model, last.version as version, last.status as status,
       case when last.status <> 'closed' then make_timestamp(last.since * 1000) end as since,
       first_reported, last.closed_why as closed_why, last.seq as seq
from known
order by number
"""
"""Every finding that was ever sealed; its state as the checks of up to the moment `{t}` left it. A rule
and a subject keep their number for good, so it is told also where a later check gave it. Asked of the
log, so that the ledger of an older release answers too.
"""


@dataclass(frozen=True, slots=True)
class FindingAge:
    """The number of a finding and its age, as far as both are known at a moment."""

    number: int
    since: datetime | None = None
    first_reported: datetime | None = None


def with_ages(findings: Iterable[Finding], ages: Mapping[str, FindingAge]) -> tuple[Finding, ...]:
    """The findings with the numbers and ages that the ledger knows by their keys.

    What is no finding, because the rule is satisfied, has a number and no age.
    """

    def aged(finding: Finding) -> Finding:
        age = ages.get(finding.key)
        if age is None:
            return finding
        if not finding.status.is_finding:
            return replace(finding, number=age.number)
        return replace(
            finding, number=age.number, since=age.since, first_reported=age.first_reported
        )

    return tuple(map(aged, findings))


def finding_ages(connection: duckdb.DuckDBPyConnection) -> dict[str, FindingAge]:
    """Number and age of every finding by its key, as the last check left them."""
    return ages_of(fetch_rows(connection, LATEST_FINDINGS))


def ages_of(rows: Iterable[Row]) -> dict[str, FindingAge]:
    """The rows of `LATEST_FINDINGS` or `FINDINGS_BY` by key."""
    return {
        row["key"]: FindingAge(row["number"], row["since"], row["first_reported"]) for row in rows
    }
