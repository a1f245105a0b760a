"""Control totals: the numbers an extraction seals, as SQL that anybody can run in the database.

They come from the queries an extraction runs itself, so that one cannot differ from the other; that
somebody else runs them, with another program, is what makes them independent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditreg.sources.database.dialect import DatabaseConnection, SqlDialect, listed
from auditreg.sources.database.mysql import SQL_MODE, MySQLSpelling
from auditreg.sources.database.mysql import quoted as backticked
from auditreg.sources.database.postgresql import PostgreSQLSpelling
from auditreg.sources.database.queries import ALL_RUNS, SPECS, Queries
from auditreg.sources.database.sqlite import SQLiteSpelling
from auditreg.sources.database.store import REGISTRY_TABLES, TRACKED_TABLES, linked_ids
from auditreg.sources.interface import JOURNAL, NO_RUN_POINTED, RUN_GONE
from auditreg.sql import quoted_name

SPELLINGS: Mapping[str, type[SqlDialect]] = {
    spelling.kind: spelling for spelling in (PostgreSQLSpelling, MySQLSpelling, SQLiteSpelling)
}
"""The databases SQL can be written for without a connection; MariaDB understands MySQL's."""

RUN_OPTION = "asked.all_runs"
"""The row that says whether every run was counted (1) or those that versions point to (0)."""

_RUN_OPTION_MEANING = "1 where every run is counted below, as by extract --runs all"

_LEFT_OUT = {"left_out.unlinked_runs": NO_RUN_POINTED, "left_out.missing_runs": RUN_GONE}


@dataclass(frozen=True)
class Total:
    """One number: its name, what it is or compares with, and the query for it (column `n0`)."""

    what: str
    means: str
    select: str


_MORE_OF_REGISTRY = (
    Total(
        "also.prompts",
        "prompts; they are among counts.registered_models",
        "select count(*) as n0 from registered_model_tags t where "
        "t.key = 'mlflow.prompt.is_prompt' and lower(t.value) = 'true'",
    ),
)
_MORE_OF_TRACKING = (
    Total("also.experiments", "all experiments", "select count(*) as n0 from experiments"),
    Total("also.runs", "all runs: counts.runs and left_out.unlinked_runs together", ALL_RUNS),
    Total("also.logged_models", "all logged models", "select count(*) as n0 from logged_models"),
)
_MORE = {
    "whole": (*_MORE_OF_REGISTRY, *_MORE_OF_TRACKING),
    "registry": _MORE_OF_REGISTRY,
    "tracking": _MORE_OF_TRACKING,
}
"""Numbers to see the others against; the ledger seals none of them."""


@dataclass(frozen=True)
class LinkedIds:
    """What the versions in a registry of its own point to, to be counted in the tracking database.

    `ids` are by link set (`Queries`), `runs` those that versions name as theirs.
    """

    ids: Mapping[str, Sequence[str]]
    runs: Sequence[str]


def links_of(registry: DatabaseConnection) -> LinkedIds:
    """What the versions in this database point to now."""
    queries = Queries(registry, "linked")
    return LinkedIds(linked_ids(registry, queries), registry.texts(queries.named_runs()))


def script(
    dialect: SqlDialect,
    *,
    runs: str = "linked",
    schema: str | None = None,
    part: str = "whole",
    links: LinkedIds | None = None,
) -> str:
    """The SQL to be run by the database's own client.

    Args:
        dialect: whose SQL it is, for which tables.
        runs: `linked` or `all`, as the extraction was asked.
        schema: where the tables are, if not where the client looks first: a schema in
            PostgreSQL, a database in MySQL.
        part: `registry` or `tracking` where the two are in databases of their own.
        links: what versions point to, for `tracking`.
    """
    queries = Queries(dialect, runs, linked_ids=links.ids if links else None)
    totals = [Total(RUN_OPTION, _RUN_OPTION_MEANING, str(int(runs == "all")))]
    if part != "tracking":
        totals += _registry_totals(queries)
    if part != "registry":
        totals += _tracking_totals(queries, _missing_runs(dialect, queries, links))
    totals += [total for total in _MORE[part] if queries.has(_table_of(total))]
    sets = [f"{name} as (\n  {select}\n)" for name, select in dialect.sets.items()]
    rows = [
        f"  -- {total.means}\n  select {place} as place, '{total.what}' as what, "
        f"coalesce(({total.select}), 0) as number"
        for place, total in enumerate(totals)
    ]
    lead = f"with {', '.join(sets)}\n" if sets else ""
    union = "\n  union all\n".join(rows)
    query = f"{lead}select what, number as count from (\n{union}\n) totals order by place;"
    before, after = _around(dialect.kind, schema)
    heading = _heading(part, newest=dialect.given_columns is None)
    return "\n".join([*heading, *before, query, *after]) + "\n"


