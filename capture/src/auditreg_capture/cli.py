"""The command `auditreg-capture`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from auditreg_capture.errors import CaptureError
from auditreg_capture.version import VERSION


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; 0 when it did what it says, 2 when it could not."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except CaptureError as error:
        return _fail(str(error))
    except ImportError as error:
        return _fail(f"{error}. Run this in the environment of the MLflow server.")
    except Exception as error:  # noqa: BLE001 (a database's own errors come in many classes)
        from auditreg_capture import process

        return _fail(f"the database refused: {_short(process.reason(error))}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"auditreg-capture: {message}\n")
    return 2


def _short(text: str) -> str:
    return text if len(text) <= 500 else text[:500] + "..."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="auditreg-capture",
        description="The journal an MLflow server keeps of who changed what in its model registry.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ddl = commands.add_parser("ddl", help="print the statements that create the journal's table")
    ddl.add_argument(
        "--dialect", required=True, metavar="NAME", help="sqlite, postgresql, mysql, mariadb, mssql"
    )
    ddl.set_defaults(run=_ddl)

    status = commands.add_parser(
        "status", help="what the journal holds, and which servers write it"
    )
    _takes_uri(status)
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(run=_status)

    selftest = commands.add_parser(
        "selftest", help="whether a server could start with capture here"
    )
    _takes_uri(selftest)
    selftest.set_defaults(run=_selftest)

    prune = commands.add_parser("prune", help="remove rows that a ledger has sealed")
    _takes_uri(prune)
    prune.add_argument(
        "--sealed", required=True, metavar="FILE", help="the list of sealed rows auditreg wrote"
    )
    prune.add_argument(
        "--older-than", type=float, default=7, metavar="DAYS", help="keep younger rows (7)"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.set_defaults(run=_prune)
    return parser


def _takes_uri(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--uri", help="the registry's database, as MLflow is given it")
    group.add_argument(
        "--uri-env",
        metavar="NAME",
        help="the environment variable that holds it, for one with a password",
    )


def _engine(options: argparse.Namespace) -> Any:
    import sqlalchemy as sa

    uri = options.uri if options.uri is not None else os.environ.get(options.uri_env, "")
    if not uri:
        raise CaptureError(f"the environment variable {options.uri_env} is not set.")
    try:
        url = sa.engine.make_url(uri)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            raise CaptureError(f"there is no file {url.database}.")
        return sa.create_engine(url)
    except sa.exc.ArgumentError:
        raise CaptureError(
            "the URI is not one of a database, such as postgresql://user@host/name."
        ) from None


def _with_journal(options: argparse.Namespace) -> Any:
    import sqlalchemy as sa

    from auditreg_capture import tables

    engine = _engine(options)
    if not sa.inspect(engine).has_table(tables.NAME):
        raise CaptureError(
            f"there is no table {tables.NAME} in this database: no server ran with capture."
        )
    return engine


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _ddl(options: argparse.Namespace) -> None:
    from auditreg_capture import tables

    sys.stdout.write(tables.ddl(options.dialect))


def _status(options: argparse.Namespace) -> None:
    from auditreg_capture import status

    report = status.look(_with_journal(options))
    if options.json:
        _print(json.dumps(report, indent=1))
        return
    _print(f"journal   {report['journal']}")
    _print(
        f"rows      {report['rows']} ({report['changes']} changes), last {_moment(report['last'])}"
    )
    if report["missed"]:
        _print(f"missed    {report['missed']} changes were made without a journal row")
    for process in report["processes"]:
        _print(_describe(process))


def _describe(process: Dict[str, Any]) -> str:
    end = f"stopped {_moment(process['stopped'])}" if process["stopped"] else "no stop row"
    return (
        f"process   {process['host']}:{process['pid']} {process['mode']}, mlflow {process['mlflow']}, started "
        f"{_moment(process['started'])}, last row {_moment(process['last'])}, {end}"
    )


def _moment(milliseconds: Optional[int]) -> str:
    if milliseconds is None:
        return "never"
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _selftest(options: argparse.Namespace) -> None:
    import sqlalchemy as sa

    from auditreg_capture import process, settings, tables
    from auditreg_capture.rows import registry_tables

    settings.mode()
    settings.proxies()
    registry_tables()
    engine = _engine(options)
    if not sa.inspect(engine).has_table(tables.NAME):
        raise CaptureError(
            f"there is no table {tables.NAME}. The server creates it when it starts, if its database user may; "
            f"else run what `auditreg-capture ddl --dialect {engine.dialect.name}` prints."
        )
    process.check_columns(engine)
    process.self_test(engine)
    _print(
        "The journal takes rows and gives them back, and MLflow's registry tables are those known."
    )


def _prune(options: argparse.Namespace) -> None:
    from auditreg_capture import prune

    sealed = prune.read_sealed(options.sealed)
    done = prune.prune(_with_journal(options), sealed, options.older_than, dry_run=options.dry_run)
    verb = "would be removed" if options.dry_run else "removed"
    _print(f"{done.rows} rows {verb}" + (f": {_ranges(done.ranges)}" if done.rows else "."))


def _ranges(ranges: List[Any]) -> str:
    shown = ", ".join(f"{a} to {b}" if a != b else str(a) for a, b in ranges[:10])
    return shown + (f" and {len(ranges) - 10} more ranges" if len(ranges) > 10 else "")


if __name__ == "__main__":
    sys.exit(main())
