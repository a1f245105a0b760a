"""Taking a reading of a registry into the log: what changed, what vanished, and that it was read.

Everything is compared and written as whole sets in SQL. The log gains one entry per state that is
new or different, one `gone` per state that is no longer there, and one `extraction` event, which
carries the Merkle root over all earlier entries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError
from auditreg.ledger import capture_journal, entries, secrets, state
from auditreg.ledger.comparison import compare_states, count_changes, unexplained_changes
from auditreg.ledger.entries import Appender, Event, epoch_ms, now_ms, silent
from auditreg.ledger.erase import drop_erased
from auditreg.ledger.file_checks import UNCHANGED
from auditreg.ledger.intake import Intake
from auditreg.ledger.out_of_order import reposition_by_journal, restate_next_reading
from auditreg.ledger.policies import Policy, policy_digest, policy_events
from auditreg.ledger.replacement import Permissions, refuse_replacement
from auditreg.ledger.secrets import Key, mask
from auditreg.ledger.staging import drop_compared, drop_scratch, known_artifacts, stage
from auditreg.ledger.state_entries import append_states
from auditreg.ledger.workspaces import Workspaces, leave_out
from auditreg.resources import tool_version
from auditreg.sources.interface import READS, Completeness, Progress, Reading

if TYPE_CHECKING:
    import duckdb


FEW_ROWS = 50_000
"""To share up to so many rows among threads takes longer than to handle them in one."""


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What an extraction did to the ledger.

    `changes` maps (kind, `put` or `gone`) to the number of things the ledger holds more of, recorded by
    the server or seen; `new` a kind to how many of those put were not known before; `first` says whether
    it was the registry's first reading; `observed_at` is UTC. `journal` is the id of the server's journal
    where the reading showed one, `captured` the number of its rows taken in, and `unexplained` that of
    changes the journal should hold and does not. `clock_offset_ms` is the clock of the database or server
    minus this machine's. `prompts` counts the registered models that are prompts.
    """

    registry: str
    observed_at: datetime
    first: bool
    late: bool
    appended: int
    changes: Mapping[tuple[str, str], int]
    new: Mapping[str, int]
    counts: Mapping[str, int]
    secrets: int
    completeness: Completeness
    cannot_show: tuple[str, ...]
    root: str
    tree_size: int
    journal: str | None
    captured: int
    unexplained: int
    clock_offset_ms: int | None
    prompts: int = 0

    @property
    def complete(self) -> bool:
        """Whether the reading left nothing in doubt."""
        return self.completeness.complete


