"""The summary page: about ten numbers, each with the section that details it, and the notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from auditreg.config import Period
from auditreg.models import CheckResult, Grade, Status
from auditreg.queries.change_groups import Change, collapse_registrations
from auditreg.queries.records import CaptureGap, Deployment
from auditreg.report import changes, findings, promotions
from auditreg.report.account import ExtractionAccount
from auditreg.report.model import Number, Promotion
from auditreg.report.provenance import Provenance
from auditreg.report.wording import clip, moment, several

if TYPE_CHECKING:
    from auditreg.report.build import ReportData

HIGH_RATINGS = frozenset({"high", "very high", "critical", "tier 1", "tier1", "1"})
"""Risk ratings that count as high in the summary, in lower case."""

_OLD = timedelta(days=90)
_STALE = timedelta(days=2)
_ENGINES = 3
_DOUBTS = 3


def notices(check: CheckResult, period: Period, source: Provenance, tz: str) -> tuple[str, ...]:
    """What a reader must know before the first number."""
    said = [_incomplete(one, tz) for one in source.accounts if not one.complete]
    first = source.first_observed
    if first is None:
        said.append("No reading of the registry is recorded.")
    elif first > period.start_utc:
        said.append(
            "First report: the record starts inside the period. What happened before the first "
            "reading is shown only as far as MLflow's own times tell, and the rest as not known."
        )
    last = source.last_observed
    if last is not None and min(check.as_of, period.end_utc) - last > _STALE:
        said.append(
            "The registry was not read again before the moment this report speaks of. What is "
            "shown is what was last seen; a later change is not in it."
        )
    last_ones = {one.seq for one in source.accounts}
    incomplete = sum(not one.complete and one.seq not in last_ones for one in source.extractions)
    if incomplete:
        said.append(
            f"{several(incomplete, 'earlier reading')} of the registry shown in this report "
            f"{'was' if incomplete == 1 else 'were'} incomplete; see how this was extracted."
        )
    if any(result.error for result in check.rules):
        said.append("At least one rule could not be run. No conclusion rests on it.")
    return tuple(said)


def _incomplete(one: ExtractionAccount, tz: str) -> str:
    """That the last reading of a registry cannot be relied on, and why."""
    doubts = "; ".join(doubt.rstrip(".") for doubt in one.doubts[:_DOUBTS])
    more = f" and {len(one.doubts) - _DOUBTS:,} more" if len(one.doubts) > _DOUBTS else ""
    return (
        f"The last reading of the registry {one.registry}, {moment(one.observed_at, tz)}, was "
        f"incomplete: {clip(doubts, 400) or 'no reason is recorded'}{more}. Something that is in the "
        "registry may be missing from this report, and nothing was taken as deleted."
    )


def engines(ran: Sequence[Deployment]) -> tuple[str, ...]:
    """What a reader must know of engines that run another version than the registry calls live."""
    wrong = [one for one in ran if one.agrees is False]
    said = [
        f"{one.system} is stated to run {_version(one)} of {one.model}, while the registry shows "
        f"{one.registry_says}."
        for one in wrong[:_ENGINES]
    ]
    if len(wrong) > _ENGINES:
        said.append(
            f"{several(len(wrong) - _ENGINES, 'more engine')} run another version than the "
            "registry calls live; see the dossiers."
        )
    return tuple(said)


def _version(one: Deployment) -> str:
    return "an unknown version" if one.version is None else f"version {one.version}"


def numbers(found: ReportData, source: Provenance) -> tuple[Number, ...]:
    """The summary page. Every number names the section that shows what it counts."""
    start, end = found.period.start_utc, found.period.end_utc
    rows = list(found.inventory.values())
    in_use = [row for row in rows if row.in_use]
    high = [
        row for row in in_use if row.fields.get("risk_rating", "").strip().lower() in HIGH_RATINGS
    ]
    unrated = sum("risk_rating" not in row.fields for row in in_use)
    new = sum(row.created_at is not None and start <= row.created_at < end for row in rows)
    known_before = source.first_observed is not None and source.first_observed <= start
    retired = sum(
        key in found.live_before and not row.in_use for key, row in found.inventory.items()
    )
    changed = [one for one in found.promotions if promotions.began_within(one.live, start, end)]
    approved = sum(one.approval is Status.PASS for one in changed)
    unjudged = sum(one.approval is None for one in changed)
    statuses = Counter(one.status for one in found.check.answers)
    return (
        Number("in_use", "Models in use", len(in_use), f"of {len(rows)} registered", "inventory"),
        Number(
            "high_risk",
            "Rated high risk",
            len(high),
            f"{unrated} in use without a rating" if unrated else "all models in use are rated",
            "inventory",
        ),
        Number("new", "New in the period", new, "by creation in the registry", "changes"),
        Number(
            "retired",
            "No longer in use",
            retired if known_before else None,
            "in use when the period began"
            if known_before
            else "what was in use when the period began is not known",
            "inventory",
        ),
        Number(
            "promoted",
            "Versions that went live",
            len(changed),
            "in the period, or possibly in it",
            "promotions",
        ),
        Number(
            "approved",
            "Of those, approved before",
            approved,
            _of_the_others(changed, unjudged),
            "promotions",
        ),
        *_finding_numbers(found, statuses),
        Number(
            "uncertain",
            "Uncertain or unknown",
            _uncertain(found),
            "versions with a value that cannot be told for the moment",
            "inventory",
        ),
        Number(
            "deleted",
            "Versions seen deleted",
            sum(bool(row["deleted"]) for own in found.versions.values() for row in own),
            "up to the moment of this report",
            "changes",
        ),
        *_history_numbers(found),
    )


def _history_numbers(found: ReportData) -> tuple[Number, ...]:
    """Who changed it: what the server recorded, what went past it, and what engines run."""
    shown = collapse_registrations(found.in_period)
    captured = sum(one.grade is Grade.CAPTURED for one in shown)
    made = [
        Number(
            "changed",
            "Changes in the period",
            len(shown),
            _known_from(shown, captured),
            "changes",
        )
    ]
    if found.captures:
        gaps = sum(_touches(gap, found) for one in found.captures for gap in one.gaps)
        made += [
            Number(
                "uncaptured",
                changes.BEHIND,
                sum(one.uncaptured for one in shown),
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
    running = [one for one in found.ran if one.running]
    if running:
        unclear = sum(one.agrees is None for one in running)
        made.append(
            Number(
                "engines",
                "Engines on another version",
                sum(one.agrees is False for one in running),
                f"of {len(running)} stated" + (f", {unclear} cannot be told" if unclear else ""),
                "promotions",
            )
        )
    return tuple(made)


def _known_from(shown: Sequence[Change], captured: int) -> str:
    if not captured:
        return "none recorded by the server" if shown else "none is known"
    return f"{captured} recorded by the server, {len(shown) - captured} seen by readings"


def _touches(gap: CaptureGap, found: ReportData) -> bool:
    """Whether a gap lies, at least in part, inside the period."""
    end = gap.end or found.as_of
    return gap.start < found.period.end_utc and end > found.period.start_utc


def _of_the_others(changed: Sequence[Promotion], unjudged: int) -> str:
    counts = Counter(one.approval for one in changed)
    parts = [
        f"{counts[status]} {words}"
        for status, words in (
            (Status.FAIL, "not before"),
            (Status.NOT_EVIDENCED, "without a record"),
            (Status.WAIVED, "accepted"),
            (Status.PREDATES_POLICY, "older than the policy"),
            (Status.ERROR, "could not be judged"),
        )
        if counts[status]
    ]
    if unjudged:
        parts.append(f"{unjudged} not judged")
    return ", ".join(parts) or "none is without"


def _finding_numbers(found: ReportData, statuses: Counter[Status]) -> tuple[Number, ...]:
    open_ones = found.check.open
    severe = findings.severities(open_ones)
    dated = [one.since for one in open_ones if one.since is not None]
    old = sum(_older(since, found.as_of) for since in dated)
    unknown = len(open_ones) - len(dated)
    return (
        Number(
            "open",
            "Findings open",
            len(open_ones),
            ", ".join(f"{count.total} {count.severity}" for count in severe if count.total)
            or "none of any severity",
            "findings",
        ),
        Number(
            "old",
            "Open for over 90 days",
            old if dated or not open_ones else None,
            f"for {unknown} it is not known since when"
            if unknown
            else "by the first check that saw it",
            "findings",
        ),
        Number(
            "accepted",
            "Accepted until a date",
            statuses[Status.WAIVED],
            "by a named approver of the firm",
            "set-aside",
        ),
        Number(
            "not_judged",
            "Could not be judged",
            statuses[Status.ERROR],
            f"{statuses[Status.PREDATES_POLICY]} older than the policy",
            "set-aside",
        ),
    )


def _older(since: datetime, as_of: datetime) -> bool:
    return as_of - since > _OLD


def _uncertain(found: ReportData) -> int:
    return sum(
        row["version"] is not None
        and (bool(row["uncertain_fields"]) or row["certainty"] in ("uncertain", "unknown"))
        for own in found.versions.values()
        for row in own
    )
