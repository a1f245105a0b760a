"""What a report holds. Plain frozen data, complete and ordered; nothing here reads or formats.

Moments are UTC and naive; formats show them in `Identity.timezone`. Two moments of one interval
are equal where the moment is known exactly, and `not_before` is None where nothing bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from auditreg.models import Finding, Grade, JudgedWaiver, RuleInfo, Severity, Status, Subject
from auditreg.queries.change_groups import Change
from auditreg.queries.records import (
    Capture,
    Deployment,
    Interval,
    Lifecycle,
    Record,
    RecordedQuery,
    Statement,
)
from auditreg.report.account import ExtractionAccount
from auditreg.report.version_sheet import Live, Sheet, VersionRow


@dataclass(frozen=True, slots=True)
class Identity:
    """What the cover says. `incomplete` names the registries whose last reading was incomplete."""

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
    """Open findings of one severity: a record contradicts, or there is none."""

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
    several tags of one thing, all set anew or all removed.
    """

    when: Interval
    changes: tuple[Change, ...]
    more: int
    count: int
    tags_only: bool

    @property
    def first(self) -> Change:
        """The change that tells the model, who it was, and how it is known."""
        return self.changes[0]

    @property
    def versions(self) -> tuple[int | None, ...]:
        """The versions the line is about, None for the model itself."""
        return tuple(dict.fromkeys(one.version for one in self.changes))


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
    live: tuple[Live, ...]
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
    """One time a version became live, and when it ceased."""

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
    approval: Status | None
    approval_reason: str


@dataclass(frozen=True, slots=True)
class LiveSpan:
    """One bar of a timeline: a version's time in use."""

    version: int
    start: Interval
    end: Interval | None


@dataclass(frozen=True, slots=True)
class Lane:
    """One row of a timeline: a model, or a version of it."""

    label: str
    spans: tuple[LiveSpan, ...]


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """The open findings of one rule, worst and oldest first."""

    rule: RuleInfo
    population: int
    examined: int
    counts: dict[Status, int]
    findings: tuple[Finding, ...]
    oldest: datetime | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FieldPresence:
    """For how many versions in use a governance field is recorded."""

    field: str
    title: str
    recorded: int
    of: int


@dataclass(frozen=True, slots=True)
class ClauseCoverage:
    """One clause: how far a registry can answer, what the rules found, which fields there are."""

    ref: str
    title: str
    coverage: str
    note: str
    rules: tuple[str, ...]
    counts: dict[Status, int]
    fields: tuple[FieldPresence, ...]
    verified: str


@dataclass(frozen=True, slots=True)
class FrameworkCoverage:
    """One supervisor's text, clause by clause."""

    id: str
    title: str
    publisher: str
    edition: str
    status: str
    effective: date | None
    source: str
    note: str
    draft: bool
    clauses: tuple[ClauseCoverage, ...]


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
class Extraction:
    """One reading of the registry."""

    seq: int
    registry: str
    source: str
    location: str
    observed_at: datetime
    recorded_at: datetime
    mlflow_version: str | None
    complete: bool
    doubts: tuple[str, ...]
    counts: tuple[tuple[str, int | None, int | None], ...]
    left_out: tuple[str, ...]
    appended: int | None
    tool_version: str | None
    journal_rows: int | None
    restored: bool
    clock_offset_ms: int | None

    @property
    def in_source(self) -> int | None:
        """Rows the source itself counts over all tables; None where it counts none of them."""
        counted = [source for _, source, _ in self.counts if source is not None]
        return sum(counted) if counted else None

    @property
    def taken(self) -> int:
        """Rows read over all tables."""
        return sum(taken or 0 for _, _, taken in self.counts)


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the report can be checked against. Commands run in a shell beside the files."""

    ledger: str
    tree_size: int | None
    root: str | None
    policy: str
    commands: tuple[tuple[str, str], ...]


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
    reading: ExtractionAccount | None = None


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
    record: Record | None
    running: tuple[Deployment, ...]
    captures: tuple[Capture, ...]
    rules: tuple[RuleFindings, ...]
    frameworks: tuple[FrameworkCoverage, ...]
    by_model: tuple[ModelFindings, ...]
    set_aside: tuple[Finding, ...]
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

    def model_of(self, subject: Subject) -> str | None:
        """The slug of the dossier a finding's subject belongs to, None for the ledger's own."""
        key = subject.key.partition("/")[0]
        return next(
            (row.slug for row in self.inventory + self.not_in_use if row.subject == key), None
        )
