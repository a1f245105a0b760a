"""The rows of one report, read once, and what is counted from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from auditreg.config import Config, Period
from auditreg.frameworks.parse import Population
from auditreg.models import CheckResult, Finding, Status
from auditreg.queries import lifecycle
from auditreg.queries.captures import Capture, read_captures
from auditreg.queries.change_groups import Change
from auditreg.queries.changes import read_changes
from auditreg.queries.live_versions import (
    LiveVersion,
    live_models,
    live_version,
    live_versions_sql,
)
from auditreg.queries.reader import Reader, Row, rows_by
from auditreg.queries.records import Basis, Deployment, Lifecycle
from auditreg.report import dossiers, findings, names, promotions
from auditreg.report.coverage import Values
from auditreg.report.model import Dossier, InventoryRow, Promotion
from auditreg.report.provenance import Provenance
from auditreg.report.wording import slugs

_MODELS = """
select subject, registry, workspace, model, max_by(description, (not_after, seq)) as description,
       min(created_at) as created_at, bool_and(deleted) as deleted
from registered_models_as_of({t}) group by subject, registry, workspace, model
order by registry, workspace, model, subject
"""
_INVENTORY = """
select * from inventory_as_of({t}) where kind = 'model'
order by registry, workspace, model, model_subject, version
"""


class ReportData:
    """What a report is made of: models, versions, what is live, changes, findings by model."""

    def __init__(
        self,
        reader: Reader,
        check: CheckResult,
        config: Config,
        period: Period,
        source: Provenance,
    ) -> None:
        self.period, self.source, self.as_of = period, source, check.as_of
        versions = reader.rows("inventory", "Every model and version at the moment", _INVENTORY)
        kept = {row["model_subject"] for row in versions}
        self.models = {
            row["subject"]: row
            for row in reader.rows("registered_models", "The registered models", _MODELS)
            if row["subject"] in kept
        }
        self.slugs = slugs((key, row["model"]) for key, row in self.models.items())
        former = names.of_former_models(self.models.values())
        for key, name in former.items():
            self.models[key]["model"] = name
        self.check = replace(check, answers=names.told_apart(check.answers, former))
        self.versions = rows_by(versions, "model_subject")
        self.live: dict[str, list[LiveVersion]] = defaultdict(list)
        for row in reader.rows(
            "live_versions", "Versions in use at the moment", live_versions_sql(reader.as_of)
        ):
            self.live[row["model_subject"]].append(live_version(row))
        self.live_before = live_models(reader.connection, period.start_utc)
        self.passed, undecided = _beside_findings(check)
        self.undecided = names.told_apart(undecided, former)
        self.promotions = promotions.read_promotions(
            reader,
            {key: row["model"] for key, row in self.models.items()},
            (version for group in self.live.values() for version in group),
            source.first_reading,
        )
        self.changes = [
            replace(change, model=former.get(change.model_subject, change.model))
            for change in read_changes(reader)
        ]
        self.captures = read_captures(reader)
        self.deployments = promotions.read_deployments(reader)
        self.statements = promotions.read_statements(reader)
        self.timelines = lifecycle.read_timelines(reader)
        self.material = dossiers.read(reader, config.governance_fields())
        self.answers: dict[str, list[Finding]] = defaultdict(list)
        for answer in (*self.check.answers, *self.undecided):
            self.answers[findings.model_key(answer)].append(answer)
        self.inventory = {key: self._row(key, row) for key, row in self.models.items()}

    def changes_in_period(self) -> list[Change]:
        """What changed in the period, or possibly in it."""
        return [change for change in self.changes if self._in_period(change)]

    def promotions_in_period(self) -> list[Promotion]:
        """What went live in the period, or possibly in it."""
        start, end = self.period.start_utc, self.period.end_utc
        return [
            promotion
            for promotion in self.promotions
            if promotions.began_within(promotion.live, start, end)
        ]

    def recorded_fields(self) -> dict[Population, list[Values]]:
        """The governance fields recorded for each version in use, and for each registered model.

        A model has those of its version in use, else of its newest one.
        """
        versions: list[Values] = []
        for group in self.live.values():
            for version in group:
                values: dict[str, set[str]] = defaultdict(set)
                for row in self.material.fields.get(version.subject, []):
                    values[row["field"]].add(row["value"])
                versions.append({name: frozenset(found) for name, found in values.items()})
        models: list[Values] = [
            {name: frozenset([value]) for name, value in row.fields.items()}
            for row in self.inventory.values()
            if not row.deleted
        ]
        return {Population.VERSIONS: versions, Population.MODELS: models}

    def dossiers(self) -> tuple[Dossier, ...]:
        """One dossier per model, in the order of the inventory."""
        by_model: dict[str, list[Promotion]] = defaultdict(list)
        for promotion in self.promotions:
            by_model[promotion.model_subject].append(promotion)
        changes: dict[str, list[Change]] = defaultdict(list)
        for change in self.changes:
            changes[change.model_subject].append(change)
        readings = {account.registry: account for account in self.source.accounts}
        return tuple(
            dossiers.dossier(
                row,
                self.versions[key],
                self.material,
                self.answers[key],
                dossiers.Past(
                    promotions=by_model[key],
                    changes=changes[key],
                    lifecycle=self._lifecycle(key),
                    statements=self.statements.get(key, []),
                    deployments=self._deployments(key),
                    reading=readings.get(row.registry),
                ),
                description=self.models[key]["description"],
                passed=self.passed[key],
            )
            for key, row in self.inventory.items()
        )

    def basis(self) -> Basis | None:
        """What the history rests on, where the report is about one registry."""
        registries = {row["registry"] for row in self.models.values()}
        if len(registries) != 1:
            return None
        registry = registries.pop()
        readings = self.timelines.readings.get(registry, [])
        return lifecycle.basis(readings, self._capture(registry), self.as_of)

    def _in_period(self, change: Change) -> bool:
        return promotions.began_within(change.when, self.period.start_utc, self.period.end_utc)

    def _row(self, key: str, model: Row) -> InventoryRow:
        versions = [row for row in self.versions[key] if row["version"] is not None]
        live = tuple(sorted(self.live[key], key=lambda version: version.version))
        numbers = {version.version for version in live}
        shown = [row for row in versions if row["version"] in numbers]
        chosen = (shown or versions or self.versions[key])[-1]
        opened = [answer for answer in self.answers[key] if answer.status.is_open]
        ids = [definition.id for definition in self.material.definitions]
        fields = {name: str(chosen[name]) for name in ids if chosen.get(name) is not None}
        if model["deleted"]:  # with its tags: what they said until then
            for recorded in self.material.fields.get(chosen["subject"], []):
                fields.setdefault(recorded["field"], recorded["value"])
        return InventoryRow(
            subject=key,
            registry=model["registry"],
            workspace=model["workspace"],
            model=model["model"],
            slug=self.slugs[key],
            deleted=bool(model["deleted"]),
            created_at=model["created_at"],
            live=live,
            versions=len(versions),
            newest=versions[-1]["version"] if versions else None,
            fields=fields,
            uncertain=tuple(filter(None, (chosen["uncertain_fields"] or "").split(", "))),
            open_findings=len(opened),
            worst=opened[0].severity if opened else None,
        )

    def _capture(self, registry: str) -> Capture | None:
        return next((capture for capture in self.captures if capture.registry == registry), None)

    def _deployments(self, key: str) -> list[Deployment]:
        return [deployment for deployment in self.deployments if deployment.model_subject == key]

    def _lifecycle(self, key: str) -> Lifecycle | None:
        return lifecycle.lifecycle(
            self.timelines,
            self.versions[key],
            self._deployments(key),
            self._capture(self.models[key]["registry"]),
            self.period.start_utc,
            self.as_of,
        )


def _beside_findings(check: CheckResult) -> tuple[Counter[str], list[Finding]]:
    """Out of all answers: how many passed per model, and the undecided ones.

    There may be very many, so they are looked at once and let go.
    """
    passed: Counter[str] = Counter()
    undecided = []
    for answer in check.every:
        if answer.status is Status.PASS:
            passed[findings.model_key(answer)] += 1
        elif answer.status is Status.UNDECIDED:
            undecided.append(answer)
    return passed, undecided
