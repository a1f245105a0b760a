"""Names of people in a report, shown as roles or initials where the firm wants it so.

One pass over the finished `Report`: what is counted and judged has seen the names, and data outputs
(JSON, CSV, the ledger) keep them. A name is known from `[[people]]`, or because it stands where a
report has people: an approver, an owner, whoever changed something. Bodies and service accounts keep
their names; so do the cover and the firm's word on a framework, which name who answers for them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar, cast

from auditreg.frameworks.parse import Framework
from auditreg.models import Finding, JudgedWaiver, RuleInfo, Subject
from auditreg.queries.captures import Capture
from auditreg.queries.change_groups import Change
from auditreg.queries.records import Lifecycle, RecordedQuery
from auditreg.report.coverage import FrameworkCoverage
from auditreg.report.model import FieldEntry, Identity, Report
from auditreg.report.provenance import Extraction, ExtractionAccount, Integrity

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.config.settings import Person

_FIELDS = frozenset(
    {"owner", "developer", "reviewer", "approver", "exemption_by", "findings_owner"}
)
"""Governance fields that hold people."""

_COLUMNS = frozenset(
    {"actor", "approver", "owner", "answered_by", "user", "validator", "developer", "reviewer",
     "developers", "persons", "person", "accounts", "account", "promoter", "findings_owner"}
)  # fmt: skip
_ENDINGS = ("_by", "_person", "_owner", "_approver", "_reviewer", "_developer", "_validator")
_NOBODY = frozenset({"contested_by", "replaced_by", "live_by"})
"""Names of what holds people in the model and in the evidence of rules, and of what does not."""

_LISTS = frozenset({"developers", "persons", "accounts"})

_WHOLE = (
    *(Capture, Extraction, ExtractionAccount, Framework, FrameworkCoverage, Identity, Integrity),
    *(Lifecycle, RecordedQuery, RuleInfo, Subject),
)
"""What has no people in it, or keeps them."""

_PLAIN = frozenset(
    {"subject", "model_subject", "model", "slug", "registry", "workspace", "system", "environment",
     "run_id", "kind", "request", "actor_from", "via", "key", "label", "title", "id", "item", "known",
     "lasts", "commit", "state", "verdict", "contested_by", "rule", "scope", "found_in"}
)  # fmt: skip
"""Fields of the model that hold names of other things."""

UNLISTED = "a person not listed"
"""What stands for a name that `[[people]]` does not have."""

_T = TypeVar("_T")


def with_people(
    report: Report, config: Config, names_nobody: Callable[[list[str]], Collection[str]]
) -> Report:
    """The report as `[report] people` wants it.

    Args:
        report: with names.
        config: how people are shown, who is listed, and the tags of fields that hold people.
        names_nobody: those of some spellings that name nobody, such as `TBD`; they stay.
    """
    if config.report.people == "names":
        return report
    tags = {
        tag for field in config.governance_fields() if _is_of_people(field.id) for tag in field.tags
    }
    found = frozenset(_spellings(report, tags))
    listed = _Listed(config, report.identity.last_day)
    single = {text for text, several in found if not several}
    # A list of several is one text: what is left of it once the known ones are out is apart by commas.
    for text, several in found:
        if several:
            single |= set(_parts(listed.without(text, single)))
    return _walked(report, _Shown(listed, single - set(names_nobody(sorted(single)))))


class _Listed:
    """Who the settings name: every spelling, and what is shown for whom."""

    def __init__(self, config: Config, on: date) -> None:
        self.initials = config.report.people == "initials"
        self.kept = {_fold(text) for body in config.bodies for text in _written(body)}
        self.labels: dict[str, list[str]] = {}
        self.by_spelling: dict[str, str] = {}
        entries: dict[str, list[Person]] = {}
        for person in config.people:
            entries.setdefault(person.id, []).append(person)
        for name, spans in entries.items():
            spelled = [text for person in spans for text in _written(person)]
            if any(person.service for person in spans):
                self.kept |= {_fold(text) for text in spelled}
                continue
            self.labels.setdefault(self._label(_then(spans, on)), []).append(name)
            self.by_spelling |= dict.fromkeys(spelled, name)

    def _label(self, person: Person) -> str:
        if self.initials or not person.roles:
            return _initials(person.name or person.id)
        return person.roles[0]

    def without(self, text: str, others: Collection[str]) -> str:
        """A text without the spellings that are known."""
        known = _pattern((*self.by_spelling, *self.kept, *others))
        return text if known is None else known.sub(",", text)


class _Shown:
    """What is shown for each spelling, and for a text in which spellings stand."""

    def __init__(self, listed: _Listed, found: Iterable[str]) -> None:
        labels = {label: list(several) for label, several in listed.labels.items()}
        whose = dict(listed.by_spelling)
        by_fold = {_fold(text): name for text, name in whose.items()}
        for text in sorted(found, key=lambda text: (_fold(text), text)):
            folded = _fold(text)
            if folded in listed.kept:
                continue
            if folded not in by_fold:
                by_fold[folded] = folded
                label = _initials(text) if listed.initials else UNLISTED
                labels.setdefault(label, []).append(folded)
            whose[text] = by_fold[folded]
        # Two who would look the same are told apart, or a sentence would say that they are one.
        final = {
            name: label if len(several) == 1 else f"{label} {number}"
            for label, several in labels.items()
            for number, name in enumerate(several, 1)
        }
        self._by_fold = {_fold(text): final[name] for text, name in whose.items()}
        self._any = _pattern(whose)
        self._long = _pattern(text for text in whose if not text.isalnum())

    def value(self, text: str) -> str:
        """A value: a spelling as a whole, or a text in which unmistakable ones stand."""
        return self._put(text, self._long)

    def sentence(self, text: str) -> str:
        """A sentence of a finding: every spelling in it, single words too."""
        return self._put(text, self._any)

    def _put(self, text: str, pattern: re.Pattern[str] | None) -> str:
        if (whole := self._by_fold.get(_fold(text))) is not None:
            return whole
        if pattern is None:
            return text
        # Letters that a pattern takes for the same, but not lower(): a dotted capital I is one.
        return pattern.sub(lambda match: self._by_fold.get(_fold(match[0]), UNLISTED), text)


def _pattern(spellings: Iterable[str]) -> re.Pattern[str] | None:
    """Any of the spellings as a word of its own, the longest first; single words as they are written."""
    words = sorted(
        {text for text in spellings if len(text) > 1}, key=lambda text: (-len(text), text)
    )
    if not words:
        return None
    any_of = "|".join(
        re.escape(text) if text.isalnum() else f"(?i:{re.escape(text)})" for text in words
    )
    return re.compile(rf"(?<![\w.@-])(?:{any_of})(?![\w@-]|\.\w)")


def _then(spans: list[Person], on: date) -> Person:
    """The entry of somebody in office on a day, else the last one."""
    for person in spans:
        if (person.from_ or date.min) <= on <= (person.until or date.max):
            return person
    return max(spans, key=lambda person: person.until or date.max)


def _written(entry: Any) -> list[str]:
    return [text for text in (entry.name, entry.id, *entry.accounts) if text]


def _fold(text: str) -> str:
    return text.strip().lower()


def _initials(text: str) -> str:
    """`I. S.` of `Ingrid Solberg`, `Solberg, Ingrid` and `ingrid.solberg@firm.example`."""
    family, comma, given = text.partition(",")
    name = f"{given} {family}" if comma else text.partition("@")[0]
    parts = re.findall(r"[^\W\d_]+", name)
    return " ".join(f"{part[0].upper()}." for part in parts) or UNLISTED


def _spellings(value: object, tags: Collection[str]) -> Iterator[tuple[str, bool]]:
    """What stands where people stand, anywhere below a value; and whether it is a list of several."""
    if isinstance(value, _WHOLE):
        return
    if isinstance(value, tuple | list):
        for part in value:
            yield from _spellings(part, tags)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _column(str(name), part)
    elif dataclasses.is_dataclass(value):
        if isinstance(value, FieldEntry) and _is_of_people(value.id):
            yield from _column(value.id, value.values)
        if isinstance(value, Change) and value.item in tags:
            yield from _column("actor", (value.before, value.after))
        for field in dataclasses.fields(value):
            part = getattr(value, field.name)
            yield from (
                _column(field.name, part) if isinstance(part, str) else _spellings(part, tags)
            )


def _column(name: str, value: object) -> Iterator[tuple[str, bool]]:
    """The spellings in a column, where it is one of people."""
    if not _is_of_people(name):
        return
    for text in value if isinstance(value, list | tuple) else (value,):
        if isinstance(text, str) and text.strip():
            yield text, name in _LISTS


def _is_of_people(name: str) -> bool:
    """Whether a column or a governance field of this name holds people; a firm's own too."""
    return name not in _NOBODY and (name in _COLUMNS or name in _FIELDS or name.endswith(_ENDINGS))


def _parts(text: str) -> Iterator[str]:
    return (part.strip() for part in re.split(r"[,;]", text) if part.strip())


def _walked(value: _T, shown: _Shown, *, sentences: bool = False) -> _T:
    """The value with every name in it replaced. In a finding each text may be a sentence."""
    one: Any = value
    if isinstance(one, _WHOLE):
        return value
    if type(one) is str:
        return cast("_T", shown.sentence(one) if sentences else shown.value(one))
    if isinstance(one, tuple | list):
        return cast("_T", type(one)(_walked(part, shown, sentences=sentences) for part in one))
    if isinstance(one, Mapping):
        walked = {key: _walked(part, shown, sentences=sentences) for key, part in one.items()}
        return cast("_T", walked)
    if not dataclasses.is_dataclass(one) or isinstance(one, type):
        return value
    sentences = sentences or isinstance(one, Finding | JudgedWaiver)
    changed = {
        field.name: _walked(getattr(one, field.name), shown, sentences=sentences)
        for field in dataclasses.fields(one)
        if not (field.name in _PLAIN and isinstance(getattr(one, field.name), str))
    }
    return cast("_T", dataclasses.replace(one, **changed))
