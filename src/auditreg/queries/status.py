"""How a ledger stands: the last reading of each registry, and the last seal over everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.models import Severity
from auditreg.queries.reader import LAST_READING, fetch_rows, texts

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class RegistryStatus:
    """One registry, by its last reading.

    Moments are UTC. The last reading is the one of the latest moment, so that a restored backup
    taken in today does not make an old state look fresh, nor hide a newer reading that was
    incomplete. `complete_at` is the moment of the last complete reading, None where there was none.
    `open_findings` has every severity.
    """

    registry: str
    source: str
    observed_at: datetime
    complete: bool
    doubts: tuple[str, ...]
    complete_at: datetime | None
    models: int
    live_versions: int
    open_findings: dict[str, int]
    tree_size: int
    root: str


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """A ledger as a whole: its registries, its entries, and the last thing that was sealed.

    `tree_size` and `root` stand over every entry, the last seal among them. `sealed_kind` is
    `extraction`, `check` or `report`. `open_findings` are those of no registry: about the ledger.
    """

    registries: tuple[RegistryStatus, ...]
    tree_size: int
    root: str
    sealed_at: datetime | None
    sealed_kind: str | None
    policy: str | None
    open_findings: dict[str, int]

    @property
    def complete(self) -> bool:
        """Whether the last reading of every registry left nothing in doubt."""
        return all(registry.complete for registry in self.registries)


_LAST = f"""
select e.registry, e.source, e.observed_at, e.complete, e.doubts, e.tree_size, e.root,
       (select max(c.observed_at) from extractions c
        where c.registry = e.registry and c.complete) as complete_at,
       (select count(distinct subject) from registered_models m
        where m.registry = e.registry and not deleted
          and subject not in (select model_subject from prompt_models)) as models,
       (select count(distinct subject) from live_versions v
        where v.registry = e.registry) as live_versions
from extractions e
{LAST_READING}
order by registry
"""
_SEALS = """
select seq, recorded_at, 'extraction' as kind, policy from extractions
union all select seq, recorded_at, 'check', policy from checks
union all select seq, recorded_at, 'report', policy from reports
order by seq desc limit 1
"""
_OPEN = "select registry, severity, count(*) from findings where open group by registry, severity"


def ledger_status(con: duckdb.DuckDBPyConnection) -> LedgerStatus:
    """How the ledger on a connection stands. Costs a few counts, whatever the size."""
    from auditreg.ledger.entries import load_tree

    tree = load_tree(con)
    opened: dict[str | None, dict[str, int]] = {}
    for registry, severity, number in con.execute(_OPEN).fetchall():
        opened.setdefault(registry, {})[severity] = number
    seal = con.execute(_SEALS).fetchone()
    return LedgerStatus(
        registries=tuple(
            RegistryStatus(
                **{**row, "complete": bool(row["complete"]), "doubts": texts(row["doubts"])},
                open_findings=_by_severity(opened.get(row["registry"], {})),
            )
            for row in fetch_rows(con, _LAST)
        ),
        tree_size=tree.size,
        root=tree.root().hex(),
        sealed_at=seal[1] if seal else None,
        sealed_kind=seal[2] if seal else None,
        policy=seal[3] if seal else None,
        open_findings=_by_severity(opened.get(None, {})),
    )


@dataclass(frozen=True, slots=True)
class LastReading:
    """The last reading of one registry; `doubts` are the reasons for which it is incomplete."""

    seq: int
    registry: str
    source: str
    observed_at: datetime
    complete: bool
    doubts: tuple[str, ...]


def last_readings(con: duckdb.DuckDBPyConnection, at: datetime | None = None) -> list[LastReading]:
    """The last reading of each registry, by name; by `at` where a moment is given."""
    rows = fetch_rows(
        con,
        "select seq, registry, source, observed_at, complete, doubts from extractions "
        f"where $at::TIMESTAMP is null or observed_at <= $at::TIMESTAMP {LAST_READING} "
        "order by registry",
        {"at": at},
    )
    return [
        LastReading(**{**row, "complete": bool(row["complete"]), "doubts": texts(row["doubts"])})
        for row in rows
    ]


def _by_severity(counts: dict[str, int]) -> dict[str, int]:
    return {severity.value: counts.get(severity.value, 0) for severity in Severity}
