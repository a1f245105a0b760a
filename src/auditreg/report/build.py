"""Builds a `Report` from a ledger's connection and the result of a check."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from auditreg.config import Config, Period
from auditreg.errors import NothingToAudit
from auditreg.frameworks.parse import Framework, printable
from auditreg.models import CheckResult, Finding, Status, worst_first
from auditreg.queries import lifecycle
from auditreg.queries.change_groups import Change
from auditreg.queries.prompts import refuse_prompts
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.records import Capture, Deployment, Lifecycle, Record
from auditreg.report import capture, changes, dossiers, findings, imported, promotions, provenance
from auditreg.report.account import ExtractionAccount
from auditreg.report.model import (
    Dossier,
    Identity,
    InventoryRow,
    Promotion,
    Report,
)
from auditreg.report.summary import engines, notices, numbers
from auditreg.report.version_sheet import Live
from auditreg.report.wording import slugs

if TYPE_CHECKING:
    import duckdb

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
_FINDINGS = "select key, number, since from findings where since is not null order by number"
_LIVE = """
select subject, model_subject, version, live_via, certainty, live_not_before, live_not_after
from live_versions_as_of({t}) order by model_subject, version
"""


def build_report(
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
    check = _numbered(reader, check)
    source = provenance.read(reader, check, ledger or config.ledger_path.name)
    found = ReportData(reader, check, config, period)
    if not found.models:
        refuse_prompts(connection, None, check.as_of, "No report was made.")
        raise NothingToAudit(
            "There is no registered model at the moment the report speaks of.",
            state="No report was made.",
            hint="Choose a later period, or import an older reading of the registry.",
        )
    made = found.dossiers({one.registry: one for one in source.accounts})
    in_use = tuple(row for row in found.inventory.values() if row.in_use)
    moved = [
        one
        for one in found.promotions
        if promotions.began_within(one.live, period.start_utc, period.end_utc)
    ]
    tags = frozenset(tag for one in config.governance_fields() for tag in one.tags)
    rules = findings.by_rule(check)
    return Report(
        identity=_identity(check, config, period, draft, found, source),
        notices=(*notices(check, period, source, config.calendar.timezone), *engines(found.ran)),
        numbers=numbers(found, source),
        severities=findings.severities(check.open),
        changes=changes.grouped(found.in_period, tags),
        inventory=in_use,
        not_in_use=tuple(row for row in found.inventory.values() if not row.in_use),
        promotions=tuple(moved),
        lanes=promotions.lanes(
            found.promotions, period.start_utc, period.end_utc, source.last_observed
        ),
        record=found.rests_on(),
        running=tuple(one for one in found.ran if one.running),
        captures=found.captures,
        rules=rules,
        frameworks=findings.coverage(
            printable(frameworks, drafts=drafts),
            check,
            found.recorded(),
            {one.id: one for one in config.governance_fields()},
        ),
        by_model=findings.by_model(check.open, found.inventory),
        set_aside=tuple(
            sorted(
                (one for one in check.answers if one.status in findings.SET_ASIDE),
                key=lambda one: (findings.SET_ASIDE.index(one.status), worst_first(one)),
            )
        ),
        waivers=tuple(waiver for waiver in check.waivers if waiver.is_bad),
        accounts=source.accounts,
        cannot_show=source.cannot_show,
        extractions=source.extractions,
        earlier_extractions=source.earlier,
        queries=tuple(reader.queries),
        integrity=source.integrity,
        dossiers=made,
    )


class ReportData:
    """The rows of one report, read once, and what is counted from them."""

    def __init__(
        self,
        reader: Reader,
        check: CheckResult,
        config: Config,
        period: Period,
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
            row["model_subject"] for row in reader.at(period.start_utc).rows("", "", _LIVE)
        }
        self.passed, approvals = _sifted(check)
        names = {key: row["model"] for key, row in self.models.items()}
        self.promotions = promotions.promotions(reader, approvals, names)
        self.changes = changes.read(reader)
        self.in_period = [
            one
            for one in self.changes
            if promotions.began_within(one.when, period.start_utc, period.end_utc)
        ]
        self.captures = capture.read(reader)
        known = {(row["registry"], row["model"]): key for key, row in self.models.items()}
        self.ran = imported.deployments(reader, known)
        self.stated = imported.statements(reader, known)
        self.lives = lifecycle.read(reader)
        self.material = dossiers.read(reader, config.governance_fields())
        self.slugs = slugs((key, row["model"]) for key, row in self.models.items())
        self.answers: dict[str, list[Finding]] = defaultdict(list)
        for answer in check.answers:
            self.answers[findings.model_key(answer)].append(answer)
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
            row["subject"]: {
                field["field"] for field in self.material.fields.get(row["subject"], [])
            }
            for rows in self.live.values()
            for row in rows
        }

    def dossiers(self, readings: Mapping[str, ExtractionAccount]) -> tuple[Dossier, ...]:
        """One dossier per model, in the order of the inventory, with its registry's reading."""
        promotions: dict[str, list[Promotion]] = defaultdict(list)
        for one in self.promotions:
            promotions[one.model_subject].append(one)
        moved: dict[str, list[Change]] = defaultdict(list)
        for change in self.changes:
            moved[change.model_subject].append(change)
        return tuple(
            replace(
                self._dossier(key, row, promotions[key], moved[key]),
                reading=readings.get(row.registry),
            )
            for key, row in self.inventory.items()
        )

    def _dossier(
        self, key: str, row: InventoryRow, promotions: list[Promotion], moved: list[Change]
    ) -> Dossier:
        return dossiers.dossier(
            row,
            self.versions[key],
            self.material,
            self.answers[key],
            dossiers.Past(
                promotions=promotions,
                changes=moved,
                lifecycle=self._life(key),
                statements=self.stated.get(key, []),
                deployments=self._ran(key),
            ),
            description=self.models[key]["description"],
            passed=self.passed[key],
        )

    def rests_on(self) -> Record | None:
        """What the history rests on, where the report is about one registry."""
        registries = {row["registry"] for row in self.models.values()}
        if len(registries) != 1:
            return None
        registry = registries.pop()
        readings = self.lives.readings.get(registry, [])
        return lifecycle.record(readings, self._capture(registry), self.as_of)

    def _capture(self, registry: str) -> Capture | None:
        return next((one for one in self.captures if one.registry == registry), None)

    def _ran(self, key: str) -> list[Deployment]:
        return [one for one in self.ran if one.model_subject == key]

    def _life(self, key: str) -> Lifecycle | None:
        return lifecycle.lifecycle(
            self.lives,
            self.versions[key],
            self._ran(key),
            self._capture(self.models[key]["registry"]),
            self.period.start_utc,
            self.as_of,
        )


