"""What a database administrator is given: the rights auditreg needs, and numbers to check it by."""

from __future__ import annotations

import contextlib
import functools
import json
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
    firm_timezone,
    format_option,
    ledger_option,
    open_ledger,
    read_input,
    registry_option,
)
from auditreg.errors import ExitCode, NothingToAudit, UsageError
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.sources.database.dialect import SqlDialect

DIALECTS = ("postgresql", "mysql", "sqlite")
_LOOKED_AT = "MLflow's database; the SQL names only tables and columns that it has."
_SCHEMA = "Where the tables are: a schema in PostgreSQL, a database in MySQL."


def grants_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--grants` and its options. With --grants the command prints that SQL and does nothing else."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, grants: bool, **options: Any) -> Any:
        given = {name: options.pop(name) for name in ("dialect", "uri", "schema", "role", "users")}
        if grants:
            return _print_grants(**given)
        if any(value is not None for value in given.values()):
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

    store = _store(dialect, uri)
    columns, held = store.dialect.given_columns, store.users
    if users is False:
        held = {}
    elif users and held is None:
        held = grants.users_columns()
    elif users and not held:
        raise UsageError(
            f"{store.location} does not hold the users of MLflow's basic-auth.",
            hint="They may stand in a database of their own: give that to --from.",
        )
    if columns is not None and not (held or columns.keys() >= set(grants.ESSENTIAL)):
        raise UsageError(
            f"{store.location} holds neither MLflow's registry nor users of its basic-auth.",
            hint="Give the database of MLflow's backend store (`mlflow server --backend-store-uri`).",
        )
    text = grants.grants(
        store.dialect.kind,
        role or "auditreg",
        schema=schema or store.schema,
        columns=columns,
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
@click.option(
    "--tracking-from",
    "tracking_uri",
    metavar="URI",
    help="The tracking database, where the registry has one of its own.",
)
@click.option(
    "--part",
    type=click.Choice(["registry", "tracking"]),
    help="With --tracking-from: the database whose SQL is printed.",
)
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
    tracking_uri: str | None,
    part: str | None,
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
    What --dialect prints is also in docs/sql. A registry with a tracking database of its own takes
    two scripts (--tracking-from, --part); --compare takes what both print, in one file.

    Exit codes: 0 printed, or all numbers are equal; 2 a number is missing in the file, or the
    extraction was asked for other runs; 3 no extraction is on record; 4 a number differs.
    """
    if compare is None:
        click.echo(_script(dialect, uri, tracking_uri, part, schema, runs), nl=False)
        return
    if any((dialect, uri, tracking_uri, part, schema)):
        raise UsageError("--compare takes a file; it goes with none of the options that write SQL.")
    name = config.registry(registry)
    with open_ledger(config, ledger).reader() as con:
        row = con.execute(_LAST, [name]).fetchone()
    if row is None:
        raise NothingToAudit(
            f"No extraction of the registry {name!r} is on record.",
            hint="auditreg extract --from URI; --registry names another one.",
        )
    content = read_input(compare, state="Nothing was compared.")
    _compare(row, content.decode(errors="replace"), outputs)


def _script(
    dialect: str | None,
    uri: str | None,
    tracking_uri: str | None,
    part: str | None,
    schema: str | None,
    runs: str,
) -> str:
    """The SQL of one database: the whole store's, or a part's."""
    from auditreg.sources import open_database
    from auditreg.sources.database.control_totals import links_of, script

    if (tracking_uri is None) != (part is None) or (part is not None and uri is None):
        raise UsageError(
            "A registry with a tracking database of its own takes two scripts.",
            hint="Give --from URI, --tracking-from URI and --part registry; then the same with "
            "--part tracking.",
        )
    links = None
    if part == "tracking" and uri is not None:
        with contextlib.closing(open_database(uri)) as registry:
            links = links_of(registry)
    store = _store(dialect, tracking_uri if part == "tracking" else uri)
    return script(
        store.dialect,
        runs=runs,
        schema=schema or store.schema,
        part=part or "whole",
        links=links,
    )


_LAST = """
select observed_at, counts, left_out, asked, gaps, tombstones from extractions
where registry = ? order by seq desc limit 1
"""


def _compare(row: tuple[Any, ...], text: str, outputs: tuple[Output, ...]) -> None:
    from auditreg.formats.terminal.text import clock
    from auditreg.sources.database.control_totals import RUN_OPTION, parse, sealed

    observed, counts, left_out, options, gaps, tombstones = row
    recorded = sealed(
        json.loads(counts),
        json.loads(left_out),
        json.loads(options or "{}"),
        gaps or 0,
        tombstones or 0,
    )
    counted = parse(text)
    if not counted.keys() & recorded.keys():
        raise UsageError(
            "The file holds no control totals.",
            hint="Give what the client printed: psql -f totals.sql mlflow > totals.txt",
        )
    if counted.get(RUN_OPTION, recorded[RUN_OPTION]) != recorded[RUN_OPTION]:
        runs = "all" if recorded[RUN_OPTION] else "linked"
        raise UsageError(
            f"The last extraction was asked for {runs} runs, the totals were not.",
            hint=f"Make the SQL again: auditreg control-totals --runs {runs} …",
        )
    rows = [
        (what, number, counted.get(what), _comparison(number, counted.get(what)))
        for what, number in recorded.items()
        if what != RUN_OPTION
    ]
    emit_table(outputs, Table(("what", "sealed", "counted", "result"), rows))
    at = clock(observed, firm_timezone())
    click.echo(f"Compared with the extraction of {at}.", err=True)
    results = {result for *_, result in rows}
    if "differs" in results:
        click.get_current_context().exit(int(ExitCode.NOT_VERIFIED))
    if "not given" in results:
        click.get_current_context().exit(int(ExitCode.ERROR))


def _comparison(recorded: int, counted: int | None) -> str:
    if counted is None:
        # A table that the database does not have counts as zero.
        return "not given" if recorded else "none"
    return "equal" if counted == recorded else "differs"


@dataclass(frozen=True)
class _Store:
    """The dialect to write, and the tables and users found in the database; None where no database
    was read.
    """

    dialect: SqlDialect
    location: str = ""
    schema: str | None = None
    users: Mapping[str, frozenset[str]] | None = None


def _store(dialect: str | None, uri: str | None) -> _Store:
    """The database at `uri`, or the newest MLflow's tables in one of a dialect."""
    from auditreg.sources.database.control_totals import SPELLINGS

    if uri is None:
        if dialect is None:
            raise UsageError(
                "Whose SQL is wanted?",
                hint="Give --dialect postgresql, mysql or sqlite, or --from URI of the database.",
            )
        return _Store(SPELLINGS[dialect]())
    from auditreg.sources import open_database
    from auditreg.sources.database.grants import present_columns, present_users

    with contextlib.closing(open_database(uri)) as database:
        if dialect not in (None, database.spelling.kind):
            raise UsageError(f"{database.location} is not of the dialect {dialect}.")
        return _Store(
            database.spelling(present_columns(database)),
            database.location,
            database.schema(),
            present_users(database),
        )
