"""`auditreg report`: the report of a period, as HTML and PDF."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    as_of_option,
    config_option,
    ledger_option,
    moment,
    open_ledger,
    tell_notes,
    write_file,
)
from auditreg.errors import AuditregError, ConfigError, ExitCode, UsageError
from auditreg.formats.escape import escape_control

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditreg.config import Config, Period
    from auditreg.ledger.store import Ledger
    from auditreg.models import CheckResult
    from auditreg.report import Report

FORMATS = ("html", "pdf")


@click.command(
    epilog=examples(
        "auditreg report --period 2026-Q3",
        "auditreg report --period 2026-Q3 --issue --output reports/2026-Q3",
        "auditreg report --as-of 2026-09-30 --format html",
    )
)
@click.option(
    "--period", metavar="PERIOD", help="2026-Q3, 2026, 2026-07 or two dates with `..` between."
)
@as_of_option
@click.option(
    "--draft/--issue",
    "draft",
    default=True,
    help="Marked as a draft (the default), or issued and sealed in the ledger.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that is written to.  [default: report-PERIOD]",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=FORMATS,
    help="Repeatable.  [default: html and pdf]",
)
@click.option("--template", metavar="NAME|FOLDER", help="How the report looks.")
@click.option(
    "--drafts",
    is_flag=True,
    help="Also print frameworks with clauses nobody checked; not with --issue.",
)
@config_option
@ledger_option
def report(  # noqa: PLR0913, PLR0917 - one argument per option
    period: str | None,
    as_of: str | None,
    draft: bool,
    output: Path | None,
    formats: tuple[str, ...],
    template: str | None,
    drafts: bool,
    config: Config,
    ledger: Path | None,
) -> None:
    """Write the report of a period, as HTML and PDF.

    The period is the fiscal quarter of the last extraction, unless --period or --as-of say
    otherwise. The state is that at the period's end, or the latest where the period is still
    running. Each model has a file of its own beside the report.

    Exit codes: 0 written, whatever is open (`auditreg check` is what fails); 2 not written, or the
    last reading of a registry was incomplete, which the report says on its cover and every page;
    3 nothing to report on.
    """
    from auditreg.cli.progress import progress
    from auditreg.report import build_report
    from auditreg.words import quantity
    from auditreg.workflows.check import CheckOptions, open_check
    from auditreg.workflows.policy import PolicySet

    if drafts and not draft:
        raise UsageError(
            "--drafts and --issue do not go together: what nobody checked, or was seen only "
            "second-hand, is not issued.",
            state="No report was made.",
            hint="Leave one of the two out.",
        )
    policy_set = PolicySet.load(config)
    if policy_set.unusable:
        error = policy_set.unusable[0]
        raise ConfigError(error.what, state="No report was made.", hint=error.hint)
    ledger_file = open_ledger(config, ledger)
    chosen = template or config.report.template
    if not draft:  # what is reported on must be what is sealed
        ledger_file.set_wal_aside()
    with progress() as report_progress:
        if report_progress:
            report_progress("checking", 0, None)
        at, span = _when(ledger_file, config, period, moment(config, as_of))
        with open_check(
            ledger_file, policy_set, CheckOptions(as_of=at, period=span, seal=False)
        ) as (
            con,
            result,
        ):
            content = build_report(
                con,
                result,
                policy_set.frameworks,
                config,
                span,
                draft=draft,
                drafts=drafts,
                ledger=ledger_file.path.name,
            )
        files: dict[str, bytes] = {}
        for name in dict.fromkeys(formats):
            if report_progress:
                report_progress(f"making {name.upper()}", 0, None)
            files |= _render(name, content, _template(config, chosen))
    folder = output or Path(f"report-{span.label.replace(' ', '-')}")
    if draft:
        for name, file in files.items():
            write_file(folder / name, file)
    else:
        from auditreg.formats.report.template import load_template

        label = load_template(_template(config, chosen)).label
        _issue(ledger_file, result, label, folder, files)
        tell_notes(ledger_file)
    for name in files:
        if "/" not in name:
            click.echo(folder / name)
    kind = "draft" if draft else "issued and sealed"
    click.echo(f"{quantity(len(files), 'file')}, {kind}, {span.days}", err=True)
    if content.identity.incomplete:
        click.echo(
            f"incomplete: the last reading of {escape_control(', '.join(content.identity.incomplete))}; "
            "the report says so on its cover",
            err=True,
        )
        click.get_current_context().exit(int(ExitCode.ERROR))


def _when(
    ledger_file: Ledger, config: Config, period: str | None, at: datetime | None
) -> tuple[datetime | None, Period]:
    """The moment judged (None for the latest state) and the period reported on."""
    from auditreg.audit import latest_complete

    named = config.period(period) if period else None
    with ledger_file.reader() as con:
        latest = latest_complete(con, state="No report was made.")
    span = named or config.quarter_of(at or latest)
    if at is not None and not span.start_utc < at <= span.end_utc:
        raise UsageError(
            f"The moment of --as-of is not in the period {span.days}.",
            state="No report was made.",
            hint="Leave one of the two out.",
        )
    if span.start_utc >= latest:
        raise UsageError(
            f"The period {span.days} begins after the last complete extraction.",
            state="No report was made.",
            hint="Name an earlier period, or extract the registry first.",
        )
    if at is None and span.end_utc <= latest:
        at = span.end_utc
    return at, span


def _template(config: Config, name: str | None) -> str | Path | None:
    """A bundled template's name, or a folder: of the settings, relative to their file."""
    if name is None or name != config.report.template:
        return name
    folder = config.resolve(name)
    return folder if folder.is_dir() else name


def _render(name: str, content: Report, template: str | Path | None) -> Mapping[str, bytes]:
    if name == "html":
        from auditreg.formats.report.html import HtmlFormat

        return HtmlFormat(template).render(content)
    from auditreg.formats.report.pdf import PdfFormat

    return PdfFormat(template).render(content)


def _issue(
    ledger_file: Ledger,
    result: CheckResult,
    template: str,
    folder: Path,
    files: Mapping[str, bytes],
) -> None:
    """Seal a report and write its files; where one of the two fails, neither is left."""
    from auditreg.ledger.seal import seal_report

    earlier: dict[Path, bytes | None] = {}
    try:
        with ledger_file.writer() as con:
            seal_report(
                con,
                period=result.period,
                as_of=result.as_of,
                template=template,
                draft=False,
                files={
                    name: hashlib.sha256(content).hexdigest() for name, content in files.items()
                },
                policy=result.policy,
            )
            for name, content in files.items():
                path = folder / name
                earlier[path] = path.read_bytes() if path.is_file() else None
                write_file(path, content)
    except BaseException as error:
        _put_back(earlier)
        if isinstance(error, AuditregError):
            error.state = "No report was issued: nothing is sealed, and the files are as they were."
        raise


def _put_back(earlier: Mapping[Path, bytes | None]) -> None:
    """Give files what they held before; those that were not there go."""
    for path, content in earlier.items():
        with contextlib.suppress(OSError):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
