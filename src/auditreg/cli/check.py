"""`auditreg check`: judge models by the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    as_of_option,
    config_option,
    emit,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    registry_option,
    surface,
)
from auditreg.errors import ExitCode, UsageError, worst
from auditreg.formats import CHECK_FORMATS

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.models import CheckResult, Severity
    from auditreg.workflows.check import CheckOptions, CheckOutcome

SEVERITIES = ("critical", "high", "medium", "low", "none")


@click.command(
    epilog=examples(
        "auditreg check",
        "auditreg check motor-frequency/47 --fail-on high",
        "auditreg check motor-frequency@champion --rule approver-recorded",
        "auditreg check --as-of 2026-09-30 --format json=check.json --format text",
        "auditreg check --from sqlite:///mlflow.db",
    )
)
@click.argument("models", metavar="[MODEL[/VERSION|@ALIAS]]...", nargs=-1)
@click.option(
    "--from", "uri", metavar="URI", help="Check a registry directly, without a ledger file."
)
@registry_option("Whose registry is at --from, so that its conventions hold.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="The least severity whose open findings end in exit code 1.",
)
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Every subject of every rule.")
@as_of_option
@config_option
@ledger_option
@format_option(CHECK_FORMATS)
def check(  # noqa: PLR0913, PLR0917 - one argument per option
    models: tuple[str, ...],
    uri: str | None,
    registry: str | None,
    fail_on: str,
    rules: tuple[str, ...],
    everything: bool,
    as_of: str | None,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Check models against the rules.

    Judges everything that is live, or what is named: NAME, NAME/VERSION, NAME@ALIAS or models:/….
    A version named here is judged as if it were live. The result is sealed in the ledger, so that
    findings keep their numbers; with --as-of, --from or a ledger that cannot be written to, nothing
    is sealed.

    Exit codes: 0 nothing open at or above --fail-on; 1 open findings; 2 a rule could not be
    evaluated, or the last extraction was incomplete: trust no result; 3 nothing to check.
    """
    from auditreg.workflows.check import CheckOptions, run_check
    from auditreg.workflows.policy import PolicySet

    if uri and as_of:
        raise UsageError(
            "--from and --as-of exclude each other.",
            state="Nothing was checked.",
            hint="A registry shows only its present; its past is in a ledger.",
        )
    if registry and not uri:
        raise UsageError(
            "--registry says whose registry is at --from.",
            state="Nothing was checked.",
            hint="Give --from URI too, or name the models to check.",
        )
    asked = CheckOptions(
        as_of=moment(config, as_of),
        selection=models,
        only=rules,
        seal=uri is None,
        everything=everything,
    )
    if uri:
        judged = _directly(uri, config.registry(registry, uri=uri), config, asked)
    else:
        judged = run_check(open_ledger(config, ledger), PolicySet.load(config), asked)
    if judged.unsealed:
        click.echo(f"{'not sealed':<12} {judged.unsealed}", err=True)
    limit = _severity(fail_on)
    code = exit_code(judged.result, limit)
    _write(judged.result, outputs, code, limit, config, everything=everything)
    click.get_current_context().exit(int(code))


def _directly(uri: str, registry: str, config: Config, asked: CheckOptions) -> CheckOutcome:
    """Check a registry through a ledger that is thrown away."""
    import tempfile

    from auditreg.cli.log_setup import redact
    from auditreg.cli.progress import watching
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.check import run_check
    from auditreg.workflows.extract import ExtractOptions, extract, targets
    from auditreg.workflows.policy import PolicySet

    redact(uri)
    (source,) = targets(config, uri=uri, registry=registry)
    with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:
        book = Ledger(Path(folder) / "direct.duckdb")
        with watching() as watch:
            extract(source, config, book, ExtractOptions(), watch)
        return run_check(book, PolicySet.load(config), asked)


def _severity(name: str) -> Severity | None:
    from auditreg.models import Severity

    return None if name == "none" else Severity(name)


def exit_code(result: CheckResult, limit: Severity | None) -> ExitCode:
    """What a check ends in: rules that failed to run and doubtful readings before findings."""
    codes = [ExitCode.OK]
    if any(examined.error for examined in result.rules):
        codes.append(ExitCode.ERROR)
    extractions = result.ledger.get("extractions")
    if isinstance(extractions, list) and not all(one["complete"] for one in extractions):
        codes.append(ExitCode.ERROR)
    if not any(examined.population or examined.error for examined in result.rules):
        # Nobody was asked about: an empty list is never an answer.
        codes.append(ExitCode.NOTHING)
    if limit and any(answer.rule.severity.rank <= limit.rank for answer in result.open):
        codes.append(ExitCode.FINDINGS)
    return worst(*codes)


def _write(
    result: CheckResult,
    outputs: tuple[Output, ...],
    code: ExitCode,
    limit: Severity | None,
    config: Config,
    *,
    everything: bool,
) -> None:
    from auditreg.formats import check_format
    from auditreg.formats.interface import CheckView

    def render(output: Output) -> bytes:
        view = CheckView(
            code=code,
            fail_on=limit,
            everything=everything,
            timezone=config.calendar.timezone,
            surface=surface(output.path),
        )
        return check_format(output.format).render(result, view)

    emit(outputs, render)
