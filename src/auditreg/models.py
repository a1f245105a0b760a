"""The words of the domain: grades, statuses, severities, and what a check yields.

Nothing here reads or writes anything. Strings are the values that stand in the ledger and in
`auditreg.check/1`; the plain words for people stand beside them.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from auditreg.live_names import NothingLive


class Grade(enum.StrEnum):
    """How strong a piece of evidence is, weakest first."""

    NONE = "none"
    ASSERTED = "asserted"
    OBSERVED = "observed"
    CAPTURED = "captured"
    SIGNED = "signed"
    TIMESTAMPED = "timestamped"

    @property
    def words(self) -> str:
        """The grade as people read it."""
        return _GRADE_WORDS[self]


_GRADE_WORDS = {
    Grade.NONE: "no record",
    Grade.ASSERTED: "stated by the firm",
    Grade.OBSERVED: "seen by auditreg",
    Grade.CAPTURED: "recorded by the server",
    Grade.SIGNED: "signed",
    Grade.TIMESTAMPED: "signed, with independent time",
}


class Certainty(enum.StrEnum):
    """How sure the ledger is of a value at a moment."""

    CERTAIN = "certain"
    SEEN_SAME = "seen_same"
    UNCERTAIN = "uncertain"
    NOT_SEEN_SINCE = "not_seen_since"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The certainty as people read it."""
        return _CERTAINTY_WORDS[self]


_CERTAINTY_WORDS = {
    Certainty.CERTAIN: "certain",
    Certainty.SEEN_SAME: "equal before and after; a change undone in between would not show",
    Certainty.UNCERTAIN: "changed at some moment around this time",
    Certainty.NOT_SEEN_SINCE: "not looked at since",
    Certainty.UNKNOWN: "before any record",
}


class Severity(enum.StrEnum):
    """How bad an open finding is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low, for sorting."""
        return _SEVERITY_RANKS[self]


_SEVERITY_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Status(enum.StrEnum):
    """A rule's answer for one subject. The last four are given by the auditor alone."""

    PASS = "pass"  # noqa: S105 - an answer, no password
    FAIL = "fail"
    NOT_EVIDENCED = "not_evidenced"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"
    ANSWERED = "answered"
    PREDATES_POLICY = "predates_policy"
    ERROR = "error"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to act: a contradicting record, or a missing one."""
        return self in OPEN

    @property
    def is_finding(self) -> bool:
        """Whether such an answer is a finding: open, or not open for a reason of the firm's."""
        return self not in NO_FINDING

    @property
    def rank(self) -> int:
        """0 for what has to be looked at first, for sorting."""
        return _STATUS_RANKS[self]

    @property
    def words(self) -> str:
        """The status as people read it."""
        return _STATUS_WORDS[self]


OPEN = (Status.FAIL, Status.NOT_EVIDENCED)
"""Answers that somebody still has to act on."""

NO_FINDING = (Status.PASS, Status.UNDECIDED, Status.NOT_APPLICABLE)
"""Answers that are no findings: nothing is wrong, or the readings, not the firm, leave it unknown."""

_WORST_STATUS = (
    Status.ERROR,
    Status.FAIL,
    Status.NOT_EVIDENCED,
    Status.UNDECIDED,
    Status.WAIVED,
    Status.ANSWERED,
    Status.PREDATES_POLICY,
    Status.PASS,
    Status.NOT_APPLICABLE,
)
_STATUS_RANKS = {status: rank for rank, status in enumerate(_WORST_STATUS)}

_STATUS_WORDS = {
    Status.PASS: "met",
    Status.FAIL: "not met",
    Status.NOT_EVIDENCED: "no record found",
    Status.UNDECIDED: "cannot be told from the readings",
    Status.NOT_APPLICABLE: "not applicable",
    Status.WAIVED: "accepted until a date",
    Status.ANSWERED: "answered by the firm",
    Status.PREDATES_POLICY: "older than the policy",
    Status.ERROR: "could not be judged",
}


class ClosedWhy(enum.StrEnum):
    """Why a finding is not open any more."""

    REPAIRED = "repaired"
    """The rule is satisfied now, does not apply any more, or the firm says what it repaired."""
    ACCEPTED = "accepted"
    """The firm accepts it until a date."""
    REJECTED = "rejected"
    """The firm disputes it."""
    OUT_OF_SCOPE = "no longer in scope"
    """What it is about is no longer among what the rule asks about."""
    RULE_CHANGED = "rule changed"
    """The rule asks something else, or is not there any more."""
    POLICY_CHANGED = "policy changed"
    """The firm's settings are others: by those of the last check it would still be open."""
    UNDECIDED = "cannot be told"
    """The readings no longer tell."""
    ERROR = "could not be judged"
    """The rule did not run."""


