"""What a database administrator is given: the rights auditreg needs, and numbers to check it by."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from auditreg.config import Config

DIALECTS = ("postgresql", "mysql", "sqlite")
_LOOKED_AT = "MLflow's database: write for the tables and columns it has."
_SCHEMA = "Where the tables are: a schema in PostgreSQL, a database in MySQL."


def grants_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--grants` and what belongs to it: with it, the rights are printed and nothing else is done."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, grants: bool, **options: Any) -> Any:
        asked = {name: options.pop(name) for name in ("dialect", "uri", "schema", "role", "users")}
        if grants:
            return _print_grants(**asked)
        if any(value is not None for value in asked.values()):
            raise UsageError("--dialect, --from, --schema, --role and --users belong to --grants.")
        return command(*arguments, **options)

    for option in (
        click.option(
            "--users/--no-users",
            default=None,
            help="The tables of users and rights too.  [default: where the database at --from holds "
            "them; as a comment without --from]",
        ),
        click.option(
            "--role", help="Who gets the rights; in MySQL USER@HOST.  [default: auditreg]"
        ),
        click.option("--schema", help=_SCHEMA),
        click.option("--from", "uri", metavar="URI", help=_LOOKED_AT),
        click.option("--dialect", type=click.Choice(DIALECTS), help="Whose SQL is written."),
        click.option(
            "--grants",
            is_flag=True,
            help="Print the SQL that gives a role the smallest rights for an extraction.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def _print_grants(
    *,
    dialect: str | None,
    uri: str | None,
    schema: str | None,
    role: str | None,
    users: bool | None,
) -> None:
    from auditreg.sources.database import grants
    from auditreg.sources.database.offline import written

    found = _looked_at(dialect, uri)
    held = found.users
    if users is False:
        held = {}
    elif users and held is None:
        held = grants.users_columns(written(found.database))
    elif users and not held:
        raise UsageError(
            f"{found.location} does not hold the users of MLflow's basic-auth.",
            hint="They may stand in a database of their own: give that to --from.",
        )
    if found.columns is not None and not (held or found.columns.keys() >= set(grants.ESSENTIAL)):
        raise UsageError(
            f"{found.location} holds neither MLflow's registry nor users of its basic-auth.",
            hint="Give the database of MLflow's backend store (`mlflow server --backend-store-uri`).",
        )
    text = grants.grants(
        found.database,
        role or "auditreg",
        schema=schema or found.schema,
        columns=found.columns,
        users=held,
    )
    click.echo(text, nl=False)


@click.command(
    "control-totals",
    epilog=examples(
        "auditreg control-totals --dialect postgresql > totals.sql",
        "psql -f totals.sql mlflow > totals.txt",
        "auditreg control-totals --compare totals.txt",
    ),
)
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose SQL is written.")
@click.option("--from", "uri", metavar="URI", help=_LOOKED_AT)
@click.option("--schema", help=_SCHEMA)
@click.option(
    "--runs",
    type=click.Choice(["linked", "all"]),
    default="linked",
    show_default=True,
    help="As the extraction was asked.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="What the database's client printed (- for standard input), to be compared with the last "
    "extraction.",
)
@registry_option("Whose extraction it is compared with.")
@config_option
@ledger_option
@format_option()
def control_totals(  # noqa: PLR0913, PLR0917 - one argument per option
    dialect: str | None,
    uri: str | None,
    schema: str | None,
    runs: str,
    compare: Path | None,
    registry: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Print SQL that counts a registry independently, or compare what it found.

    Somebody else runs the SQL in the database's own client; with --compare its output stands beside
    what the last extraction sealed. Run both close together: a change in between is a difference.

    Exit codes: 0 printed, or all numbers are equal; 2 a number is missing in the file, or the
    extraction was asked for other runs; 3 no extraction is on record; 4 a number differs.
    """
    if compare is None:
        from auditreg.sources.database.control_totals import script

        found = _looked_at(dialect, uri)
        text = script(
            found.database, runs=runs, schema=schema or found.schema, columns=found.columns
        )
        click.echo(text, nl=False)
        return
    if dialect or uri or schema:
        raise UsageError("--compare takes a file; --dialect, --from and --schema write SQL.")
    name = config.registry(registry)
    with open_ledger(config, ledger).reader() as con:
        row = con.execute(_LAST, [name]).fetchone()
    if row is None:
        raise NothingToAudit(
            f"No extraction of the registry {name!r} is on record.",
            hint="auditreg extract --from URI; --registry names another one.",
        )
    _compare(row, _read(compare), outputs)


_LAST = """
select observed_at, counts, left_out, asked, gaps, tombstones from extractions
where registry = ? order by seq desc limit 1
"""


def _compare(row: tuple[Any, ...], text: str, outputs: tuple[Output, ...]) -> None:
    from auditreg.sources.database.control_totals import ALL_ASKED, parse, sealed

    observed, counts, left_out, asked, gaps, tombstones = row
    recorded = sealed(
        json.loads(counts),
        json.loads(left_out),
        json.loads(asked or "{}"),
        gaps or 0,
        tombstones or 0,
    )
    found = parse(text)
    if not found.keys() & recorded.keys():
        raise UsageError(
            "The file holds no control totals.",
            hint="Give what the client printed: psql -f totals.sql mlflow > totals.txt",
        )
    if found.get(ALL_ASKED, recorded[ALL_ASKED]) != recorded[ALL_ASKED]:
        runs = "all" if recorded[ALL_ASKED] else "linked"
        raise UsageError(
            f"The last extraction was asked for {runs} runs, the totals were not.",
            hint=f"Make the SQL again: auditreg control-totals --runs {runs} …",
        )
    rows = [
        (what, number, found.get(what), _word(number, found.get(what)))
        for what, number in recorded.items()
        if what != ALL_ASKED
    ]
    emit_table(outputs, Table(("what", "sealed", "counted", "result"), rows))
    click.echo(f"Compared with the extraction of {observed:%Y-%m-%d %H:%M:%S}Z.", err=True)
    results = {result for *_, result in rows}
    if "differs" in results:
        click.get_current_context().exit(int(ExitCode.NOT_VERIFIED))
    if "not given" in results:
        click.get_current_context().exit(int(ExitCode.ERROR))


def _word(recorded: int, counted: int | None) -> str:
    if counted is None:
        # Nothing of a table the database does not have is nothing to count.
        return "not given" if recorded else "none"
    return "equal" if counted == recorded else "differs"


def _read(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Name the file the client wrote."
        ) from error


@dataclass(frozen=True)
class _Store:
    """Whose SQL is wanted, and what stands there; None where nobody looked."""

    database: str
    location: str = ""
    columns: Mapping[str, frozenset[str]] | None = None
    schema: str | None = None
    users: Mapping[str, frozenset[str]] | None = None


def _looked_at(dialect: str | None, uri: str | None) -> _Store:
    """The database at `uri`, or one of a dialect that nobody looked at."""
    if uri is None:
        if dialect is None:
            raise UsageError(
                "Whose SQL is wanted?",
                hint="Give --dialect postgresql, mysql or sqlite, or --from URI of the database.",
            )
        return _Store(dialect)
    from auditreg.sources import open_database
    from auditreg.sources.database.grants import present_columns, present_users

    database = open_database(uri)
    try:
        if dialect and dialect not in (database.kind, {"mariadb": "mysql"}.get(database.kind)):
            raise UsageError(f"{database.location} is not of the dialect {dialect}.")
        return _Store(
            database.kind,
            database.location,
            present_columns(database),
            database.schema(),
            present_users(database),
        )
    finally:
        database.close()
