"""`auditreg capture`: what the ledger holds of the server's own journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit_table,
    format_option,
    ledger_option,
    open_ledger,
    registry_option,
)
from auditreg.errors import ExitCode, NothingToAudit, UsageError
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Config

_COLUMNS = ("registry", "what", "begin", "end", "last_row", "detail", "journal", "process")

_STATUS = """
select registry, 'process' as what, started_at as begin, stopped_at as end,
       case when stopped_at is null then last_seen_at end as last_row,
       concat_ws(', ', mode, 'host ' || host, 'pid ' || pid, 'capture ' || capture_version,
                 'MLflow ' || mlflow_version),
       journal, process
from captures
union all
select registry, 'gap', gap_start, gap_end, null, concat_ws(': ', reason, detail), journal, null
from capture_gaps
order by 1, 3, 2 desc, 8
"""


@click.group(
    epilog=examples("auditreg capture status", "auditreg capture sealed > sealed.json"),
)
def capture() -> None:
    """Show what the ledger holds of the server's own journal, and the gaps in it."""


@capture.command(
    epilog=examples("auditreg capture status", "auditreg capture status --format json")
)
@config_option
@ledger_option
@format_option()
def status(config: Config, ledger: Path | None, outputs: tuple[Output, ...]) -> None:
    """List the server processes that kept the journal, and when none did.

    As of the last extraction. A gap without an end is still open.

    Exit codes: 0 no gap is open; 1 one is; 3 no journal is on record.
    """
    with open_ledger(config, ledger).reader() as con:
        rows = con.execute(_STATUS).fetchall()
    if not rows:
        raise NothingToAudit(
            "The ledger holds no journal of a server.",
            hint="Install auditreg-capture in the server's environment, restart it, and extract "
            "from its database: docs/capture.md.",
        )
    emit_table(outputs, Table(_COLUMNS, rows))
    if any(row[1] == "gap" and row[3] is None for row in rows):
        click.get_current_context().exit(int(ExitCode.FINDINGS))


@capture.command(
    epilog=examples(
        "auditreg capture sealed > sealed.json",
        "auditreg capture sealed --registry pricing > sealed.json",
    )
)
@registry_option("Whose journal.  [default: the only [[source]]]")
@click.option("--journal", metavar="ID", help="Which journal, where a registry had several.")
@config_option
@ledger_option
def sealed(registry: str | None, journal: str | None, config: Config, ledger: Path | None) -> None:
    """Print which rows of the journal are sealed, for `auditreg-capture prune --sealed`.

    JSON: the journal's id, and ranges of row ids, both ends included. Only these may be pruned on
    the server.
    """
    from auditreg.ledger import capture_journal as journal_of

    name = config.registry(registry)
    with open_ledger(config, ledger).reader() as con:
        chosen = _journal(con, name, journal)
        ranges = journal_of.sealed(con, name, chosen)
    click.echo(json.dumps({"journal": chosen, "ranges": ranges}))


def _journal(con: duckdb.DuckDBPyConnection, registry: str, prefix: str | None) -> str:
    """The full id of the journal asked for, or of the one read last."""
    known = [
        str(row[0])
        for row in con.execute(
            "select journal from extractions where registry = ? and journal is not null "
            "group by journal order by max(seq) desc",
            [registry],
        ).fetchall()
    ]
    if not known:
        raise NothingToAudit(
            f"The ledger holds no journal of the registry {registry!r}.",
            hint="`auditreg capture status` lists journals; --registry names another registry.",
        )
    if prefix is None:
        return known[0]
    plain = prefix.removeprefix("journal-")
    matches = [name for name in known if plain and name.startswith(plain)]
    if len(matches) != 1:
        raise UsageError(
            f"The registry {registry!r} has no journal {prefix!r}."
            if not matches
            else f"{prefix!r} is the beginning of several journals.",
            hint=f"It has: {', '.join(known)}.",
        )
    return matches[0]
