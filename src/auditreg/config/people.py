"""People, bodies and authorities of the settings: what is refused, in words, and what is sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from auditreg.config.check import STATE, near
from auditreg.config.settings import Authority, Body, ConfigFile, Person
from auditreg.config.sources import conventions
from auditreg.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Entry:
    """A person or a body, and its place in the file."""

    at: str
    of: Person | Body

    @property
    def span(self) -> tuple[date, date]:
        """First and last day in office."""
        return (self.of.from_ or date.min, self.of.until or date.max)

    @property
    def spellings(self) -> Mapping[str, str]:
        """Every spelling, and what it is to whoever wrote the file."""
        words = {_fold(self.of.name): "name"} if self.of.name else {}
        return words | {_fold(text): "account" for text in (*self.of.accounts, self.of.id)}

    def overlaps(self, other: _Entry) -> bool:
        """Whether both are in office on some day."""
        return self.span[0] <= other.span[1] and other.span[0] <= self.span[1]


def check_people(config: ConfigFile, path: Path) -> None:
    """What types cannot say of people, bodies and authorities.

    Raises:
        ConfigError: with the place and what is allowed.
    """
    entries = [
        *(_Entry(f"people[{index}]", person) for index, person in enumerate(config.people)),
        *(_Entry(f"bodies[{index}]", body) for index, body in enumerate(config.bodies)),
    ]
    _check_entries(entries, path)
    for index, body in enumerate(config.bodies):
        _check_members(body, f"bodies[{index}]", config.people, path)
    ratings = _ratings(config)
    for index, authority in enumerate(config.authorities):
        _check_authority(authority, f"authorities[{index}]", entries, ratings, path)


def _check_entries(entries: list[_Entry], path: Path) -> None:
    """Each entry ends after it begins, stands there once a day, and shares no spelling."""
    _check_written(entries, path)
    by_id: dict[str, list[_Entry]] = {}
    by_spelling: dict[str, list[_Entry]] = {}
    for entry in entries:
        if entry.span[1] < entry.span[0]:
            raise _refused(path, entry.at, "until is before from.")
        for other in by_id.setdefault(entry.of.id, []):
            _check_same_id(entry, other, path)
        by_id[entry.of.id].append(entry)
        for spelling, word in entry.spellings.items():
            for other in by_spelling.setdefault(spelling, []):
                if other.of.id != entry.of.id and entry.overlaps(other):
                    raise _refused(
                        path,
                        entry.at,
                        f"the {word} {spelling!r} also belongs to {other.at} ({other.of.id}).",
                        "A spelling belongs to one person or body at a time; "
                        "set from and until where it was passed on.",
                    )
            by_spelling[spelling].append(entry)


def _check_written(entries: list[_Entry], path: Path) -> None:
    """No spelling is empty: it would be everybody's of whom nothing is written."""
    for entry in entries:
        texts = {"id": entry.of.id, "name": entry.of.name}
        texts |= {f"accounts[{index}]": text for index, text in enumerate(entry.of.accounts)}
        texts |= {f"roles[{index}]": text for index, text in enumerate(entry.of.roles)}
        for key, text in texts.items():
            if text is not None and not text.strip():
                raise _refused(
                    path, f"{entry.at}.{key}", "it is empty.", "Write it, or leave it out."
                )


def _check_same_id(entry: _Entry, other: _Entry, path: Path) -> None:
    """An id may come more than once: a change of roles or members is an entry per span of time."""
    if type(entry.of) is not type(other.of):
        raise _refused(
            path,
            entry.at,
            f"the id {entry.of.id!r} is also that of {other.at}.",
            "A body and a person are two: each has an id of its own.",
        )
    if entry.overlaps(other):
        raise _refused(
            path,
            entry.at,
            f"{entry.of.id!r} is also {other.at}, at the same time.",
            "One entry holds everything of a span of time; "
            "set from and until where something changed.",
        )


