"""`auditreg import`: give the ledger what other systems know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import config_option, ledger_option, open_ledger, registry_option
from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.import_parse import ImportedRecord
    from auditreg.ledger.import_record import Imported

_NAMED = 5


@click.group(
    name="import",
    epilog=examples(
        "auditreg import history tickets.jsonl", "auditreg import deployments engine.jsonl"
    ),
)
def import_() -> None:
    """Take in records of other systems, and what ran where.

    Files hold one JSON object per line. A file is recorded as a whole or not at all; a line that
    is on record already adds nothing. What is imported counts as asserted: the ledger proves that
    it was given and when, not that it is true.
    """


@import_.command(
    name="history",
    epilog=examples(
        "auditreg import history tickets.jsonl",
        "jq -c '.records[]' export.json | auditreg import history -",
    ),
)
@click.argument("file", metavar="FILE")
@registry_option(
    "Whose records they are, where a line does not say.  [default: the only [[source]]]"
)
@config_option
@ledger_option
def import_history(file: str, registry: str | None, config: Config, ledger: Path | None) -> None:
    """Take in what other systems recorded: tickets, proxy logs, audit exports.

    Keys of a line: `at` (ISO 8601 with a time zone), `model`, `what` (stage, alias, tag, approval,
    deployment, description, registered, deleted or other) and `system` (where the record is from);
    where known `version`, `workspace`, `registry`, `item` (the alias or the tag's key), `before`,
    `after`, `actor`, `reference` (a ticket's number) and `note`. `-` reads standard input.
    """
    from auditreg.ledger.import_parse import parse_history

    _take(file, parse_history, registry, config, ledger, "auditreg history MODEL")


@import_.command(
    name="deployments",
    epilog=examples(
        "auditreg import deployments engine.jsonl",
        "auditreg query 'from running_as_of(as_of())' --as-of 2026-09-30",
    ),
)
@click.argument("file", metavar="FILE")
@registry_option(
    "Whose records they are, where a line does not say.  [default: the only [[source]]]"
)
@config_option
@ledger_option
def import_deployments(
    file: str, registry: str | None, config: Config, ledger: Path | None
) -> None:
    """Take in what the rating engine or any other system really ran.

    Keys of a line: `system`, `model`, `from` (ISO 8601 with a time zone) and `version` or `digest`
    (SHA-256 of the MLmodel file, or of a file of the model); where known `until`, `environment`,
    `registry`, `workspace` and `reference`. The same line with `until` filled in ends the
    deployment. `-` reads standard input.
    """
    from auditreg.ledger.import_parse import parse_deployments

    _take(file, parse_deployments, registry, config, ledger, 'auditreg query "from running"')


def _take(
    file: str,
    parse: Callable[[bytes, str], list[ImportedRecord]],
    registry: str | None,
    config: Config,
    ledger: Path | None,
    following: str,
) -> None:
    from auditreg.ledger.import_record import record

    content, name = _read(file)
    records = parse(content, name)
    if registry is None and all(record.registry for record in records):
        registry = config.registries[0]  # nothing falls back on it
    of = config.registry(registry)
    book = open_ledger(config, ledger)
    if not book.exists:
        book.connect()  # says that there is none, and how to make one
    key_file = config.secrets.key_file
    with book.writer() as con:
        done = record(
            con,
            records,
            file=name,
            content=content,
            registry=of,
            key=book.key(config.resolve(key_file) if key_file else None),
            secret_patterns=config.secrets.patterns,
        )
    _say(done, name, book.path, following)
    for note in book.notes:
        _line("note", note)


def _read(file: str) -> tuple[bytes, str]:
    if file == "-":
        return sys.stdin.buffer.read(), "standard input"
    path = Path(file)
    try:
        return path.read_bytes(), path.name
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}.", state="Nothing was recorded."
        ) from error


def _say(done: Imported, name: str, ledger: Path, following: str) -> None:
    _line("read", f"{done.lines:,} records in {name}, {_listed(done.systems)}")
    _line("of", f"{done.first:%Y-%m-%d %H:%M:%S}Z to {done.last:%Y-%m-%d %H:%M:%S}Z")
    known = f"; {done.known:,} were on record before, or erased" if done.known else ""
    _line("recorded", f"{done.added:,} new, as asserted{known}")
    if done.masked and done.added:
        _line("secrets", f"{done.masked:,} values that look like credentials, kept as hashes only")
    if done.unknown_models:
        number = len(done.unknown_models)
        _line(
            "unknown",
            f"{number:,} {'model' if number == 1 else 'models'} the ledger does not know: "
            f"{_listed(done.unknown_models)}",
        )
    _line("ledger", str(ledger))
    _line("next", following)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in names[:_NAMED]) + more


def _line(label: str, text: str) -> None:
    from auditreg.formats.escape import escape_control

    click.echo(f"{label:<12} {escape_control(text)}")
