"""What a report holds. Plain frozen data, complete and ordered; nothing here reads or formats.

Moments are UTC and naive; formats show them in `Identity.timezone`. Two moments of one interval
are equal where the moment is known exactly, and `not_before` is None where nothing bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from auditreg.config.settings import AppliedFramework
from auditreg.frameworks.parse import Framework
from auditreg.models import Finding, Grade, JudgedWaiver, RuleInfo, Severity, Status
from auditreg.queries.approval_verdicts import ApprovalVerdict
from auditreg.queries.captures import Capture
from auditreg.queries.change_groups import Change
from auditreg.queries.live_versions import LiveVersion
from auditreg.queries.records import (
    Basis,
    Deployment,
    Interval,
    Lifecycle,
    RecordedQuery,
    Statement,
)
from auditreg.report.coverage import FrameworkCoverage
from auditreg.report.provenance import Extraction, ExtractionAccount, Integrity


@dataclass(frozen=True, slots=True)
class Identity:
    """What the cover says. `incomplete` names the registries whose last reading was incomplete.

    `people` says how people are shown: `names`, `roles` or `initials`.
    """

    title: str
    entity: str | None
    period: str
    first_day: date
    last_day: date
    period_start: datetime
    period_end: datetime
    as_of: datetime
    timezone: str
    draft: bool
    prepared_by: str | None
    addressee: str | None
    tool_version: str
    policy: str
    registries: tuple[str, ...]
    incomplete: tuple[str, ...]
    people: str = "names"

    @property
    def state(self) -> str:
        """`Draft` or `Issued`."""
        return "Draft" if self.draft else "Issued"


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the summary page, and the section that details it."""

    id: str
    label: str
    value: int | None
    detail: str
    section: str


@dataclass(frozen=True, slots=True)
class SeverityCount:
    """Open findings of one severity: a rule is not met, or there is no record."""

    severity: Severity
    contradicts: int
    missing: int

    @property
    def total(self) -> int:
        """Both kinds together."""
        return self.contradicts + self.missing


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One line of a table of changes: one change, or several that belong together.

    `changes` is cut, `more` says by how many; `count` is how many the line stands for. `tags_only`:
    several tags of one thing, all set anew or all removed. `known` says how they are known.
    """

    when: Interval
    changes: tuple[Change, ...]
    more: int
    count: int
    tags_only: bool
    known: str

    @property
    def first(self) -> Change:
        """The change that tells the model, and who it was."""
        return self.changes[0]

    @property
    def versions(self) -> tuple[int | None, ...]:
        """The versions the line is about, None for the model itself."""
        return tuple(dict.fromkeys(change.version for change in self.changes))


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes of one sort in the period; `rows` is cut, `more` says by how many changes."""

    title: str
    note: str
    total: int
    rows: tuple[ChangeRow, ...]
    more: int


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One registered model. Fields are those of its version in use, else of its newest one."""

    subject: str
    registry: str
    workspace: str | None
    model: str
    slug: str
    deleted: bool
    created_at: datetime | None
    live: tuple[LiveVersion, ...]
    versions: int
    newest: int | None
    fields: dict[str, str]
    uncertain: tuple[str, ...]
    open_findings: int
    worst: Severity | None

    @property
    def in_use(self) -> bool:
        """Whether a version is, or may be, live."""
        return bool(self.live)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One time a version became live, and when it ceased.

    `known` says how that is known, `lasts` whether it is in use at the report's moment: `in use`,
    `possibly in use`, or nothing where it ceased.
    """

    subject: str
    model_subject: str
    model: str
    version: int
    via: str
    live: Interval
    ended: Interval | None
    actor: str | None
    actor_from: str | None
    grade: Grade
    approval: ApprovalVerdict | None
    known: str
    lasts: str


@dataclass(frozen=True, slots=True)
class LivePeriod:
    """One bar of a timeline: a version's time in use."""

    version: int
    start: Interval
    end: Interval | None


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of a timeline: a model."""

    label: str
    periods: tuple[LivePeriod, ...]


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """What one rule asked and the readings do not tell."""

    rule: RuleInfo
    answers: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """The open findings of one rule, worst and oldest first.

    `counts` add up to the population of the period; `carried` counts what is carried forward from earlier
    periods, on top of it. `not_asked` says why the rule was asked of nothing.
    """

    rule: RuleInfo
    population: int
    examined: int
    counts: dict[Status, int]
    carried: dict[Status, int]
    findings: tuple[Finding, ...]
    oldest: datetime | None
    error: str | None = None
    not_asked: str | None = None

    @property
    def severity(self) -> Severity:
        """That of its gravest finding, else the rule's own."""
        return min(
            (f.severity for f in self.findings), key=lambda s: s.rank, default=self.rule.severity
        )

    @property
    def looked_at(self) -> int:
        """How many subjects were examined, those carried forward among them."""
        return self.examined + sum(self.carried.values())

    @property
    def set_aside(self) -> int:
        """How many answers of the period the firm accepted or answered."""
        return self.counts[Status.WAIVED] + self.counts[Status.ANSWERED]

    @property
    def carried_open(self) -> int:
        """How many findings of earlier periods are open."""
        return sum(number for status, number in self.carried.items() if status.is_open)


