"""`auditreg import`: give the ledger what other systems know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    config_option,
    ledger_option,
    open_ledger,
    read_input,
    registry_option,
    show,
)

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.import_parse import ImportedRecord


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

    _import_file(file, parse_history, registry, config, ledger, "auditreg history MODEL")


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

    _import_file(file, parse_deployments, registry, config, ledger, 'auditreg query "from running"')


def _import_file(
    file: str,
    parse: Callable[[bytes, str], list[ImportedRecord]],
    registry: str | None,
    config: Config,
    ledger: Path | None,
    following: str,
) -> None:
    from auditreg.formats.terminal.summaries import import_text
    from auditreg.formats.terminal.text import labelled
    from auditreg.ledger.import_record import record

    content = read_input(file, state="Nothing was recorded.")
    name = "standard input" if file == "-" else Path(file).name
    records = parse(content, name)
    if registry is None and all(record.registry for record in records):
        registry = config.registries[0]  # nothing falls back on it
    registry_name = config.registry(registry)
    ledger_file = open_ledger(config, ledger)
    if not ledger_file.exists:
        ledger_file.connect()  # says that there is none, and how to make one
    with ledger_file.writer() as con:
        done = record(
            con,
            records,
            file=name,
            content=content,
            registry=registry_name,
            key=ledger_file.key(config.key_file),
            secret_patterns=config.secrets.patterns,
        )
    show(import_text(done, name, ledger_file.path, following, config.calendar.timezone))
    show(labelled(("note", note) for note in ledger_file.notes))
