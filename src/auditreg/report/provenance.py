"""Where the report's facts are from: readings of the registry, what they cannot show, the seal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditreg.models import CheckResult
from auditreg.queries.reader import Reader, Row, decoded, texts
from auditreg.report import completeness
from auditreg.report.account import ExtractionAccount
from auditreg.report.model import Extraction, Integrity
from auditreg.report.wording import several
from auditreg.sql import moment_literal

_SHOWN = 6

ALWAYS_UNSEEN = (
    (
        "Which version a rating engine or another system outside MLflow actually loaded, beyond what "
        "imported records of deployments state, and the prices it gave. A stage or an alias says "
        "what the firm intends."
    ),
    "Requests, predictions and complaints: they are not in a model registry.",
    (
        "Who really typed a tag or a name. MLflow stores what the client sends, unless its server "
        "journals the signed-in user."
    ),
    (
        "When a tag or an alias was set, more exactly than between two readings, unless the server "
        "journals changes. A change made and undone between two readings leaves no trace."
    ),
    (
        "That a reviewer or an approver was independent in the organisation. Names are compared, "
        "reporting lines are not known."
    ),
    "Whether a document, a test or a limit is adequate. The report says that a record exists.",
    "Models that were never registered.",
)
"""What no MLflow registry shows, whatever the source: silence must not be read as assurance."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The readings behind a report and what the report can be checked against.

    `accounts` has the last reading of each registry, and how complete it was; `cannot_show` is what
    no registry shows, and what is left out of the report.
    """

    accounts: tuple[ExtractionAccount, ...]
    extractions: tuple[Extraction, ...]
    earlier: int
    first_observed: datetime | None
    last_observed: datetime | None
    cannot_show: tuple[str, ...]
    integrity: Integrity


_LEAVES = (
    "select count(*) from ledger.log "
    "where entry is not null and leaf <> unhex(sha256(chr(0) || entry))"
)
_EXTRACTIONS = """
select seq, registry, source, location, observed_at, recorded_at, mlflow_version, complete,
       doubts, counts, left_out, appended, tool_version, tree_size, root,
       journal_rows, restored, clock_offset_ms
from extractions where observed_at <= {t} order by observed_at, seq
"""


def read(reader: Reader, check: CheckResult, ledger: str) -> Provenance:
    """The readings up to the report's moment, and the seal."""
    rows = reader.rows("extractions", "Readings of the registry up to the moment", _EXTRACTIONS)
    last = {row["registry"]: row for row in rows}  # of each registry, rows being in order
    shown = [row for row in rows[:-_SHOWN] if row is last[row["registry"]]] + rows[-_SHOWN:]
    return Provenance(
        accounts=completeness.read(reader),
        extractions=tuple(_extraction(row) for row in shown[::-1]),
        earlier=len(rows) - len(shown),
        first_observed=rows[0]["observed_at"] if rows else None,
        last_observed=rows[-1]["observed_at"] if rows else None,
        cannot_show=(*prompts(reader), *ALWAYS_UNSEEN),
        integrity=_integrity(check, ledger, rows),
    )


def prompts(reader: Reader) -> tuple[str, ...]:
    """What is left out because it is no model, though MLflow keeps it as one."""
    [row] = reader.plain(
        f"select count(*) as prompts from prompts_as_of({moment_literal(reader.as_of)}) "  # noqa: S608 - a literal of ours
        "where model is not null"
    )
    if not row["prompts"]:
        return ()
    number = several(row["prompts"], "prompt")
    return (f"{number}: MLflow keeps prompts as registered models; this report is about models.",)


def _extraction(row: Row) -> Extraction:
    return Extraction(
        seq=row["seq"],
        registry=row["registry"],
        source=row["source"],
        location=row["location"],
        observed_at=row["observed_at"],
        recorded_at=row["recorded_at"],
        mlflow_version=row["mlflow_version"],
        complete=bool(row["complete"]),
        doubts=texts(row["doubts"]),
        counts=_counts(decoded(row["counts"], {})),
        left_out=texts(row["left_out"]),
        appended=row["appended"],
        tool_version=row["tool_version"],
        journal_rows=row["journal_rows"],
        restored=bool(row["restored"]),
        clock_offset_ms=row["clock_offset_ms"],
    )


def _counts(counts: Any) -> tuple[tuple[str, int | None, int | None], ...]:
    """`{table: [in the source, read]}` as rows; what is no such pair is shown as not counted."""
    found: list[tuple[str, int | None, int | None]] = []
    for table, pair in counts.items() if isinstance(counts, dict) else ():
        match pair:
            case [source, taken]:
                found.append((table, source, taken))
            case int():
                found.append((table, None, pair))
            case _:
                found.append((table, None, None))
    return tuple(sorted(found))


def _integrity(check: CheckResult, ledger: str, rows: list[Row]) -> Integrity:
    """The seal the check was made on; else that of the last reading."""
    size, root = check.ledger.get("tree_size"), check.ledger.get("root")
    if rows and (size is None or root is None):
        size, root = rows[-1]["tree_size"], rows[-1]["root"]
    return Integrity(
        ledger=ledger,
        tree_size=int(str(size)) if size is not None else None,
        root=str(root) if root is not None else None,
        policy=check.policy,
        commands=(
            (
                "The record is whole, and the one this report rests on",
                f"auditreg verify {ledger}" + (f" --root {size}:{root}" if root else ""),
            ),
            ("This file is the one that was issued", "auditreg verify report.pdf"),
            (
                "Without auditreg, in any DuckDB: entries that are not what was hashed (0 expected)",
                f'duckdb -readonly {ledger} "{_LEAVES}"',
            ),
        ),
    )
