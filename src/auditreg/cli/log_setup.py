"""The log: for people with -v, one JSON line per event for programs; passwords reach neither."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import click

from auditreg.errors import UsageError, redact_uri

F = TypeVar("F", bound=Callable[..., Any])

ENVIRONMENT = "AUDITREG_LOG"
_SHORTEST = 4
"""A secret of fewer characters is hidden in URIs only: it would be found in any word."""
_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN")

_secrets: set[str] = set()
_on_screen: list[bool] = []


_json_asked = False


def json_asked() -> bool:
    """Whether standard error is read by a program, also once the command has failed."""
    return _json_asked


def write_line(event: str, **fields: str) -> None:
    """One JSON line on standard error: an error, a warning, or what is said beside the result."""
    level = {"error": logging.ERROR, "warning": logging.WARNING}.get(event, logging.INFO)
    record = logging.LogRecord("auditreg", level, "", 0, event, None, None)
    record.fields = {name: value for name, value in fields.items() if value}
    click.echo(Lines().format(record), err=True)


def shown_on_screen() -> bool:
    """Whether the log goes to standard error, where a progress line would be in its way."""
    return bool(_on_screen and _on_screen[-1])


def redact(uri: str | None) -> None:
    """Keep the password of an address out of everything that is logged from now on."""
    if not uri:
        return
    with contextlib.suppress(ValueError):
        password = urlsplit(uri).password
        if password:
            _secrets.update({password, unquote(password)})


def redacted(text: str) -> str:
    """The text without passwords: those of URIs, and those that are known."""
    hidden = redact_uri(text)
    known = _secrets | {os.environ.get(name, "") for name in _VARIABLES}
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            hidden = hidden.replace(secret, "***")
    return hidden


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
        envvar=ENVIRONMENT,
        help=f"json: one JSON line per event on standard error.  [env: {ENVIRONMENT}]",
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
        with logging_to(log_file, as_json=log_format == "json", verbose=verbose):
            return function(*args, **options)

    return logged  # type: ignore[return-value]  # takes three options more than the function


@contextlib.contextmanager
def logging_to(file: Path | None, *, as_json: bool, verbose: int) -> Iterator[None]:
    """Log for the time of the block, masked at the source, whoever writes and whoever listens.

    Raises:
        UsageError: the file cannot be written to.
    """
    global _json_asked  # noqa: PLW0603 - a failure is told when the command has ended
    _json_asked = as_json
    root, own = logging.getLogger(), logging.getLogger("auditreg")
    handlers = [*_file(file), *_screen(as_json=as_json, verbose=verbose)]
    before = (root.level, own.level, logging.getLogRecordFactory())
    logging.setLogRecordFactory(_masking(before[2]))
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(max(verbose - 1, 0), 2)])
    own.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    _on_screen.append(as_json or verbose > 0)
    try:
        yield
    finally:
        _on_screen.pop()
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before[0])
        own.setLevel(before[1])
        logging.setLogRecordFactory(before[2])


def _file(file: Path | None) -> list[logging.Handler]:
    if file is None:
        return []
    try:
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"The log {file} cannot be written to: {error.strerror}.",
            state="Nothing was read.",
            hint="Name another file with --log.",
        ) from error
    handler.setFormatter(Lines())
    return [handler]


def _screen(*, as_json: bool, verbose: int) -> list[logging.Handler]:
    handler = logging.StreamHandler(sys.stderr)
    if as_json:
        handler.setFormatter(Lines())
    else:
        handler.setFormatter(Plain())
        handler.setLevel(logging.NOTSET if verbose else logging.CRITICAL)
        if not verbose:
            # What warns without being asked, such as a retried request; auditreg says the rest itself.
            handler.setLevel(logging.WARNING)
            handler.addFilter(lambda record: not record.name.startswith("auditreg"))
    return [handler]


def _masking(factory: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Records whose text holds no password: also MLflow's own handlers then show none."""

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        record = factory(*args, **options)
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a record that cannot be formatted is still a record
            text = str(record.msg)
        record.msg, record.args = redacted(text), None
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return record

    return make


class Lines(logging.Formatter):
    """One JSON object per event: `time`, `level`, `logger`, `event` and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line, default=str)


class Plain(logging.Formatter):
    """One line for people, with nothing in it that acts on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        from auditreg.formats.escape import escape_control

        said = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        name = record.name.removeprefix("auditreg.")
        at = f"{datetime.fromtimestamp(record.created):%H:%M:%S}"  # noqa: DTZ006 - the reader's own
        level = record.levelname.lower()
        text = f"{at} {level:<7} {name}: {record.getMessage()} {said}".rstrip()
        return "\n".join(
            filter(None, (escape_control(text), escape_control(record.exc_text or "", keep="\n")))
        )


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = getattr(record, "fields", None) or {}
    return {
        name: redacted(value) if isinstance(value, str) else value for name, value in fields.items()
    }
