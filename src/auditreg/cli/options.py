"""Options that several commands share, and how what they ask for is written."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from auditreg.errors import AuditregError, UsageError
from auditreg.files import write_whole
from auditreg.formats import TABLE_FORMATS, table_format
from auditreg.formats.interface import WIDTH, OutputTarget, Table

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger

_UNLIMITED = 100_000
_SEALED_ASKED = "auditreg.sealed_settings"
"""Set where a command has asked the ledger for its settings already."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Output:
    """A format, and the file it goes to; None for standard output."""

    format: str
    path: Path | None = None


if TYPE_CHECKING:
    _ParamType = click.ParamType[Output]
else:  # older click knows no parameter of the type
    _ParamType = click.ParamType


class OutputType(_ParamType):
    """`NAME` or `NAME=FILE`."""

    name = "NAME[=FILE]"

    def __init__(self, formats: Sequence[str]) -> None:
        self.formats = tuple(formats)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Output:
        """See `click.ParamType.convert`."""
        if isinstance(value, Output):
            return value
        name, equals, file = str(value).partition("=")
        if name not in self.formats:
            self.fail(
                f"there is no format {name!r}; formats: {', '.join(self.formats)}", param, ctx
            )
        if equals and not file:
            self.fail(f"{value!r} names no file after the equals sign", param, ctx)
        return Output(name, Path(file) if file else None)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[click.shell_completion.CompletionItem]:
        """The names of the formats."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.formats if name.startswith(incomplete)]


def format_option(formats: Sequence[str] = TABLE_FORMATS) -> Callable[[F], F]:
    """`--format`, repeatable; the first format is the default."""
    return click.option(
        "--format",
        "outputs",
        type=OutputType(formats),
        multiple=True,
        default=[formats[0]],
        metavar="NAME[=FILE]",
        help=f"{', '.join(formats)}; with =FILE into a file. Can be repeated. "
        f"Default: {formats[0]}.",
    )


def config_option(function: F) -> F:
    """`--config`; the function gets the settings in force as `config`."""

    def load(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Config:
        from auditreg.config import load_config

        return _or_sealed(ctx, load_config(value))

    return config_path_option(function, load)


def file_config_option(function: F) -> F:
    """`--config`, for a command that asks the settings only for the ledger's path."""

    def load(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Config:
        from auditreg.config import load_config

        return load_config(value)

    return config_path_option(function, load)


def config_path_option(function: F, load: Callable[..., Config] | None = None) -> F:
    """`--config`; the function gets the path or None as `config`, or what `load` makes of it."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=load,
        help="The settings file.  [default: $AUDITREG_CONFIG, then auditreg.toml]",
    )(function)


def _or_sealed(ctx: click.Context, config: Config) -> Config:
    """Where no settings file is at hand: the one sealed in the command's ledger."""
    from auditreg.errors import LedgerError
    from auditreg.workflows.policy import settings_for

    # A shell that asks for completions shows what is written to standard error in the prompt.
    if ctx.resilient_parsing or "ledger" not in {param.name for param in ctx.command.params}:
        return config
    ctx.meta[_SEALED_ASKED] = True
    ledger = open_ledger(config, ctx.params.get("ledger"))
    try:
        settings = settings_for(ledger, config)
    except LedgerError:
        return config  # the command itself says what is wrong with the ledger
    if settings is not config:
        click.echo(f"settings: auditreg.toml as sealed in {ledger.path.name}", err=True)
    return settings


def fail_on_option(function: F) -> F:
    """`--fail-on SEVERITY`; the function gets the severity's name or `none` as `fail_on`."""
    return click.option(
        "--fail-on",
        type=click.Choice(["critical", "high", "medium", "low", "none"]),
        default="low",
        show_default=True,
        help="The least severity whose open findings end in exit code 1.",
    )(function)


def ledger_option(function: F) -> F:
    """`--ledger`; the function gets a path or None as `ledger`, see `open_ledger`."""
    return click.option(
        "--ledger",
        is_eager=True,  # the settings may have to be read from it
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="AUDITREG_LEDGER",
        help="The ledger file.  [default: $AUDITREG_LEDGER, then ledger.path of the settings, "
        "audit.duckdb]",
    )(function)


def log_options(function: F) -> F:
    """`--log`, `--log-format`, `--verbose`: a log for the time the command runs."""

    @click.option(
        "-v",
        "--verbose",
        count=True,
        help="Tell each step on standard error; -vv also MLflow's, -vvv every request.",
    )
    @click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        envvar="AUDITREG_LOG",
        help="json: one JSON line per event on standard error.  [env: AUDITREG_LOG]",
    )
    @click.option(
        "--log",
        "log_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append one JSON line per event to a file.",
    )
    @functools.wraps(function)
    def logged(
        *args: object,
        log_file: Path | None,
        log_format: str | None,
        verbose: int,
        **options: object,
    ) -> object:
        from auditreg.cli.log_setup import logging_to

        with logging_to(log_file, as_json=log_format == "json", verbose=verbose):
            return function(*args, **options)

    return logged  # type: ignore[return-value]  # takes three options more than the function


def registry_option(text: str) -> Callable[[F], F]:
    """`--registry NAME`; the function gets the name or None as `registry`."""
    return click.option("--registry", metavar="NAME", help=text, shell_complete=_registries)


def source_option(function: F) -> F:
    """`--source NAME`, repeatable; the function gets the names as `names`."""
    return click.option(
        "--source",
        "names",
        metavar="NAME",
        multiple=True,
        help="Only this [[source]] of auditreg.toml; repeatable.  [default: all of them]",
        shell_complete=_registries,
    )(function)


