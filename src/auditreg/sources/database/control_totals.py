"""Control totals: the numbers an extraction seals, as SQL that anybody can run in the database.

They come from the queries an extraction runs itself, so that one cannot differ from the other; that
somebody else runs them, with another program, is what makes them independent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditreg.sources.database import postgresql
from auditreg.sources.database.mysql import SQL_MODE
from auditreg.sources.database.mysql import quoted as backticked
from auditreg.sources.database.offline import written
from auditreg.sources.database.queries import ALL_RUNS, SPECS, Queries
from auditreg.sources.interface import JOURNAL, NO_RUN_POINTED, RUN_GONE

ALL_ASKED = "asked.all_runs"
"""The row that says whether every run was counted (1) or those that versions point to (0)."""

_LEFT_OUT = {"left_out.unlinked_runs": NO_RUN_POINTED, "left_out.missing_runs": RUN_GONE}
_MORE = (
    (
        "also.prompts",
        "prompts; they are among counts.registered_models",
        (
            "select count(*) as n0 from registered_model_tags t where "
            "t.key = 'mlflow.prompt.is_prompt' and lower(t.value) = 'true'"
        ),
    ),
    ("also.experiments", "all experiments", "select count(*) as n0 from experiments"),
    ("also.runs", "all runs: counts.runs and left_out.unlinked_runs together", ALL_RUNS),
    ("also.logged_models", "all logged models", "select count(*) as n0 from logged_models"),
)
"""Numbers to see the others against; the ledger seals none of them."""


@dataclass(frozen=True)
class Total:
    """One number: its name, what it is or compares with, and the query for it (column `n0`)."""

    what: str
    means: str
    select: str


def script(
    database: str,
    *,
    runs: str = "linked",
    schema: str | None = None,
    columns: Mapping[str, frozenset[str]] | None = None,
) -> str:
    """The SQL for a database of `dialects.written.NAMES`, to be run by its own client.

    Args:
        database: whose SQL it is.
        runs: `linked` or `all`, as the extraction was asked.
        schema: where the tables are, if not where the client looks first: a schema in
            PostgreSQL, a database in MySQL.
        columns: what the database has; None for the newest MLflow's tables.

    Raises:
        SourceError: nothing is known of such a database.
    """
    spelling = written(database, columns, named=True)
    totals = list(_totals(Queries(spelling, runs), runs))
    sets = [f"{name} as (\n  {select}\n)" for name, select in spelling.sets.items()]
    rows = [
        f"  -- {total.means}\n  select {place} as place, '{total.what}' as what, "
        f"coalesce(({total.select}), 0) as number"
        for place, total in enumerate(totals)
    ]
    lead = f"with {', '.join(sets)}\n" if sets else ""
    union = "\n  union all\n".join(rows)
    query = f"{lead}select what, number as count from (\n{union}\n) totals order by place;"
    before, after = _around(database, schema)
    return "\n".join([*_heading(columns is None), *before, query, *after]) + "\n"


def sealed(
    counts: Mapping[str, Sequence[int | None]],
    left_out: Mapping[str, int],
    asked: Mapping[str, str],
    gaps: int,
    tombstones: int,
) -> dict[str, int]:
    """What an extraction sealed, under the names the script gives its numbers."""
    numbers_sealed = {
        f"counts.{table}": int(numbers[1] or 0)
        for table, numbers in counts.items()
        if table in SPECS and table != JOURNAL
    }
    numbers_sealed |= {name: left_out.get(reason, 0) for name, reason in _LEFT_OUT.items()}
    numbers_sealed |= {"gaps": gaps, "tombstones": tombstones}
    return numbers_sealed | {ALL_ASKED: int(asked.get("runs") == "all")}


def parse(text: str) -> dict[str, int]:
    """The numbers in what a client printed: psql's or sqlite3's table, CSV, tabs.

    Lines that hold none are passed over; where a name stands twice, the last one counts.
    """
    line = re.compile(r"^[\s|\"']*([a-z_]+(?:\.[a-z_]+)?)[\"']?\s*[|,;\t ]\s*[\"']?(\d+)[\s|\"']*$")
    matches = (line.match(row) for row in text.splitlines())
    return {match[1]: int(match[2]) for match in matches if match}


def _totals(queries: Queries, runs: str) -> Iterator[Total]:
    asked = int(runs == "all")
    yield Total(
        ALL_ASKED, "1 where every run is counted below, as by extract --runs all", f"{asked}"
    )
    for table in SPECS:
        if table != JOURNAL and queries.shown(table):
            means = f"compares with extractions.counts, {table}"
            yield Total(f"counts.{table}", means, queries.count(table))
    yield Total("gaps", "compares with extractions.gaps", queries.gaps())
    yield Total("tombstones", "compares with extractions.tombstones", queries.tombstones())
    if queries.shown("runs"):
        for (name, reason), select in zip(
            _LEFT_OUT.items(), (queries.unlinked_runs(), queries.missing_runs()), strict=True
        ):
            yield Total(name, f"compares with extractions.left_out, {reason}", select)
    yield Total("also.live_versions", "versions that are not deleted", queries.live_versions())
    for name, means, select in _MORE:
        table = select.partition(" from ")[2].split()[0]
        if queries.has(table):
            yield Total(name, means, select)


def _heading(newest: bool) -> list[str]:
    return [
        "-- Control totals of an MLflow registry, by auditreg. It reads and changes nothing.",
        "-- Run it in the database's own client, right after an extraction or while nobody writes;",
        "-- a change in between is a difference. Compare: auditreg control-totals --compare FILE.",
    ] + [
        "-- Written for the tables of the newest MLflow that auditreg knows; if one is missing, make",
        "-- it again with --from URI, which looks at what there is.",
    ] * newest


def _around(database: str, schema: str | None) -> tuple[list[str], list[str]]:
    if database == "postgresql":
        path = [f"set local search_path to {postgresql.quoted(schema)};"] if schema else []
        return ["begin isolation level repeatable read read only;", *path], ["commit;"]
    if database in ("mysql", "mariadb"):
        use = [f"use {backticked(schema)};"] if schema else []
        start = "start transaction with consistent snapshot, read only;"
        return [*use, f"set session sql_mode = '{SQL_MODE}';", start], ["commit;"]
    return [], []
