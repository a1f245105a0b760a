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
    fail_on_option,
    format_option,
    ledger_option,
    moment,
    open_ledger,
    output_target,
    registry_option,
    tell_notes,
)
from auditreg.errors import ExitCode, UsageError
from auditreg.formats import CHECK_FORMATS

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.models import CheckResult, Severity
    from auditreg.workflows.check import CheckOptions, CheckOutcome


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
@fail_on_option
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
    from auditreg.cli.errors import print_error
    from auditreg.workflows.check import CheckOptions, exit_code, run_check
    from auditreg.workflows.policy import PolicySet

    if uri is not None and as_of is not None:
        raise UsageError(
            "--from and --as-of exclude each other.",
            state="Nothing was checked.",
            hint="A registry shows only its present; its past is in a ledger.",
        )
    if registry is not None and uri is None:
        raise UsageError(
            "--registry says whose registry is at --from.",
            state="Nothing was checked.",
            hint="Give --from URI too, or name the models to check.",
        )
    options = CheckOptions(
        as_of=moment(config, as_of),
        selection=models,
        only=rules,
        seal=uri is None,
        everything=everything,
    )
    if uri is not None:
        outcome = _directly(uri, config.registry(registry, uri=uri), config, options)
    else:
        ledger_file = open_ledger(config, ledger)
        outcome = run_check(ledger_file, PolicySet.load(config), options)
        tell_notes(ledger_file)
    for error in outcome.unusable:
        print_error(error)
    if outcome.unsealed:
        click.echo(f"{'not sealed':<12} {outcome.unsealed}", err=True)
    limit = severity_of(fail_on)
    code = exit_code(outcome.result, limit)
    _write(outcome.result, outputs, code, limit, everything=everything)
    click.get_current_context().exit(int(code))


def _directly(uri: str, registry: str, config: Config, options: CheckOptions) -> CheckOutcome:
    """Check a registry through a ledger that is thrown away."""
    import tempfile

    from auditreg.cli.log_setup import logging_to
    from auditreg.cli.progress import watching
    from auditreg.cli.redaction import redact
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.check import run_check
    from auditreg.workflows.extract import ExtractOptions, extract, targets
    from auditreg.workflows.policy import PolicySet

    redact(uri)
    (source,) = targets(config, uri=uri, registry=registry)
    with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:
        ledger_file = Ledger(Path(folder) / "direct.duckdb")
        with logging_to(None, as_json=False, verbose=0), watching() as watch:
            extract(source, config, ledger_file, ExtractOptions(names=options.selection), watch)
        return run_check(ledger_file, PolicySet.load(config), options)


def severity_of(name: str) -> Severity | None:
    """The severity of `--fail-on`; None where nothing makes the command fail."""
    from auditreg.models import Severity

    return None if name == "none" else Severity(name)


def _write(
    result: CheckResult,
    outputs: tuple[Output, ...],
    code: ExitCode,
    limit: Severity | None,
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
            target=output_target(output.path),
        )
        return check_format(output.format).render(result, view)

    emit(outputs, render)
