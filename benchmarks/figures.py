"""What a benchmark says: figures with their budgets, as a table, as JSON and for the README."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SCHEMA = "auditreg.benchmarks/1"

_PACKAGES = (
    "duckdb",
    "mlflow",
    "weasyprint",
    "adbc-driver-sqlite",
    "adbc-driver-postgresql",
    "pyarrow",
)
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    `unit` is `x` for a ratio of two times of one run. `budget` is None for what is only told;
    `least` says that the budget is a lower bound.
    """

    what: str
    value: float
    unit: str = "x"
    budget: float | None = None
    least: bool = False

    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept; None where there is none."""
        if self.budget is None:
            return None
        return self.value >= self.budget if self.least else self.value <= self.budget

    @property
    def value_text(self) -> str:
        """The value with its unit."""
        if self.unit in ("MiB", "pages", "modules", "requests", "rows"):
            return f"{self.value:,.0f} {self.unit}"
        return f"{self.value:.2f} {self.unit}"

    @property
    def budget_text(self) -> str:
        """The budget with its unit, or nothing."""
        if self.budget is None:
            return ""
        number = f"{self.budget:,g}"
        return f"{'≥' if self.least else '≤'} {number} {self.unit}"

    @property
    def verdict(self) -> str:
        """`kept`, `missed` or nothing."""
        return {True: "kept", False: "missed", None: ""}[self.kept]


@dataclass(frozen=True)
class Outcome:
    """What one benchmark found: its figures, the times behind them, or why it failed."""

    benchmark: str
    figures: tuple[Figure, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code: no names, no paths."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": platform.system(),
        "processor": platform.machine(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def _memory_gib() -> int | None:
    """Main memory of this machine, GiB; None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, ValueError):
        return None


def as_json(outcomes: Sequence[Outcome], scale: int, where: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, for programs."""
    return {
        "schema": SCHEMA,
        "scale": scale,
        "machine": where,
        "benchmarks": {
            outcome.benchmark: {
                "figures": [{**asdict(figure), "kept": figure.kept} for figure in outcome.figures],
                "detail": outcome.detail,
                "problem": outcome.problem or None,
            }
            for outcome in outcomes
        },
    }


def _rows(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for outcome in outcomes:
        rows += [
            (outcome.benchmark, f.what, f.value_text, f.budget_text, f.verdict)
            for f in outcome.figures
        ]
        if outcome.problem:
            rows.append((outcome.benchmark, "not measured", "", "", outcome.problem))
    return rows


def as_table(outcomes: Sequence[Outcome]) -> str:
    """The figures in columns, for people."""
    rows = [("benchmark", "figure", "measured", "budget", ""), *_rows(outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            row[1].ljust(widths[1]),
            row[2].rjust(widths[2]),
            row[3].rjust(widths[3]),
            row[4],
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(outcomes: Sequence[Outcome], scale: int, where: dict[str, Any]) -> str:
    """The results as they stand in the README."""
    known = dict(where["versions"])
    for outcome in outcomes:
        known.update(outcome.detail.get("versions", {}))
    versions = ", ".join(f"{name} {number}" for name, number in known.items())
    head = (
        f"Measured on {where['measured_at']} with {scale:,} versions and {2 * scale:,} runs on "
        f"{where['cores']} cores and {where['memory_gib']} GiB of memory "
        f"({where['system']}, {where['processor']}), "
        f"load average {where['load_before']} at the start; {versions}."
    )
    lines = ["| Benchmark | Figure | Measured | Budget | |", "|---|---|---:|---:|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(outcomes)]
    return "\n".join([head, "", *lines])


def write_readme(path: Path, text: str) -> None:
    """Put the results between the marks in the README.

    Raises:
        ValueError: the marks are not there.
    """
    old = path.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if not pattern.search(old):
        raise ValueError(f"{path} lacks the marks {_BEGIN} and {_END}")
    new = pattern.sub(lambda _: f"{_BEGIN}\n{text}\n{_END}", old)
    path.write_text(new, encoding="utf-8")
