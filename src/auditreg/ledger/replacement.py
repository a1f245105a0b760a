"""Whether a reading is of the registry that the ledger knows by this name, and of its present.

Any store that is read under a registry's name would replace what is known of it, for good: the log
only grows. So three readings are refused until somebody says that they are meant: an empty one, one
that shares no model with what is known, or hardly one, and an older copy that is read as if it were of
today. What the server's journal tells of accounts for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditreg.errors import NothingToAudit, SourceError, redact_uri
from auditreg.ledger import capture_journal
from auditreg.ledger.file_checks import UNCHANGED
from auditreg.ledger.intake import Intake
from auditreg.ledger.workspaces import EVERY
from auditreg.sources.interface import Completeness
from auditreg.words import quantity

MANY = 3
"""From this many models on, a complete exchange of models is refused unless allowed."""

FRACTION = 10
"""If at most one in this many known models is shown, the registry counts as another one."""

CLOCKS = "interval 5 minutes"
"""By so much at most the clocks of servers and readers are thought to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the user allowed for this reading.

    `restored`: of which moment it is; `empty`: that the registry is empty; `replacement`: that it was
    replaced or set back.
    """

    restored: bool = False
    empty: bool = False
    replacement: bool = False


def refuse_replacement(
    intake: Intake, allowed: Permissions, *, completeness: Completeness, unexplained: int
) -> bool:
    """Refuse a compared reading that would wrongly replace what is known; whether one was let in.

    Args:
        intake: the reading, of which `incoming`, `known`, `changed` and `vanished` are made.
        allowed: what the user allowed for it.
        completeness: what the source left in doubt, and what of it was taken in.
        unexplained: the number of changes that the server's journal should hold and does not.

    Raises:
        NothingToAudit: the registry holds no model, and the ledger knows of none.
        SourceError: it is refused.
    """
    counts, complete = _count(intake), completeness.complete
    if not counts.shown:
        _refuse_empty(intake, counts, allowed, completeness)
        return False
    doubt = _other_registry(intake, counts, allowed, complete=complete)
    if doubt is None and complete and not allowed.restored and not intake.late:
        doubt = _older_copy(intake, unexplained)
    if doubt is not None and not allowed.replacement:
        raise doubt
    return doubt is not None


# Which models are there.

_COUNTS = f"""
with shown as (select subject, created_at from incoming where kind = 'registered_model'),
logged as (
    select distinct subject, nullif(created_at, timestamp '1970-01-01') as created_at
    from ledger.log where kind = 'registered_model' and registry = $registry
),
expected as (
    select subject, any_value(l.created_at) as created_at
    from known k join logged l using (subject)
    where k.kind = 'registered_model' and k.op = 'put' group by subject
),
-- what a later reading shows was there at the moment of a backup; that may be given as a day
due as (
    select subject from registered_models
    where $late and registry = $registry and not deleted
      and created_at <= $observed_at::TIMESTAMP - interval 1 day
),
-- of several that were created at one moment nobody can tell which was renamed: known all the same
stranger as (
    select * from shown where subject not in (select subject from logged)
    and (created_at is null
         or created_at not in (select created_at from logged where created_at is not null))
)
select (select count(*) from shown),
       (select count(*) from expected),
       (select count(*) from expected
        where subject in (select subject from shown)
           or created_at in (select created_at from shown where created_at is not null)),
       (select count(*) from due),
       (select count(*) from stranger),
       (select count(*) from stranger
        where created_at < (select max(started_at) from extractions
                            where registry = $registry and complete
                              and observed_at <= $observed_at) - {CLOCKS}),
       (select count(*) from logged)
