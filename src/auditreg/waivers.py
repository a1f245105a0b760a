"""`waivers.toml`: findings a firm accepts for a time, is repairing or has answered; whether that holds.

    [[waiver]]
    rule = "git-commit-recorded"
    models = ["motor-frequency"]          # or versions = ["motor-frequency/7"], findings = ["F-12"]
    status = "accepted"                   # with approver and expires
    reason = "Trained before the repository moved"
    approver = "jane.smith"
    ticket = "MRM-112"
    expires = 2026-12-31

    [[waiver]]
    rule = "owner-recorded"
    models = ["home-severity"]
    status = "under_repair"               # with owner and due
    reason = "Team is being reorganised"
    owner = "pricing-ops"
    due = 2026-11-30

    [[waiver]]
    rule = "approval-precedes-live"
    findings = ["F-54"]
    status = "rejected"                   # or "repaired"; with answered_by and answered_on
    reason = "The approval was given on paper in time; it is filed as MRC-301"
    answered_by = "jane.smith"
    answered_on = 2026-10-08

`models` and `versions` are meant in every workspace and registry, by the name a model has at the moment that is judged.
`workspace = "fraud"` and `registry = "eu"` narrow an entry to one; it then covers nothing outside of it.

An accepted finding in force is waived. One under repair, overdue or not, stays open and carries
owner and date: a promise is not a repair. What happened cannot come right by itself, so a finding
about an event is answered: `repaired` says what was done about it, `rejected` that it is disputed. An answer
covers what had happened by its date. A waiver that names no model and no finding, has run out, or was given by nobody
(`TBD`), a service account or somebody out of office covers nothing and is itself reported. Whoever owns a model, or ever
was recorded as having developed it, covers nothing of that model; of others the waiver holds, and that is said. So it is
of one by somebody whom `[[people]]` does not list.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from auditreg.config import calendar
from auditreg.errors import ConfigError, UsageError
from auditreg.models import JudgedWaiver, WaiverRef

_STATE = "No waiver was applied."

COVERING = ("in_force", "by_stranger", "partly_self_approved", "overdue")
"""Judgements under which a waiver is shown beside the findings it covers."""

GIVEN = ("names_nobody", "service_account", "not_in_office", "self_approved", "by_stranger")
"""Judgements that follow from who gave an acceptance or an answer."""

ANSWERS = ("repaired", "rejected")
"""Statuses that answer a finding about an event, and close it."""

_NEEDED = {
    "accepted": ("approver", "expires"),
    "under_repair": ("owner", "due"),
    "repaired": ("answered_by", "answered_on"),
    "rejected": ("answered_by", "answered_on"),
}
_NUMBER = re.compile(r"F-([1-9]\d{0,17})")


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry. `expires` and `due` are the last days it holds, in the configured time zone.

    `answered_on` is the day of an answer: it covers what had happened by the end of it. `workspace`
    and `registry` narrow what it names; without them it is meant in every one.
    """

    rule: str
    status: Literal["accepted", "under_repair", "repaired", "rejected"]
    reason: str
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    workspace: str | None = None
    registry: str | None = None
    approver: str | None = None
    ticket: str | None = None
    expires: date | None = None
    owner: str | None = None
    due: date | None = None
    answered_by: str | None = None
    answered_on: date | None = None

    @property
    def scope(self) -> str:
        """What it covers, in words."""
        named = ", ".join((*self.models, *self.versions, *self.findings)) or "every model"
        workspace = "" if self.workspace is None else f" in workspace {self.workspace}"
        registry = "" if self.registry is None else f" of registry {self.registry}"
        return named + workspace + registry

    @property
    def until(self) -> date | None:
        """Its last day; None for an answer."""
        return {"accepted": self.expires, "under_repair": self.due}.get(self.status)

    @property
    def responsible(self) -> str | None:
        """Who gave an acceptance or an answer, and may not be the model's owner or developer."""
        return self.answered_by if self.is_answer else self.approver

    @property
    def is_answer(self) -> bool:
        """Whether it answers what happened, and closes it."""
        return self.status in ANSWERS

    @property
    def numbers(self) -> tuple[int, ...]:
        """`findings` as numbers."""
        return tuple(int(text.removeprefix("F-")) for text in self.findings)

    @property
    def pairs(self) -> tuple[tuple[str, int], ...]:
        """`versions` as (model, number)."""
        split = (text.rpartition("/") for text in self.versions)
        return tuple((model, int(number)) for model, _, number in split)

    @property
    def ref(self) -> WaiverRef:
        """What outputs say of it beside a finding."""
        return WaiverRef(
            self.status,
            self.reason,
            self.approver,
            self.owner,
            self.ticket,
            self.until,
            self.answered_by,
            self.answered_on,
        )


class WaiverFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as a whole."""

    waiver: tuple[Waiver, ...] = ()


def read_waivers(path: Path) -> str | None:
    """The text of a waiver file; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}.", state=_STATE) from error


def parse_waivers(text: str, path: Path) -> tuple[Waiver, ...]:
    """Read waivers from a text; `path` is named in errors.

    Raises:
        ConfigError: the text is not TOML, or an entry is not a waiver.
    """
    try:
        waivers = msgspec.convert(tomllib.loads(text), WaiverFile).waiver
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.", state=_STATE) from error
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {error}.",
            state=_STATE,
            hint="A waiver has rule, models, versions or findings, status and reason; accepted ones "
            "also approver and expires, those under repair owner and due, answers (repaired, "
            "rejected) answered_by and answered_on.",
        ) from error
    for number, waiver in enumerate(waivers, 1):
        _check(waiver, f"{path}, waiver {number} ({waiver.rule})")
    return waivers


