"""The vocabulary of the calendar: what can happen in the demo, each kind one small dataclass.

Events are data. What they do to MLflow is written in `player.py`; when they happen in
`calendar.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

# The whole calendar lies in British summer time, so a fixed offset does (and needs no tzdata).
LONDON = timezone(timedelta(hours=1), "BST")
"""The firm's clock during the demo."""


def london(text: str) -> datetime:
    """A moment written as the firm's wall clock shows it ("2026-04-02 10:15"), in UTC."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=LONDON).astimezone(UTC)


@dataclass(frozen=True)
class CreateModel:
    """A registered model is created, with the governance tags of its card in `model_cards.py`."""

    at: str
    model: str


@dataclass(frozen=True)
class Train:
    """A version is trained on the portfolio as it stood then, logged and registered.

    `by` is the account MLflow records. The later fields describe what a careless or hurried
    person leaves out; their defaults are good practice.
    """

    at: str
    model: str
    version: int
    by: str
    ticket: str
    reason: str
    signature: Literal["full", "inputs", "none"] = "full"
    training_data: bool = True
    test_data: Literal["holdout", "training"] = "holdout"
    dirty: bool = False
    described: bool = True
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Explore:
    """A run that tries something out and registers nothing."""

    at: str
    model: str
    by: str
    penalty: float


@dataclass(frozen=True)
class Validate:
    """A validation is recorded as tags on a version; `on` is its date where that is not today."""

    at: str
    model: str
    version: int
    by: str
    next_due: date
    result: str = "passed"
    on: date | None = None


@dataclass(frozen=True)
class Approve:
    """An approval is recorded as tags on a version, the approver spelt as in `by`.

    `account` is who sets the tags; whoever approves, where it is not given.
    """

    at: str
    model: str
    version: int
    by: str
    role: str = "Chief Actuary"
    account: str = ""


@dataclass(frozen=True)
class Promote:
    """A version goes live: stage Production (the one before is archived) and alias champion."""

    at: str
    model: str
    version: int
    ways: tuple[Literal["stage", "alias"], ...] = ("stage", "alias")
    account: str = "svc-rating-deploy"


@dataclass(frozen=True)
class RollBack:
    """The live version is archived and an earlier one takes its place again."""

    at: str
    model: str
    version: int
    back_to: int


@dataclass(frozen=True)
class MoveToStage:
    """A version is moved to a stage that is not live."""

    at: str
    model: str
    version: int
    stage: Literal["Staging", "Archived"]


@dataclass(frozen=True)
class Challenge:
    """The alias challenger is put on a version."""

    at: str
    model: str
    version: int


@dataclass(frozen=True)
class TagModel:
    """One governance tag of a registered model is set or overwritten."""

    at: str
    model: str
    key: str
    value: str


@dataclass(frozen=True)
class Monitor:
    """The monitoring of several registered models is gone through, and the day noted on each."""

    at: str
    models: tuple[str, ...]
    account: str = "svc-monitoring"


@dataclass(frozen=True)
class Rename:
    """A registered model gets another name."""

    at: str
    model: str
    to: str


@dataclass(frozen=True)
class DeleteVersion:
    """A version is deleted; MLflow keeps a redacted row."""

    at: str
    model: str
    version: int


@dataclass(frozen=True)
class DeleteModel:
    """A registered model is deleted with everything in it; MLflow keeps nothing."""

    at: str
    model: str


@dataclass(frozen=True)
class DeleteRun:
    """The training run of a version is deleted; the version stays as it is."""

    at: str
    model: str
    version: int


@dataclass(frozen=True)
class Prompt:
    """A version of a prompt is registered: a row among the models that is not a model."""

    at: str
    model: str
    version: int
    template: str
    note: str


@dataclass(frozen=True)
class StartCapture:
    """The server is restarted with auditreg-capture: from now on it records who changes what."""

    at: str


@dataclass(frozen=True)
class Overwrite:
    """A tag of a version is changed in the database itself, behind MLflow's back."""

    at: str
    model: str
    version: int
    key: str
    value: str


@dataclass(frozen=True)
class DemoReading:
    """The registry is read at this moment; nothing in it changes."""

    at: str


Event = (
    CreateModel
    | Train
    | Explore
    | Validate
    | Approve
    | Promote
    | RollBack
    | MoveToStage
    | Challenge
    | TagModel
    | Monitor
    | Rename
    | DeleteVersion
    | DeleteModel
    | DeleteRun
    | Prompt
    | StartCapture
    | Overwrite
    | DemoReading
)
"""Anything that can stand in the calendar."""