def _check_members(body: Body, at: str, people: tuple[Person, ...], path: Path) -> None:
    if not body.members:
        raise _refused(
            path,
            at,
            f"the body {body.id!r} has no members.",
            "members takes the ids of people, at least one: a body decides through them.",
        )
    seats = [(f"{at}.members[{index}]", member) for index, member in enumerate(body.members)]
    for place, (seat, member) in enumerate(seats):
        _check_person(member, seat, people, path)
        if member in body.members[:place]:
            raise _refused(path, seat, f"{member!r} is listed twice.")
    if body.secretary is not None:
        _check_person(body.secretary, f"{at}.secretary", people, path)


def _check_person(name: str, at: str, people: tuple[Person, ...], path: Path) -> None:
    """The id is that of a person: a service account has no seat, and a body sits in no other."""
    named = [person for person in people if person.id == name]
    if not named:
        known = [person.id for person in people if not person.service]
        meant = near(name, known)
        raise _refused(
            path,
            at,
            f"{name!r} is no id of a person.",
            f"Did you mean {meant}?" if meant else "It takes ids of [[people]].",
        )
    if any(person.service for person in named):
        raise _refused(
            path, at, f"{name!r} is a service account.", "Only a person has a seat in a body."
        )


def _check_authority(
    authority: Authority, at: str, entries: list[_Entry], ratings: tuple[str, ...], path: Path
) -> None:
    held = sorted({role for entry in entries for role in _roles(entry)})
    if _fold(authority.role) not in map(_fold, held):
        meant = near(authority.role, held)
        listed = (
            f"Roles held: {', '.join(held)}."
            if held
            else "Give it to somebody under roles of [[people]] or [[bodies]]."
        )
        raise _refused(
            path,
            f"{at}.role",
            f"no person and no body holds the role {authority.role!r}.",
            f"Did you mean {meant}?" if meant else listed,
        )
    for index, rating in enumerate(authority.ratings):
        if _fold(rating) not in ratings:
            meant = near(rating, ratings)
            raise _refused(
                path,
                f"{at}.ratings[{index}]",
                f"the rating {rating!r} has no review cadence.",
                f"Did you mean {meant}?"
                if meant
                else f"review.cadence_days names the ratings: {', '.join(ratings)}.",
            )


def _roles(entry: _Entry) -> tuple[str, ...]:
    """The roles an entry may act by: a service account neither approves nor validates."""
    return () if isinstance(entry.of, Person) and entry.of.service else entry.of.roles


def _ratings(config: ConfigFile) -> tuple[str, ...]:
    """Every rating that has a cadence, in general or in some registry or workspace."""
    places = [config.review, *(setting.review for _, setting in conventions(config.source))]
    return tuple(sorted({_fold(rating) for review in places for rating in review.cadences}))


def _refused(path: Path, at: str, problem: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{path} at {at}: {problem}", state=STATE, hint=hint)


def _fold(text: str) -> str:
    return text.strip().lower()


def people_settings(config: ConfigFile) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """What is sealed: `people`, and `bodies` and `authorities` where there are any."""
    yield "people", [{**_common(person), "service": person.service} for person in config.people]
    if config.bodies:
        yield "bodies", [_body(body) for body in config.bodies]
    if config.authorities:
        yield "authorities", [_authority(authority) for authority in config.authorities]


def _common(entry: Person | Body) -> dict[str, object]:
    return {
        "id": entry.id,
        "name": entry.name or entry.id,
        "accounts": sorted({*entry.accounts, entry.id}),
        "roles": list(entry.roles),
        "from": entry.from_.isoformat() if entry.from_ else None,
        "until": entry.until.isoformat() if entry.until else None,
    }


def _body(body: Body) -> dict[str, object]:
    return {
        **_common(body),
        "members": list(body.members),
        "secretary": body.secretary,
        "minutes": body.minutes,
    }


def _authority(authority: Authority) -> dict[str, object]:
    return {
        "role": authority.role,
        "may": list(authority.may),
        "ratings": [_fold(rating) for rating in authority.ratings],
    }
