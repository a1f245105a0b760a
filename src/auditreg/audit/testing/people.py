"""People, bodies and authorities of a case, as rows of a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from auditreg.ledger.settings import settings_rows
from auditreg.sql import rows_select

if TYPE_CHECKING:
    import duckdb


class CasePerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A person or service account with its spellings; `from` and `until` as in auditreg.toml."""

    name: str | None = None
    accounts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    from_: date | None = None
    until: date | None = None
    service: bool = False


class CaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A body with its spellings; `members` and `secretary` refer to `people`."""

    name: str | None = None
    accounts: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    secretary: str | None = None
    minutes: str | None = None
    roles: tuple[str, ...] = ()
    from_: date | None = None
    until: date | None = None


class CaseAuthority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the holders of a role may do; without `ratings`, of every model."""

    role: str
    may: tuple[Literal["approve", "validate"], ...]
    ratings: tuple[str, ...] = ()


def write_people(
    connection: duckdb.DuckDBPyConnection,
    people: Mapping[str, CasePerson],
    bodies: Mapping[str, CaseBody],
    authorities: tuple[CaseAuthority, ...],
) -> None:
    """Write the settings tables of people as sealed settings fill them.

    Raises:
        KeyError: a member or secretary is none of `people`.
    """
    for body in bodies.values():
        for person in filter(None, (*body.members, body.secretary)):
            people[person]
    settings = {
        "people": [{"id": id_, **msgspec.to_builtins(person)} for id_, person in people.items()],
        "bodies": [{"id": id_, **msgspec.to_builtins(body)} for id_, body in bodies.items()],
        "authorities": msgspec.to_builtins(authorities),
    }
    rows = settings_rows(settings)
    for table in ("people", "body_members", "authorities"):
        if rows[table]:
            connection.execute(f"insert into {table} {rows_select(rows[table])}")
