"""One dossier per model: its versions in use in depth, and everything known of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditreg.fields import Field
from auditreg.models import Finding, Grade
from auditreg.queries.change_groups import Change, collapse_registrations
from auditreg.queries.live_versions import LiveVersion
from auditreg.queries.reader import Reader, Row, decoded, rows_by
from auditreg.queries.records import Deployment, Lifecycle, Statement
from auditreg.report.changes import in_rows, not_in_record
from auditreg.report.findings import SET_ASIDE
from auditreg.report.model import (
    Artifact,
    Dataset,
    Dossier,
    FieldEntry,
    FieldGroup,
    InventoryRow,
    Promotion,
    Run,
    Sheet,
    SignatureColumn,
    VersionRow,
)
from auditreg.report.provenance import ExtractionAccount

_VERSIONS = 40
_CHANGES = 60
_STATEMENTS = 30
_SHEETS = 4

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "What the model is",
        (
            "model_id",
            "description",
            "purpose",
            "methodology",
            "origin",
            "vendor_name",
            "vendor_file",
            "regime_scope",
            "exposure",
        ),
    ),
    (
        "Where it may be used",
        (
            "approved_uses",
            "actual_use",
            "limitations",
            "assumptions",
            "users",
            "consumer_impact",
        ),
    ),
    (
        "Risk and responsibility",
        (
            "risk_rating",
            "risk_rationale",
            "risk_rated_at",
            "exemption",
            "exemption_by",
            "exemption_until",
            "owner",
            "developer",
            "compensating_controls",
        ),
    ),
    ("Data, inputs and outputs", ("data_sources", "inputs", "outputs", "dependencies")),
    (
        "Approval",
        (
            "approver",
            "approver_role",
            "approval_decision",
            "approval_date",
            "approval_conditions",
            "approval_until",
            "regulatory_approvals",
        ),
    ),
    (
        "Review and performance",
        (
            "reviewer",
            "validation_date",
            "validation_result",
            "validation_findings",
            "findings_owner",
            "findings_due",
            "next_review",
            "valid_until",
            "performance",
            "thresholds",
            "monitoring_status",
            "monitoring_date",
            "fairness_evidence",
            "explainability_evidence",
            "human_oversight",
        ),
    ),
    (
        "Life and change",
        (
            "lifecycle_status",
            "deployed_at",
            "last_updated",
            "decommissioned_at",
            "decommission_reason",
            "predecessor",
            "change_reason",
            "change_class",
            "change_ticket",
            "rollback_reason",
            "recreation_reason",
            "overlays",
            "overlay_reason",
            "overlay_until",
        ),
    ),
    (
        "Evidence and documents",
        ("code_reference", "artifact_digest", "documentation", "retention_until"),
    ),
)
"""Every governance field, by what it is about. A field of the firm's own comes last."""

ARISING = frozenset(
    (
        "vendor_name",
        "vendor_file",
        "exemption",
        "exemption_by",
        "exemption_until",
        "approval_until",
        "validation_findings",
        "findings_owner",
        "findings_due",
        "decommission_reason",
        "rollback_reason",
        "recreation_reason",
        "overlay_reason",
        "overlay_until",
    )
)
"""Fields about what need not be there, such as a vendor: without a record they are not named as missing."""


@dataclass(frozen=True, slots=True)
class Material:
    """The rows dossiers are made of, read once for all models."""

    fields: Mapping[str, list[Row]]
    runs: Mapping[tuple[str, str], Row]
    commits: Mapping[str, str]
    datasets: Mapping[str, list[Row]]
    metrics: Mapping[str, list[Row]]
    artifacts: Mapping[str, Row]
    definitions: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of one model's history, and the reading that rests on."""

    promotions: Sequence[Promotion]
    changes: Sequence[Change]
    lifecycle: Lifecycle | None
    statements: Sequence[Statement]
    deployments: Sequence[Deployment]
    reading: ExtractionAccount | None


_FIELDS = """
select subject, field, value, found_in, tag, grade, certainty, candidate
from fields_as_of({t}) where rank = 1 and version is not null
order by subject, field, candidate desc, value
"""
_LAST_FIELDS = """
select subject, field, value, found_in, tag, grade, 'certain' as certainty, 'only' as candidate
from field_found_as_of({t})
where value is not null and not open
  and subject in (select subject from model_versions_as_of({t}) where deleted)
order by subject, field
"""
"""What was recorded of a version when it was deleted, or its model with it."""

