"""`auditreg.check/1`: the result of a check as JSON, frozen.

The types here are copies of their own and change only with the number in `SCHEMA`, so that what
reads them keeps working when auditreg's own types move on. `docs/schema/check-1.schema.json` is
generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from auditreg.config.schema import schema_of
from auditreg.formats.escape import json_bytes
from auditreg.formats.findings import open_by_severity, shown_findings, totals
from auditreg.formats.interface import CheckView
from auditreg.formats.tables import plain
from auditreg.live_names import NothingLive
from auditreg.models import CheckResult, Finding, RuleResult, Status, WaiverRef

SCHEMA: Final = "auditreg.check/1"

StatusV1 = Literal[
    "pass",
    "fail",
    "not_evidenced",
    "undecided",
    "not_applicable",
    "waived",
    "answered",
    "predates_policy",
    "error",
]
SeverityV1 = Literal["critical", "high", "medium", "low"]
GradeV1 = Literal["none", "asserted", "observed", "captured", "signed", "timestamped"]
RepairV1 = Literal["tag", "registry", "retrain", "history"]
ExtentV1 = Literal["model", "registry", "history"]
ScopeV1 = Literal[
    "registered_model",
    "model_version",
    "live_version",
    "live_in_period",
    "retired_version",
    "promotion",
    "ledger",
]
MomentV1 = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]
DateV1 = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
Count = Annotated[int, Meta(ge=0)]


class StatusCountsV1(Struct, forbid_unknown_fields=True, rename={"passed": "pass"}):
    """How many subjects got each answer."""

    passed: Count
    fail: Count
    not_evidenced: Count
    undecided: Annotated[
        Count, Meta(description="The readings, not the firm, leave it unknown; not open.")
    ]
    not_applicable: Count
    waived: Count
    answered: Annotated[Count, Meta(description="Events answered as repaired or rejected.")]
    predates_policy: Count
    error: Count


class SeverityCountsV1(Struct, forbid_unknown_fields=True):
    """How many open findings (`fail`, `not_evidenced`) there are of each severity."""

    critical: Count
    high: Count
    medium: Count
    low: Count


class FoundNameV1(Struct, forbid_unknown_fields=True):
    """A stage, an alias or a tag that versions of the registry have."""

    kind: Literal["stage", "alias", "tag"]
    name: str
    versions: Count


class NothingLiveV1(Struct, forbid_unknown_fields=True):
    """The names that count as live, and the commonest names that the registry has."""

    stages: list[str]
    aliases: list[str]
    found: list[FoundNameV1]


class SummaryV1(Struct, forbid_unknown_fields=True):
    """Counts over every subject of every rule that ran, and over what is carried forward."""

    status: StatusCountsV1
    severity: SeverityCountsV1
    nothing_live: Annotated[
        NothingLiveV1 | None,
        Meta(description="Given where rules about versions had no version to judge: exit code 3."),
    ]


class RuleV1(Struct, forbid_unknown_fields=True):
    """One rule over its whole population.

    `counts` add up to `population`, unless `error` says why it could not be evaluated.
    """

    id: str
    title: Annotated[str, Meta(description="What is asked.")]
    finding: Annotated[str, Meta(description="What is wrong where an answer is open.")]
    covered_by: Annotated[
        str | None,
        Meta(description="The rule whose finding is the cause where this does not apply."),
    ]
    severity: SeverityV1
    severity_by_rating: Annotated[
        dict[str, SeverityV1],
        Meta(description="Severity for models of a risk rating, where it differs."),
    ]
    scope: ScopeV1
    repair: RepairV1
    reads: Annotated[
        ExtentV1,
        Meta(description="How much of the record it needs to judge a model."),
    ]
    population: Count
    examined: Count
    counts: StatusCountsV1
    carried_forward: Annotated[
        StatusCountsV1,
        Meta(description="Findings about events of earlier periods, on top of the population."),
    ]
    not_asked: Annotated[
        str | None,
        Meta(
            description="Why it was asked of nothing: there is nothing of its scope, or it applies "
            "to none of it, or only named models were read and it needs more. Nothing follows from "
            "such a rule."
        ),
    ]
    error: str | None


class WaiverV1(Struct, forbid_unknown_fields=True):
    """What a finding was accepted with, who repairs it until when, or who answered it."""

    status: str
    reason: str
    approver: str | None
    owner: str | None
    ticket: str | None
    until: DateV1 | None
    answered_by: str | None
    answered_on: DateV1 | None


class FindingV1(Struct, forbid_unknown_fields=True):
    """One rule's answer for one subject."""

    id: Annotated[
        str | None, Meta(description="`F-n`, kept for good; null where nothing is sealed.")
    ]
    key: Annotated[str, Meta(description="Stable hash of rule and subject, on every machine.")]
    rule: str
    severity: SeverityV1
    subject: Annotated[str, Meta(description="Opaque key; survives renames.")]
    registry: str | None
    workspace: str | None
    model: str | None
    version: int | None
    status: StatusV1
    reason: str
    grade: Annotated[GradeV1, Meta(description="How strong the evidence is.")]
    since: Annotated[
        MomentV1 | None,
        Meta(
            description="Check since which it is open without a break; null where none was sealed."
        ),
    ]
    first_reported: Annotated[
        MomentV1 | None, Meta(description="First check that ever saw it; kept when it reopens.")
    ]
    condition_since: Annotated[
        MomentV1 | None,
        Meta(description="Since when the condition holds, where the rule can tell."),
    ]
    carried_forward: Annotated[
        bool, Meta(description="About an event of a period before the one that was judged.")
    ]
    looked_for: str
    fix: Annotated[str | None, Meta(description="The command that repairs it, if one does.")]
    repair: RepairV1
    evidence: Annotated[dict[str, Any], Meta(description="Further columns of the rule.")]
    waiver: WaiverV1 | None


