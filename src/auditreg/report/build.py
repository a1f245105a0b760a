"""Builds a `Report` from a ledger's connection and the result of a check."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from auditreg.config import Config, Period
from auditreg.errors import NothingToAudit
from auditreg.frameworks.parse import Framework, printable
from auditreg.models import Answer, CheckResult, Status
from auditreg.report import dossiers, judged, movement, provenance
from auditreg.report.content import (
    Dossier,
    Identity,
    InventoryRow,
    Live,
    Number,
    Promotion,
    Report,
)
from auditreg.report.provenance import Provenance
from auditreg.report.reader import Reader, Row, interval
from auditreg.report.words import several, slugs

if TYPE_CHECKING:
    import duckdb

HIGH_RATINGS = frozenset({"high", "very high", "critical", "tier 1", "tier1", "1"})
"""Risk ratings that count as high in the summary, in lower case."""

_OLD = timedelta(days=90)
_STALE = timedelta(days=2)
_DEFAULT_TITLE = "Model inventory and change record"

_MODELS = """
select subject, registry, workspace, model, any_value(description) as description,
       min(created_at) as created_at, bool_and(deleted) as deleted
from registered_models_as_of({t}) group by subject, registry, workspace, model
order by registry, workspace, model, subject
"""
_INVENTORY = """
select * from inventory_as_of({t}) where kind = 'model'
order by registry, workspace, model, model_subject, version
"""
_LIVE = """
select subject, model_subject, version, live_via, certainty, live_not_before, live_not_after
from live_versions_as_of({t}) order by model_subject, version
"""


def build_report(  # noqa: PLR0913 - what a report says about itself
    connection: duckdb.DuckDBPyConnection,
    check: CheckResult,
    frameworks: Iterable[Framework],
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
        frameworks: those to print; drafts among them are left out unless `drafts`.
        config: cover, calendar and fields.
        period: the span the report is about; it should end at, or contain, the check's moment.
        draft: whether the report is marked as a draft.
        drafts: print frameworks with clauses nobody checked against the text.
        ledger: the ledger's file name, for the commands on the integrity page.

    Raises:
        NothingToAudit: the ledger shows no registered model at that moment.
    """
    reader = Reader(connection, check.as_of)
    found = Found(reader, check, config, period)
    if not found.models:
        raise NothingToAudit(
            "There is no registered model at the moment the report speaks of.",
            state="No report was made.",
            hint="Choose a later period, or import an older reading of the registry.",
        )
    made = found.dossiers()
    source = provenance.read(reader, check, ledger or config.ledger_path.name)
    in_use = tuple(row for row in found.inventory.values() if row.in_use)
    moved = [
        one
        for one in found.promotions
        if movement.began_within(one.live, period.start_utc, period.end_utc)
    ]
    in_period = [
        change
        for _, change in found.changes
        if movement.began_within(change.when, period.start_utc, period.end_utc)
    ]
    tags = frozenset(tag for one in config.governance_fields() for tag in one.tags)
    rules = judged.by_rule(check)
    return Report(
        identity=_identity(check, config, period, draft, found),
        notices=_notices(check, period, source),
        numbers=_numbers(found, source),
        severities=judged.severities(check.open),
        changes=movement.group_changes(in_period, tags),
        inventory=in_use,
        not_in_use=tuple(row for row in found.inventory.values() if not row.in_use),
        promotions=tuple(moved),
        lanes=movement.lanes(found.promotions, period.start_utc, period.end_utc),
        rules=rules,
        frameworks=judged.coverage(
            printable(frameworks, drafts=drafts),
            check,
            found.recorded(),
            {one.id: one for one in config.governance_fields()},
        ),
        by_model=judged.by_model(check.open, found.inventory),
        set_aside=tuple(
            sorted(
                (one for one in check.answers if one.status in judged.SET_ASIDE),
                key=lambda one: (judged.SET_ASIDE.index(one.status), judged.worst_first(one)),
            )
        ),
        cannot_show=source.cannot_show,
        extractions=source.extractions,
        earlier_extractions=source.earlier,
        queries=tuple(reader.queries),
        integrity=source.integrity,
        dossiers=made,
    )


