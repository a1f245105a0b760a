"""`auditreg demo`: a made-up registry, extracted, checked and reported."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from auditreg.cli.examples import examples


@click.command(epilog=examples("auditreg demo", "auditreg demo my-demo"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="auditreg-demo")
def demo(folder: Path) -> None:
    """Play a realistic pricing registry: extract, check and report it.

    Half a year of a pricing team in MLflow, recorded from real trainings, approvals and promotions with
    everything that goes wrong in it, is laid out below FOLDER as it stood at each of 28 readings. Each is
    extracted, some are checked, and the report is written. Takes a minute or two and needs neither
    MLflow's server nor scikit-learn.
    """
    from auditreg import demo as recorded
    from auditreg.cli.progress import progress
    from auditreg.cli.report import report

    with progress() as report_progress:
        done = recorded.run(folder, progress=report_progress)
    files, config = done.files, done.config
    # The last quarter that is over: the last reading lies a few days into the next one.
    quarter = config.quarter_of(config.quarter_of(done.check.as_of).start_utc)
    report_folder = folder / "report"
    click.get_current_context().invoke(
        report,
        period=quarter.label.removeprefix("fiscal "),
        config=config,
        ledger=files.ledger,
        output=report_folder,
        formats=("html", "pdf"),
    )
    for label, text in (
        ("registry", f"{files.store_uri}  (a real MLflow store: mlflow ui --backend-store-uri …)"),
        ("settings", f"{files.config}, {files.waivers.name} beside it"),
        ("ledger", f"{files.ledger}  (opens in any DuckDB, DBeaver or notebook)"),
        ("report", f"{report_folder / 'report.html'}, report.pdf and a file per model beside it"),
        (
            "findings",
            f"{len(done.check.open):,} open: all of them are in the story, see `auditreg check --all`",
        ),
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
        click.echo(f"  cd {shlex.quote(str(folder))} && {command}")
