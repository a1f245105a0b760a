"""What a dossier says of one version. Plain frozen data, as in `auditreg.report.model`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditreg.models import Grade
from auditreg.queries.records import Interval


@dataclass(frozen=True, slots=True)
class Live:
    """A version in use, or possibly in use, and since when."""

    version: int
    via: str
    since: Interval
    certainty: str


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """One governance field of one version: its values (two where it is uncertain)."""

    id: str
    number: int | None
    title: str
    values: tuple[str, ...]
    grade: Grade
    found_in: str
    uncertain: bool


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Governance fields that belong together; `missing` names those without a record."""

    title: str
    entries: tuple[FieldEntry, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set logged with the training run."""

    name: str
    context: str | None
    digest: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """The training run a version came from."""

    run_id: str
    name: str | None
    user: str | None
    started_at: datetime | None
    status: str | None
    deleted: bool
    commit: str | None


@dataclass(frozen=True, slots=True)
class SignatureColumn:
    """One input or output of a signature."""

    direction: str
    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is known of a version's files."""

    state: str
    problem: str | None
    sha256: str | None
    flavors: str
    python: str | None
    mlflow: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One version in depth: the fields, where it came from, what goes in and out."""

    subject: str
    version: int
    live: Live | None
    created_at: datetime | None
    stage: str | None
    aliases: str | None
    groups: tuple[FieldGroup, ...]
    run: Run | None
    run_id: str | None
    datasets: tuple[Dataset, ...]
    artifact: Artifact | None
    columns: tuple[SignatureColumn, ...]
    metrics: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version in the list of a dossier, with what is recorded of its approval."""

    version: int
    created_at: datetime | None
    state: str
    deleted: bool
    approver: str | None
    role: str | None
    decision: str | None
    approved_on: str | None
    validated_on: str | None
    grade: Grade
    uncertain: tuple[str, ...]
