"""`auditreg.extract/1`: the result of an extraction as JSON, frozen.

The types are copies of their own, as those of `auditreg.check/1`; `docs/schema/extract-1.schema.json`
is generated from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from auditreg.config.schema import schema_of
from auditreg.errors import AuditregError, redact_uri
from auditreg.formats.escape import json_bytes
from auditreg.ledger.result import ExtractionResult, code_of

SCHEMA: Final = "auditreg.extract/1"

MomentV1 = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]
Count = Annotated[int, Meta(ge=0)]


class CountV1(Struct, forbid_unknown_fields=True):
    """Rows of one staging table."""

    source: Annotated[
        Count | None, Meta(description="As the source counts them; null where it does not.")
    ]
    read: Annotated[Count, Meta(description="As they were read.")]


class ChangesV1(Struct, forbid_unknown_fields=True):
    """Things of one kind of entry that are new in the ledger, changed or gone; each counts once."""

    new: Count
    changed: Count
    gone: Count


class ErrorV1(Struct, forbid_unknown_fields=True):
    """Why nothing was recorded."""

    what: str
    state: Annotated[str, Meta(description="What state things are in.")]
    hint: Annotated[str, Meta(description="What to do.")]


class ExtractionV1(Struct, forbid_unknown_fields=True):
    """One registry. What was not recorded has `status`, `error` and nothing else."""

    registry: str
    status: Annotated[
        Literal["recorded", "incomplete", "empty", "failed"],
        Meta(
            description="`incomplete` is recorded as such; `empty` and `failed` are not recorded."
        ),
    ]
    error: ErrorV1 | None = None
    source: Annotated[str | None, Meta(description="Kind of source.")] = None
    location: Annotated[str | None, Meta(description="Where, without passwords.")] = None
    mlflow_version: str | None = None
    schema_version: str | None = None
    observed_at: Annotated[MomentV1 | None, Meta(description="The moment it shows, UTC.")] = None
    first: Annotated[bool, Meta(description="The registry's first extraction.")] = False
    late: Annotated[bool, Meta(description="Older than what the ledger held.")] = False
    complete: bool = False
    doubts: list[str] = []
    counts: Annotated[dict[str, CountV1], Meta(description="By staging table.")] = {}
    changes: Annotated[dict[str, ChangesV1], Meta(description="By kind of entry.")] = {}
    gaps: Annotated[Count, Meta(description="Version numbers with no version.")] = 0
    tombstones: Annotated[Count, Meta(description="Deleted versions, kept as such.")] = 0
    left_out: Annotated[dict[str, int], Meta(description="Number by reason.")] = {}
    cannot_show: list[str] = []
    passes: Annotated[Count, Meta(description="Readings until two agreed.")] = 0
    asked: Annotated[dict[str, str], Meta(description="What was asked for.")] = {}
    secrets: Annotated[Count, Meta(description="Values kept as hashes only.")] = 0
    captured: Annotated[Count, Meta(description="New rows of the server's journal.")] = 0
    unexplained: Annotated[Count, Meta(description="Changes its journal should have told of.")] = 0
    appended: Annotated[Count, Meta(description="Entries appended to the ledger.")] = 0
    tree_size: Annotated[Count, Meta(description="Entries before the closing one.")] = 0
    root: Annotated[str | None, Meta(description="RFC 6962 root over those, hexadecimal.")] = None
    duration: Annotated[float, Meta(description="Seconds.")] = 0.0
    notes: list[str] = []


class ExtractV1(Struct, forbid_unknown_fields=True):
    """The result of `auditreg extract`."""

    schema: Literal["auditreg.extract/1"]
    ledger: Annotated[str, Meta(description="The ledger's file.")]
    exit_code: Annotated[int, Meta(description="What the command ends in.")]
    extractions: list[ExtractionV1]


def document(outcomes: Sequence[ExtractionResult], ledger: str) -> dict[str, Any]:
    """An extraction in its frozen form, as plain values."""
    result = ExtractV1(
        SCHEMA, ledger, int(code_of(outcomes)), [_extraction(outcome) for outcome in outcomes]
    )
    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain


def render(outcomes: Sequence[ExtractionResult], ledger: str) -> bytes:
    """The document as text; acting characters are escaped."""
    return json_bytes(document(outcomes, ledger))


def error_v1(error: AuditregError) -> ErrorV1:
    """An error in its frozen form, without passwords."""
    return ErrorV1(redact_uri(error.what), redact_uri(error.state), redact_uri(error.hint))


def _extraction(outcome: ExtractionResult) -> ExtractionV1:
    seconds = round(outcome.seconds, 3)
    done, info = outcome.done, outcome.info
    if done is None or info is None:
        error = outcome.error
        return ExtractionV1(
            outcome.registry,
            "empty" if outcome.status == "empty" else "failed",
            error_v1(error) if error else None,
            duration=seconds,
            notes=list(outcome.notes),
        )
    account = done.completeness
    return ExtractionV1(
        outcome.registry,
        "recorded" if done.complete else "incomplete",
        source=info.kind,
        location=redact_uri(info.location),
        mlflow_version=info.mlflow_version,
        schema_version=info.schema_version,
        observed_at=f"{done.observed_at.isoformat()}Z",
        first=done.first,
        late=done.late,
        complete=done.complete,
        doubts=[redact_uri(doubt) for doubt in account.doubts],
        counts={table: CountV1(*pair) for table, pair in account.counts.items()},
        changes={
            kind: ChangesV1(
                done.new.get(kind, 0),
                done.changes.get((kind, "put"), 0) - done.new.get(kind, 0),
                done.changes.get((kind, "gone"), 0),
            )
            for kind in dict.fromkeys(kind for kind, _ in done.changes)
        },
        gaps=account.gaps,
        tombstones=account.tombstones,
        left_out=dict(account.left_out),
        cannot_show=list(done.cannot_show),
        passes=account.passes,
        asked=dict(account.options),
        secrets=done.secrets,
        captured=done.captured,
        unexplained=done.unexplained,
        appended=done.appended,
        tree_size=done.tree_size,
        root=done.root,
        duration=seconds,
        notes=list(outcome.notes),
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `auditreg.extract/1`."""
    return schema_of(ExtractV1, SCHEMA)
