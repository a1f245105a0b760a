"""One check of a ledger: judged by the policy in force, and sealed where that is possible."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import AuditregError, ExitCode, LedgerError, worst
from auditreg.ledger.entries import epoch_ms
from auditreg.ledger.policies import policy_digest
from auditreg.ledger.seal import CheckRecord, Sealed
from auditreg.models import CheckResult, ClosedWhy, Finding, Severity, Status
from auditreg.queries.finding_numbers import FindingAge, finding_ages, with_ages
from auditreg.queries.prompts import refuse_prompts
from auditreg.workflows.sealed_result import last_result, sealed_json

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Period
    from auditreg.ledger.policies import Policy
    from auditreg.ledger.seal import Closing
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.policy import PolicySet


NOTHING_NEW = Sealed(opened=0, changed=0, closed=0)
"""What is sealed of a check that comes to the last one's result: nothing."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What a check covers. `as_of` is UTC; None judges the latest state."""

    as_of: datetime | None = None
    period: Period | None = None
    selection: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    seal: bool = True
    everything: bool = False

    @property
    def sealable(self) -> bool:
        """Whether the result may be written down: a past moment is judged, never recorded."""
        return self.seal and self.as_of is None


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A check's result, what sealing it did (None where nothing was), and why it was not.

    `unusable` says what is wrong with frameworks that the settings name: no rule depends on them.
    """

    result: CheckResult
    sealed: Sealed | None = None
    unsealed: str = ""
    unusable: tuple[AuditregError, ...] = ()


def run_check(ledger: Ledger, policy_set: PolicySet, options: CheckOptions) -> CheckOutcome:
    """Check a ledger file and seal the result, where it is not the last one's.

    Raises:
        AuditregError: the ledger cannot be read, or a selection or rule names nothing.
    """
    return replace(_run(ledger, policy_set, options), unusable=policy_set.unusable)


def _run(ledger: Ledger, policy_set: PolicySet, options: CheckOptions) -> CheckOutcome:
    if options.sealable:  # what is judged must be what is sealed
        ledger.set_wal_aside()
    with ledger.reader() as connection:
        judge = _Judge(connection, ledger, policy_set, options)
        if (last := judge.last_result(options)) is not None:
            return CheckOutcome(last, NOTHING_NEW)
        judged = judge.check(options, all_views=False)
        # The file cannot be replaced everywhere while it is read, so all answers are taken first.
        result = replace(judged, every=tuple(judged.every) if options.everything else ())
        closings = judge.closings() if options.sealable else ()
    if not options.sealable:
        return CheckOutcome(result)
    try:
        whole = not (options.selection or options.only)
        sealed, ages = _seal(ledger, judge.policies, result, closings, whole=whole)
    except LedgerError as error:
        # A published copy or a folder without the right to write can be checked all the same.
        return CheckOutcome(result, unsealed=error.what)
    except PermissionError as error:
        return CheckOutcome(result, unsealed=f"{error.filename}: {error.strerror}.")
    return CheckOutcome(
        replace(
            result,
            answers=with_ages(result.answers, ages),
            every=with_ages(result.every, ages),
        ),
        sealed,
    )


def exit_code(result: CheckResult, fail_on: Severity | None) -> ExitCode:
    """What a check ends in: rules that failed to run and doubtful readings before findings."""
    codes = [ExitCode.OK]
    if any(examined.error for examined in result.rules):
        codes.append(ExitCode.ERROR)
    extractions = result.ledger.get("extractions")
    if isinstance(extractions, list) and not all(reading["complete"] for reading in extractions):
        codes.append(ExitCode.ERROR)
    judged = any(rule.population or rule.error or rule.carried for rule in result.rules)
    if not judged or result.nothing_live is not None:
        # No rule had a subject, or no version was judged: that must not look like a passed check.
        codes.append(ExitCode.NOTHING)
    if fail_on and any(finding.severity.rank <= fail_on.rank for finding in result.open):
        codes.append(ExitCode.FINDINGS)
    return worst(*codes)


@contextlib.contextmanager
def open_check(
    ledger: Ledger, policy_set: PolicySet, options: CheckOptions
) -> Iterator[tuple[duckdb.DuckDBPyConnection, CheckResult]]:
    """The result of a check with the connection it was made on, for what asks further."""
    with ledger.reader() as connection:
        judge = _Judge(connection, ledger, policy_set, options)
        yield connection, judge.check(options, all_views=True)


class _Judge:
    """An open ledger with what it is judged by.

    Of a past moment, waivers are those that the last check by then had sealed: an acceptance of
    October does not make a finding accepted in September.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        policy_set: PolicySet,
        options: CheckOptions,
    ) -> None:
        from auditreg.audit import Auditor
        from auditreg.workflows.policy import as_known_by

        self._connection = connection
        self._policy_set, self._answers_known = (
            (policy_set, None)
            if options.as_of is None
            else as_known_by(connection, policy_set, options.as_of)
        )
        self.policies = self._policy_set.policies()
        self._policy = policy_digest(self.policies)
        self._identity = identity(connection, ledger.path.name, options.as_of)
        self._auditor = Auditor(
            connection,
            self._policy_set.config,
            self._policy_set.rules,
            self._policy_set.parsed_waivers(),
            policy=self._policy,
            ledger=self._identity,
        )

    def last_result(self, options: CheckOptions) -> CheckResult | None:
        """The last check's result, where this one covers the same and would come to the same."""
        narrowed = options.selection or options.only or options.period
        if not options.sealable or narrowed or options.everything:
            return None
        last = last_result(self._connection, self._policy_set, self._policy, self._identity)
        if last is not None:
            refuse_prompts(self._connection, None, None, "Nothing was checked.")
        return last

    def check(self, options: CheckOptions, *, all_views: bool) -> CheckResult:
        """Judge; without `all_views` the connection shows only what the rules read."""
        result = self._auditor.check(
            options.as_of,
            period=options.period,
            selection=options.selection,
            only=options.only,
            all_views=all_views,
        )
        return replace(result, answers_known=self._answers_known)

    def closings(self) -> tuple[Closing, ...]:
        """What the check found not open any more; every answer is read before."""
        return self._auditor.closings()