class Scope(enum.StrEnum):
    """What a rule answers for: the population its subjects must equal."""

    REGISTERED_MODEL = "registered_model"
    MODEL_VERSION = "model_version"
    LIVE_VERSION = "live_version"
    LIVE_IN_PERIOD = "live_in_period"
    RETIRED_VERSION = "retired_version"
    PROMOTION = "promotion"
    LEDGER = "ledger"

    @property
    def is_event(self) -> bool:
        """Whether it is about what happened in a period: that stays true when the period is over."""
        return self in (Scope.PROMOTION, Scope.LIVE_IN_PERIOD)

    @property
    def nobody(self) -> str:
        """That there is nothing to ask about, as a sentence."""
        return _NOBODY[self]


_NOBODY = {
    Scope.REGISTERED_MODEL: "There is no registered model.",
    Scope.MODEL_VERSION: "There is no version.",
    Scope.LIVE_VERSION: "No version is in use.",
    Scope.LIVE_IN_PERIOD: "No version was in use in the period.",
    Scope.PROMOTION: "No version went live in the period.",
    Scope.RETIRED_VERSION: "No version that was live is in use no more.",
    Scope.LEDGER: "A check of single models asks nothing about the ledger.",
}


class Repair(enum.StrEnum):
    """What it takes to set a finding right."""

    TAG = "tag"
    """A tag or description can be set today."""
    REGISTRY = "registry"
    """Something in the registry (a stage, an alias, a run) can be put right today."""
    RETRAIN = "retrain"
    """It comes right with the next training."""
    HISTORY = "history"
    """A past event: it cannot be undone, and needs a response."""


class Extent(enum.StrEnum):
    """How much of the record a rule has to read to judge a model."""

    MODEL = "model"
    """The model with its versions, runs and files, as they are now."""
    REGISTRY = "registry"
    """Other models too, or who may do what."""
    HISTORY = "history"
    """What was before: earlier readings, the server's journal, records of other systems."""

    @property
    def words(self) -> str:
        """What is read, for people."""
        return _READ[self]


