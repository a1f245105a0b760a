"""`auditreg extract`: append what changed in a registry, or in several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit,
    format_option,
    ledger_option,
    log_options,
    moment,
    note,
    open_ledger,
    output_target,
    registry_option,
    replacement_option,
    source_option,
)
from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.config import Config, SourceSettings
    from auditreg.ledger.result import ExtractionResult
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.extract import ExtractOptions

_UNLIMITED = 100_000


@click.command(
    epilog=examples(
        "auditreg extract --from sqlite:///mlflow.db",
        "auditreg extract                            every [[source]] of auditreg.toml",
        "auditreg extract --source pricing --format json",
        "auditreg extract --from sqlite:///backup.db --registry pricing --observed-at 2026-09-30",
        "auditreg extract --from sqlite:///mlflow.db --auth-from sqlite:///basic_auth.db",
    )
)
@click.option("--from", "uri", metavar="URI", help="MLflow's database or tracking server.")
@registry_option("Whose registry is at --from.")
@source_option
@click.option(
    "--tracking-from",
    metavar="URI",
    help="MLflow's tracking database, where runs are, if the registry has a database of its own.",
)
@click.option(
    "--auth-from",
    metavar="URI",
    help="The database of basic-auth's users and rights, where it is not the registry's.",
)
@click.option(
    "--runs",
    type=click.Choice(["linked", "all"]),
    help="Runs that versions point to, or every run.  [default: of the source, linked]",
)
@click.option(
    "--artifacts",
    type=click.Choice(["all", "live", "none"]),
    help="Whose model files are looked at.  [default: of the source, all; with --observed-at none]",
)
@click.option(
    "--manifest",
    type=click.Choice(["local", "live", "all", "none"]),
    is_flag=False,
    flag_value="all",
    help="Whose model files are hashed: of live versions on this machine's disks, of live versions "
    "wherever they are, of all versions (also --manifest alone), or of none.  "
    "[default: of the source, local]",
)
@click.option(
    "--observed-at",
    metavar="MOMENT",
    help="The moment a restored backup is from; a date means the end of that day. Model files are "
    "those of today, and not looked at unless --artifacts asks for them.",
)
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Record that an empty registry is really empty, although models are known.",
)
@replacement_option
@click.option("-q", "--quiet", is_flag=True, help="One line per registry.")
@log_options
@config_option
@ledger_option
@format_option(("text", "json"))
def extract(  # noqa: PLR0913, PLR0917 - one argument per option
    uri: str | None,
    registry: str | None,
    names: tuple[str, ...],
    tracking_from: str | None,
    auth_from: str | None,
    runs: str | None,
    artifacts: str | None,
    manifest: str | None,
    observed_at: str | None,
    allow_empty: bool,
    allow_replacement: bool,
    quiet: bool,
    config: Config,
    ledger: Path | None,
    outputs: tuple[Output, ...],
) -> None:
    """Append what changed in a registry to the ledger.

    Reads MLflow's database or tracking server, never writes to it, and appends what is new, what
    changed and what is gone since the last time. The first extraction makes the ledger. URIs with
    a password belong into an environment variable that `uri_env` of a [[source]] names.

    Without --from, every [[source]] of the settings is read, or those named by --source: one after
    the other, each sealed by itself. One that fails stops no other; the worst exit code counts.

    A reading that shares no model with what the ledger knows of the registry, or hardly one, is not
    taken in, nor is an older copy that is read as of today: a ledger cannot forget.

    Exit codes: 0 recorded; 2 incomplete, unreadable, empty although models are known, another
    registry or an older copy; 3 the registry holds no model; of several registries 2 before 3
    before 0.
    """
    from auditreg.workflows.extract import ExtractOptions, targets

    if uri is not None and names:
        raise UsageError(
            "--from and --source exclude each other.",
            state="Nothing was read.",
            hint="A source has its address in auditreg.toml; --registry says whose --from is.",
        )
    chosen = targets(
        config, names, uri=uri, registry=registry, tracking_uri=tracking_from, auth_uri=auth_from
    )
    for option, given in (
        ("--observed-at", observed_at),
        ("--allow-empty", allow_empty),
        ("--allow-replacement", allow_replacement),
    ):
        refuse_several(chosen, option if given else None)
    options = ExtractOptions(
        runs, artifacts, manifest, moment(config, observed_at), allow_empty, allow_replacement
    )
    ledger_file = open_ledger(config, ledger)
    warn_of_passwords(config)
    results = read(chosen, config, ledger_file, options)
    if len(results) == 1 and results[0].error and all(o.format != "json" for o in outputs):
        raise results[0].error
    _write(results, outputs, ledger_file, quiet=quiet)
    report_errors(results)
    from auditreg.ledger.result import code_of

    click.get_current_context().exit(int(code_of(results)))


def refuse_several(chosen: Sequence[SourceSettings], option: str | None) -> None:
    """Refuse an option that is about one registry where several would be read.

    Raises:
        UsageError: it is given, and there are several.
    """
    if option and len(chosen) > 1:
        raise UsageError(
            f"{option} is about one registry, and {len(chosen)} would be read.",
            state="Nothing was read.",
            hint="Choose it with --source NAME.",
        )


def read(
    chosen: Sequence[SourceSettings], config: Config, ledger: Ledger, options: ExtractOptions
) -> list[ExtractionResult]:
    """Read the sources one after the other, with progress on a terminal."""
    import os

    from auditreg.cli.log_setup import is_on_screen
    from auditreg.cli.progress import watching
    from auditreg.cli.redaction import redact
    from auditreg.workflows.extract import extract_each

    for source in chosen:
        for uri in (source.uri, source.tracking_uri, source.auth_uri):
            redact(uri)
        for variable in (source.uri_env, source.tracking_uri_env, source.auth_uri_env):
            redact(os.environ.get(variable) if variable else None)
    results: list[ExtractionResult] = []
    with watching(quiet=is_on_screen()) as watch, _recorded_so_far(results):
        for outcome in extract_each(chosen, config, ledger, options, watch):
            results.append(outcome)  # noqa: PERF402 - what is done stands there if it is stopped
    return results


@contextlib.contextmanager
def _recorded_so_far(results: Sequence[ExtractionResult]) -> Iterator[None]:
    """Where the command is stopped between two registries, say what stays."""
    try:
        yield
    except KeyboardInterrupt:
        if done := [outcome.registry for outcome in results if outcome.done is not None]:
            click.echo("", err=True)
            note("recorded", f"{', '.join(done)}: sealed before, and stays")
        raise


def warn_of_passwords(config: Config) -> None:
    """Say which passwords stand in the settings file."""
    from auditreg.config.sources import exposed

    for text in exposed(config.source):
        note("warning", text)


def _write(
    results: Sequence[ExtractionResult], outputs: Sequence[Output], ledger: Ledger, *, quiet: bool
) -> None:
    from auditreg.formats import extract_json
    from auditreg.formats.terminal import extraction

    def render(output: Output) -> bytes:
        if output.format == "json":
            return extract_json.render(results, str(ledger.path))
        if quiet:
            return extraction.quiet(results)
        return extraction.text(
            results, output_target(output.path, otherwise=_UNLIMITED), str(ledger.path)
        )

    emit(outputs, render)


def report_errors(results: Sequence[ExtractionResult]) -> None:
    """What failed of several registries, each with what to do."""
    from auditreg.cli.errors import print_error

    for outcome in results:
        if outcome.error is not None:
            note("registry", outcome.registry)
            print_error(outcome.error)
