"""The summary page: about ten numbers, each with the section that details it, and the notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from auditreg.models import Grade, Status
from auditreg.queries.approval_verdicts import counted
from auditreg.queries.captures import CaptureGap
from auditreg.queries.change_groups import Change, collapse_registrations
from auditreg.queries.records import Deployment
from auditreg.report import changes, findings
from auditreg.report.data import ReportData
from auditreg.report.model import InventoryRow, Number
from auditreg.report.provenance import ExtractionAccount
from auditreg.report.wording import clip, moment
from auditreg.words import a_few, quantity

HIGH_RATINGS = frozenset({"high", "very high", "critical", "tier 1", "tier1", "1"})
"""Risk ratings that count as high in the summary, in lower case."""

_OLD = timedelta(days=90)
_STALE = timedelta(days=2)
_ENGINES = 3
_DOUBTS = 3


def notices(data: ReportData, tz: str) -> tuple[str, ...]:
    """What a reader must know before the first number."""
    accounts, period = data.source.accounts, data.period
    texts = [_incomplete(account, tz) for account in accounts if not account.complete]
    texts += [
        _later(account, tz, alone=len(accounts) == 1)
        for account in accounts
        if account.complete and account.later
    ]
    first, last = data.source.first_observed, data.source.last_observed
    if not accounts:
        texts.append("No reading of the registry is recorded.")
    elif first is not None and first > period.start_utc:
        texts.append(
            "First report: the record starts inside the period. What happened before the first "
            "reading is shown only as far as MLflow's own times tell, and the rest as not known."
        )
    if last is not None and min(data.as_of, period.end_utc) - last > _STALE:
        within = "" if last > period.start_utc else "No reading lies in the period. "
        texts.append(
            f"{within}The registry was last read {moment(last, tz)}, and not again before the "
            "moment this report speaks of. What is shown is what was seen then; a later change is "
            "not in it."
        )
    counted_above = {account.seq for account in accounts}
    incomplete = sum(
        not extraction.complete and extraction.seq not in counted_above
        for extraction in data.source.extractions
    )
    if incomplete:
        texts.append(
            f"{quantity(incomplete, 'earlier reading')} of the registry shown in this report "
            f"{'was' if incomplete == 1 else 'were'} incomplete; see how this was extracted."
        )
    if data.check.answers_known is not None:
        texts.append(
            "Which findings the firm had accepted or answered is shown as the check of "
            f"{moment(data.check.answers_known, tz)} knew it. Its file of today says something else."
        )
    if data.check.no_longer_found:
        texts.append(
            "Open at the last check before the moment this report speaks of, and not open at that moment "
            f"by what is on record today: {a_few(data.check.no_longer_found)}."
        )
    if (nothing := data.check.nothing_live) is not None and nothing.found:
        texts.append(
            "No version counts as in use, so none was judged: neither the absence of findings nor the "
            f"numbers of models in use say anything. Counts as in use: {nothing.counting}. "
            f"The registry has: {nothing.having}. To set: {nothing.to_set}."
        )
    if any(result.error for result in data.check.rules):
        texts.append("At least one rule could not be run. No conclusion rests on it.")
    return tuple(texts)


def _incomplete(account: ExtractionAccount, tz: str) -> str:
    """That the last reading of a registry cannot be relied on, and why."""
    doubts = "; ".join(doubt.rstrip(".") for doubt in account.doubts[:_DOUBTS])
    rest = len(account.doubts) - _DOUBTS
    more = f" and {rest:,} more" if rest > 0 else ""
    return (
        f"The last reading of the registry {account.registry}, {moment(account.observed_at, tz)}, "
        f"was incomplete: {clip(doubts, 400) or 'no reason is recorded'}{more}. Something that is "
        "in the registry may be missing from this report, and nothing was taken as deleted."
    )


def _later(account: ExtractionAccount, tz: str, *, alone: bool) -> str:
    """That a registry was first read after the moment the report speaks of."""
    of_registry = "" if alone else f" of the registry {account.registry}"
    return (
        f"No reading{of_registry} lies in the period or before it. Shown is what the reading of "
        f"{moment(account.observed_at, tz)} and MLflow's own times tell: what was removed, or "
        "changed, before that reading may be missing or shown as it was found then."
    )


def engines(deployments: Sequence[Deployment]) -> tuple[str, ...]:
    """What a reader must know of engines that run another version than the registry calls live."""
    wrong = [deployment for deployment in deployments if deployment.agrees is False]
    texts = [
        f"{deployment.system} is reported to run {_version(deployment)} of {deployment.model}; "
        f"the registry shows {deployment.registry_says}."
        for deployment in wrong[:_ENGINES]
    ]
    if len(wrong) > _ENGINES:
        texts.append(
            f"{quantity(len(wrong) - _ENGINES, 'more engine')} run another version than the "
            "registry calls live; see the dossiers."
        )
    return tuple(texts)


def _version(deployment: Deployment) -> str:
    return "an unknown version" if deployment.version is None else f"version {deployment.version}"


def numbers(data: ReportData) -> tuple[Number, ...]:
    """The summary page. Every number names the section that shows what it counts."""
    return (
        *_model_numbers(data),
        *_promotion_numbers(data),
        *_finding_numbers(data),
        Number(
            "uncertain",
            "Uncertain or unknown",
            _uncertain(data),
            "versions with a value that is uncertain at that moment",
            "inventory",
        ),
        Number(
            "deleted",
            "Versions deleted",
            sum(
                row["version"] is not None and bool(row["deleted"])
                for rows in data.versions.values()
                for row in rows
            ),
            "by the last reading before the position shown",
            "changes",
        ),
        *_history_numbers(data),
    )


def _model_numbers(data: ReportData) -> tuple[Number, ...]:
    start, end = data.period.start_utc, data.period.end_utc
    rows = list(data.inventory.values())
    in_use = [row for row in rows if row.in_use]
    unrated = sum("risk_rating" not in row.fields for row in in_use)
    first = data.source.first_observed
    known_before = first is not None and first <= start
    return (
        Number("in_use", "Models in use", len(in_use), _of_registered(rows), "inventory"),
        Number(
            "high_risk",
            "Rated high risk",
            sum(_is_high_risk(row) for row in in_use),
            f"{unrated} in use without a rating"
            if unrated
            else "all models in use have a rating recorded",
            "inventory",
        ),
        Number(
            "new",
            "New in the period",
            sum(row.created_at is not None and start <= row.created_at < end for row in rows),
            "by creation in the registry",
            "changes",
        ),
        Number(
            "retired",
            "No longer in use",
            sum(row.subject in data.live_before and not row.in_use for row in rows)
            if known_before
            else None,
            "in use when the period began"
            if known_before
            else "what was in use when the period began is not known",
            "inventory",
        ),
    )


def _of_registered(rows: Sequence[InventoryRow]) -> str:
    possible = sum(row.in_use and not any(version.sure for version in row.live) for row in rows)
    return f"of {len(rows)} registered" + (f", {possible} of them possibly" if possible else "")


def _is_high_risk(row: InventoryRow) -> bool:
    return row.fields.get("risk_rating", "").strip().lower() in HIGH_RATINGS


def _promotion_numbers(data: ReportData) -> tuple[Number, ...]:
    promotions = data.promotions_in_period()
    return (
        Number(
            "promoted",
            "Versions that went live",
            len(promotions),
            "in the period, or possibly in it",
            "promotions",
        ),
        Number(
            "approved",
            "of which with an approval that holds",
            sum(bool(promotion.approval and promotion.approval.holds) for promotion in promotions),
            counted(promotion.approval for promotion in promotions) or "none is without",
            "promotions",
        ),
    )


def _history_numbers(data: ReportData) -> tuple[Number, ...]:
    """Who changed it: what the server recorded, what went past it, and what engines run."""
    changed = collapse_registrations(data.changes_in_period())
    numbers = [
        Number("changed", "Changes in the period", len(changed), _known_from(changed), "changes")
    ]
    if data.captures:
        gaps = sum(_touches(gap, data) for capture in data.captures for gap in capture.gaps)
        numbers += [
            Number(
                "uncaptured",
                changes.NOT_IN_RECORD,
                sum(change.uncaptured for change in changed),
                "found by a reading, not in the server's record",
                "changes",
            ),
            Number(
                "gaps",
                "Gaps in the server's record",
                gaps,
                "in the period, or reaching into it",
                "extraction",
            ),
        ]
    running = [deployment for deployment in data.deployments if deployment.running]
    if running:
        unclear = sum(deployment.agrees is None for deployment in running)
        numbers.append(
            Number(
                "engines",
                "Engines running a different version",
                sum(deployment.agrees is False for deployment in running),
                f"of {len(running)} reported" + (f", {unclear} cannot be told" if unclear else ""),
                "promotions",
            )
        )
    return tuple(numbers)


def _known_from(changed: Sequence[Change]) -> str:
    captured = sum(change.grade is Grade.CAPTURED for change in changed)
    dated = sum(change.first_seen for change in changed)
    if not changed:
        return "none is known"
    if dated == len(changed):
        return "none seen to happen, all dated by MLflow"
    if not captured and not dated:
        return "none recorded by the server"
    parts = (
        (captured, "recorded by the server"),
        (len(changed) - captured - dated, "seen by readings"),
        (dated, "dated by MLflow alone"),
    )
    return ", ".join(f"{number} {words}" for number, words in parts if number)


def _touches(gap: CaptureGap, data: ReportData) -> bool:
    """Whether a gap lies, at least in part, inside the period."""
    end = gap.end or data.as_of
    return gap.start < data.period.end_utc and end > data.period.start_utc


def _finding_numbers(data: ReportData) -> tuple[Number, ...]:
    opened = data.check.open
    statuses = Counter(answer.status for answer in data.check.answers)
    undecided = len(data.undecided)
    carried = sum(answer.carried for answer in opened)
    dated = [since for since in map(findings.known_since, opened) if since is not None]
    unknown = len(opened) - len(dated)
    unreported = sum(answer.since is None for answer in opened) - unknown
    return (
        Number(
            "open",
            "Findings open",
            len(opened),
            ", ".join(
                f"{count.total} {count.severity}"
                for count in findings.severities(opened)
                if count.total
            )
            + (f"; {carried} from earlier periods" if carried else "")
            or "none of any severity",
            "findings",
        ),
        Number(
            "old",
            "Open for over 90 days",
            sum(_is_old(since, data.as_of) for since in dated) if dated or not opened else None,
            "; ".join(
                (
                    *([f"first date not recorded for {unknown}"] if unknown else []),
                    *(
                        [f"{unreported} dated by the record, before any check"]
                        if unreported
                        else []
                    ),
                )
            )
            or "by the first check that saw it",
            "findings",
        ),
        Number(
            "accepted",
            "Accepted until a date",
            statuses[Status.WAIVED],
            "by a person the firm names; authority not checked"
            + (f"; {statuses[Status.ANSWERED]} answered" if statuses[Status.ANSWERED] else ""),
            "set-aside",
        ),
        Number(
            "not_judged",
            "Not assessable",
            statuses[Status.ERROR],
            f"{statuses[Status.PREDATES_POLICY]} older than the policy"
            + (f"; {undecided} cannot be told from the readings" if undecided else ""),
            "set-aside",
        ),
    )


def _is_old(since: datetime, as_of: datetime) -> bool:
    return as_of - since > _OLD


def _uncertain(data: ReportData) -> int:
    return sum(
        row["version"] is not None
        and (bool(row["uncertain_fields"]) or row["certainty"] in ("uncertain", "unknown"))
        for rows in data.versions.values()
        for row in rows
    )