class Found:
    """The rows of one report, read once, and what is counted from them."""

    def __init__(
        self, reader: Reader, check: CheckResult, config: Config, period: Period
    ) -> None:
        self.check, self.period, self.as_of = check, period, check.as_of
        versions = reader.rows("inventory", "Every model and version at the moment", _INVENTORY)
        kept = {row["model_subject"] for row in versions}
        self.models = {
            row["subject"]: row
            for row in reader.rows("registered_models", "The registered models", _MODELS)
            if row["subject"] in kept
        }
        self.versions = _by(versions, "model_subject")
        self.live = _by(
            reader.rows("live_versions", "Versions in use at the moment", _LIVE), "model_subject"
        )
        self.live_before = {
            row["model_subject"]
            for row in Reader(reader._connection, period.start_utc).rows("", "", _LIVE)  # noqa: SLF001
        }
        self.promotions = movement.promotions(reader, check.answers)
        self.changes = movement.changes(reader)
        self.material = dossiers.read(reader, config.governance_fields())
        self.slugs = slugs((key, row["model"]) for key, row in self.models.items())
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        for answer in check.answers:
            self.answers[judged.model_key(answer)].append(answer)
        self.inventory = {key: self._row(key, row) for key, row in self.models.items()}

    def _row(self, key: str, model: Row) -> InventoryRow:
        own = [row for row in self.versions[key] if row["version"] is not None]
        live = tuple(
            Live(row["version"], row["live_via"], interval(row, "live_"), row["certainty"])
            for row in self.live[key]
        )
        numbers = {one.version for one in live}
        shown = [row for row in own if row["version"] in numbers] or own or self.versions[key]
        chosen = shown[-1]
        open_ones = [one for one in self.answers[key] if one.status.is_open]
        ids = [one.id for one in self.material.definitions]
        return InventoryRow(
            subject=key,
            registry=model["registry"],
            workspace=model["workspace"],
            model=model["model"],
            slug=self.slugs[key],
            deleted=bool(model["deleted"]),
            created_at=model["created_at"],
            live=live,
            versions=len(own),
            newest=own[-1]["version"] if own else None,
            fields={name: str(chosen[name]) for name in ids if chosen.get(name) is not None},
            uncertain=tuple(filter(None, (chosen["uncertain_fields"] or "").split(", "))),
            open_findings=len(open_ones),
            worst=min((one.rule.severity for one in open_ones), key=lambda s: s.rank, default=None),
        )

    def recorded(self) -> dict[str, set[str]]:
        """For every version in use, the governance fields that are recorded for it."""
        return {
            row["subject"]: {field["field"] for field in self.material.fields.get(row["subject"], [])}
            for rows in self.live.values()
            for row in rows
        }

    def dossiers(self) -> tuple[Dossier, ...]:
        """One dossier per model, in the order of the inventory."""
        promotions: dict[str, list[Promotion]] = defaultdict(list)
        for one in self.promotions:
            promotions[one.model_subject].append(one)
        changes = defaultdict(list)
        for key, change in self.changes:
            changes[key].append(change)
        return tuple(
            dossiers.dossier(
                row,
                self.versions[key],
                self.material,
                promotions[key],
                self.answers[key],
                changes[key],
                self.models[key]["description"],
            )
            for key, row in self.inventory.items()
        )


def _by(rows: Iterable[Row], key: str) -> defaultdict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _identity(
    check: CheckResult, config: Config, period: Period, draft: bool, found: Found
) -> Identity:
    cover = config.report
    return Identity(
        title=cover.title or _DEFAULT_TITLE,
        entity=cover.entity,
        period=period.label,
        first_day=period.first_day,
        last_day=period.last_day,
        period_start=period.start_utc,
        period_end=period.end_utc,
        as_of=check.as_of,
        timezone=config.calendar.timezone,
        draft=draft,
        prepared_by=cover.prepared_by,
        addressee=cover.addressee,
        tool_version=_tool_version(),
        policy=check.policy,
        registries=tuple(sorted({row["registry"] for row in found.models.values()})),
    )


def _tool_version() -> str:
    try:
        return version("auditreg")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"


def _notices(check: CheckResult, period: Period, source: Provenance) -> tuple[str, ...]:
    """What a reader must know before the first number."""
    said = []
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
    incomplete = sum(not one.complete for one in source.extractions)
    if incomplete:
        said.append(
            f"{several(incomplete, 'reading')} of the registry shown in this report "
            f"{'was' if incomplete == 1 else 'were'} incomplete; see how this was extracted."
        )
    if any(result.error for result in check.rules):
        said.append("At least one rule could not be run. No conclusion rests on it.")
    return tuple(said)


def _numbers(found: Found, source: Provenance) -> tuple[Number, ...]:
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
    retired = sum(key in found.live_before and not row.in_use for key, row in found.inventory.items())
    changed = [one for one in found.promotions if movement.began_within(one.live, start, end)]
    approved = sum(one.approval is Status.PASS for one in changed)
    unjudged = sum(one.approval is None for one in changed)
    statuses = Counter(one.status for one in found.check.answers)
    return (
        Number(
            "in_use", "Models in use", len(in_use), f"of {len(rows)} registered", "inventory"
        ),
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
    )


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


def _finding_numbers(found: Found, statuses: Counter[Status]) -> tuple[Number, ...]:
    open_ones = found.check.open
    severe = judged.severities(open_ones)
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
            f"for {unknown} it is not known since when" if unknown else "by the first check that saw it",
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


def _uncertain(found: Found) -> int:
    return sum(
        row["version"] is not None
        and (bool(row["uncertain_fields"]) or row["certainty"] in ("uncertain", "unknown"))
        for own in found.versions.values()
        for row in own
    )
