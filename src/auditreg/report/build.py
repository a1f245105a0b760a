"""Builds a `Report` from a ledger's connection and the result of a check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from auditreg.config import Config, Period
from auditreg.errors import NothingToAudit
from auditreg.models import CheckResult
from auditreg.queries.finding_numbers import FINDINGS_BY, ages_of, with_ages
from auditreg.queries.prompts import refuse_prompts
from auditreg.queries.reader import Reader
from auditreg.report import changes, findings, promotions, provenance
from auditreg.report.coverage import Applied, coverage
from auditreg.report.data import ReportData
from auditreg.report.model import Identity, Report
from auditreg.report.people import with_people
from auditreg.report.summary import engines, notices, numbers
from auditreg.resources import tool_version

if TYPE_CHECKING:
    import duckdb

_DEFAULT_TITLE = "Registry record supporting the model inventory"


def build_report(
    connection: duckdb.DuckDBPyConnection,
    check: CheckResult,
    frameworks: Iterable[Applied],
    config: Config,
    period: Period,
    *,
    draft: bool = True,
    drafts: bool = False,
    ledger: str | None = None,
) -> Report:
    """Everything the report says, ready for any format. Asks the connection, changes nothing.

    Args:
        connection: a ledger, opened for reading.
        check: the check at the moment the report speaks of (`check.as_of`).
        frameworks: those that apply, each with the firm's word on it; drafts among them are left
            out unless `drafts`, and always of a report that is issued.
        config: cover, calendar and fields.
        period: the span the report is about; it should end at, or contain, the check's moment.
        draft: whether the report is marked as a draft.
        drafts: print frameworks with clauses nobody checked, or saw only second-hand.
        ledger: the ledger's file name, for the commands on the integrity page.

    Raises:
        NothingToAudit: the ledger shows no registered model at that moment.
    """
    reader = Reader(connection, check.as_of)
    check = _numbered(reader, check)
    source = provenance.read(reader, check, ledger or config.ledger_path.name, draft=draft)
    data = ReportData(reader, check, config, period, source)
    check = data.check
    if not data.models:
        refuse_prompts(connection, None, check.as_of, "No report was made.")
        raise NothingToAudit(
            "There is no registered model at the moment the report speaks of.",
            state="No report was made.",
            hint="Choose a later period, or import an older reading of the registry.",
        )
    printed, left_out = _parted(frameworks, drafts=drafts and draft)
    dossiers = data.dossiers()
    fields = config.governance_fields()
    tags = frozenset(tag for field in fields for tag in field.tags)
    span = (period.start_utc, period.end_utc)
    report = Report(
        identity=_identity(data, config, draft=draft),
        notices=(*notices(data, config.calendar.timezone), *engines(data.deployments)),
        numbers=numbers(data),
        severities=findings.severities(check.open),
        changes=changes.grouped(data.changes_in_period(), tags),
        inventory=tuple(row for row in data.inventory.values() if row.in_use),
        not_in_use=tuple(row for row in data.inventory.values() if not row.in_use),
        promotions=tuple(data.promotions_in_period()),
        lanes=promotions.lanes(data.promotions, *span, source.last_observed),
        basis=data.basis(),
        running=tuple(deployment for deployment in data.deployments if deployment.running),
        captures=data.captures,
        rules=findings.by_rule(check),
        frameworks=coverage(
            printed, check, data.recorded_fields(), {field.id: field.title for field in fields}
        ),
        drafts_left_out=tuple(left_out),
        by_model=findings.by_model(check.open, data.inventory),
        set_aside=findings.set_aside(check.answers),
        left_open=findings.left_open(data.undecided),
        waivers=tuple(waiver for waiver in check.waivers if waiver.is_bad),
        accounts=source.accounts,
        cannot_show=source.cannot_show,
        extractions=source.extractions,
        earlier_extractions=source.earlier,
        queries=tuple(reader.queries),
        integrity=source.integrity,
        dossiers=dossiers,
    )
    return with_people(report, config, partial(_naming_nobody, connection))


def _naming_nobody(connection: duckdb.DuckDBPyConnection, spellings: list[str]) -> set[str]:
    """Those that stand where a person should and name none, by the ledger's own word list."""
    rows = connection.execute(
        "select word from (select unnest(?::varchar[]) as word) where names_nobody(word)",
        [spellings],
    ).fetchall()
    return {word for (word,) in rows}


def _parted(applied: Iterable[Applied], *, drafts: bool) -> tuple[list[Applied], list[Applied]]:
    """The frameworks that are printed, and the drafts that are not."""
    printed: list[Applied] = []
    left_out: list[Applied] = []
    for one in applied:
        (left_out if one[0].draft and not drafts else printed).append(one)
    return printed, left_out


def _numbered(reader: Reader, check: CheckResult) -> CheckResult:
    """The check with the numbers and ages its findings have in the ledger.

    The check has them already; here they are asked for in a way that the report can print, and
    whoever doubts them can ask again.
    """
    rows = reader.rows("findings", "Numbers and ages of the findings, as known then", FINDINGS_BY)
    return replace(check, answers=with_ages(check.answers, ages_of(rows)))


def _identity(data: ReportData, config: Config, *, draft: bool) -> Identity:
    cover, period = config.report, data.period
    return Identity(
        title=cover.title or _DEFAULT_TITLE,
        entity=cover.entity,
        period=period.label,
        first_day=period.first_day,
        last_day=period.last_day,
        period_start=period.start_utc,
        period_end=period.end_utc,
        as_of=data.as_of,
        timezone=config.calendar.timezone,
        draft=draft,
        prepared_by=cover.prepared_by,
        addressee=cover.addressee,
        tool_version=tool_version(),
        policy=data.check.policy,
        registries=tuple(sorted({row["registry"] for row in data.models.values()})),
        incomplete=tuple(
            account.registry for account in data.source.accounts if not account.complete
        ),
        people=cover.people,
    )
