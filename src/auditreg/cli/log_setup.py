"""The log: lines for people with -v, one JSON line per event for programs, passwords in neither."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from auditreg.cli.redaction import Redaction
from auditreg.errors import UsageError
from auditreg.formats.escape import escape_control

_MLFLOW = "MLFLOW_CONFIGURE_LOGGING"
"""Whether MLflow, once imported, writes through a handler of its own: not while we log."""

_mode = ""
"""Format of the log on standard error: `json`, `text` (-v) or none. It stays set after the command,
for the error message."""


def is_json() -> bool:
    """Whether standard error is read by a program."""
    return _mode == "json"


def is_on_screen() -> bool:
    """Whether the log goes to standard error, where a progress line would be in its way."""
    return _mode != ""


def write_line(event: str, **fields: str) -> None:
    """One JSON line on standard error: an error, a warning, or what is said beside the result."""
    level = {"error": logging.ERROR, "warning": logging.WARNING}.get(event, logging.INFO)
    record = logging.LogRecord("auditreg", level, "", 0, event, None, None)
    record.fields = {name: value for name, value in fields.items() if value}
    Redaction().filter(record)
    click.echo(JsonLines().format(record), err=True)


class JsonLines(logging.Formatter):
    """One JSON object per event: `time`, `level`, `logger`, `event` and what belongs to it."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **vars(record)["fields"],
        }
        return json.dumps(
            line | ({"exception": record.exc_text} if record.exc_text else {}), default=str
        )


class TextLines(logging.Formatter):
    """One line for people, with nothing in it that acts on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        fields = "".join(f" {name}={value}" for name, value in vars(record)["fields"].items())
        at = f"{datetime.fromtimestamp(record.created):%H:%M:%S}"  # noqa: DTZ006 - the reader's own
        head = f"{at} {record.levelname.lower():<7} {record.name.removeprefix('auditreg.')}"
        text = escape_control(f"{head}: {record.getMessage()}{fields}")
        return "\n".join(filter(None, (text, escape_control(record.exc_text or "", keep="\n"))))


@contextlib.contextmanager
def logging_to(file: Path | None, *, as_json: bool, verbose: int) -> Iterator[None]:
    """Log for the time of the block.

    Raises:
        UsageError: the file cannot be written to.
    """
    global _mode  # noqa: PLW0603 - a failure is told when the command has ended
    _mode = "json" if as_json else "text" if verbose else ""
    root, package_logger = logging.getLogger(), logging.getLogger("auditreg")
    handlers = [*_file(file), _screen(as_json=as_json, verbose=verbose)]
    loggers = [x for x in root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    others = {handler for logger in (root, *loggers) for handler in logger.handlers}
    redaction, levels, before = (
        Redaction(),
        (root.level, package_logger.level),
        os.environ.get(_MLFLOW),
    )
    os.environ[_MLFLOW] = "false"
    for handler in handlers:
        root.addHandler(handler)
    for handler in (*handlers, *others):
        handler.addFilter(redaction)
    root.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(max(verbose - 1, 0), 2)])
    package_logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    try:
        yield
    finally:
        root.setLevel(levels[0])
        package_logger.setLevel(levels[1])
        for handler in (*handlers, *others):
            handler.removeFilter(redaction)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        os.environ.pop(_MLFLOW)
        os.environ.update({} if before is None else {_MLFLOW: before})


def _file(file: Path | None) -> Iterator[logging.Handler]:
    if file is None:
        return
    try:
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"The log {file} cannot be written to: {error.strerror}.",
            state="Nothing was read.",
            hint="Name another file with --log.",
        ) from error
    handler.setFormatter(JsonLines())
    yield handler


def _screen(*, as_json: bool, verbose: int) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    if not as_json and not verbose:
        # What warns without being asked, such as a retried request; auditreg says the rest itself.
        handler.setLevel(logging.WARNING)
        handler.addFilter(lambda record: not record.name.startswith("auditreg"))
    return handler
