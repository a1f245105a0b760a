"""Where the report's facts are from: readings, how complete they were, what they cannot show, the seal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from auditreg.models import CheckResult
from auditreg.queries.reader import Reader, Row, decoded, texts
from auditreg.queries.readings import read_readings
from auditreg.queries.records import Stretch
from auditreg.sources.interface import is_of_unread_files
from auditreg.sql import moment_literal
from auditreg.words import bytes_in_words, quantity

_SHOWN = 6

ALWAYS_UNSEEN = (
    (
        "Which version a rating engine or another system outside MLflow actually loaded, beyond what "
        "imported records of deployments state, and the prices it gave. A stage or an alias says "
        "what the firm intends."
    ),
    "Requests, predictions and complaints: they are not in a model registry.",
    (
        "The identity of the person who entered a tag or a name. MLflow stores what the client sends, unless its server "
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


ROWS = {
    "registered_models": "registered models",
    "registered_model_tags": "tags of models",
    "model_versions": "versions",
    "model_version_tags": "tags of versions",
    "aliases": "aliases",
    "experiments": "experiments",
    "runs": "training runs",
    "run_params": "parameters of runs",
    "run_metrics": "metrics of runs",
    "run_tags": "tags of runs",
    "run_datasets": "data sets of runs",
    "logged_models": "logged models",
    "logged_model_params": "parameters of logged models",
    "logged_model_metrics": "metrics of logged models",
    "logged_model_tags": "tags of logged models",
    "model_artifacts": "versions whose model files were to be read",
    "journal": "rows of the server's journal",
    "principals": "users",
    "permissions": "permissions",
}
"""What people call the rows of the tables a source is read into; in the order shown."""

_REQUESTED = {
    ("runs", "linked"): "training runs that a version points to",
    ("runs", "all"): "every training run",
    ("artifacts", "all"): "the files of every version",
    ("artifacts", "live"): "the files of versions in use",
    ("artifacts", "none"): "no model files",
    ("manifest", "all"): "a hash of every file of a model",
    ("manifest", "live"): "a hash of every file of versions in use",
    ("manifest", "local"): "a hash of every file of versions in use that are on the disks of the "
    "machine that read them",
    ("manifest", "none"): "",
    ("manifest", "yes"): "a hash of every file of a model",
    ("manifest", "no"): "",
}


@dataclass(frozen=True, slots=True)
class RowCount:
    """One table: as the source counts it (None where it gives no count) and as it was read.

    `elsewhere` says that its rows are not the source's: what is missing could not be reached.
    """

    name: str
    counted: int | None
    read: int | None
    elsewhere: bool = False

    @property
    def agrees(self) -> bool | None:
        """Whether both numbers are the same; None where one is missing."""
        if self.counted is None or self.read is None:
            return None
        return self.counted == self.read

    @property
    def missing(self) -> int:
        """How many were counted and not read, as far as both numbers are known."""
        return (self.counted or 0) - self.read if self.read is not None else 0

    @property
    def empty(self) -> bool:
        """Whether there is none of it, by both numbers."""
        return self.agrees is True and not self.read


@dataclass(frozen=True, slots=True)
class ExtractionAccount:
    """The reading one registry's state rests on, and how complete it was.

    `later` says that it was made after the moment the report shows. `lead`, `requested` and
    `passes` are sentences or parts of one. `left_out` was not read on purpose; `unread` should have
    been read and could not be.
    """

    seq: int
    registry: str
    source: str
    observed_at: datetime
    complete: bool
    later: bool
    lead: str
    requested: tuple[str, ...]
    parts: tuple[RowCount, ...]
    doubts: tuple[str, ...]
    left_out: tuple[str, ...]
    unread: tuple[str, ...]
    gaps: int | None
    tombstones: int | None
    passes: str
    cannot_show: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """`complete`, or `incomplete`: never anything between."""
        return "complete" if self.complete else "incomplete"

    @property
    def none_of(self) -> tuple[str, ...]:
        """Names of what was counted and of which there is none."""
        return tuple(part.name for part in self.parts if part.empty)


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
    parts: tuple[RowCount, ...]
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
        counted = [part.counted for part in self.parts if part.counted is not None]
        return sum(counted) if counted else None

    @property
    def taken(self) -> int:
        """Rows read over all tables."""
        return sum(part.read or 0 for part in self.parts)


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


def read(reader: Reader, check: CheckResult, ledger: str, *, draft: bool) -> Provenance:
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
    numbers = {row["seq"] for row in (*last.values(), *by_then[-_SHOWN:])}
    shown = [row for row in rows if row["seq"] in numbers]
    return Provenance(
        accounts=_accounts(rows),
        extractions=tuple(_extraction(row) for row in shown[::-1]),
        earlier=len(by_then) - sum(not row["later"] for row in shown),
        first_observed=by_then[0]["observed_at"] if by_then else None,
        last_observed=by_then[-1]["observed_at"] if by_then else None,
        first_reading=first,
        cannot_show=(*_prompts(reader), *ALWAYS_UNSEEN),
        integrity=_integrity(check, ledger, rows, draft=draft),
    )


def _accounts(rows: Iterable[Row]) -> tuple[ExtractionAccount, ...]:
    """The account of the reading each registry's state rests on, by name of the registry."""
    chosen = [row for row in rows if row["rests_on"]]
    return tuple(_account(row) for row in sorted(chosen, key=lambda row: str(row["registry"])))


