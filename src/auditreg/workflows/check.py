"""One check of a ledger: judged by the policy in force, and sealed where that is possible."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import LedgerError
from auditreg.ledger.seal import FINDING_COLUMNS, CheckRecord, Sealed
from auditreg.models import CheckResult, Finding, Status

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Period
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.policy import PolicySet


Numbers = Mapping[str, tuple[int, datetime | None]]
"""Key of a finding to its number and since when it is open."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What a check is asked for. `as_of` is UTC; None judges the latest state."""

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
    """A check's result, what sealing it did (None where nothing was), and why it was not."""

    result: CheckResult
    sealed: Sealed | None = None
    unsealed: str = ""


def run_check(ledger: Ledger, governing: PolicySet, asked: CheckOptions) -> CheckOutcome:
    """Check a ledger file and seal the result.

    Raises:
        AuditregError: the ledger cannot be read, or a selection or rule names nothing.
    """
    with open_check(ledger, governing, asked) as (connection, found):
        # The file cannot be replaced everywhere while it is read, so all answers are taken first.
        result = replace(found, every=tuple(found.every) if asked.everything else ())
        subjects = _selected(connection) if asked.selection else None
    if not asked.sealable:
        return CheckOutcome(result)
    try:
        sealed, numbers = _seal(ledger, governing, result, subjects)
    except LedgerError as error:
        # A published copy or a folder without the right to write can be checked all the same.
        return CheckOutcome(result, unsealed=error.what)
    return CheckOutcome(_numbered(result, numbers), sealed)


@contextlib.contextmanager
def open_check(
    ledger: Ledger, governing: PolicySet, asked: CheckOptions
) -> Iterator[tuple[duckdb.DuckDBPyConnection, CheckResult]]:
    """The result of a check with the connection it was made on, for what asks further."""
    from auditreg.audit import Auditor
    from auditreg.ledger.policies import policy_digest

    with ledger.reader() as connection:
        auditor = Auditor(
            connection,
            governing.config,
            governing.rules,
            governing.parsed_waivers(),
            policy=policy_digest(governing.policies()),
            ledger=identity(connection, ledger.path.name),
        )
        yield (
            connection,
            auditor.check(
                asked.as_of, period=asked.period, selection=asked.selection, only=asked.only
            ),
        )


def identity(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, object]:
    """Which record is judged: its file, its size and root, and the last reading of each registry."""
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
            for reading in last_readings(connection)
        ],
    }


def _selected(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Every subject the check was limited to."""
    from auditreg.audit.snapshot import population_names

    parts = " union ".join(
        f"select subject from {name}"  # noqa: S608 - names of our own
        for name in population_names()
    )
    return tuple(str(subject) for (subject,) in connection.execute(parts).fetchall())


def _seal(
    ledger: Ledger,
    governing: PolicySet,
    result: CheckResult,
    subjects: tuple[str, ...] | None,
) -> tuple[Sealed, Numbers]:
    from auditreg.ledger.seal import seal_check

    record = CheckRecord(
        as_of=result.as_of,
        period=result.period,
        policy=result.policy,
        selection=result.selection,
        examined=tuple(r.rule.id for r in result.rules if r.error is None),
        selected=subjects,
        rules=[
            {
                "id": r.rule.id,
                "population": r.population,
                "examined": r.examined,
                "counts": _counts(r.counts),
                "error": r.error,
            }
            for r in result.rules
        ],
        summary=_counts(_totals(result)),
    )
    waivers = [
        {k: v for k, v in asdict(waiver).items() if k not in ("sentence", "covers")}
        for waiver in result.waivers
    ]
    with ledger.writer() as connection:
        sealed = seal_check(
            connection,
            record,
            _Answers(result.answers),
            waivers=waivers,
            policies=governing.policies(),
        )
        rows = connection.execute("select key, number, since from findings").fetchall()
    return sealed, {key: (number, since) for key, number, since in rows}


def _totals(result: CheckResult) -> dict[Status, int]:
    totals = dict.fromkeys(Status, 0)
    for rule in result.rules:
        for status, count in rule.counts.items():
            totals[status] += count
    return totals


def _counts(counts: Mapping[Status, int]) -> dict[str, int]:
    return {status.value: counts[status] for status in Status if counts.get(status)}


class _Answers:
    """The answers as an Arrow stream of the columns that are sealed.

    DuckDB makes the stream itself: a check would otherwise load pyarrow, numpy and pandas for it,
    which takes longer than the check.
    """

    def __init__(self, answers: Sequence[Finding]) -> None:
        import duckdb

        self._connection = duckdb.connect()
        self._connection.execute(
            "create table answer as select unnest(from_json(?, ?), recursive := true)",
            [json.dumps([_row(answer) for answer in answers]), json.dumps([FINDING_COLUMNS])],
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table = self._connection.table("answer")
        return table.__arrow_c_stream__(requested_schema)


def _row(answer: Finding) -> dict[str, Any]:
    rule, subject = answer.rule, answer.subject
    return {
        "key": answer.key,
        "rule": rule.id,
        "subject": subject.key,
        "severity": rule.severity.value,
        "registry": subject.registry,
        "workspace": subject.workspace,
        "model": subject.model,
        "version": subject.version,
        "status": answer.status.value,
        "reason": answer.reason,
        "grade": answer.grade.value,
        "fix": answer.fix,
        "repair": rule.repair.value,
        "evidence": _json(dict(answer.evidence)),
        "waiver": _json(asdict(answer.waiver)) if answer.waiver else None,
    }


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)


def _numbered(result: CheckResult, known: Numbers) -> CheckResult:
    """The result with the numbers the findings were given, and since when they are open."""

    def numbered(answer: Finding) -> Finding:
        if answer.key not in known:
            return answer
        number, since = known[answer.key]
        return replace(answer, number=number, since=since)

    return replace(
        result,
        answers=tuple(numbered(a) for a in result.answers),
        every=tuple(numbered(a) for a in result.every),
    )
