"""Where the report's facts are from: readings of the registry, what they cannot show, the seal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditreg.models import CheckResult, quantity
from auditreg.queries.reader import Reader, Row, decoded, texts
from auditreg.queries.readings import read_readings
from auditreg.queries.records import Stretch
from auditreg.report import completeness
from auditreg.report.account import ExtractionAccount
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
class Extraction:
    """One reading of the registry. `later`: it was made after the moment the report shows."""

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
    later: bool

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
class Provenance:
    """The readings behind a report and what the report can be checked against.

    `accounts` has the reading that each registry's state rests on, and how complete it was;
    `first_reading` by registry when the first complete one began and ended. `first_observed` and
    `last_observed` are of those by the report's moment. `cannot_show` is what no registry shows,
    and what is left out of the report.
    """

    accounts: tuple[ExtractionAccount, ...]
    extractions: tuple[Extraction, ...]
    earlier: int
    first_observed: datetime | None
    last_observed: datetime | None
    first_reading: dict[str, Stretch]
    cannot_show: tuple[str, ...]
    integrity: Integrity


_LEAVES = (
    "select count(*) from ledger.log "
    "where entry is not null and leaf <> unhex(sha256(chr(0) || entry))"
)


def read(reader: Reader, check: CheckResult, ledger: str) -> Provenance:
    """The readings that the state at the report's moment rests on, and the seal."""
    rows = read_readings(reader)
    by_then = [row for row in rows if not row["later"]]
    last: dict[str, Row] = {}
    first: dict[str, Stretch] = {}
    for row in rows:  # in order; those made later come last
        if not row["later"] or row["registry"] not in last:
            last[row["registry"]] = row
        if row["complete"]:
            first.setdefault(row["registry"], (row["started_at"], row["observed_at"]))
    wanted = {row["seq"] for row in (*last.values(), *by_then[-_SHOWN:])}
    shown = [row for row in rows if row["seq"] in wanted]
    return Provenance(
        accounts=completeness.accounts(rows),
        extractions=tuple(_extraction(row) for row in shown[::-1]),
        earlier=len(by_then) - sum(not row["later"] for row in shown),
        first_observed=by_then[0]["observed_at"] if by_then else None,
        last_observed=by_then[-1]["observed_at"] if by_then else None,
        first_reading=first,
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
    number = quantity(row["prompts"], "prompt")
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
        later=row["later"],
    )


def _counts(counts: Any) -> tuple[tuple[str, int | None, int | None], ...]:
    """`{table: [in the source, read]}` as rows; what is no such pair is shown as not counted."""
    parts: list[tuple[str, int | None, int | None]] = []
    for table, pair in counts.items() if isinstance(counts, dict) else ():
        match pair:
            case [source, taken]:
                parts.append((table, source, taken))
            case int():
                parts.append((table, None, pair))
            case _:
                parts.append((table, None, None))
    return tuple(sorted(parts))


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