_RUNS = """
select subject, registry, run_id, name, user_id, status, started_at, deleted
from runs_as_of({t}) where candidate <> 'before' order by subject
"""
_COMMITS = """
select run_subject, max(value) as value from run_tags_as_of({t})
where key in ('mlflow.source.git.commit', 'mlflow.git.commit') group by run_subject
order by run_subject
"""
_DATASETS = """
select distinct run_subject, name, context, digest, source from run_datasets_as_of({t})
order by run_subject, context, name, digest
"""
_METRICS = """
select run_subject, key, value from run_metrics_as_of({t}) where candidate <> 'before'
order by run_subject, key
"""
_ARTIFACTS = """
select subject, state, problem, mlmodel_sha256, signature_inputs, signature_outputs,
       signature_params, flavors, python_version, mlflow_version, model_size_bytes
from model_artifacts_as_of({t}) where candidate <> 'before' order by subject
"""


def read(reader: Reader, definitions: tuple[Field, ...]) -> Material:
    """Everything the dossiers show of the versions, in one question per table."""
    fields = reader.rows("fields", "Governance fields of every version", _FIELDS)
    last = reader.rows("field_found", "What was recorded of deleted versions", _LAST_FIELDS)
    runs = reader.rows("runs", "Training runs", _RUNS)
    commits = reader.rows("run_tags", "Code revisions of the runs", _COMMITS)
    datasets = reader.rows("run_datasets", "Data sets logged with the runs", _DATASETS)
    metrics = reader.rows("run_metrics", "Metrics of the runs", _METRICS)
    artifacts = reader.rows("model_artifacts", "What the model files say", _ARTIFACTS)
    return Material(
        fields=rows_by([*fields, *last], "subject"),
        runs={(row["registry"], row["run_id"]): row for row in runs},
        commits={row["run_subject"]: row["value"] for row in commits},
        datasets=rows_by(datasets, "run_subject"),
        metrics=rows_by(metrics, "run_subject"),
        artifacts={row["subject"]: row for row in artifacts},
        definitions=definitions,
    )


def dossier(
    row: InventoryRow,
    versions: Sequence[Row],
    material: Material,
    answers: Sequence[Finding],
    past: Past,
    *,
    description: str | None,
    passed: int,
) -> Dossier:
    """One model's dossier; every sequence holds this model's rows only."""
    live = {version.version: version for version in row.live}
    numbered = sorted(
        (version for version in versions if version["version"] is not None),
        key=lambda version: version["version"],
    )
    shown = [version for version in numbered if version["version"] in live] or numbered[-1:]
    changes = collapse_registrations(past.changes)
    rows = in_rows(change for change in changes if not change.uncaptured)
    return Dossier(
        slug=row.slug,
        row=row,
        description=description,
        sheets=tuple(
            sheet(version, live.get(version["version"]), material)
            for version in shown[-_SHEETS:][::-1]
        ),
        versions=tuple(
            version_row(version, version["version"] in live, material)
            for version in numbered[-_VERSIONS:][::-1]
        ),
        more_versions=max(0, len(numbered) - _VERSIONS),
        promotions=tuple(past.promotions),
        findings=tuple(answer for answer in answers if answer.status.is_open),
        set_aside=tuple(answer for answer in answers if answer.status in SET_ASIDE),
        passed=passed,
        lifecycle=past.lifecycle,
        changes=tuple(rows[-_CHANGES:][::-1]),
        uncaptured=not_in_record(changes, _CHANGES),
        more_changes=sum(row.count for row in rows[:-_CHANGES]),
        statements=tuple(past.statements[:_STATEMENTS]),
        more_statements=len(past.statements[_STATEMENTS:]),
        deployments=tuple(past.deployments),
        reading=past.reading,
    )


def sheet(version: Row, live: LiveVersion | None, material: Material) -> Sheet:
    """One version in depth."""
    subject = version["subject"]
    run_row = material.runs.get((version["registry"], version["run_id"]))
    run_subject = run_row["subject"] if run_row else ""
    artifact = material.artifacts.get(subject)
    return Sheet(
        subject=subject,
        version=version["version"],
        live=live,
        created_at=version["version_created_at"],
        stage=version["stage"],
        aliases=version["aliases"],
        groups=_groups(material.fields.get(subject, []), material.definitions),
        run=_run(run_row, material) if run_row else None,
        run_id=version["run_id"],
        datasets=tuple(
            Dataset(dataset["name"], dataset["context"], dataset["digest"], dataset["source"])
            for dataset in material.datasets.get(run_subject, [])
        ),
        artifact=_artifact(artifact) if artifact else None,
        columns=_columns(artifact) if artifact else (),
        metrics=tuple(
            (metric["key"], metric["value"]) for metric in material.metrics.get(run_subject, [])
        ),
    )


