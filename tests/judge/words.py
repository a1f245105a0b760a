"""What the words mean that people write into tags: dates, names, decisions, ratings.

Written from the documentation (docs/fields.md, docs/configuration.md, the rules' headers), in plain
Python; nothing of auditreg is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

FIELDS: dict[str, tuple[str, ...]] = {
    "model_id": ("gov.model_id", "model_id"),
    "description": ("gov.description",),
    "purpose": ("gov.purpose", "purpose", "intended_use"),
    "approved_uses": ("gov.approved_uses", "gov.restrictions", "approved_uses"),
    "risk_rating": ("gov.risk.rating", "risk_rating", "risk_tier", "tier"),
    "owner": ("gov.owner", "owner", "model_owner", "Owner", "maintainer"),
    "developer": ("gov.developer", "developer", "author"),
    "reviewer": ("gov.validator", "validator", "reviewer", "validated_by"),
    "approver": ("gov.approval.by", "approved_by", "approver", "Approved By", "signoff"),
    "origin": ("gov.origin", "origin", "gov.vendor.name", "vendor"),
    "dependencies": ("gov.depends_on", "dependencies"),
    "assumptions": ("gov.assumptions", "assumptions"),
    "limitations": ("gov.limitations", "limitations"),
    "lifecycle_status": ("gov.lifecycle.status", "lifecycle"),
    "decommissioned_at": ("gov.decommissioned_at", "decommissioned_at"),
    "validation_date": (
        "gov.validation.date", "validation_date", "validated_at", "last_validated",
    ),
    "next_review": ("gov.validation.next_due", "next_review", "review_due"),
    "valid_until": ("gov.valid_until", "valid_until"),
    "validation_result": (
        "gov.validation.result", "validation_result", "validation_status",
    ),
    "monitoring_status": ("gov.monitoring.status", "monitoring_status"),
    "approval_decision": ("gov.approval.decision", "approval_status", "approval"),
    "change_reason": ("gov.change.reason", "change_reason"),
    "overlays": ("gov.overlay", "overlays"),
    "code_reference": ("gov.code.reference",),
    "fairness_evidence": ("gov.fairness.run_id", "gov.fairness.result", "fairness"),
    "explainability_evidence": ("gov.explainability", "explainability"),
    "regime_scope": ("gov.scope", "gov.legal_entity", "gov.lob", "line_of_business"),
    "documentation": ("gov.doc.index", "documentation", "model_card"),
    "retention_until": ("gov.retention.until", "retention_until"),
    "approval_date": ("gov.approval.at", "approved_at", "approval_date", "Approved At"),
    "approver_role": ("gov.approval.role",),
    "approval_conditions": ("gov.approval.conditions",),
    "change_ticket": ("gov.change.ticket", "ticket"),
    "approval_until": ("gov.approval.until",),
    "change_class": ("gov.change.class",),
    "risk_rated_at": ("gov.risk.rated_at",),
    "exemption": ("gov.exemption",),
    "exemption_by": ("gov.exemption.by",),
    "exemption_until": ("gov.exemption.until",),
    "vendor_name": ("gov.vendor.name", "vendor"),
    "vendor_file": ("gov.vendor.file",),
    "consumer_impact": ("gov.consumer_impact",),
    "validation_findings": ("gov.validation.open_findings",),
    "findings_owner": ("gov.validation.findings_owner",),
    "findings_due": ("gov.validation.findings_due",),
    "thresholds": ("gov.thresholds",),
    "monitoring_date": ("gov.monitoring.date",),
    "overlay_reason": ("gov.overlay.reason",),
    "overlay_until": ("gov.overlay.until",),
    "rollback_reason": ("gov.rollback.reason",),
    "recreation_reason": ("gov.recreation.reason",),
    "decommission_reason": ("gov.decommission.reason",),
}  # fmt: skip
"""docs/fields.md: the tags a field is looked for in; the first that is set counts."""

CADENCES = {"high": 365, "medium": 730, "low": 1095}
PLACEHOLDERS = {
    "", "tbd", "tbc", "tba", "todo", "na", "notapplicable", "unknown", "tobeconfirmed",
}  # fmt: skip
"""docs/fields.md: what stands for nothing, letters and digits alone."""

GRANTS = (
    "approved", "accepted", "passed", "granted", "released", "endorsed", "signed off",
    "authorised", "certified", "ok", "yes", "go", "green", "satisfactory", "adequate", "suitable",
    "sound", "validated", "fit for use", "conditional approval",
    "no material findings", "no objections", "genehmigt", "freigegeben",
)  # fmt: skip
REFUSES = (
    "rejected", "declined", "denied", "refused", "failed", "withdrawn", "revoked", "suspended",
    "cancelled", "expired", "superseded", "withheld", "returned", "blocked", "void",
    "unsatisfactory", "inadequate", "not approved", "no longer approved", "abgelehnt",
)  # fmt: skip
LEAVES_OPEN = (
    "pending", "draft", "requested", "submitted", "under review", "awaiting", "on hold",
    "outstanding", "to be decided", "not yet", "no decision", "to follow",
)  # fmt: skip
"""docs/fields.md, "Decisions and results": the words of each kind."""

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?")


def ms(moment: datetime) -> int:
    """A moment in milliseconds."""
    return round(moment.timestamp() * 1000)


def says_nothing(text: str) -> bool:
    """Whether somebody wrote a word that stands for something still to be written."""
    return "".join(letter for letter in text.lower() if letter.isalnum()) in PLACEHOLDERS


def outcome(text: str | None) -> str:
    """What a decision or a result says: "", "grants", "refuses", "open" or "unclear".

    A longer word of the lists outweighs one that stands in it: "not approved" is no "approved". What grants
    does so at the beginning only.
    """
    if not (text or "").strip():
        return ""
    if says_nothing(text or ""):
        return "open"
    left = " " + " ".join(re.findall(r"\w+", (text or "").lower().replace("_", " "))) + " "
    if left == " no ":
        return "refuses"
    found: list[tuple[int, str]] = []
    kinds = dict.fromkeys(GRANTS, "grants") | dict.fromkeys(REFUSES, "refuses")
    kinds |= dict.fromkeys(LEAVES_OPEN, "open")
    for word in sorted(kinds, key=len, reverse=True):
        while (place := left.find(f" {word} ")) >= 0:
            found.append((place, kinds[word]))
            left = left[: place + 1] + "#" * len(word) + left[place + 1 + len(word) :]
    said = {kind for _, kind in found}
    place, first = min(found, default=(0, ""))
    if not said or {"grants", "refuses"} <= said or (first == "grants" and place > 0):
        return "unclear"
    if "open" in said and "refuses" not in said:
        return "open"
    return "refuses" if "refuses" in said and first != "open" else first


@dataclass(frozen=True)
class Stated:
    """A date as written: a moment, or a day from its first instant to the first of the next."""

    start: int
    end: int


@dataclass(frozen=True)
class Party:
    """A person, a body or a service account, for a span of time."""

    id: str
    kind: str
    roles: tuple[str, ...]
    since: date | None
    until: date | None

    def in_office(self, day: date) -> bool:
        """Whether it is in office on a day, the first and the last included."""
        return (self.since or day) <= day <= (self.until or day)


class Firm:
    """The firm's settings: its people, who may decide what, its time zone and parameters."""

    def __init__(self, text: str) -> None:
        data = tomllib.loads(text)
        self.zone = ZoneInfo(data["calendar"]["timezone"])
        self.params: Mapping[str, Any] = data["rules"]["params"]
        self.authorities: list[dict[str, Any]] = data["authorities"]
        self._parties: dict[str, Party] = {}
        for kind, entries in (("person", data["people"]), ("body", data["bodies"])):
            for entry in entries:
                party = Party(
                    entry["id"],
                    "service" if entry.get("service") else kind,
                    tuple(entry.get("roles", ())),
                    entry.get("from"),
                    entry.get("until"),
                )
                for name in (entry["id"], entry.get("name"), *entry.get("accounts", ())):
                    if name:
                        self._parties[name.strip().lower()] = party

    def party(self, spelling: str) -> Party | None:
        """Whom a spelling stands for; None where nobody claims it."""
        return self._parties.get(spelling.strip().lower())

    def names_somebody(self, spelling: str | None) -> bool:
        """Whether it names a person or a body, known or not: no placeholder, no service account."""
        if spelling is None or says_nothing(spelling):
            return False
        party = self.party(spelling)
        return party is None or party.kind != "service"

    def may(self, party: Party, act: str, rating: str | None, day: date) -> bool:
        """Whether a party is in office on a day and holds a role that lets it act."""
        if not party.in_office(day):
            return False
        named = [a for a in self.authorities if act in a["may"]]
        return not named or any(
            a["role"] in party.roles and (not a.get("ratings") or rating in a["ratings"])
            for a in named
        )

    def day(self, at: int) -> date:
        """The local day of a moment."""
        return datetime.fromtimestamp(at / 1000, self.zone).date()

    def first_of(self, day: date) -> int:
        """The first instant of a local day."""
        return ms(datetime(day.year, day.month, day.day, tzinfo=self.zone))

    def stated(self, text: str) -> Stated | None:
        """When a date says it was; None where it cannot be read."""
        found = _DATE.fullmatch(text.strip())
        if not found:
            return None
        try:
            day = date.fromisoformat(found[1])
            if not found[2]:
                return Stated(self.first_of(day), self.first_of(day + timedelta(days=1)))
            moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ''}")
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        at = ms(moment.astimezone(UTC))
        return Stated(at, at)


def first(field: str, *places: Mapping[str, str]) -> str | None:
    """The value of a field: of the first tag that is set, in the first place that has one."""
    for tags in places:
        for tag in FIELDS[field]:
            if tag in tags:
                return tags[tag]
    return None


def rating_of(value: str | None) -> str | None:
    """A risk rating that has a review cadence; None for another word."""
    rating = (value or "").strip().lower()
    return rating if rating in CADENCES else None


def days_in(text: str) -> Iterable[date]:
    """The days that a text names."""
    return [date.fromisoformat(found) for found in re.findall(r"\d{4}-\d\d-\d\d", text)]
