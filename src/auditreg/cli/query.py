"""`auditreg query`: one SELECT on the ledger, read-only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    as_of_option,
    config_option,
    emit_table,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    read_input,
)
from auditreg.cli.select import lock_down, select_table, single_select
from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.config import Config


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

    text = _standard_input() if sql == "-" else sql
    at = moment(config, as_of)
    with open_ledger(config, ledger).reader(any_sql=True) as con:
        try:
            lock_down(con)
            if at is not None:
                con.execute("set variable as_of = ?::timestamp", [at])
            table = select_table(con, f"select * from (\n{single_select(con, text)}\n)")  # noqa: S608 - the user's own statement
        except duckdb.Error as error:
            raise UsageError(
                f"The statement cannot be run: {error}",
                state="Nothing was changed.",
                hint='`auditreg query "from dictionary"` lists tables and columns.',
            ) from error
    emit_table(outputs, replace(table, raw=True))


def _standard_input() -> str:
    state = "Nothing was run."
    try:
        return read_input("-", state=state).decode()
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is not UTF-8 text.", state=state) from error
