"""The settings sealed in a ledger, as tables: what the macros and views in the file ask.

They follow from the last `policy` entry of kind `settings` and the last complete extraction.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from auditreg.fields import FIELDS
from auditreg.ledger.schema import create
from auditreg.sql import rows_select

if TYPE_CHECKING:
    import duckdb

_Tags = Mapping[str, Sequence[str]]
_Objects = Sequence[Mapping[str, Any]]


@functools.cache
def _defaults() -> Mapping[str, object]:
    """The settings that hold where `auditreg.toml` sets nothing."""
    from auditreg.config import Config, effective_settings

    settings = effective_settings(Config())
    return {name: value for name, value in settings.items() if value not in (None, [], {})}


def settings_rows(
    settings: Mapping[str, object],
    *,
    as_of: datetime | None = None,
    period: tuple[datetime, datetime] | None = None,
) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every settings table, by its name.

    Args:
        settings: plain values; `people`, `bodies` and `authorities` are lists of objects, `fields`
            maps a field id to its list of tags, `conventions` a registry (`pricing`) or workspace
            (`pricing/claims`) to what differs there (all others are kept as `settings` rows, lists
            as JSON text).
        as_of: moment of the last complete extraction, or the one that is judged, UTC.
        period: start and exclusive end of the fiscal quarter that holds it, UTC.
    """
    values = {**_defaults(), **settings}
    people, bodies, authorities = (
        cast("_Objects", values.pop(name, ())) for name in ("people", "bodies", "authorities")
    )
    mapped = cast("_Tags", values.pop("fields", {}))
    conventions = cast("Mapping[str, Mapping[str, object]]", values.pop("conventions", {}))
    if as_of is not None:
        values["as_of"] = as_of.isoformat(sep=" ")
    if period is not None:
        values["period_start"], values["period_end"] = (p.isoformat(sep=" ") for p in period)
    rows: dict[str, list[tuple[object, ...]]] = {
        "settings": [(name, _text(values[name]), "") for name in sorted(values)],
        "people": [*_party_rows(people), *_party_rows(bodies, "body")],
        "body_members": _member_rows(bodies),
        "authorities": _authority_rows(authorities),
        "live_names": _live_rows(values, ""),
        "governance_fields": _field_rows(mapped, ""),
    }
    for place in sorted(conventions):
        registry, slash, _ = place.partition("/")
        general = conventions.get(registry, {})
        differing = {**(general if slash else {}), **conventions[place]}
        fields: dict[str, Sequence[str]] = dict(mapped)
        for given in (general, conventions[place]):
            fields |= cast("_Tags", given.get("fields", {}))
        here = {
            name: value
            for name, value in {**values, **differing}.items()
            if name.startswith(("live.", "cadence_"))
        }
        rows["settings"] += [(name, _text(here[name]), place) for name in sorted(here)]
        rows["live_names"] += _live_rows(here, place)
        rows["governance_fields"] += _field_rows(fields, place)
    return rows


def refresh_settings(
    con: duckdb.DuckDBPyConnection,
    settings: Mapping[str, object],
    *,
    as_of: datetime | None = None,
    period: tuple[datetime, datetime] | None = None,
) -> None:
    """Fill the settings tables of a writable ledger where they differ; arguments as `settings_rows`."""
    for table, rows in settings_rows(settings, as_of=as_of, period=period).items():
        if con.execute(f"from {table}").fetchall() != rows:
            con.execute(f"delete from {table}")
            if rows:
                con.execute(f"insert into {table} {rows_select(rows)}")


def create_state(
    con: duckdb.DuckDBPyConnection, settings: Mapping[str, object] | None = None
) -> None:
    """Make an empty ledger on a connection and give it settings: what rule cases start from.

    Args:
        con: a writable connection, usually in memory.
        settings: as `auditreg.config.effective_settings` gives them; defaults where absent.
    """
    create(con)
    refresh_settings(con, settings or {})


def _live_rows(values: Mapping[str, object], place: str) -> list[tuple[object, ...]]:
    live: list[tuple[object, ...]] = [
        ("stage", name, place) for name in cast("Sequence[str]", values["live.stages"])
    ]
    live += [("alias", name, place) for name in cast("Sequence[str]", values["live.aliases"])]
    return live


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _party_rows(parties: _Objects, kind: str = "person") -> list[tuple[object, ...]]:
    """One row per spelling and role of a person or body; the id and the name are spellings too."""
    rows: list[tuple[object, ...]] = []
    for party in parties:
        name = party.get("name") or party["id"]
        service = bool(party.get("service", False))
        spellings = {party["id"], name, *party.get("accounts", ())}
        for account in sorted({s.strip().lower() for s in spellings}):
            rows.extend(
                (
                    party["id"],
                    name,
                    account,
                    role,
                    party.get("from"),
                    party.get("until"),
                    service,
                    "service" if service else kind,
                    party.get("minutes"),
                )
                for role in (party.get("roles") or [None])
            )
    return rows


def _member_rows(bodies: _Objects) -> list[tuple[object, ...]]:
    """One row per seat of a body, with the term of that composition."""
    return [
        (body["id"], person, part, body.get("from"), body.get("until"))
        for body in bodies
        for part, people in (("member", body["members"]), ("secretary", [body.get("secretary")]))
        for person in people
        if person is not None
    ]


def _authority_rows(authorities: _Objects) -> list[tuple[object, ...]]:
    """One row per act and rating; an empty rating stands for all of them."""
    return [
        (authority["role"], act, rating)
        for authority in authorities
        for act in authority["may"]
        for rating in (authority.get("ratings") or [""])
    ]


def _field_rows(mapped: _Tags, place: str) -> list[tuple[object, ...]]:
    known = {field.id: field for field in FIELDS}
    rows: list[tuple[object, ...]] = []
    for name in [*known, *(field for field in mapped if field not in known)]:
        field = known.get(name)
        tags = mapped.get(name, field.tags if field else ())
        number, title, native = (
            (field.number, field.title, field.native)
            if field
            else (None, name.replace("_", " "), "")
        )
        rows.extend(
            (name, number, title, tag, rank, native, place) for rank, tag in enumerate(tags, 1)
        )
    return rows
