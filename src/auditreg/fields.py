"""The governance fields of a model inventory: ids, meanings and the tags they are looked for in.

The 44 numbered fields are the union of what supervisors' inventories ask for; their ids are
frozen. A field without a number is a companion of one above it. A firm maps its own tag names to
these ids, and adds fields of its own, in `auditreg.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One governance field.

    `number` is its place in the union list (1 to 44), None for companions. `tags` are looked for
    in this order, on the version first, then on its registered model. `native` says what MLflow
    itself holds for it, in words, or is empty.
    """

    id: str
    number: int | None
    title: str
    tags: tuple[str, ...]
    native: str = ""


def _f(number: int | None, id: str, title: str, *tags: str, native: str = "") -> Field:  # noqa: A002
    return Field(id, number, title, tags, native)


FIELDS: tuple[Field, ...] = (
    _f(1, "model_id", "Stable model identifier", "gov.model_id", "model_id"),
    _f(
        2,
        "description",
        "Description and key features",
        "gov.description",
        native="description of the version, else of the registered model",
    ),
    _f(
        3,
        "predecessor",
        "Relation to the previous version",
        "gov.change.predecessor",
        "predecessor",
    ),
    _f(4, "purpose", "Purpose, product and portfolio", "gov.purpose", "purpose", "intended_use"),
    _f(
        5,
        "approved_uses",
        "Approved uses and restrictions",
        "gov.approved_uses",
        "gov.restrictions",
        "approved_uses",
    ),
    _f(6, "actual_use", "Actual use compared with intended use", "gov.actual_use"),
    _f(
        7,
        "risk_rating",
        "Risk rating or tier",
        "gov.risk.rating",
        "risk_rating",
        "risk_tier",
        "tier",
    ),
    _f(8, "owner", "Owner", "gov.owner", "owner", "model_owner", "Owner", "maintainer"),
    _f(
        9,
        "developer",
        "Developer",
        "gov.developer",
        "developer",
        "author",
        native="user of the training run",
    ),
    _f(
        10,
        "reviewer",
        "Reviewer or validator",
        "gov.validator",
        "validator",
        "reviewer",
        "validated_by",
    ),
    _f(
        11,
        "approver",
        "Approver",
        "gov.approval.by",
        "approved_by",
        "approver",
        "Approved By",
        "signoff",
    ),
    _f(12, "users", "Users and stakeholders", "gov.users", "users"),
    _f(
        13,
        "origin",
        "Origin: developed in-house or bought",
        "gov.origin",
        "origin",
        "gov.vendor.name",
        "vendor",
    ),
    _f(
        14,
        "methodology",
        "Type and methodology",
        "gov.methodology",
        "methodology",
        "model_type",
        native="flavours in MLmodel",
    ),
    _f(15, "inputs", "Inputs: schema and type", "gov.inputs", native="signature inputs"),
    _f(16, "outputs", "Outputs and their intended use", "gov.outputs", native="signature outputs"),
    _f(
        17,
        "data_sources",
        "Data sources and provenance",
        "gov.data.sources",
        "data_sources",
        native="data sets logged with the training run",
    ),
    _f(18, "dependencies", "Dependencies on models and systems", "gov.depends_on", "dependencies"),
    _f(19, "assumptions", "Assumptions", "gov.assumptions", "assumptions"),
    _f(20, "limitations", "Limitations and exceptions", "gov.limitations", "limitations"),
    _f(
        21,
        "lifecycle_status",
        "Lifecycle status",
        "gov.lifecycle.status",
        "lifecycle",
        native="stage and aliases",
    ),
    _f(
        22,
        "deployed_at",
        "Date into production",
        "gov.deployed_at",
        "deployed_at",
        native="when it first went live by stage or alias, else since when an import says it runs",
    ),
    _f(
        23,
        "last_updated",
        "Date last updated",
        "gov.last_updated",
        native="last update of the version's row; alias and tag changes do not move it",
    ),
    _f(
        24,
        "decommissioned_at",
        "Date and reason of decommissioning",
        "gov.decommissioned_at",
        "decommissioned_at",
    ),
    _f(
        25,
        "validation_date",
        "Date of the last review or validation",
        "gov.validation.date",
        "validation_date",
        "validated_at",
        "last_validated",
    ),
    _f(
        26,
        "next_review",
        "Date of the next review",
        "gov.validation.next_due",
        "next_review",
        "review_due",
    ),
    _f(27, "valid_until", "Valid until", "gov.valid_until", "valid_until"),
    _f(
        28,
        "validation_result",
        "Validation result and open findings",
        "gov.validation.result",
        "validation_result",
        "validation_status",
    ),
    _f(
        29,
        "performance",
        "Performance indicator and its date",
        "gov.performance",
        native="latest metrics of the training run",
    ),
    _f(
        30,
        "monitoring_status",
        "Monitoring status and thresholds",
        "gov.monitoring.status",
        "monitoring_status",
    ),
    _f(
        31,
        "approval_decision",
        "Approval decision",
        "gov.approval.decision",
        "approval_status",
        "approval",
    ),
    _f(32, "change_reason", "Reason for the change", "gov.change.reason", "change_reason"),
    _f(33, "overlays", "Overlays and adjustments", "gov.overlay", "overlays"),
    _f(
        34,
        "code_reference",
        "Code reference",
        "gov.code.reference",
        native="git commit recorded by MLflow",
    ),
    _f(
        35,
        "fairness_evidence",
        "Fairness and bias test",
        "gov.fairness.run_id",
        "gov.fairness.result",
        "fairness",
    ),
    _f(36, "explainability_evidence", "Explainability", "gov.explainability", "explainability"),
    _f(37, "human_oversight", "Human oversight", "gov.human_oversight"),
    _f(
        38,
        "regime_scope",
        "Legal entity, jurisdiction, line of business, regimes",
        "gov.scope",
        "gov.legal_entity",
        "gov.lob",
        "line_of_business",
    ),
    _f(
        39,
        "artifact_digest",
        "Integrity of the model artifact",
        "gov.artifact.sha256",
        native="SHA-256 of MLmodel computed by auditreg",
    ),
    _f(40, "documentation", "Index of documents", "gov.doc.index", "documentation", "model_card"),
    _f(
        41,
        "regulatory_approvals",
        "Regulatory approvals and certificates",
        "gov.regulatory_approvals",
    ),
    _f(42, "exposure", "Exposure: size, premium", "gov.exposure", "exposure"),
    _f(
        43,
        "compensating_controls",
        "Compensating controls and contingency",
        "gov.compensating_controls",
    ),
    _f(44, "retention_until", "Kept until", "gov.retention.until", "retention_until"),
    _f(
        None,
        "approval_date",
        "Date and time of the approval",
        "gov.approval.at",
        "approved_at",
        "approval_date",
        "Approved At",
    ),
    _f(None, "approver_role", "Role the approver acted in", "gov.approval.role"),
    _f(None, "approval_conditions", "Conditions of the approval", "gov.approval.conditions"),
    _f(None, "change_ticket", "Change ticket", "gov.change.ticket", "ticket"),
    _f(None, "risk_rationale", "Reason for the risk rating", "gov.risk.rationale"),
    _f(None, "approval_until", "End of the approval", "gov.approval.until"),
    _f(None, "change_class", "Class of the change: minor, major, emergency", "gov.change.class"),
    _f(None, "risk_rated_at", "Date of the risk rating", "gov.risk.rated_at"),
    _f(None, "exemption", "Exemption from the rules for models", "gov.exemption"),
    _f(None, "exemption_by", "Who granted the exemption", "gov.exemption.by"),
    _f(None, "exemption_until", "End of the exemption", "gov.exemption.until"),
    _f(None, "vendor_name", "Vendor", "gov.vendor.name", "vendor"),
    _f(None, "vendor_file", "File about the vendor", "gov.vendor.file"),
    _f(None, "consumer_impact", "Effect on consumers", "gov.consumer_impact"),
    _f(
        None,
        "validation_findings",
        "Open findings of the validation",
        "gov.validation.open_findings",
    ),
    _f(
        None,
        "findings_owner",
        "Owner of the open findings",
        "gov.validation.findings_owner",
    ),
    _f(
        None,
        "findings_due",
        "Day by which the open findings are to be closed",
        "gov.validation.findings_due",
    ),
    _f(None, "thresholds", "Limits that metrics have to keep", "gov.thresholds"),
    _f(None, "monitoring_date", "Date of the last monitoring", "gov.monitoring.date"),
    _f(None, "overlay_reason", "Reason for the overlay", "gov.overlay.reason"),
    _f(None, "overlay_until", "End of the overlay", "gov.overlay.until"),
    _f(None, "rollback_reason", "Reason for the rollback", "gov.rollback.reason"),
    _f(
        None,
        "recreation_reason",
        "Why the model was deleted and created again",
        "gov.recreation.reason",
    ),
    _f(
        None,
        "decommission_reason",
        "Reason for decommissioning",
        "gov.decommission.reason",
    ),
)
"""Every built-in field, in inventory order."""

FIELD_IDS: tuple[str, ...] = tuple(field.id for field in FIELDS)

DUE_WHERE = {
    **dict.fromkeys(("predecessor", "change_reason", "change_class"), "a version came before"),
    **dict.fromkeys(("decommissioned_at", "decommission_reason"), "the version is out of use"),
    **dict.fromkeys(("overlays", "overlay_reason", "overlay_until"), "there is an overlay"),
    **dict.fromkeys(("exemption", "exemption_by", "exemption_until"), "one is granted"),
    **dict.fromkeys(("vendor_name", "vendor_file"), "the model is bought"),
    **dict.fromkeys(
        ("validation_findings", "findings_owner", "findings_due"), "the validation found something"
    ),
    "approval_conditions": "the approval has conditions",
    "approval_until": "the approval ends",
    "valid_until": "the model's validity ends",
    "regulatory_approvals": "one is needed",
    "rollback_reason": "the version was taken back",
    "recreation_reason": "the model was deleted and created again",
}
"""Fields that are due only in some cases, by id, and in which. That nothing is recorded is no lack elsewhere."""