def _check(waiver: Waiver, where: str) -> None:
    for key in (*_NEEDED[waiver.status], "reason"):
        value = getattr(waiver, key)
        if value is None or value == "" or (isinstance(value, str) and not value.strip()):
            raise ConfigError(
                f"{where}: {key!r} is missing; a waiver with status {waiver.status} needs it.",
                state=_STATE,
            )
    for key in ("expires", "due", "answered_on"):
        day = getattr(waiver, key)
        if day is None:
            continue
        try:
            calendar.moment(day)
        except UsageError as error:
            raise ConfigError(
                f"{where}: {key!r} is {day}, out of range.", state=_STATE, hint=error.hint
            ) from error
    for text in waiver.versions:
        model, _, number = text.rpartition("/")
        if not model or not re.fullmatch(r"[0-9]{1,18}", number):
            raise ConfigError(
                f"{where}: {text!r} is not a version; write it as model/3.", state=_STATE
            )
    for text in waiver.findings:
        if not _NUMBER.fullmatch(text):
            raise ConfigError(
                f"{where}: {text!r} is not the number of a finding; write it as F-12.", state=_STATE
            )


@dataclass(frozen=True, slots=True)
class Reach:
    """How many findings a waiver names: open ones that it may cover, ones that it closed earlier, and open
    ones withheld from it, because who gave it owns or developed the model.
    """

    covers: int = 0
    answered: int = 0
    withheld: int = 0


def judge(
    waiver: Waiver,
    today: date,
    reach: Reach,
    *,
    whole: bool = True,
    known: bool = True,
    given: str | None = None,
    about_events: bool = True,
) -> JudgedWaiver:
    """Say whether a waiver holds.

    Args:
        waiver: the entry.
        today: the local day of the moment that is judged.
        reach: the findings it names.
        whole: whether everything was checked, so that covering nothing means something.
        known: whether there is a rule of that id.
        given: what speaks against who gave it, one of `GIVEN`.
        about_events: whether its rule asks what happened, so that it can be answered.
    """
    nothing = whole and not reach.covers + reach.answered
    if not (waiver.models or waiver.versions or waiver.findings) or "*" in waiver.models:
        judged = "over_broad"
    elif given is not None and given not in COVERING:
        judged = given
    elif reach.withheld and nothing:
        judged = "self_approved"
    elif known and waiver.is_answer and not about_events:
        judged = "no_event"
    elif known and (dated := _by_its_date(waiver, today)):
        judged = dated
    elif nothing or not known:
        judged = "unused"
    else:
        judged = "partly_self_approved" if reach.withheld else given or "in_force"
    return as_judged(waiver, judged, covers=reach.covers, known=known)


def as_judged(waiver: Waiver, judged: str, *, covers: int, known: bool = True) -> JudgedWaiver:
    """A waiver with its judgement, as `judge` came to it, and the sentence that explains it."""
    return JudgedWaiver(
        rule=waiver.rule,
        scope=waiver.scope,
        status=waiver.status,
        reason=waiver.reason,
        approver=waiver.approver,
        ticket=waiver.ticket,
        expires=waiver.expires,
        owner=waiver.owner,
        due=waiver.due,
        judged=judged,
        sentence=_sentence(waiver, judged, known),
        covers=covers if judged in COVERING else 0,
        answered_by=waiver.answered_by,
        answered_on=waiver.answered_on,
    )


def _by_its_date(waiver: Waiver, today: date) -> str | None:
    """How its date judges a waiver: it has run out, or was not given yet."""
    if waiver.is_answer and waiver.answered_on is not None and today < waiver.answered_on:
        return "not_yet"
    if waiver.until is not None and today > waiver.until:
        return "expired" if waiver.status == "accepted" else "overdue"
    return None


def _sentence(waiver: Waiver, judged: str, known: bool) -> str:
    what = "answer to" if waiver.is_answer else "waiver of"
    about = f"The {what} {waiver.rule} for {waiver.scope}"
    given = "given" if waiver.is_answer else "approved"
    sentences = {
        "over_broad": " names no single model, so it covers nothing.",
        "self_approved": f" was {given} by {waiver.responsible}, who owns or developed the model.",
        "names_nobody": f" was {given} by {waiver.responsible!r}, which names nobody.",
        "service_account": f" was {given} by {waiver.responsible}, a service account.",
        "not_in_office": f" was {given} by {waiver.responsible}, who was not in office"
        f" on {waiver.answered_on}."
        if waiver.is_answer
        else f" was {given} by {waiver.responsible}, who is not in office.",
        "no_event": " is about no event: repair it in the registry, or accept it until a date.",
        "not_yet": f" was given on {waiver.answered_on}, after the moment that is judged.",
        "unused": " covers no open finding; take it out."
        if known
        else " covers nothing: there is no such rule.",
        "expired": f" expired on {waiver.until}.",
        "overdue": f": the repair was due on {waiver.until} from {waiver.owner}.",
    }
    if judged == "by_stranger":
        return (
            f"{about}{_holds(waiver)[:-1]}; {waiver.responsible} is nobody listed in auditreg.toml."
        )
    if judged == "partly_self_approved":
        return f"{about}{_holds(waiver)[:-1]}, but not for what {waiver.responsible} owns or developed."
    return about + (sentences.get(judged) or _holds(waiver))


def _holds(waiver: Waiver) -> str:
    """What a waiver in force does, as the end of a sentence."""
    if waiver.is_answer:
        return f": {waiver.status}, says {waiver.answered_by} on {waiver.answered_on}."
    if waiver.status == "accepted":
        return f" holds until {waiver.until}."
    return f": {waiver.owner} repairs it until {waiver.until}; it stays open."
