"""The figures of `auditreg status` in Prometheus's text format, for a textfile collector.

Moments are seconds since the epoch and ages are left to Prometheus, so that a schedule that stopped
shows although nothing writes the file any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditreg.queries.status import LedgerStatus, RegistryStatus

Sample = tuple[dict[str, str], float]


def exposition(found: LedgerStatus | None, *, ledger_bytes: int) -> bytes:
    """The file's content; `found` is None where the ledger cannot be read."""
    lines: list[str] = []
    for name, meaning, samples in _metrics(found, ledger_bytes):
        if samples:
            lines += [f"# HELP {name} {_help(meaning)}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return ("\n".join(lines) + "\n").encode()


def _metrics(
    found: LedgerStatus | None, ledger_bytes: int
) -> Iterator[tuple[str, str, list[Sample]]]:
    """Name, meaning and samples of each metric, in the order of the file."""
    yield (
        "auditreg_ledger_readable",
        "1 where the ledger could be read, 0 where it is missing, locked or damaged.",
        [({}, float(found is not None))],
    )
    yield "auditreg_ledger_bytes", "Size of the ledger file in bytes.", [({}, ledger_bytes)]
    if found is None:
        return
    yield "auditreg_ledger_entries", "Entries of the log.", [({}, found.tree_size)]
    yield (
        "auditreg_last_seal_timestamp_seconds",
        "When an extraction, a check or a report was sealed last.",
        [({}, _seconds(found.sealed_at))] if found.sealed_at else [],
    )
    yield (
        "auditreg_last_extraction_timestamp_seconds",
        "Moment of the last reading of the registry, complete or not.",
        [(_of(one), _seconds(one.observed_at)) for one in found.registries],
    )
    yield (
        "auditreg_last_complete_extraction_timestamp_seconds",
        "Moment of the last complete reading of the registry.",
        [(_of(one), _seconds(one.complete_at)) for one in found.registries if one.complete_at],
    )
    yield (
        "auditreg_extraction_complete",
        "1 where the last reading left nothing in doubt, else 0.",
        [(_of(one), float(one.complete)) for one in found.registries],
    )
    yield (
        "auditreg_extraction_doubts",
        "Doubts the last reading left.",
        [(_of(one), len(one.doubts)) for one in found.registries],
    )
    yield (
        "auditreg_registered_models",
        "Registered models that are not deleted.",
        [(_of(one), one.models) for one in found.registries],
    )
    yield (
        "auditreg_live_versions",
        "Versions in use, or possibly in use.",
        [(_of(one), one.live_versions) for one in found.registries],
    )
    yield (
        "auditreg_open_findings",
        "Findings open at the last check; those about the ledger itself have no registry.",
        [
            ({**labels, "severity": severity}, number)
            for labels, counts in (
                *((_of(one), one.open_findings) for one in found.registries),
                ({"registry": ""}, found.open_findings),
            )
            for severity, number in counts.items()
        ],
    )


def _of(one: RegistryStatus) -> dict[str, str]:
    return {"registry": one.registry}


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


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
