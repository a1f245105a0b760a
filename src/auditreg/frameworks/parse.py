"""Reading frameworks: which clause of a supervisor's text the rules and fields bear on.

A framework is one TOML file. It points at rules and fields, never the other way round, and holds
facts in our own words. A clause that nobody has checked against the text, or that was seen only
second-hand, makes the whole framework a draft: no report prints it unless it is asked to, and an
issued one never does.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from auditreg.errors import ConfigError
from auditreg.fields import FIELD_IDS

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Coverage(enum.StrEnum):
    """How far a registry can answer for a clause. No value means that a clause is met."""

    AUTOMATED = "automated"
    PARTIAL = "partial"
    MANUAL = "manual"
    NONE = "none"

    @property
    def words(self) -> str:
        """The coverage as people read it: of a record's presence, never of its adequacy."""
        return _COVERAGE_WORDS[self]


_COVERAGE_WORDS = {
    Coverage.AUTOMATED: "whether a record exists",
    Coverage.PARTIAL: "whether part of the record exists",
    Coverage.MANUAL: "at most a reference to other documents",
    Coverage.NONE: "nothing: outside a registry",
}


class How(enum.StrEnum):
    """How somebody saw a clause when it was last checked."""

    PRIMARY = "primary"
    COPY = "copy"
    QUOTED = "quoted"
    SECONDARY = "secondary"

    @property
    def words(self) -> str:
        """The way as people read it."""
        return _HOW_WORDS[self]


_HOW_WORDS = {
    How.PRIMARY: "in the publisher's own text",
    How.COPY: "in a full copy of the text",
    How.QUOTED: "in passages quoted word for word",
    How.SECONDARY: "second-hand only",
}


class Population(enum.StrEnum):
    """What a clause asks its fields of, and so what their presence is counted over."""

    VERSIONS = "versions in use"
    MODELS = "registered models"


STATUSES = (
    "in force",
    "in force where adopted",
    "in force, not yet applicable",
    "not yet in force",
    "voluntary",
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
    """When a clause was last checked, how it was seen, and where."""

    on: date
    how: How
    source: Annotated[str, msgspec.Meta(min_length=1)]


class Clause(_Part, frozen=True, kw_only=True):
    """One clause: its number and title, and what bears on it.

    `rules` are evidence for the clause; `supports` are controls of the firm's own near it, which it
    does not ask for. `native` says what MLflow or the record itself holds for it, in words.
    `unless_negligible`: the clause is not asked of models whose risk is negligible.
    """

    ref: str
    title: str
    coverage: Coverage
    rules: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    native: str = ""
    population: Population = Population.VERSIONS
    unless_negligible: bool = False
    verified: Verified | None = None

    @property
    def seen(self) -> bool:
        """Whether somebody saw the clause's own words."""
        return self.verified is not None and self.verified.how is not How.SECONDARY

    @property
    def counted(self) -> str:
        """What the presence of its fields is counted over, in words."""
        spared = ", without those of negligible risk" if self.unless_negligible else ""
        return f"{self.population.value}{spared}"


class FrameworkFile(_Part, frozen=True, kw_only=True, rename={"clauses": "clause"}):
    """The file as it is written.

    `adopted` is for a template, which takes effect only where somebody issues it.
    """

    id: str
    title: str
    publisher: str
    edition: str
    status: str
    source: str
    clauses: tuple[Clause, ...]
    adopted: date | None = None
    effective: date | None = None


class Framework(FrameworkFile, frozen=True, kw_only=True):
    """One supervisor's text, clause by clause. `text` is the file as it was read."""

    text: str

    @property
    def unseen(self) -> tuple[Clause, ...]:
        """The clauses that nobody has checked, or that were seen only second-hand."""
        return tuple(clause for clause in self.clauses if not clause.seen)

    @property
    def draft(self) -> bool:
        """Whether there is such a clause; drafts never print unasked, and are never issued."""
        return bool(self.unseen)


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
        name: the file's name or path, for messages; its stem must equal the framework's id.
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
    stem = Path(name).name.removesuffix(".toml")
    if raw.id != stem:
        raise _wrong(name, f'key "id" is "{raw.id}"; it must equal the file name, "{stem}"')
    if raw.status not in STATUSES:
        raise _wrong(name, f'key "status" is "{raw.status}"; known: {", ".join(STATUSES)}')
    if not raw.clauses:
        raise _wrong(name, "it has no [[clause]]")
    seen: set[str] = set()
    for clause in raw.clauses:
        if clause.ref in seen:
            raise _wrong(name, f'clause "{clause.ref}" stands there twice')
        seen.add(clause.ref)
        _check_clause(clause, name, rules, fields)
    parts = {name: getattr(raw, name) for name in FrameworkFile.__struct_fields__}
    return Framework(**parts, text=text)


def _check_clause(
    clause: Clause, name: str, rules: Collection[str], fields: Collection[str]
) -> None:
    """Refuse rules and fields that do not exist, and what contradicts itself."""
    where = f'clause "{clause.ref}"'
    for key, named, known in (
        ("rules", clause.rules, rules),
        ("supports", clause.supports, rules),
        ("fields", clause.fields, fields),
    ):
        for reference in named:
            if reference not in known:
                raise _wrong(name, f'{where}, key "{key}": there is no "{reference}"')
    if both := set(clause.rules) & set(clause.supports):
        raise _wrong(name, f'{where}, key "supports": "{min(both)}" is among its rules')
    if clause.coverage is Coverage.AUTOMATED and not (
        clause.rules or clause.fields or clause.native
    ):
        raise _wrong(name, f'{where}, key "coverage": automated needs rules, fields or native')


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
        hint="docs/frameworks/README.md has the keys of a framework file.",
    )


def load_library(
    rules: Collection[str],
    *,
    fields: Collection[str] = FIELD_IDS,
    ids: Iterable[str] | None = None,
    packs: Iterable[Path] = (),
) -> tuple[Framework, ...]:
    """The frameworks that come with auditreg and those of a firm's own folders.

    Args:
        rules: ids of the rules there are.
        fields: ids of the governance fields there are.
        ids: the frameworks that are wanted, in this order; all of them, in order of id, if None.
        packs: the firm's folders.

    Raises:
        ConfigError: a file that is wanted is not as it must be, or as `framework_files`.
    """
    known = framework_files(packs)
    return tuple(
        parse_framework(_read(known[name]), str(known[name]), rules=rules, fields=fields)
        for name in (known if ids is None else ids)
    )


def framework_files(packs: Iterable[Path] = ()) -> dict[str, Traversable]:
    """Every framework's file by id, in order: auditreg's own, and each `*.toml` of the firm's folders.

    Raises:
        ConfigError: a folder is missing, or two files have one id.
    """
    known: dict[str, Traversable] = {}
    for folder in (files("auditreg.frameworks") / "library", *packs):
        if not folder.is_dir():
            raise ConfigError(
                f"There is no framework folder {folder}.",
                state="No framework was used.",
                hint="Check `packs` under [frameworks] in auditreg.toml; paths are relative to it.",
            )
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if not entry.name.endswith(".toml"):
                continue
            name = entry.name.removesuffix(".toml")
            if name in known:
                raise _wrong(str(entry), f"the id {name!r} is already taken")
            known[name] = entry
    return dict(sorted(known.items()))


def _read(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _wrong(str(file), f"it cannot be read: {reason}") from error
