"""Who gave an acceptance or an answer of waivers.toml, and what speaks against them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from auditreg.waivers import Waiver

if TYPE_CHECKING:
    import duckdb

_WHO = """
select case when names_nobody($giver) then 'names_nobody' when is_service($giver) then 'service_account'
            when in_office($giver, $day) = false then 'not_in_office' end,
       party_kind($giver) is null and exists (from people)
"""

_OWN = """
select count(*) from (select distinct value from fields
                      where field in ('owner', 'developer') and list_contains($models::VARCHAR[], model))
where lower(trim(value)) = lower(trim($giver)) or person_of(value) = person_of($giver)
"""


def against_giver(connection: duckdb.DuckDBPyConnection, waiver: Waiver, today: date) -> str | None:
    """What speaks against who gave a waiver, one of `auditreg.waivers.GIVEN`.

    An answer has a day, on which they have to be in office; who accepts a finding has to be as long
    as it is accepted.
    """
    if waiver.status == "under_repair" or waiver.responsible is None:
        return None
    giver = {"giver": waiver.responsible}
    row = connection.execute(_WHO, {**giver, "day": waiver.answered_on or today}).fetchone()
    fault, stranger = row or (None, False)
    if fault is not None:
        return str(fault)
    if _owns_or_developed(connection, waiver):
        return "self_approved"
    return "by_stranger" if stranger else None


def _owns_or_developed(connection: duckdb.DuckDBPyConnection, waiver: Waiver) -> bool:
    """Whether who gave it owns or developed a model the waiver names, compared as persons."""
    models = [*waiver.models, *(model for model, _ in waiver.pairs)]
    if waiver.numbers:
        numbered = connection.execute(
            "select distinct model from known_finding where list_contains(?::BIGINT[], number)",
            [list(waiver.numbers)],
        )
        models += [model for (model,) in numbered.fetchall() if model is not None]
    row = connection.execute(_OWN, {"giver": waiver.responsible, "models": models}).fetchone()
    return bool(row and row[0])