def _account(row: Row) -> ExtractionAccount:
    of_server = row["source"] == "rest"
    parts = _parts(decoded(row["counts"], {}))
    versions = next((part for part in parts if part.name == "versions"), None)
    left_out, unread = _left_out(row["left_out"])
    return ExtractionAccount(
        seq=row["seq"],
        registry=row["registry"],
        source=row["source"],
        observed_at=row["observed_at"],
        complete=bool(row["complete"]),
        later=bool(row["later"]),
        lead=_lead("server" if of_server else "database", versions) + _lead_of_files(parts),
        requested=_requested(decoded(row["asked"], {})),
        parts=parts,
        doubts=texts(row["doubts"]),
        left_out=left_out,
        unread=unread,
        gaps=row["gaps"],
        tombstones=row["tombstones"],
        passes=_passes(row["passes"], of_server=of_server),
        cannot_show=tuple(map(_sentence, texts(row["cannot_show"]))),
    )


def _parts(counts: object) -> tuple[RowCount, ...]:
    """The tables in the order of `ROWS`, unknown ones by name at the end."""
    if not isinstance(counts, dict):
        return ()
    order = list(ROWS)
    parts = []
    for table in sorted(counts, key=lambda t: (order.index(t) if t in ROWS else len(order), t)):
        name = ROWS[table] if table in ROWS else table.replace("_", " ")
        match counts[table]:
            case [int() | None as counted, int() | None as taken]:
                parts.append(RowCount(name, counted, taken, elsewhere=table == "model_artifacts"))
            case int() as taken:
                parts.append(RowCount(name, None, taken))
            case _:
                parts.append(RowCount(name, None, None))
    return tuple(parts)


def _lead(source: str, versions: RowCount | None) -> str:
    """How many versions the source counted, and how many were read."""
    if versions is None or versions.read is None:
        return "How many versions were read is not recorded."
    were = "was" if versions.read == 1 else "were"
    if versions.counted is None:
        read = quantity(versions.read, "version")
        return f"The {source} gives no count of its own; {read} {were} read."
    return f"The {source} counted {quantity(versions.counted, 'version')}; {versions.read:,} {were} read."


def _lead_of_files(parts: tuple[RowCount, ...]) -> str:
    """What is added to it where model files could not be read."""
    files = next((part for part in parts if part.elsewhere), None)
    if files is None or not files.missing:
        return ""
    read = f"{files.read:,}" if files.read else "none"
    were = "was" if (files.read or 0) < 2 else "were"
    return (
        f" The files of {quantity(files.counted or 0, 'version')} were to be read; {read} {were}."
    )


def _requested(options: object) -> tuple[str, ...]:
    if not isinstance(options, dict) or not options:
        return ()
    workspaces = str(options.get("workspaces", "all"))
    first = "the whole registry" if workspaces == "all" else f"workspaces {workspaces}"
    words = [
        _REQUESTED.get((str(option), str(value)), f"{option}: {value}")
        for option, value in options.items()
        if option not in ("workspaces", "hashed up to", "bytes hashed")
    ]
    return (first, *filter(None, (*words, _hashed(options))))


def _hashed(options: dict[str, object]) -> str:
    """How many bytes of model files were hashed, and of which size of a version none were."""
    hashed, up_to = (str(options.get(name)) for name in ("bytes hashed", "hashed up to"))
    if not hashed.isdecimal():
        return ""
    words = f"{bytes_in_words(int(hashed))} of model files hashed"
    if not up_to.isdecimal():
        return words
    return f"{words}, none of a version of more than {bytes_in_words(int(up_to))}"


def _left_out(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was left out on purpose, and what could not be read, in words."""
    reasons = decoded(value, value)
    if not isinstance(reasons, dict):
        return texts(reasons), ()
    left_out: list[str] = []
    unread: list[str] = []
    for reason, number in reasons.items():
        words = f"{number:,} {reason}" if isinstance(number, int) else f"{reason}: {number}"
        (unread if is_of_unread_files(reason) else left_out).append(words)
    return tuple(left_out), tuple(unread)


def _passes(passes: int | None, *, of_server: bool) -> str:
    if not of_server:
        return "once, in one snapshot of the database"
    if passes is None:
        return "how often is not recorded"
    if passes < 2:
        return "once"
    return f"{passes} times, until two readings agreed"


def _sentence(text: str) -> str:
    """A source's note as a sentence of a list."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _prompts(reader: Reader) -> tuple[str, ...]:
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
        parts=_parts(decoded(row["counts"], {})),
        left_out=texts(row["left_out"]),
        appended=row["appended"],
        tool_version=row["tool_version"],
        journal_rows=row["journal_rows"],
        restored=bool(row["restored"]),
        clock_offset_ms=row["clock_offset_ms"],
        later=row["later"],
    )


def _integrity(check: CheckResult, ledger: str, rows: list[Row], *, draft: bool) -> Integrity:
    """The seal the check was made on; else that of the last reading. A draft was never issued."""
    size, root = check.ledger.get("tree_size"), check.ledger.get("root")
    file = shlex.quote(ledger)
    if rows and (size is None or root is None):
        size, root = rows[-1]["tree_size"], rows[-1]["root"]
    return Integrity(
        ledger=ledger,
        tree_size=int(str(size)) if size is not None else None,
        root=str(root) if root is not None else None,
        policy=check.policy,
        commands=(
            (
                "Check that the ledger is unaltered and is the one used here",
                f"auditreg verify {file}" + (f" --root {size}:{root}" if root else ""),
            ),
            *(
                ()
                if draft
                else (
                    (
                        "Check that this file is the one that was issued",
                        "auditreg verify report.pdf",
                    ),
                )
            ),
            (
                "Without auditreg, in any DuckDB: entries that are not what was hashed (0 expected)",
                f'duckdb -readonly {file} "{_LEAVES}"',
            ),
        ),
    )