def ingest(  # noqa: PLR0913 - each is one thing the caller decides
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    *,
    registry: str,
    key: Key,
    policies: Sequence[Policy],
    observed_at: datetime | None = None,
    allow_empty: bool = False,
    allow_replacement: bool = False,
    secret_patterns: tuple[str, ...] = (),
    workspaces: Workspaces | None = None,
    progress: Progress | None = None,
) -> IngestSummary:
    """Take one reading in, on a writable connection to (a copy of) the ledger.

    Args:
        con: from `Ledger.writer`.
        reading: an open reading.
        registry: the configured name of the registry.
        key: makes the hashes of secrets.
        policies: the governing texts in force; sealed where they changed.
        observed_at: the moment the data are from, UTC, where the source is a restored backup.
        allow_empty: take an empty registry in although the ledger knows models.
        allow_replacement: take in what looks like another registry, or like an older copy.
        secret_patterns: further patterns of names that hold credentials.
        workspaces: those that are taken in, all of them where it is None.
        progress: told about phases.

    Raises:
        NothingToAudit: the registry holds no model and the ledger knows none.
        SourceError: the registry is empty although the ledger knows models, looks like another one
            or like an older copy, or cannot be read.
        UsageError: `observed_at` is after the reading.
    """
    report = progress or silent
    intake, completeness = _stage(
        con, reading, registry, observed_at, workspaces or Workspaces(), report
    )
    report("comparing", 0, None)
    replaced = _mask(intake, key, secret_patterns)
    intake.appender.append_events(policy_events(con, policies), intake.recorded_at)
    moved, taken = _take_journal(intake, key, secret_patterns)
    completeness = _with_journal(completeness, taken)
    covered = [kind for kind in reading.kinds() if kind in READS]
    moved |= compare_states(intake, covered if completeness.complete else [])
    drop_erased(con, key)
    unexplained = taken.unrecorded + unexplained_changes(intake)
    restored = observed_at is not None
    allowed = Permissions(restored=restored, empty=allow_empty, replacement=allow_replacement)
    if refuse_replacement(intake, allowed, completeness=completeness, unexplained=unexplained):
        completeness = replace(
            completeness, options={**completeness.options, "replacement": "allowed"}
        )
    changes, new = count_changes(con, captured=taken.rows > 0)
    append_states(intake, report)
    if intake.late:
        restate_next_reading(intake)
    report("sealing", 0, None)
    body = {
        **_source_account(reading, completeness, covered),
        **_journal_account(reading, taken),
        "started_at": epoch_ms(intake.started),
        "restored": restored,
        "tool_version": tool_version(),
        "policy": policy_digest(policies),
    }
    tree = _seal(intake, body)
    report("building tables", 0, None)
    counts = dict(con.execute("select kind, count(*) from incoming group by kind").fetchall())
    prompts = entries.number(con, _PROMPTS)
    drop_compared(con)
    state.refresh(con, intake.base, late=intake.late or moved or taken.moved, staged=True)
    drop_scratch(con, intake.staged)
    return IngestSummary(
        registry=registry,
        observed_at=intake.observed,
        first=intake.first,
        late=intake.late,
        appended=entries.size(con) - intake.base,
        changes=changes,
        new=new,
        counts=counts,
        secrets=replaced + taken.secrets,
        completeness=completeness,
        cannot_show=reading.info.cannot_show,
        root=tree["root"],
        tree_size=tree["tree_size"],
        journal=reading.journal,
        captured=taken.rows,
        unexplained=unexplained,
        clock_offset_ms=reading.info.clock_offset_ms,
        prompts=prompts,
    )


def _stage(
    con: duckdb.DuckDBPyConnection,
    reading: Reading,
    registry: str,
    observed_at: datetime | None,
    workspaces: Workspaces,
    report: Progress,
) -> tuple[Intake, Completeness]:
    """Put what is to be taken in into the staging tables; with the account of how complete it is."""
    if reading.journal:
        reading.skip_journal(capture_journal.sealed(con, registry, reading.journal))
    if observed_at is None:  # a backup's rows are compared with what was known then
        reading.known_artifacts(known_artifacts(con, registry))
    staged = stage(con, reading, report)
    completeness = leave_out(con, registry, workspaces, reading.completeness())
    started, observed = _moments(reading, observed_at)
    last = _last_moment(con, registry)
    intake = Intake(
        con=con,
        reading=reading,
        registry=registry,
        staged=staged,
        started=started,
        observed=observed,
        first=last is None,
        late=last is not None and last > observed,
        recorded_at=now_ms(),
        appender=Appender(con),
        base=entries.size(con),
    )
    if staged.rows + intake.base <= FEW_ROWS:
        con.execute("set threads = 1")
    return intake, completeness


def _mask(intake: Intake, key: Key, secret_patterns: tuple[str, ...]) -> int:
    """Replace credentials in the staging tables that hold any row; the number replaced."""
    filled = intake.staged.filled
    return mask(
        intake.con,
        key,
        secret_patterns,
        staged=[table for table in secrets.STAGED if table in filled],
        texts={table: names for table, names in secrets.TEXTS.items() if table in filled},
    )


def _take_journal(
    intake: Intake, key: Key, secret_patterns: tuple[str, ...]
) -> tuple[bool, capture_journal.JournalIntake]:
    """Append what the server's journal says; whether older entries moved, and what was taken."""
    if not intake.reading.journal:
        return False, capture_journal.JournalIntake()
    moved = intake.late and reposition_by_journal(intake)
    return moved, capture_journal.take(intake, key, secret_patterns)