def identity(
    connection: duckdb.DuckDBPyConnection, name: str, as_of: datetime | None = None
) -> dict[str, object]:
    """Which record is judged: its file, its size and root, and the last reading of each registry.

    Of a past moment, the last one by then.
    """
    from auditreg.ledger.entries import load_tree
    from auditreg.queries.status import last_readings

    tree = load_tree(connection)
    return {
        "file": name,
        "tree_size": tree.size,
        "root": tree.root().hex(),
        "extractions": [
            {
                "registry": reading.registry,
                "source": reading.source,
                "observed_at": reading.observed_at,
                "complete": reading.complete,
                "seq": reading.seq,
            }
            for reading in last_readings(connection, as_of)
        ],
    }


def _seal(
    ledger: Ledger,
    policies: Sequence[Policy],
    result: CheckResult,
    closings: Sequence[Closing],
    *,
    whole: bool,
) -> tuple[Sealed, dict[str, FindingAge]]:
    from auditreg.ledger.seal import seal_check

    record = CheckRecord(
        as_of=result.as_of,
        period=result.period,
        policy=result.policy,
        selection=result.selection,
        rules=[
            {
                "id": r.rule.id,
                "population": r.population,
                "examined": r.examined,
                "counts": _counts(r.counts),
                "carried": _counts(r.carried),
                "not_asked": r.not_asked,
                "error": r.error,
            }
            for r in result.rules
        ],
        summary=_counts(_totals(result)),
    )
    waivers = [
        {k: v for k, v in asdict(waiver).items() if k not in ("sentence", "covers")}
        for waiver in result.waivers
        if whole or waiver.covers  # a check of a part says nothing of what it did not look at
    ]
    with ledger.writer() as connection:
        sealed = seal_check(
            connection,
            record,
            (_row(answer, result.as_of) for answer in result.answers),
            closings=closings,
            waivers=waivers,
            whole=whole,
            policies=policies,
        )
        return sealed, finding_ages(connection)


def _totals(result: CheckResult) -> dict[Status, int]:
    totals = dict.fromkeys(Status, 0)
    for rule in result.rules:
        for status, count in (*rule.counts.items(), *rule.carried.items()):
            totals[status] += count
    return totals


def _counts(counts: Mapping[Status, int]) -> dict[str, int]:
    return {status.value: counts[status] for status in Status if counts.get(status)}


def _row(answer: Finding, as_of: datetime) -> dict[str, Any]:
    """A finding as it is sealed; what was not open before is so since this check."""
    since = answer.since or (None if answer.status is Status.ERROR else as_of)
    rule, subject = answer.rule, answer.subject
    return {
        "key": answer.key,
        "rule": rule.id,
        "subject": subject.key,
        "severity": answer.severity.value,
        "registry": subject.registry,
        "workspace": subject.workspace,
        "model": subject.model,
        "version": subject.version,
        "status": answer.status.value,
        "reason": answer.reason,
        "grade": answer.grade.value,
        "fix": answer.fix,
        "repair": rule.repair.value,
        "evidence": sealed_json(dict(answer.evidence)),
        "waiver": sealed_json(asdict(answer.waiver)) if answer.waiver else None,
        "since": epoch_ms(since) if since else None,
        "condition_since": epoch_ms(answer.condition_since) if answer.condition_since else None,
        "carried": answer.carried,
        "why": _not_open_because(answer),
    }


def _not_open_because(answer: Finding) -> str | None:
    """Why a finding among the answers is not open."""
    if answer.status is Status.ANSWERED and answer.waiver is not None:
        return answer.waiver.status
    return _NOT_OPEN.get(answer.status)


_NOT_OPEN = {
    Status.WAIVED: ClosedWhy.ACCEPTED.value,
    Status.PREDATES_POLICY: ClosedWhy.POLICY_CHANGED.value,
    Status.ERROR: ClosedWhy.ERROR.value,
}
