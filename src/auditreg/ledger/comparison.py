"""Comparing a reading with what the ledger knows: what is new, different or gone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from auditreg.errors import SourceError
from auditreg.ledger import capture_journal, entries, schema
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
    reading, con = intake.reading, intake.con
    parameters = {
        "registry": intake.registry,
        "late": intake.late,
        "shows_deleted": reading.info.shows_deleted,
        "covered": covered,
        "observed_at": intake.observed,
        "base": intake.base,
        "hidden": list(reading.info.hidden_columns),
    }
    _compare(con, intake.staged.filled, parameters)
    moved = (
        intake.late
        and not reading.journal
        and reposition_by_state(
            con, intake.appender, intake.registry, intake.observed, intake.recorded_at
        )
    )
    if moved:
        _compare(con, intake.staged.filled, parameters)
    _refuse_doubles(con)
    return bool(moved)


def _compare(
    con: duckdb.DuckDBPyConnection, filled: Collection[str], parameters: Mapping[str, object]
) -> None:
    """Run ingest.sql, without the steps that would find nothing: a staging table is empty."""
    for statement in schema.statements(schema.ingest_sql()):
        if "temp macro" not in statement and _may_matter(statement, filled):
            used = {name: value for name, value in parameters.items() if f"${name}" in statement}
            con.execute(statement, used)


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
    """A row that stands in a reading twice would be two states at once."""
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


def unexplained_changes(con: duckdb.DuckDBPyConnection, registry: str, journal: str | None) -> int:
    """Differences that the journal should have told of: it was there at the reading before, too."""
    if not journal:
        return 0
    return entries.number(
        con,
        """
        select count(*) from (
            select kind from changed where previous_seq is not null and not only_shown
            union all
            select kind from vanished)
        where kind in (select unnest($kinds))
          and (select max_by(journal, (observed_at, seq)) from extractions
               where registry = $registry and journal is not null) = $journal
        """,
        {"kinds": list(capture_journal.KINDS), "registry": registry, "journal": journal},
    )
