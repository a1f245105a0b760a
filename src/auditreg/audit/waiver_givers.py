"""Who gave an acceptance or an answer of waivers.toml, and what speaks against them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from auditreg.waivers import Waiver

if TYPE_CHECKING:
    import duckdb

READ = "developers fields field_history party_persons 'owner' 'developer'"
"""The views and fields that are read here, as `reads_of` takes them."""

# Models are told apart by their subjects: several may have one name, and one has another when it is renamed.
# Of a model that was deleted since, its owner is who stood there then.
_PREPARE = """
create or replace temp table model_person as
with named as (
    select split_part(subject, '/', 1) as model_subject, developer as name, true as developed from developers
    union
    select model_subject, value, field = 'developer' from fields
    where field = 'owner' or field = 'developer' and version is null
    union
    select model_subject, value, field = 'developer' from field_history
    where field = 'owner' and ended_with_subject or field = 'developer' and version is null
)
select distinct n.model_subject, lower(trim(n.name)) as plain,
       case when t.party_kind = 'body' then t.party end as body,
       -- a body that developed a model means its members, one that owns it does not
       case when n.developed or t.party_kind <> 'body' then t.person end as person
from named n
left join (select distinct account, party, party_kind, person from party_persons where part <> 'secretary') t
  on t.account = lower(trim(n.name));

create or replace temp table model_names as
select distinct subject, registry, workspace, model from ledger.log where kind = 'registered_model' and model is not null
union
select split_part(subject, '/', 1), registry, workspace, model from known_finding where model is not null
"""

_AGAINST = """
select case when names_nobody($giver) then 'names_nobody' when is_service($giver) then 'service_account'
            when in_office($giver, $day) = false then 'not_in_office'
            when party_kind($giver) is null and exists (from people) then 'by_stranger' end
"""

# A body owns or developed a model as such, or where all who are members that day did.
_OWN = """
with giver as (
    select distinct person from party_persons
    where account = lower(trim($giver)) and part <> 'secretary' and in_term($day, first_day, last_day)
)
select model_subject from model_person where plain = lower(trim($giver)) or body = person_of($giver)
union
select m.model_subject from model_person m join giver g on g.person = m.person
group by m.model_subject
having party_kind($giver) is distinct from 'body' or count(distinct m.person) = (select count(*) from giver)
"""

_NAMED = """
select subject from model_names
where list_contains($models::VARCHAR[], model)
  and coalesce(workspace = $workspace::VARCHAR, $workspace::VARCHAR is null)
  and coalesce(registry = $registry::VARCHAR, $registry::VARCHAR is null)
union
select split_part(subject, '/', 1) from known_finding where list_contains($numbers::BIGINT[], number)
"""


@dataclass(frozen=True, slots=True)
class Giver:
    """What speaks against who gave a waiver, one of `auditreg.waivers.GIVEN`; and the models of their own."""

    against: str | None = None
    own: frozenset[str] = frozenset()


def prepare_givers(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of who owns or developed which model, and of the names that models have or had.

    Args:
        con: the connection of a check; `known_finding` is there.
    """
    con.execute(_PREPARE)


def giver_of(con: duckdb.DuckDBPyConnection, waiver: Waiver, today: date) -> Giver:
    """Who gave a waiver. An answer has a day, on which they have to be in office; who accepts a finding
    has to be as long as it is accepted.
    """
    if waiver.status == "under_repair" or waiver.responsible is None:
        return Giver()
    person = {"giver": waiver.responsible, "day": waiver.answered_on or today}
    [(against,)] = con.execute(_AGAINST, person).fetchall()
    own = frozenset(subject for (subject,) in con.execute(_OWN, person).fetchall())
    if own and against in (None, "by_stranger"):
        models = [*waiver.models, *(model for model, _ in waiver.pairs)]
        place = {"workspace": waiver.workspace, "registry": waiver.registry}
        values = {"models": models, "numbers": list(waiver.numbers), **place}
        named = {subject for (subject,) in con.execute(_NAMED, values).fetchall()}
        if named and named <= own:
            against = "self_approved"
    return Giver(against, own)