"""


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """How many models a reading shows, and how they compare with those of the ledger.

    `expected` is there as far as is known, `kept` those of them that are shown; `due` has to be
    in a backup, since a later reading shows it. `strangers` were never known, and `old_strangers` are
    those of them that were created before the last complete reading, which did not show them.
    `logged` counts the entries of models in the log.
    """

    shown: int
    expected: int
    kept: int
    due: int
    strangers: int
    old_strangers: int
    logged: int


def _count(intake: Intake) -> ModelCounts:
    values = {"late": intake.late, "registry": intake.registry, "observed_at": intake.observed}
    [row] = intake.con.execute(_COUNTS, values).fetchall()
    return ModelCounts(*row)


# No model at all.


def _refuse_empty(
    intake: Intake, counts: ModelCounts, allowed: Permissions, completeness: Completeness
) -> None:
    """An empty list is never an answer by itself, unless the journal tells how it came to that."""
    if counts.expected and not (allowed.empty and completeness.complete):
        raise SourceError(
            f"The registry holds no models, but the ledger knows {counts.expected} of registry "
            f"{intake.registry}.",
            state=UNCHANGED,
            hint="Check the URI. If they really were all deleted, say so with --allow-empty.",
        )
    accounted = intake.reading.journal is not None and counts.logged
    if not counts.expected and not accounted and not allowed.empty:
        reading = intake.reading
        chosen = completeness.options.get("workspaces", EVERY)
        of_them = "" if chosen == EVERY else f" of the workspaces to be read ({chosen})"
        raise NothingToAudit(
            f"{reading.info.location} is {reading.contents()}, and holds no registered model{of_them}.",
            state=UNCHANGED,
            hint="auditreg audits registered models: register one (mlflow.register_model), give another "
            "address, or see `auditreg demo`, which brings a registry that has some.",
        )


# Another registry.


def _other_registry(
    intake: Intake, counts: ModelCounts, allowed: Permissions, *, complete: bool
) -> SourceError | None:
    """The error where hardly a model is shared, and something speaks against ordinary changes."""
    last = _last_reading(intake)
    if last is None or not _is_another(intake, counts, allowed, last, complete=complete):
        return None
    number = counts.expected or counts.due
    shown_location = _printed(intake.reading.info.location)
    if number == 1:
        what = f"{shown_location} does not show the model that"
    elif counts.kept:
        what = f"{shown_location} shows only {counts.kept} of the {number} models that"
    else:
        what = f"{shown_location} shows none of the {number} models that"
    return SourceError(
        f"{what} the ledger knows of registry {intake.registry} from {last}, and shows "
        f"{quantity(counts.strangers, 'other')}.",
        state=UNCHANGED,
        hint="If it is another registry, give it a name of its own: --registry NAME, or a [[source]] "
        f"with that name. If registry {intake.registry} itself was moved or made anew, say so with "
        "--allow-replacement: what it does not show is then recorded as gone.",
    )


def _is_another(
    intake: Intake,
    counts: ModelCounts,
    allowed: Permissions,
    last: PreviousReading,
    *,
    complete: bool,
) -> bool:
    if counts.due and counts.strangers == counts.shown:
        return True
    if not counts.expected:
        return False
    if counts.kept:
        few = counts.kept * FRACTION <= counts.expected
        return few and counts.old_strangers > counts.kept
    elsewhere = not (allowed.restored or intake.late) and last.location != _printed(
        intake.reading.info.location
    )
    return counts.strangers > 0 and (
        elsewhere or counts.old_strangers > 0 or (complete and counts.expected >= MANY)
    )


@dataclass(frozen=True, slots=True)
class PreviousReading:
    """Where a registry was read last, and when; as people read it."""

    location: str
    observed_at: datetime

    def __str__(self) -> str:
        return f"{self.location} (read {_moment(self.observed_at)})"


def _last_reading(intake: Intake) -> PreviousReading | None:
    """The last reading of the registry; a restored backup only where there is nothing else."""
    row = intake.con.execute(
        "select location, observed_at from extractions where registry = ? "
        "order by restored is true, observed_at desc, seq desc limit 1",
        [intake.registry],
    ).fetchone()
    return PreviousReading(_printed(row[0]), row[1]) if row else None


# An older copy.

_COPY = f"""
with shown as (
    select kind, subject, changed_at from incoming where kind in ('registered_model', 'model_version')
),
set_back as (
    select m.subject from registered_models m join shown s using (subject)
    where s.changed_at < m.last_updated_at
                         - case when $shows_deleted then interval 0 minute else {CLOCKS} end
),
missing as (
    select k.subject from known k anti join shown using (subject)
    where k.kind = 'model_version' and k.op = 'put'
      and split_part(k.subject, '/', 1) in (from set_back)
      and ($shows_deleted or k.subject not in (select subject from model_versions where deleted))
)
select (select count(*) from missing),
       (select max(changed_at) from shown),
       (select max(last_updated_at)
        from (select registry, deleted, last_updated_at from registered_models
              union all select registry, deleted, last_updated_at from model_versions)
        where registry = $registry and not deleted)
"""


def _older_copy(intake: Intake, unexplained: int) -> SourceError | None:
    """The error where the registry went back behind what the ledger knows.

    MLflow moves the update time of a model with each version, and keeps the row of a deleted version.
    Where the journal goes on, it tells what came of every row; it never goes back.
    """
    reading, con = intake.reading, intake.con
    sealed = (
        capture_journal.sealed(con, intake.registry, reading.journal) if reading.journal else []
    )
    if sealed:
        if not unexplained or reading.journal_ranges()[-1][1] >= sealed[-1][1]:
            return None
        return _copy_error(
            intake, "the server's journal in it ends before rows that the ledger holds"
        )
    missing, shown_until, known_until = con.execute(
        _COPY, {"registry": intake.registry, "shows_deleted": reading.info.shows_deleted}
    ).fetchall()[0]
    if not missing or shown_until is None or shown_until >= known_until:
        return None
    return _copy_error(
        intake,
        f"its last change is of {_moment(shown_until)}, the ledger knows of one of "
        f"{_moment(known_until)}, and {quantity(missing, 'version')} that it knows "
        f"{'is' if missing == 1 else 'are'} missing",
    )


def _copy_error(intake: Intake, sign: str) -> SourceError:
    return SourceError(
        f"{_printed(intake.reading.info.location)} looks like an older copy of registry "
        f"{intake.registry}, known from {_last_reading(intake)}: {sign}.",
        state=UNCHANGED,
        hint="Say of which moment a copy is: --observed-at MOMENT. If the registry itself was set back "
        "to that state, say so with --allow-replacement: what it does not show is then recorded as gone.",
    )


def _printed(location: str | None) -> str:
    return redact_uri(location or "an unknown place")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