def replacement_option(function: F) -> F:
    """`--allow-replacement`; the function gets it under that name."""
    return click.option(
        "--allow-replacement",
        is_flag=True,
        help="Record what looks like another registry or an older copy: the registry was moved, "
        "made anew or set back.",
    )(function)


def _registries(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[click.shell_completion.CompletionItem]:
    """The names of the configured registries, for the shell."""
    from click.shell_completion import CompletionItem

    from auditreg.config import Config, load_config

    given = ctx.params.get("config")
    config = given if isinstance(given, Config) else None
    with contextlib.suppress(AuditregError):
        config = config or load_config()
    return [
        CompletionItem(source.name, help=source.uri_env or "")
        for source in (config.source if config else ())
        if source.name.startswith(incomplete)
    ]


def as_of_option(function: F) -> F:
    """`--as-of`; the function gets the text or None, to be read in the configured calendar."""
    return click.option(
        "--as-of",
        metavar="MOMENT",
        help="A past moment: 2026-09-30 (the end of that day), 2026-09-30T17:00.",
    )(function)


def open_ledger(config: Config, ledger: Path | None) -> Ledger:
    """The ledger that the command line, the environment or the settings name."""
    from auditreg.ledger.store import Ledger

    return Ledger(ledger or config.ledger_path)


def note(label: str, text: str) -> None:
    """Print a line on standard error, as text or as JSON, as the log is."""
    from auditreg.cli import log_setup

    if log_setup.is_json():
        log_setup.write_line(label, text=text)
    else:
        click.echo(f"{label:<9} {text}", err=True)


def tell_next(outputs: Sequence[Output], step: str) -> None:
    """Say on standard error what to do next, where somebody reads the table."""
    if any(output.format == "table" and output.path is None for output in outputs):
        note("next", step)


def tell_notes(ledger: Ledger) -> None:
    """Say on standard error what writing to the ledger met beside it."""
    for text in ledger.notes:
        note("note", text)


def moment(config: Config, text: str | None) -> datetime | None:
    """The UTC moment of an option, None where it is not given."""
    return None if text is None else config.moment(text)


def output_target(path: Path | None = None, *, otherwise: int = WIDTH) -> OutputTarget:
    """What is written on: the terminal with its width and colours, or neither; on the firm's clock.

    Args:
        path: the file that is written, None for standard output.
        otherwise: the width where there is no terminal.
    """
    if path is not None or not sys.stdout.isatty():
        return OutputTarget(otherwise, timezone=firm_timezone())
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((WIDTH, 40)).columns
    return OutputTarget(width, colour, firm_timezone())


def firm_timezone() -> str:
    """The time zone of the settings that the command runs under; UTC where it has none.

    A command that asks its settings only for the ledger's path takes the zone sealed in the ledger
    where it has no file; settings that cannot be used do not keep it from its work.
    """
    from auditreg.config import Config

    context = click.get_current_context(silent=True)
    config = context.params.get("config") if context else None
    if context is None or not isinstance(config, Config):
        return "UTC"
    if config.path is None and "ledger" in context.params and _SEALED_ASKED not in context.meta:
        from auditreg.workflows.policy import settings_for

        with contextlib.suppress(AuditregError):
            config = settings_for(open_ledger(config, context.params["ledger"]), config)
    return config.calendar.timezone


def emit(outputs: Sequence[Output], render: Callable[[Output], bytes]) -> None:
    """Render each output and write it; nothing is written before everything is rendered.

    Raises:
        UsageError: two outputs would be mixed on standard output, or share a file.
        AuditregError: a file cannot be written.
    """
    places = [output.path for output in outputs]
    if len(set(places)) < len(places):
        raise UsageError(
            "Two outputs would go to one place.",
            state="Nothing was written.",
            hint="Give all but one a file of its own: --format json=FILE.",
        )
    rendered = [(output, render(output)) for output in outputs]
    for output, content in rendered:
        if output.path is None:
            show(content)
        else:
            write_file(output.path, content)
            click.echo(f"wrote {output.path}", err=True)


def show(content: bytes) -> None:
    """Bytes on standard output; as text where a terminal needs another encoding."""
    if sys.stdout.isatty():
        click.echo(content.decode(), nl=False, color=True)
    else:
        click.echo(content, nl=False)


def write_file(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; of a link, the file it leads to.

    Raises:
        AuditregError: it cannot be written; an existing file is as it was.
    """
    try:
        if (stream := _standard_stream(path)) is not None:
            stream.flush()
            stream.buffer.write(content)
            stream.flush()
        elif path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe is written to, never replaced
        else:
            place = Path(os.path.realpath(path))
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, content)
    except OSError as error:
        raise AuditregError(
            f"{path} cannot be written: {error.strerror}.",
            state="Files written before it are complete; this one is as it was.",
            hint="Name another place, or free some.",
        ) from error


def _standard_stream(path: Path) -> TextIO | None:
    """The stream that a path such as /dev/stdout leads to: whose file is never replaced."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            if os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                return stream
    return None


def read_input(file: str | Path, *, state: str) -> bytes:
    """The content of a file, or of standard input where it is `-`.

    Raises:
        UsageError: it cannot be read; `state` says what was not done.
    """
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", state=state) from error


Shorten = Callable[[Table, OutputTarget], Table]
"""Makes of a table the one a terminal has room for."""


def render_table(output: Output, table: Table, shorten: Shorten | None = None) -> bytes:
    """A table in the format asked for; as wide as it is where no terminal limits it."""
    target = output_target(output.path, otherwise=_UNLIMITED)
    if shorten is not None and output.format == "table":
        table = shorten(table, target)
    return table_format(output.format).render(table, target)


def emit_table(outputs: Sequence[Output], table: Table, shorten: Shorten | None = None) -> None:
    """Write a table in every format asked for; `shorten` is for the eye only."""
    emit(outputs, lambda output: render_table(output, table, shorten))
