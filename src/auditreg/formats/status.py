"""How a ledger stands: a row for each registry, and figures in Prometheus's text format.

The figures are for a textfile collector. Moments are seconds since the epoch and ages are left to
Prometheus, so that a schedule that stopped shows although nothing writes the file any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.queries.status import LedgerStatus, RegistryStatus

COLUMNS = (
    "registry",
    "state",
    "read",
    "hours_ago",
    "last_complete",
    "doubts",
    "first_doubt",
    "source",
    "models",
    "live",
    "open",
    "entries",
    "root",
    "sealed",
    "sealed_at",
)

Sample = tuple[dict[str, str], float]


def status_table(status: LedgerStatus, states: Mapping[str, str], now: datetime) -> Table:
    """A row for each registry, about its last reading; `states` are those of the registries."""
    return Table(
        COLUMNS,
        [
            (
                reading.registry,
                states[reading.registry],
                reading.observed_at,
                round((now - reading.observed_at) / timedelta(hours=1), 1),
                reading.complete_at,
                len(reading.doubts),
                reading.doubts[0] if reading.doubts else None,
                reading.source,
                reading.models,
                reading.live_versions,
                sum(reading.open_findings.values()),
                status.tree_size,
                status.root,
                status.sealed_kind,
                status.sealed_at,
            )
            for reading in status.registries
        ],
    )


def exposition(status: LedgerStatus | None, *, ledger_bytes: int) -> bytes:
    """The file's content; `status` is None where the ledger cannot be read."""
    lines: list[str] = []
    for name, meaning, samples in _metrics(status, ledger_bytes):
        if samples:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return ("\n".join(lines) + "\n").encode()


def _metrics(
    status: LedgerStatus | None, ledger_bytes: int
) -> Iterator[tuple[str, str, list[Sample]]]:
    """Name, meaning and samples of each metric, in the order of the file."""
    yield (
        "auditreg_ledger_readable",
        "1 where the ledger could be read, 0 where it is missing, locked or damaged.",
        [({}, float(status is not None))],
    )
    yield "auditreg_ledger_bytes", "Size of the ledger file in bytes.", [({}, ledger_bytes)]
    if status is None:
        return
    yield "auditreg_ledger_entries", "Entries of the log.", [({}, status.tree_size)]
    yield (
        "auditreg_last_seal_timestamp_seconds",
        "When an extraction, a check or a report was sealed last.",
        [({}, _seconds(status.sealed_at))] if status.sealed_at else [],
    )
    yield (
        "auditreg_last_extraction_timestamp_seconds",
        "Moment of the last reading of the registry, complete or not.",
        [
            (_registry_label(reading), _seconds(reading.observed_at))
            for reading in status.registries
        ],
    )
    yield (
        "auditreg_last_complete_extraction_timestamp_seconds",
        "Moment of the last complete reading of the registry.",
        [
            (_registry_label(reading), _seconds(reading.complete_at))
            for reading in status.registries
            if reading.complete_at
        ],
    )
    yield (
        "auditreg_extraction_complete",
        "1 where the last reading left nothing in doubt, else 0.",
        [(_registry_label(reading), float(reading.complete)) for reading in status.registries],
    )
    yield (
        "auditreg_extraction_doubts",
        "Doubts the last reading left.",
        [(_registry_label(reading), len(reading.doubts)) for reading in status.registries],
    )
    yield (
        "auditreg_registered_models",
        "Registered models that are not deleted.",
        [(_registry_label(reading), reading.models) for reading in status.registries],
    )
    yield (
        "auditreg_live_versions",
        "Versions in use, or possibly in use.",
        [(_registry_label(reading), reading.live_versions) for reading in status.registries],
    )
    yield (
        "auditreg_open_findings",
        "Findings open at the last check; those about the ledger itself have no registry.",
        [
            ({**labels, "severity": severity}, number)
            for labels, counts in (
                *(
                    (_registry_label(reading), reading.open_findings)
                    for reading in status.registries
                ),
                ({"registry": ""}, status.open_findings),
            )
            for severity, number in counts.items()
        ],
    )


def _registry_label(reading: RegistryStatus) -> dict[str, str]:
    return {"registry": reading.registry}


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_label(value)}"' for name, value in labels.items()) + "}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
