"""Reading frameworks: which clause of a supervisor's text the rules and fields bear on.

A framework is one TOML file. It points at rules and fields, never the other way round, and holds
facts in our own words. A clause nobody has checked against the text (no `verified`) makes the whole
framework a draft, which no report prints unless it is asked to.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from datetime import date
from importlib.resources import files

import msgspec

from auditreg.errors import ConfigError
from auditreg.fields import FIELD_IDS


class Coverage(enum.StrEnum):
    """How far a registry can answer for a clause. No value means that a clause is met."""

    AUTOMATED = "automated"
    PARTIAL = "partial"
    MANUAL = "manual"
    NONE = "none"

    @property
    def words(self) -> str:
        """The coverage as people read it."""
        return _COVERAGE_WORDS[self]


_COVERAGE_WORDS = {
    Coverage.AUTOMATED: "whether a record exists",
    Coverage.PARTIAL: "in part",
    Coverage.MANUAL: "by other documents",
    Coverage.NONE: "not from a registry",
}

STATUSES = (
    "in force",
    "in force where adopted",
    "not yet in force",
    "rescinded",
    "proposed",
    "withdrawn",
)
"""What may stand in a framework's `status`: printed wherever the framework is named."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a framework's file; a note stands in it without outer blanks."""

    note: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "note", self.note.strip())


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a clause was last checked, and against what."""

    on: date
    source: str


class Clause(_Part, frozen=True, kw_only=True):
    """One clause: its number and title, and the rules and fields that bear on it."""

    ref: str
    title: str
    coverage: Coverage
    rules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    verified: Verified | None = None


class FrameworkFile(_Part, frozen=True, kw_only=True, rename={"clauses": "clause"}):
    """The file as it is written."""

    id: str
    title: str
    publisher: str
    edition: str
    status: str
    source: str
    clauses: tuple[Clause, ...]
    effective: date | None = None


class Framework(FrameworkFile, frozen=True, kw_only=True):
    """One supervisor's text, clause by clause. `text` is the file as it was read."""

    text: str

    @property
    def draft(self) -> bool:
        """Whether a clause has not been checked against the text; drafts never print unasked."""
        return any(clause.verified is None for clause in self.clauses)

    @property
    def rules(self) -> frozenset[str]:
        """Every rule a clause of this framework points at."""
        return frozenset(rule for clause in self.clauses for rule in clause.rules)


def parse_framework(
    text: str,
    name: str,
    *,
    rules: Collection[str],
    fields: Collection[str] = FIELD_IDS,
) -> Framework:
    """Read one framework file.

    Args:
        text: the file's text.
        name: the file's name, for messages; its stem must equal the framework's id.
        rules: ids of the rules there are. A clause that names another one is refused.
        fields: ids of the governance fields there are, the firm's own included.

    Raises:
        ConfigError: the file is not as it must be; names file, clause and key.
    """
    try:
        raw = msgspec.toml.decode(text, type=FrameworkFile, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong(name, _place(str(error), text)) from error
    except msgspec.DecodeError as error:
        raise _wrong(name, f"not TOML: {error}") from error
    stem = name.rsplit("/", 1)[-1].removesuffix(".toml")
    if raw.id != stem:
        raise _wrong(name, f'key "id" is "{raw.id}"; it must equal the file name, "{stem}"')
    if raw.status not in STATUSES:
        raise _wrong(name, f'key "status" is "{raw.status}"; known: {", ".join(STATUSES)}')
    if not raw.clauses:
        raise _wrong(name, "it has no [[clause]]")
    _check_clauses(raw.clauses, name, rules, fields)
    parts = {name: getattr(raw, name) for name in FrameworkFile.__struct_fields__}
    return Framework(**parts, text=text)


def _check_clauses(
    clauses: Iterable[Clause], name: str, rules: Collection[str], fields: Collection[str]
) -> None:
    """Refuse doubled clauses, and rules and fields that do not exist."""
    seen: set[str] = set()
    for clause in clauses:
        where = f'clause "{clause.ref}"'
        if clause.ref in seen:
            raise _wrong(name, f"{where} stands there twice")
        seen.add(clause.ref)
        for key, named, known in (
            ("rules", clause.rules, rules),
            ("fields", clause.fields, fields),
        ):
            for reference in named:
                if reference not in known:
                    raise _wrong(name, f'{where}, key "{key}": there is no "{reference}"')
        if clause.coverage is Coverage.AUTOMATED and not (clause.rules or clause.fields):
            raise _wrong(name, f'{where}, key "coverage": automated needs a rule or a field')


def _place(message: str, text: str) -> str:
    """A msgspec message with the clause's number in place of its position in the list.

    msgspec says `$.clause[3].coverage`; whoever wrote the file knows the clause by its `ref`.
    """
    head, separator, path = message.partition(" - at `$")
    if not separator:
        return head
    path = path.rstrip("`").lstrip(".")
    if not path.startswith("clause["):
        return f'key "{path}": {head}' if path else head
    number, _, key = path.removeprefix("clause[").partition("]")
    clauses = msgspec.toml.decode(text).get("clause", [])
    ref = clauses[int(number)].get("ref", f"number {int(number) + 1}")
    place = f'clause "{ref}"'
    return f'{place}, key "{key.lstrip(".")}": {head}' if key else f"{place}: {head}"


def _wrong(name: str, what: str) -> ConfigError:
    return ConfigError(
        f"{name}: {what}.",
        state="The framework was not used.",
        hint="See docs/frameworks for the keys a framework file has.",
    )


def load_library(
    rules: Collection[str], *, fields: Collection[str] = FIELD_IDS
) -> tuple[Framework, ...]:
    """The frameworks that come with auditreg, in order of id."""
    library = files("auditreg.frameworks") / "library"
    entries = sorted(
        (entry for entry in library.iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    return tuple(
        parse_framework(entry.read_text(encoding="utf-8"), entry.name, rules=rules, fields=fields)
        for entry in entries
    )


def printable(frameworks: Iterable[Framework], *, drafts: bool = False) -> tuple[Framework, ...]:
    """The frameworks a report may print: all but drafts, unless they are asked for."""
    return tuple(framework for framework in frameworks if drafts or not framework.draft)
