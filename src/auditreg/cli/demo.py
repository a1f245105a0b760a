"""`auditreg demo`: a made-up registry, extracted, checked and reported."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.demo import DemoFiles
    from auditreg.ledger.store import Ledger


@click.command(epilog=examples("auditreg demo", "auditreg demo my-demo"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="auditreg-demo")
def demo(folder: Path) -> None:
    """Play a realistic pricing registry: extract, check and report it.

    Trains real models, registers, approves (or not) and promotes them in a new MLflow store below
    FOLDER, with everything that goes wrong in half a year; reads it at several moments; checks it;
    and writes the report. Takes a few minutes. Needs `pip install 'auditreg[demo]'`.
    """
    from auditreg.cli.progress import progress
    from auditreg.config import load_config
    from auditreg.demo import play
    from auditreg.ledger.store import Ledger
    from auditreg.sources import open_source
    from auditreg.workflows.check import CheckOptions, run_check
    from auditreg.workflows.extract import ExtractOptions, record
    from auditreg.workflows.policy import PolicySet

    book = Ledger(folder / "audit.duckdb")
    checked: set[int] = set()
    with progress() as tell:

        def reading(files: DemoFiles, at: datetime) -> None:
            config = load_config(files.config)
            name = config.registry()
            with open_source(files.store_uri).read() as opened:
                record(
                    opened,
                    book,
                    config,
                    registry=name,
                    asked=ExtractOptions(observed_at=_naive(at)),
                )
            # The firm checks at the first reading of May, July and September: findings have an age.
            if at.month in {5, 7, 9} - checked:
                checked.add(at.month)
                run_check(book, PolicySet.load(config), CheckOptions())

        files = play(folder, reading=reading, progress=tell)
        config = load_config(files.config)
        _import_deployments(files.deployments, book, config)
        if tell:
            tell("checking", 0, None)
        judged = run_check(book, PolicySet.load(config), CheckOptions())
    context = click.get_current_context()
    report_folder = folder / "report"
    from auditreg.cli.report import report

    # The last quarter that is over: the last reading lies a few days into the next one.
    quarter = config.quarter_of(config.quarter_of(judged.result.as_of).start_utc)
    context.invoke(
        report,
        period=quarter.label.removeprefix("fiscal "),
        config=config,
        ledger=book.path,
        output=report_folder,
        formats=("html", "pdf"),
    )
    opened = len(judged.result.open)
    for label, text in (
        ("registry", f"{files.store_uri}  (a real MLflow store: mlflow ui --backend-store-uri …)"),
        ("settings", f"{files.config}, {files.waivers.name} beside it"),
        ("ledger", f"{book.path}  (opens in any DuckDB, DBeaver or notebook)"),
        ("report", f"{report_folder / 'report.html'}, report.pdf and a file per model beside it"),
        ("findings", f"{opened:,} open: all of them are in the story, see `auditreg check --all`"),
    ):
        click.echo(f"{label:<10} {text}")
    click.echo("\nLook next, in that folder:")
    for command in (
        "auditreg check",
        "auditreg live --at 2026-08-12",
        "auditreg history motor-frequency-glm",
        "auditreg questions",
        "auditreg verify",
    ):
        click.echo(f"  cd {folder} && {command}")


def _import_deployments(file: Path, book: Ledger, config: Config) -> None:
    """Take in what the rating engine ran, quietly."""
    from auditreg.ledger.import_parse import parse_deployments
    from auditreg.ledger.import_record import record as take

    content = file.read_bytes()
    with book.writer() as con:
        take(
            con,
            parse_deployments(content, file.name),
            file=file.name,
            content=content,
            registry=config.registry(),
            key=book.key(),
        )


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
