"""Comparing a reading with what the ledger knows: what is new, different or gone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from auditreg.errors import SourceError
from auditreg.ledger import definitions, entries, schema
from auditreg.ledger.definitions import JOURNALLED
from auditreg.ledger.intake import Intake
from auditreg.ledger.out_of_order import reposition_by_state
from auditreg.sources.interface import READS

if TYPE_CHECKING:
    import duckdb

_BESIDE = {"run_child": "runs", "held": "model_artifacts"}
"""Tables of ingest.sql that only steps about one staging table read."""


def compare_states(intake: Intake, covered: Sequence[str]) -> bool:
    """Put what is new, different or gone into `changed` and `vanished`; whether older entries moved.

    Args:
        intake: the reading.
        covered: the kinds of which what it does not show is gone.
    """
    reading = intake.reading
    parameters = {
        "registry": intake.registry,
        "late": intake.late,
        "shows_deleted": reading.info.shows_deleted,
        "covered": covered,
        "observed_at": intake.observed,
        "base": intake.base,
        "hidden": list(reading.info.hidden_columns),
    }
    _compare(intake, parameters)
    moved = intake.late and not reading.journal and reposition_by_state(intake)
    if moved:
        _compare(intake, parameters)
    _refuse_doubles(intake.con)
    return moved


def _compare(intake: Intake, parameters: Mapping[str, object]) -> None:
    """Run ingest.sql, without the steps that would find nothing: a staging table is empty."""
    for statement in schema.statements(definitions.ingest_sql()):
        if "temp macro" not in statement and _may_matter(statement, intake.staged.filled):
            used = {name: value for name, value in parameters.items() if f"${name}" in statement}
            intake.con.execute(statement, used)


def _may_matter(statement: str, filled: Collection[str]) -> bool:
    """Whether the staging table that a step of ingest.sql is about holds any row."""
    if made := re.match(r"create or replace temp table (\w+)", statement):
        name = _BESIDE.get(made[1])
    elif kind := re.match(r"insert into incoming\s[^;]*?\bselect '(\w+)',", statement):
        name = READS[kind[1]][0]
    else:
        table = re.match(r"update stage_(\w+)", statement)
        name = table[1] if table else None
    return name is None or name in filled


def _refuse_doubles(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse a reading that shows the same row twice."""
    double = con.execute(
        "select any_value(kind), any_value(coalesce(model, item)), count(*) from incoming "
        "group by subject having count(*) > 1 limit 1"
    ).fetchone()
    if double:
        kind, name, number = double
        raise SourceError(
            f"The registry showed one {kind.replace('_', ' ')} of {name} {number} times.",
            state="The ledger was not changed.",
            hint="Read it again; if it stays so, two rows of its database contradict each other.",
        )


def unexplained_changes(intake: Intake) -> int:
    """Differences that the journal should have told of: it was there at the reading before, too."""
    if not (journal := intake.reading.journal):
        return 0
    return entries.number(
        intake.con,
        """
        select count(*) from (
            select kind from changed where previous_seq is not null and not same_content
            union all
            select kind from vanished)
        where kind in (select unnest($kinds))
          and (select max_by(journal, (observed_at, seq)) from extractions
               where registry = $registry and journal is not null) = $journal
        """,
        {"kinds": list(JOURNALLED), "registry": intake.registry, "journal": journal},
    )


_NEWS = """
with entry as (
    select kind, subject, 'put' as op, 1 as turn, 0 as seq from changed c
    where not same_content and not exists ({known_from_later})
    union all
    select kind, subject, 'gone', 1, 0 from vanished
    {recorded}
),
news as (
    select kind, subject, max_by(op, (turn, seq)) as last, bool_or(op = 'put') as shown
    from entry group by kind, subject
)
select n.kind,
       count(*) filter (where h.subject is null and shown) as new,
       count(*) filter (where h.subject is not null and last = 'put') as changed,
       count(*) filter (where last = 'gone' and (shown or h.op = 'put')) as gone
from news n left join ledger.heads h using (subject) group by n.kind order by n.kind
"""

# What a later reading saw already is nothing new, though this one shows it from an earlier moment on.
_KNOWN_FROM_LATER = """
select 1 from ledger.heads later
where c.previous_seq is null and later.subject = c.subject and later.op = 'put'
  and same_state(later.fingerprint, c.fingerprint) and not other_secrets(later.secrets, c.secrets)
"""

_RECORDED = "union all select kind, subject, op, 0, seq from journal_entry where not same_content"


def count_changes(
    con: duckdb.DuckDBPyConnection, *, captured: bool
) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """How many things of each kind are put or gone, and how many of those put are new to the ledger.

    Each thing counts once, whoever recorded it and however often; what came and went, as both.

    Args:
        con: the ledger, with what was compared and not yet brought into its tables.
        captured: whether rows of the server's journal were taken in.
    """
    changes: dict[tuple[str, str], int] = {}
    new: dict[str, int] = {}
    query = _NEWS.format(known_from_later=_KNOWN_FROM_LATER, recorded=_RECORDED if captured else "")
    rows = con.execute(query).fetchall()
    for kind, added, changed, gone in rows:
        counts = {(kind, "put"): added + changed, (kind, "gone"): gone}
        changes |= {key: number for key, number in counts.items() if number}
        new |= {kind: added} if added else {}
    return changes, new
