"""The machine formats of `run`, `publish`, `verify` and `doctor`.

Their keys change only with the number in their schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from auditreg.errors import ExitCode
from auditreg.formats import extract_json
from auditreg.formats.findings import open_by_severity

if TYPE_CHECKING:
    from auditreg.ledger.verify import Verification
    from auditreg.queries.issued import IssuedFile
    from auditreg.workflows.doctor import DoctorCheck
    from auditreg.workflows.publish import Published
    from auditreg.workflows.run import ScheduledRun

RUN: Final = "auditreg.run/1"
PUBLISHED: Final = "auditreg.published/1"
VERIFICATION: Final = "auditreg.verification/1"
ISSUED: Final = "auditreg.issued/1"
DOCTOR: Final = "auditreg.doctor/1"


def run_document(done: ScheduledRun, ledger: str) -> dict[str, Any]:
    """`auditreg.run/1`: what came of each phase; null where one did not take place."""
    return {
        "schema": RUN,
        "exit_code": int(done.code),
        "trusted": done.trusted,
        "extract": extract_json.document(done.extractions, ledger),
        "check": _check(done),
        "publish": _copy(done),
        "errors": {
            phase: msgspec.to_builtins(extract_json.error_v1(error))
            for phase, error in done.errors.items()
        },
        "skipped": done.skipped,
    }


def _check(done: ScheduledRun) -> dict[str, Any] | None:
    if done.check is None:
        return None
    result = done.check.result
    return {
        "as_of": f"{result.as_of.isoformat()}Z",
        "policy": result.policy,
        "open": open_by_severity(result),
        "errors": [rule.rule.id for rule in result.rules if rule.error],
        "exit_code": int(done.codes["check"]),
    }


def _copy(done: ScheduledRun) -> dict[str, Any] | None:
    copy = done.publication
    if copy is None:
        return None
    return {"file": str(copy.file), "new": copy.new, "complete": copy.complete}


def published_document(done: Published) -> dict[str, Any]:
    """`auditreg.published/1`: the newest copy, and whether it was made now."""
    return {
        "schema": PUBLISHED,
        "file": str(done.file),
        "new": done.new,
        "copy": msgspec.to_builtins(done.copy),
        "copies": done.copies,
        "notes": list(done.notes),
    }


def verification_document(done: Verification) -> dict[str, Any]:
    """`auditreg.verification/1`: what was recomputed, and every problem."""
    return {
        "schema": VERIFICATION,
        "verified": done.ok,
        "entries": done.entries,
        "erased": done.erased,
        "roots": done.roots,
        "tables": done.tables,
        "root": done.root,
        "problems": [{"what": problem.what, "seq": problem.seq} for problem in done.problems],
    }


def issued_document(issued: IssuedFile) -> dict[str, Any]:
    """`auditreg.issued/1`: the report that a file was issued with."""
    return {
        "schema": ISSUED,
        "verified": True,
        "file": issued.name,
        "period": [issued.first_day.isoformat(), issued.last_day.isoformat()],
        "issued_at": f"{issued.recorded_at.isoformat()}Z",
        "entry": issued.seq,
        "sha256": issued.sha256,
    }


def doctor_document(checks: Sequence[DoctorCheck], code: ExitCode) -> dict[str, Any]:
    """`auditreg.doctor/1`: whether all that is needed works, and each check."""
    return {
        "schema": DOCTOR,
        "works": code is ExitCode.OK,
        "checks": [
            {
                "name": check.name,
                "status": check.status,
                "found": check.description,
                "means": check.means,
                "repair": check.repair,
            }
            for check in checks
        ],
    }