def _numbered(reader: Reader, check: CheckResult) -> CheckResult:
    """The check with the numbers its findings have in the ledger, and since when they are open.

    A check of a past moment gives no numbers, but a rule and a subject keep theirs for good. An
    age counts only where the finding was recorded by that moment.
    """
    known = {
        row["key"]: (row["number"], row["since"])
        for row in reader.rows("findings", "Numbers and ages of the findings", _FINDINGS)
    }

    def numbered(answer: Finding) -> Finding:
        if answer.number is not None or answer.key not in known:
            return answer
        number, since = known[answer.key]
        return replace(answer, number=number, since=since if since <= check.as_of else None)

    return replace(check, answers=tuple(map(numbered, check.answers)))


def _sifted(check: CheckResult) -> tuple[Counter[str], list[Finding]]:
    """Out of all answers: how many passed per model, and those about approvals before going live.

    There may be very many, so they are looked at once and let go.
    """
    passed: Counter[str] = Counter()
    approvals = []
    for answer in check.every:
        if answer.status is Status.PASS:
            passed[findings.model_key(answer)] += 1
        if answer.rule.id == promotions.APPROVAL_RULE:
            approvals.append(answer)
    return passed, approvals


def _by(rows: Iterable[Row], key: str) -> defaultdict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _identity(
    check: CheckResult,
    config: Config,
    period: Period,
    draft: bool,
    found: ReportData,
    source: provenance.Provenance,
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
        incomplete=tuple(one.registry for one in source.accounts if not one.complete),
    )


def _tool_version() -> str:
    try:
        return version("auditreg")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