_READ = {
    Extent.MODEL: "the model as it is",
    Extent.REGISTRY: "other models or accounts too",
    Extent.HISTORY: "what was before, which a ledger remembers",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about, by its opaque key and by the names people use."""

    key: str
    registry: str | None = None
    workspace: str | None = None
    model: str | None = None
    version: int | None = None

    @property
    def label(self) -> str:
        """`model/version`, `model`, or `the ledger`."""
        if self.model is None:
            return "the ledger"
        return self.model if self.version is None else f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule's header: what it asks, how bad a miss is, what repairs it.

    `title` says what is asked, `finding` what is wrong where the answer is open. `severity_by_rating` has the
    severity of findings about models of a risk rating, where it differs. `covered_by` is the rule
    whose finding is the cause, where this one does not apply because of it. `reads` is how much of the
    record it needs. `sql` is the one SELECT; `digest` the SHA-256 of the whole file's text.
    """

    id: str
    title: str
    severity: Severity
    scope: Scope
    repair: Repair
    looks_for: str
    rationale: str
    remediation: str
    sql: str
    text: str
    params: Mapping[str, object] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    custom: bool = False
    finding: str = ""
    covered_by: str | None = None
    severity_by_rating: Mapping[str, Severity] = field(default_factory=dict)
    reads: Extent = Extent.MODEL

    @property
    def severity_words(self) -> str:
        """Its severity, and that of models of a rating where it differs."""
        rated = [f"{s} for models rated {r}" for r, s in sorted(self.severity_by_rating.items())]
        return "; ".join((self.severity.value, *rated))

    @property
    def digest(self) -> str:
        """SHA-256 of the rule file's text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def reads_period(self) -> bool:
        """Whether its SQL asks when the period begins or ends."""
        return "period_start" in self.sql or "period_end" in self.sql

    @property
    def is_about_events(self) -> bool:
        """Whether it asks what happened in a period, so that its findings outlast the period."""
        return self.scope.is_event or self.reads_period


@dataclass(frozen=True, slots=True)
class WaiverRef:
    """The waiver that covers a finding, as far as outputs need it."""

    status: str
    reason: str
    approver: str | None
    owner: str | None
    ticket: str | None
    until: date | None
    answered_by: str | None = None
    answered_on: date | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer for one subject, judged. `auditreg.check/1` calls it a finding.

    `number` is None where no check that saw it was sealed. `since`, the moment of the check since
    which it is open without a break, and `first_reported`, that of the first check that ever saw it,
    are as they were known at the moment that is judged. `condition_since` is what the rule says
    of when it became so, and `moments` names what in the evidence is a moment. `carried` is set where the finding is about an event of an earlier period, and
    `by_rating` where the model's risk rating makes it more or less severe.
    Moments are UTC and naive.
    """

    rule: RuleInfo
    subject: Subject
    status: Status
    reason: str
    grade: Grade = Grade.NONE
    fix: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    waiver: WaiverRef | None = None
    number: int | None = None
    since: datetime | None = None
    first_reported: datetime | None = None
    condition_since: datetime | None = None
    carried: bool = False
    by_rating: Severity | None = None
    moments: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def severity(self) -> Severity:
        """How bad it is: for a model of this risk rating, where the rule tells ratings apart."""
        return self.by_rating or self.rule.severity

    @property
    def words(self) -> str:
        """Its status as people read it; of an answered one, what the answer says."""
        if self.status is Status.ANSWERED and self.waiver is not None:
            return self.waiver.status
        return self.status.words

    @property
    def key(self) -> str:
        """A stable hash of rule and subject; the same on every machine and in every run."""
        return finding_key(self.rule.id, self.subject.key)

    @property
    def id(self) -> str | None:
        """`F-n`, or None where nothing is sealed."""
        return None if self.number is None else f"F-{self.number}"


def finding_key(rule: str, subject: str) -> str:
    """The stable key of a finding: SHA-256 over rule id and subject, 16 hex digits."""
    return hashlib.sha256(f"{rule}\n{subject}".encode()).hexdigest()[:16]


def worst_first(finding: Finding) -> tuple[int, int, str, str, int, str]:
    """The one order of findings: severity, status, rule, then the names of the subject."""
    subject = finding.subject
    return (
        finding.severity.rank,
        finding.status.rank,
        finding.rule.id,
        subject.model or "",
        subject.version or 0,
        subject.key,
    )


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule over its whole population: how many there are, how many it answered for.

    `counts` add up to `population` where there was no error. `carried` counts the findings about
    events of earlier periods, which come on top. `not_asked` says why the rule was asked of
    nothing: there is nothing of its scope, it applies to none of it, or it needs more of the record than was
    read (`out_of_reach`).
    """

    rule: RuleInfo
    population: int
    examined: int
    counts: Mapping[Status, int]
    error: str | None = None
    carried: Mapping[Status, int] = field(default_factory=dict)
    not_asked: str | None = None
    out_of_reach: bool = False


@dataclass(frozen=True, slots=True)
class JudgedWaiver:
    """One entry of waivers.toml, judged at the moment of a check.

    `judged` is `in_force`, `expired`, `unused`, `over_broad`, `self_approved`, `partly_self_approved`
    (it holds for other models), `names_nobody`, `service_account`, `not_in_office`, `by_stranger`,
    `overdue`, `not_yet` (an answer of a later day) or `no_event` (an answer about what did not happen
    at a moment); `sentence` says why in words. `covers` counts the findings of one that covers some
    (`auditreg.waivers.COVERING`); a repair under way leaves them open.
    """

    rule: str
    scope: str
    status: str
    reason: str
    approver: str | None
    ticket: str | None
    expires: date | None
    owner: str | None
    due: date | None
    judged: str
    sentence: str
    covers: int = 0
    answered_by: str | None = None
    answered_on: date | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to look at the waiver itself."""
        return self.judged not in ("in_force", "by_stranger", "partly_self_approved")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found.

    `answers` holds the findings: what is open, waived, answered, older than the policy or could
    not be judged, worst first; those about events of earlier periods among them. `every` yields all
    answers of every rule, the passed and undecided ones too, in the same order; large, and read
    from the connection the check ran on. `as_of` is UTC; `period` the two dates (first day, last
    day) that `promotion` and `live_in_period` were judged over, in the configured calendar.
    `answers_known` is given where the waivers are not those of today's file: the moment
    of the check that sealed them. `nothing_live` is given where rules about versions had none to judge.
    `no_longer_found`, of a past moment, are the numbers of findings that the checks of then had left open
    and that this one, by what is on record and in force today, does not have.
    """

    as_of: datetime
    period: tuple[date, date]
    policy: str
    ledger: Mapping[str, object]
    rules: tuple[RuleResult, ...]
    answers: Sequence[Finding]
    selection: tuple[str, ...] = ()
    waivers: tuple[JudgedWaiver, ...] = ()
    every: Iterable[Finding] = ()
    answers_known: datetime | None = None
    nothing_live: NothingLive | None = None
    no_longer_found: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings somebody still has to act on, worst first."""
        return tuple(a for a in self.answers if a.status.is_open)
