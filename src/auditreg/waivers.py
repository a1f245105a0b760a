"""`waivers.toml`: findings a firm accepts for a time, or is repairing, and whether that holds.

    [[waiver]]
    rule = "git-commit-recorded"
    models = ["motor-frequency"]          # or versions = ["motor-frequency/7"]
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

An accepted finding in force is waived. One under repair, overdue or not, stays open and carries
owner and date: a promise is not a repair. A waiver that names no model, has run out, or was approved by the
model's own owner or developer covers nothing and is itself reported.
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from auditreg.errors import ConfigError
from auditreg.models import JudgedWaiver, WaiverRef

_STATE = "No waiver was applied."

COVERING = ("in_force", "overdue")
"""Judgements under which a waiver is shown beside the findings it covers."""


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry. `expires` and `due` are the last days it holds, in the configured time zone."""

    rule: str
    status: Literal["accepted", "under_repair"]
    reason: str
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    approver: str | None = None
    ticket: str | None = None
    expires: date | None = None
    owner: str | None = None
    due: date | None = None

    @property
    def scope(self) -> str:
        """What it covers, in words."""
        return ", ".join((*self.models, *self.versions)) or "every model"

    @property
    def until(self) -> date | None:
        """Its last day."""
        return self.expires if self.status == "accepted" else self.due

    @property
    def pairs(self) -> tuple[tuple[str, int], ...]:
        """`versions` as (model, number)."""
        split = (text.rpartition("/") for text in self.versions)
        return tuple((model, int(number)) for model, _, number in split)

    @property
    def ref(self) -> WaiverRef:
        """What outputs say of it beside a finding."""
        return WaiverRef(
            self.status, self.reason, self.approver, self.owner, self.ticket, self.until
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
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}.", state=_STATE) from error
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {error}.",
            state=_STATE,
            hint="A waiver has rule, models or versions, status and reason; accepted ones also "
            "approver and expires, those under repair owner and due.",
        ) from error
    for number, waiver in enumerate(waivers, 1):
        _check(waiver, f"{path}, waiver {number} ({waiver.rule})")
    return waivers


def _check(waiver: Waiver, where: str) -> None:
    needed = ("approver", "expires") if waiver.status == "accepted" else ("owner", "due")
    for key in (*needed, "reason"):
        value = getattr(waiver, key)
        if value is None or value == "" or (isinstance(value, str) and not value.strip()):
            raise ConfigError(
                f"{where}: {key!r} is missing; a waiver with status {waiver.status} needs it.",
                state=_STATE,
            )
    for text in waiver.versions:
        model, _, number = text.rpartition("/")
        if not model or not (number.isascii() and number.isdigit()):
            raise ConfigError(
                f"{where}: {text!r} is not a version; write it as model/3.", state=_STATE
            )


def judge(
    waiver: Waiver,
    today: date,
    *,
    covers: int,
    whole: bool = True,
    known: bool = True,
    self_approved: bool = False,
) -> JudgedWaiver:
    """Say whether a waiver holds.

    Args:
        waiver: the entry.
        today: the local day of the moment that is judged.
        covers: open findings it names.
        whole: whether everything was checked, so that covering nothing means something.
        known: whether there is a rule of that id.
        self_approved: whether its approver is, as a person, owner or developer of its model.
    """
    judged = _judgement(waiver, today, covers, whole, known, self_approved)
    return as_judged(waiver, judged, covers=covers, known=known)


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
    )


def _judgement(
    waiver: Waiver, today: date, covers: int, whole: bool, known: bool, self_approved: bool
) -> str:
    if not (waiver.models or waiver.versions) or "*" in waiver.models:
        return "over_broad"
    if self_approved:
        return "self_approved"
    if not known:
        return "unused"
    if waiver.until is not None and today > waiver.until:
        return "expired" if waiver.status == "accepted" else "overdue"
    return "unused" if covers == 0 and whole else "in_force"


def _sentence(waiver: Waiver, judged: str, known: bool) -> str:
    about = f"The waiver of {waiver.rule} for {waiver.scope}"
    match judged:
        case "over_broad":
            return f"{about} names no single model, so it covers nothing."
        case "self_approved":
            return f"{about} was approved by {waiver.approver}, who owns or developed the model."
        case "unused" if not known:
            return f"{about} covers nothing: there is no such rule."
        case "unused":
            return f"{about} covers no open finding; take it out."
        case "expired":
            return f"{about} ran out on {waiver.until}."
        case "overdue":
            return f"{about}: the repair was due on {waiver.until} from {waiver.owner}."
        case _ if waiver.status == "accepted":
            return f"{about} holds until {waiver.until}."
        case _:
            return f"{about}: {waiver.owner} repairs it until {waiver.until}; it stays open."