def sealed(
    counts: Mapping[str, Sequence[int | None]],
    left_out: Mapping[str, int],
    options: Mapping[str, str],
    gaps: int,
    tombstones: int,
) -> dict[str, int]:
    """What an extraction sealed, under the names the script gives its numbers."""
    numbers = {
        f"counts.{table}": int(count[1] or 0)
        for table, count in counts.items()
        if table in SPECS and table != JOURNAL
    }
    numbers |= {name: left_out.get(reason, 0) for name, reason in _LEFT_OUT.items()}
    numbers |= {"gaps": gaps, "tombstones": tombstones}
    return numbers | {RUN_OPTION: int(options.get("runs") == "all")}


def parse(text: str) -> dict[str, int]:
    """The numbers in what a client printed: psql's or sqlite3's table, CSV, tabs.

    Lines that hold none are passed over; where a name stands twice, the last one counts.
    """
    line = re.compile(r"^[\s|\"']*([a-z_]+(?:\.[a-z_]+)?)[\"']?\s*[|,;\t ]\s*[\"']?(\d+)[\s|\"']*$")
    matches = (line.match(printed) for printed in text.splitlines())
    return {match[1]: int(match[2]) for match in matches if match}


def _registry_totals(queries: Queries) -> Iterator[Total]:
    yield from _counts(queries, REGISTRY_TABLES)
    yield Total("gaps", "compares with extractions.gaps", queries.gaps())
    yield Total("tombstones", "compares with extractions.tombstones", queries.tombstones())
    yield Total("also.live_versions", "versions that are not deleted", queries.live_versions())


def _tracking_totals(queries: Queries, missing_runs: str) -> Iterator[Total]:
    yield from _counts(queries, TRACKED_TABLES)
    if queries.shown("runs"):
        selects = (queries.unlinked_runs(), missing_runs)
        for (name, reason), select in zip(_LEFT_OUT.items(), selects, strict=True):
            yield Total(name, f"compares with extractions.left_out, {reason}", select)


def _counts(queries: Queries, tables: Sequence[str]) -> Iterator[Total]:
    for table in tables:
        if table != JOURNAL and queries.shown(table):
            means = f"compares with extractions.counts, {table}"
            yield Total(f"counts.{table}", means, queries.count(table))


def _missing_runs(dialect: SqlDialect, queries: Queries, links: LinkedIds | None) -> str:
    if links is None:
        return queries.missing_runs()
    names = listed(sorted(set(links.runs)))
    present = f"select count(*) from runs r where {dialect.exact('r.run_uuid')} in ({names})"
    return f"select {len(set(links.runs))} - ({present}) as n0"


def _table_of(total: Total) -> str:
    return total.select.partition(" from ")[2].split()[0]


def _heading(part: str, *, newest: bool) -> list[str]:
    lines = [
        "-- Control totals of an MLflow registry, by auditreg. It reads and changes nothing.",
        "-- Run it in the database's own client, right after an extraction or while nobody writes;",
        "-- a change in between is a difference. Compare: auditreg control-totals --compare FILE.",
    ]
    if newest:
        lines += [
            "-- Written for the tables of the newest MLflow that auditreg knows; if one is missing, make",
            "-- it again with --from URI, which looks at what there is.",
        ]
    if part != "whole":
        other = {"registry": "tracking", "tracking": "registry"}[part]
        lines.append(
            f"-- The {part} database's part: that of the {other} database is a script of its own."
        )
    if part == "tracking":
        lines.append(
            "-- The ids in it are those that versions in the registry's database point to."
        )
    return lines


def _around(database: str, schema: str | None) -> tuple[list[str], list[str]]:
    if database == "postgresql":
        path = [f"set local search_path to {quoted_name(schema)};"] if schema else []
        return ["begin isolation level repeatable read read only;", *path], ["commit;"]
    if database == "mysql":
        use = [f"use {backticked(schema)};"] if schema else []
        start = "start transaction with consistent snapshot, read only;"
        return [*use, f"set session sql_mode = '{SQL_MODE}';", start], ["commit;"]
    return [], []