def _run(row: Row, material: Material) -> Run:
    return Run(
        run_id=row["run_id"],
        name=row["name"],
        user=row["user_id"],
        started_at=row["started_at"],
        status=row["status"],
        deleted=bool(row["deleted"]),
        commit=material.commits.get(row["subject"]),
    )


def _artifact(row: Row) -> Artifact:
    flavors = decoded(row["flavors"], {})
    return Artifact(
        state=row["state"],
        problem=row["problem"],
        sha256=row["mlmodel_sha256"],
        flavors=", ".join(sorted(flavors)) if isinstance(flavors, dict) else "",
        python=row["python_version"],
        mlflow=row["mlflow_version"],
        size=row["model_size_bytes"],
    )


def _columns(row: Row) -> tuple[SignatureColumn, ...]:
    columns = []
    for key, direction in (
        ("signature_inputs", "input"),
        ("signature_outputs", "output"),
        ("signature_params", "parameter"),
    ):
        listed = decoded(row[key], [])
        columns += [
            SignatureColumn(
                direction,
                str(item.get("name") or "(without a name)"),
                _type(item),
                bool(item.get("required", direction == "input")),
            )
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, dict)
        ]
    return tuple(columns)


def _type(item: Mapping[str, object]) -> str:
    """MLflow's type of a column, or the shape of a tensor."""
    tensor = item.get("tensor-spec")
    if isinstance(tensor, dict):
        shape = " × ".join("any" if side == -1 else str(side) for side in tensor.get("shape", []))
        return f"tensor {tensor.get('dtype', '')} {shape}".strip()
    return str(item.get("type", item.get("dtype", "not stated")))


def _groups(rows: Sequence[Row], definitions: tuple[Field, ...]) -> tuple[FieldGroup, ...]:
    """The fields of a version by what they are about, the empty ones named."""
    by_field = rows_by(rows, "field")
    known = {definition.id: definition for definition in definitions}
    placed = {name for _, names in GROUPS for name in names}
    further = tuple(definition.id for definition in definitions if definition.id not in placed)
    groups = (*GROUPS, ("Further fields of the firm", further)) if further else GROUPS
    return tuple(
        FieldGroup(
            title=title,
            entries=tuple(
                _entry(known[name], by_field[name])
                for name in names
                if name in known and name in by_field
            ),
            missing=tuple(
                known[name].title
                for name in names
                if name in known and name not in by_field and name not in ARISING
            ),
        )
        for title, names in groups
    )


def _entry(definition: Field, rows: Sequence[Row]) -> FieldEntry:
    values = tuple(dict.fromkeys(_value(definition.id, row["value"]) for row in rows))
    where = dict.fromkeys(
        row["found_in"] if row["found_in"] == "MLflow" else f"{row['found_in']} {row['tag']}"
        for row in rows
    )
    return FieldEntry(
        id=definition.id,
        number=definition.number,
        title=definition.title,
        values=values,
        grade=min((Grade(row["grade"]) for row in rows), key=list(Grade).index),
        found_in=", ".join(where),
        uncertain=any(row["certainty"] in ("uncertain", "unknown") for row in rows),
    )


def _value(name: str, value: str) -> str:
    """A field's value for people; signatures have a table of their own."""
    listed = decoded(value) if name in ("inputs", "outputs") else None
    if isinstance(listed, list):
        noun = "column" if len(listed) == 1 else "columns"
        return f"{len(listed)} {noun}, listed under “Signature”"
    return value


def version_row(version: Row, live: bool, material: Material) -> VersionRow:
    """One line of the list of versions."""
    rows = {row["field"]: row for row in material.fields.get(version["subject"], [])}

    def value(name: str) -> str | None:
        recorded = version.get(name)
        return str(recorded) if recorded is not None else None

    states = [part for part in (version["stage"], version["aliases"]) if part and part != "None"]
    if live:
        states.insert(0, "in use")
    approver = rows.get("approver")
    return VersionRow(
        version=version["version"],
        created_at=version["version_created_at"],
        state=", ".join(states),
        deleted=bool(version["deleted"]),
        approver=value("approver"),
        role=value("approver_role"),
        decision=value("approval_decision"),
        approved_on=value("approval_date"),
        validated_on=value("validation_date"),
        grade=Grade(approver["grade"]) if approver else Grade.NONE,
        uncertain=tuple(filter(None, (version["uncertain_fields"] or "").split(", "))),
    )