@dataclass(frozen=True, slots=True)
class ModelFindings:
    """How many open findings of each severity one model has."""

    label: str
    slug: str | None
    counts: dict[Severity, int]
    contradicts: int
    missing: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """One governance field of one version: its values (two where it is uncertain)."""

    id: str
    number: int | None
    title: str
    values: tuple[str, ...]
    grade: Grade
    found_in: str
    uncertain: bool


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Governance fields that belong together; `missing` names those without a record."""

    title: str
    entries: tuple[FieldEntry, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set logged with the training run."""

    name: str
    context: str | None
    digest: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """The training run a version came from."""

    run_id: str
    name: str | None
    user: str | None
    started_at: datetime | None
    status: str | None
    deleted: bool
    commit: str | None


@dataclass(frozen=True, slots=True)
class SignatureColumn:
    """One input or output of a signature."""

    direction: str
    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of a version's files."""

    state: str
    problem: str | None
    sha256: str | None
    flavors: str
    python: str | None
    mlflow: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One version in depth: the fields, where it came from, what goes in and out."""

    subject: str
    version: int
    live: LiveVersion | None
    created_at: datetime | None
    stage: str | None
    aliases: str | None
    groups: tuple[FieldGroup, ...]
    run: Run | None
    run_id: str | None
    datasets: tuple[Dataset, ...]
    artifact: Artifact | None
    columns: tuple[SignatureColumn, ...]
    metrics: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in the list of a dossier, with what is recorded of its approval."""

    version: int
    created_at: datetime | None
    state: str
    deleted: bool
    approver: str | None
    role: str | None
    decision: str | None
    approved_on: str | None
    validated_on: str | None
    grade: Grade
    uncertain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything about one model; a file of its own. `reading` is its registry's last one."""

    slug: str
    row: InventoryRow
    description: str | None
    sheets: tuple[Sheet, ...]
    versions: tuple[VersionRow, ...]
    more_versions: int
    promotions: tuple[Promotion, ...]
    findings: tuple[Finding, ...]
    set_aside: tuple[Finding, ...]
    passed: int
    lifecycle: Lifecycle | None
    changes: tuple[ChangeRow, ...]
    uncaptured: ChangeGroup | None
    more_changes: int
    statements: tuple[Statement, ...]
    more_statements: int
    deployments: tuple[Deployment, ...]
    reading: ExtractionAccount | None


@dataclass(frozen=True, slots=True)
class Report:
    """The complete result, in the order in which it is read."""

    identity: Identity
    notices: tuple[str, ...]
    numbers: tuple[Number, ...]
    severities: tuple[SeverityCount, ...]
    changes: tuple[ChangeGroup, ...]
    inventory: tuple[InventoryRow, ...]
    not_in_use: tuple[InventoryRow, ...]
    promotions: tuple[Promotion, ...]
    lanes: tuple[Lane, ...]
    basis: Basis | None
    running: tuple[Deployment, ...]
    captures: tuple[Capture, ...]
    rules: tuple[RuleFindings, ...]
    frameworks: tuple[FrameworkCoverage, ...]
    drafts_left_out: tuple[tuple[Framework, AppliedFramework], ...]
    by_model: tuple[ModelFindings, ...]
    set_aside: tuple[Finding, ...]
    left_open: tuple[LeftOpen, ...]
    waivers: tuple[JudgedWaiver, ...]
    accounts: tuple[ExtractionAccount, ...]
    cannot_show: tuple[str, ...]
    extractions: tuple[Extraction, ...]
    earlier_extractions: int
    queries: tuple[RecordedQuery, ...]
    integrity: Integrity
    dossiers: tuple[Dossier, ...]

    @property
    def open_findings(self) -> int:
        """How many findings are open."""
        return sum(count.total for count in self.severities)