class CheckV1(Struct, forbid_unknown_fields=True):
    """The result of a check."""

    schema: Literal["auditreg.check/1"]
    as_of: Annotated[MomentV1, Meta(description="The moment that was judged, UTC.")]
    ledger: Annotated[dict[str, Any], Meta(description="Which record was judged.")]
    policy: Annotated[
        str, Meta(description="Digest over rules, frameworks, configuration, people, waivers.")
    ]
    summary: SummaryV1
    rules: list[RuleV1]
    findings: Annotated[
        list[FindingV1],
        Meta(
            description="The open, waived, answered and erroneous ones, worst first; with --all "
            "every subject of every rule."
        ),
    ]


class CheckJson:
    """Renders `auditreg.check/1`."""

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """See `CheckFormat.render`."""
        return json_bytes(msgspec.to_builtins(check_v1(result, everything=view.everything)))


def check_v1(result: CheckResult, *, everything: bool = False) -> CheckV1:
    """A result in its frozen form."""
    return CheckV1(
        schema=SCHEMA,
        as_of=plain(result.as_of),
        ledger=plain(dict(result.ledger)),
        policy=result.policy,
        summary=SummaryV1(
            status=_counts(totals(result)),
            severity=SeverityCountsV1(**open_by_severity(result)),
            nothing_live=_nothing_live(result.nothing_live),
        ),
        rules=[_rule(rule) for rule in sorted(result.rules, key=lambda r: r.rule.id)],
        findings=[finding_v1(a) for a in shown_findings(result, everything=everything)],
    )


def _nothing_live(nothing: NothingLive | None) -> NothingLiveV1 | None:
    if nothing is None:
        return None
    return NothingLiveV1(
        stages=list(nothing.stages),
        aliases=list(nothing.aliases),
        found=[FoundNameV1(kind, name, number) for kind, name, number in nothing.found],
    )


def _rule(result: RuleResult) -> RuleV1:
    rule = result.rule
    return RuleV1(
        id=rule.id,
        title=rule.title,
        finding=rule.finding,
        covered_by=rule.covered_by,
        severity=rule.severity.value,
        severity_by_rating={r: s.value for r, s in rule.severity_by_rating.items()},
        scope=rule.scope.value,
        repair=rule.repair.value,
        reads=rule.reads.value,
        population=result.population,
        examined=result.examined,
        counts=_counts({Status(status): n for status, n in result.counts.items()}),
        carried_forward=_counts({Status(status): n for status, n in result.carried.items()}),
        not_asked=result.not_asked,
        error=result.error,
    )


def finding_v1(answer: Finding) -> FindingV1:
    """An answer in its frozen form."""
    rule, subject = answer.rule, answer.subject
    return FindingV1(
        id=answer.id,
        key=answer.key,
        rule=rule.id,
        severity=answer.severity.value,
        subject=subject.key,
        registry=subject.registry,
        workspace=subject.workspace,
        model=subject.model,
        version=subject.version,
        status=answer.status.value,
        reason=answer.reason,
        grade=answer.grade.value,
        since=plain(answer.since),
        first_reported=plain(answer.first_reported),
        condition_since=plain(answer.condition_since),
        carried_forward=answer.carried,
        looked_for=rule.looks_for,
        fix=answer.fix,
        repair=rule.repair.value,
        evidence=plain(dict(answer.evidence)),
        waiver=_waiver(answer.waiver),
    )


def _waiver(waiver: WaiverRef | None) -> WaiverV1 | None:
    if waiver is None:
        return None
    return WaiverV1(
        status=waiver.status,
        reason=waiver.reason,
        approver=waiver.approver,
        owner=waiver.owner,
        ticket=waiver.ticket,
        until=plain(waiver.until),
        answered_by=waiver.answered_by,
        answered_on=plain(waiver.answered_on),
    )


def _counts(counts: Mapping[Status, int]) -> StatusCountsV1:
    named = {"passed" if s is Status.PASS else s.value: counts.get(s, 0) for s in Status}
    return StatusCountsV1(**named)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `auditreg.check/1`."""
    return schema_of(CheckV1, SCHEMA)
