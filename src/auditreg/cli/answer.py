"""Commands that answer from the ledger: inventory, query, questions."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    as_of_option,
    config_option,
    emit,
    emit_table,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    render_table,
)
from auditreg.errors import UsageError
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from auditreg.config import Config

_NEEDS_CAST = re.compile(r"\bTIMESTAMP WITH TIME ZONE\b|\bTIME WITH TIME ZONE\b|\bINTERVAL\b")
"""Types that are fetched as a UTC moment or as DuckDB's text for them, also inside lists and structs."""

_SHORT = (
    "model",
    "version",
    "live",
    "stage",
    "aliases",
    "owner",
    "risk_rating",
    "approver",
    "validation_date",
    "uncertain_fields",
)


@click.command(
    epilog=examples(
        "auditreg inventory --live",
        "auditreg inventory motor-frequency --as-of 2026-09-30",
        "auditreg inventory --kind prompt",
        "auditreg inventory --diff 2026-06-30 2026-09-30",
        "auditreg inventory --format csv=inventory.csv",
    ),
)
@click.argument("models", metavar="[MODEL[/VERSION]]...", nargs=-1)
@click.option("--live", "only_live", is_flag=True, help="Only what is live, or possibly live.")
@click.option(
    "--kind",
    type=click.Choice(["model", "prompt", "all"]),
    default="all",
    show_default=True,
    help="Models, prompts (MLflow keeps them as models), or both.",
)
@click.option("--all-columns", is_flag=True, help="Every governance field, also in the table.")
@click.option(
    "--diff",
    nargs=2,
    metavar="MOMENT MOMENT",
    help="What differs between two moments: versions, what is live, every field.",
)
@as_of_option
@config_option
@ledger_option
@format_option()
def inventory(  # noqa: PLR0913, PLR0917 - one argument per option
    models: tuple[str, ...],
    only_live: bool,
    kind: str,
    all_columns: bool,
    diff: tuple[str, str] | None,
    as_of: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """List every version with its governance fields, at any moment.

    One row per version, and one for each model that has none. Where the record leaves two values
    possible at that moment, the field is empty and named under `uncertain_fields`. The table shows
    the main columns; JSON, CSV and Markdown hold all of them. Which reading it
    rests on, and whether that was complete, is said on standard error.

    With --diff: one row per version and field that differs between two moments.
    """
    from auditreg.queries.model_refs import resolve, select
    from auditreg.queries.status import last_readings

    if diff is not None:
        if as_of is not None or only_live or all_columns or kind != "all":
            raise UsageError("--diff goes with none of --as-of, --live, --kind and --all-columns.")
        from auditreg.cli.changes import differences

        differences(models, diff, config, ledger, outputs)
        return
    at = moment(config, as_of)
    with open_ledger(config, ledger).reader() as con:
        chosen = select(con, models) if at is None or not models else resolve(con, models, at)
        if at is not None:
            con.execute("set variable as_of = ?::timestamp", [at])
        source = "inventory" if at is None else "inventory_as_of(as_of())"
        table = _select(
            con,
            f"select * from {source} "  # noqa: S608 - one of two names of our own
            "order by registry, workspace, model, version",
        )
        readings = last_readings(con, at)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    if chosen is not None:
        rows = [row for row in rows if chosen.covers(str(row["subject"]))]
    if kind != "all":
        rows = [row for row in rows if row["kind"] == kind]
    if only_live:
        rows = [row for row in rows if row["live"] or row["possibly_live"]]

    def render(output: Output) -> bytes:
        short = output.format == "table" and not all_columns
        names = _SHORT if short else table.columns
        picked = Table(names, [[row[name] for name in names] for row in rows])
        return render_table(output, picked)

    emit(outputs, render)
    for reading in readings:
        verdict = "complete" if reading.complete else f"INCOMPLETE: {'; '.join(reading.doubts)}"
        line = f"{reading.registry}, {reading.observed_at:%Y-%m-%d %H:%M}Z, {verdict}"
        click.echo(f"{'last reading':<13}{escape_control(line)}", err=True)


@click.command(
    epilog=examples(
        'auditreg query "select model, version, owner from inventory where live"',
        'auditreg query "from inventory_as_of(as_of())" --as-of 2026-09-30 --format csv',
        "auditreg query - < my.sql",
    ),
)
@click.argument("sql", metavar="SQL")
@as_of_option
@config_option
@ledger_option
@format_option()
def query(
    sql: str,
    as_of: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Run one SELECT on the ledger, read-only.

    `-` reads it from standard input. Tables and columns are described in the table `dictionary`. With --as-of, the macro `as_of()`
    gives that moment; the past of a table is `inventory_as_of(as_of())`.
    """
    import duckdb

    text = sys.stdin.read() if sql == "-" else sql
    at = moment(config, as_of)
    with open_ledger(config, ledger).reader() as con:
        try:
            lock_down(con)
            if at is not None:
                con.execute("set variable as_of = ?::timestamp", [at])
            table = _select(con, f"select * from (\n{_one_select(con, text)}\n)")  # noqa: S608 - the user's own statement
        except duckdb.Error as error:
            raise UsageError(
                f"The statement cannot be run: {error}",
                state="Nothing was changed.",
                hint='`auditreg query "from dictionary"` lists tables and columns.',
            ) from error
    emit_table(outputs, table)


def lock_down(con: duckdb.DuckDBPyConnection) -> None:
    """Keep a statement of somebody else away from files, the network and settings.

    The session's time zone is UTC, as every moment of the ledger is, on every machine.
    """
    con.execute("set timezone = 'UTC'")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")


def _one_select(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """The statement's text, refused unless it is a single one that only reads."""
    statements = con.extract_statements(text)
    if len(statements) != 1 or not str(statements[0].type).endswith("SELECT"):
        raise UsageError(
            "query takes exactly one SELECT.",
            state="Nothing was run.",
            hint="Open the ledger with the duckdb shell, read-only, for anything else.",
        )
    return str(statements[0].query).strip().rstrip(";")


@click.command(
    epilog=examples("auditreg questions", "auditreg questions live-now --format markdown"),
)
@click.argument("question", metavar="[ID]", required=False)
@config_option
@ledger_option
@format_option()
def questions(
    question: str | None, config: Config, ledger: Path | None, outputs: tuple[Output, ...]
) -> None:
    """List the questions auditors ask most, or answer one.

    Each is a SELECT that also stands in the ledger's table `questions` and runs in any DuckDB.
    """
    from auditreg.config.check import near

    with open_ledger(config, ledger).reader() as con:
        listed = _select(con, "select id, title from questions order by id")
        if question is None:
            emit_table(outputs, listed)
            return
        found = con.execute("select sql from questions where id = ?", [question]).fetchone()
        if found is None:
            meant = near(question, [str(row[0]) for row in listed.rows])
            raise UsageError(
                f"There is no question {question!r}.",
                hint=f"Did you mean {meant}?" if meant else "`auditreg questions` lists them.",
            )
        table = _select(con, found[0])
    emit_table(outputs, table)


def _select(
    con: duckdb.DuckDBPyConnection, statement: str, parameters: Sequence[object] = ()
) -> Table:
    cursor = con.execute(statement, list(parameters))
    columns = [str(column[0]) for column in cursor.description or ()]
    types = [str(column[1]) for column in cursor.description or ()]
    if any(_NEEDS_CAST.search(kind) for kind in types):
        # DuckDB makes Python values of these types only with pytz, a package that pandas no longer
        # brings along. Cast inside DuckDB, nothing is needed.
        names = [f"column_{index}" for index in range(len(types))]
        casts = ", ".join(
            f"cast({name} as {_NEEDS_CAST.sub(_cast_type, kind)})"
            if _NEEDS_CAST.search(kind)
            else name
            for name, kind in zip(names, types, strict=True)
        )
        cursor = con.execute(
            f"select {casts} from (\n{statement}\n) as answer({', '.join(names)})",  # noqa: S608 - the statement has run already
            list(parameters),
        )
    return Table(columns, cursor.fetchall())


def _cast_type(match: re.Match[str]) -> str:
    return "TIMESTAMP" if match[0].startswith("TIMESTAMP") else "VARCHAR"