def _seal(intake: Intake, body: Mapping[str, Any]) -> dict[str, Any]:
    """Append the closing event with the root over all entries before it; what it says of them."""
    tree = entries.load_tree(intake.con)
    sealed = {
        "appended": tree.size - intake.base,
        "tree_size": tree.size,
        "root": tree.root().hex(),
    }
    subject = f"extraction:{intake.registry}"
    closing = Event("extraction", subject, {**body, **sealed}, registry=intake.registry)
    intake.appender.append_events(
        [replace(closing, observed_at=intake.observed)], intake.recorded_at
    )
    entries.grow_tree(intake.con, tree)
    entries.save_tree(intake.con, tree)
    return sealed


_PROMPTS = """
select count(distinct (workspace, model)) from stage_registered_model_tags
where key = 'mlflow.prompt.is_prompt' and lower(value) = 'true'
"""


def _with_journal(completeness: Completeness, taken: capture_journal.JournalIntake) -> Completeness:
    """The account of the reading, with the rows of the journal that could not be read."""
    doubts = [
        f"{number} row(s) of the server's journal could not be read ({problem}); they are kept as "
        "they stood"
        for problem, number in (taken.unreadable or {}).items()
    ]
    return replace(completeness, doubts=(*completeness.doubts, *doubts)) if doubts else completeness


def _moments(reading: Reading, observed_at: datetime | None) -> tuple[datetime, datetime]:
    """Start and end of the reading; both the given moment for a restored backup.

    Raises:
        UsageError: that moment is yet to come. Every later reading would count as older than it.
    """
    ended = _utc(reading.ended_at)
    if observed_at is None:
        return _utc(reading.started_at), ended
    moment = observed_at.astimezone(UTC).replace(tzinfo=None) if observed_at.tzinfo else observed_at
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if moment > ended:
        raise UsageError(
            f"The backup cannot be of {moment:%Y-%m-%d %H:%M:%S}Z: that is after this reading, which "
            f"ended at {ended:%Y-%m-%d %H:%M:%S}Z.",
            state=UNCHANGED,
            hint="Give the moment the backup was made with --observed-at; a date alone means the end of "
            "that day, so give the time too for a backup of today.",
        )
    return moment, moment


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def _last_moment(con: duckdb.DuckDBPyConnection, registry: str) -> datetime | None:
    """The moment of the registry's latest reading; None before the first one."""
    query = "select max(observed_at) from extractions where registry = ?"
    [(last,)] = con.execute(query, [registry]).fetchall()
    return last if isinstance(last, datetime) else None


def _journal_account(reading: Reading, taken: capture_journal.JournalIntake) -> dict[str, Any]:
    """What the closing event says of the server's journal."""
    has_journal = bool(reading.journal)
    return {
        "journal": reading.journal,
        "journal_rows": taken.rows if has_journal else None,
        "journal_ranges": json.dumps(taken.ranges) if has_journal else None,
    }


def _source_account(
    reading: Reading, completeness: Completeness, covered: Sequence[str]
) -> dict[str, Any]:
    """What the closing event says of the source, and of how completely it was read."""
    info = reading.info
    return {
        "source_kind": info.kind,
        "location": info.location,
        "mlflow_version": info.mlflow_version,
        "schema_version": info.schema_version,
        "kinds": ",".join(covered),
        "complete": completeness.complete,
        "doubts": json.dumps(completeness.doubts),
        "counts": json.dumps(completeness.counts),
        "left_out": json.dumps(completeness.left_out),
        "cannot_show": json.dumps(info.cannot_show),
        "passes": completeness.passes,
        "asked": json.dumps(completeness.options),
        "gaps": completeness.gaps,
        "tombstones": completeness.tombstones,
        "clock_offset_ms": info.clock_offset_ms,
    }
