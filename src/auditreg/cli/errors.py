"""Prints a failure as what failed, what state things are in and what to do; chooses the exit code."""

from __future__ import annotations

import _thread
import contextlib
import io
import os
import signal
import sys
from typing import NoReturn

import click

from auditreg.errors import AuditregError, ExitCode, UsageError

DEBUG = "AUDITREG_DEBUG"


_stopped: list[int] = []
"""The signal that stopped the program, once one did."""


def run(command: click.Command, program: str) -> NoReturn:
    """Run a command line and exit with its code; every failure ends here."""
    _listen()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A log that knows only ASCII gets `?` for a letter it lacks, never a traceback.
            stream.reconfigure(errors="replace")
    sys.exit(int(_code(command, program)))


def _listen() -> None:
    """Let a scheduler's SIGTERM and a closed terminal end a command as Ctrl-C does: tidily.

    The second signal ends it at once.
    """

    def stop(number: int, _frame: object) -> None:
        _stopped.append(number)
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    # A signal that is ignored (nohup) stays ignored.
    signals = [
        number
        for name in names
        if (number := getattr(signal, name, None)) is not None
        and signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in signals:
        signal.signal(number, stop)
    hook = sys.unraisablehook

    def unraisable(report: sys.UnraisableHookArgs) -> None:
        # An interruption that falls into a destructor is swallowed by Python: ask once more. Other
        # messages of interrupted destructors are dropped.
        if _stopped and issubclass(report.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGINT, stop)
            _thread.interrupt_main()
        elif not _stopped:
            hook(report)

    sys.unraisablehook = unraisable


def _code(command: click.Command, program: str) -> int:
    """The exit code. After a signal, any exception counts as the interruption."""
    try:
        return _run_command(command, program)
    except BaseException as error:
        if not (_stopped or isinstance(error, KeyboardInterrupt | click.Abort)):
            raise
        by = f" by {signal.Signals(_stopped[0]).name}" if _stopped else ""
        click.echo(
            f"\nstopped{by}: nothing unfinished was kept; the ledger is as it was sealed last.",
            err=True,
        )
        return ExitCode.ERROR


def _run_command(command: click.Command, program: str) -> int:
    try:
        code = command.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else ExitCode.OK
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python would complain once more while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        if _stopped or isinstance(error, click.Abort):
            raise
        return _failed(error)


def _failed(error: Exception) -> int:
    """Print an error and return its exit code."""
    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        error.show(shown)
        click.echo(_inert(shown.getvalue()), nl=False, err=True)
        return ExitCode.ERROR
    _debug()
    if isinstance(error, AuditregError):
        print_error(error)
        return error.exit_code
    if isinstance(error, OSError):
        print_error(_of_system(error))
        return ExitCode.ERROR
    if broken := next((text for text in sys.argv if not _is_unicode(text)), None):
        what = f"The argument {broken!r} is not UTF-8 text."
        print_error(UsageError(what, state="The command did not finish."))
        return ExitCode.ERROR
    name = type(error).__name__
    click.echo(
        f"bug       {name}: {_line(str(error))}\n"
        f"          This is a bug in auditreg. Please report it with the output of "
        f"{DEBUG}=1.",
        err=True,
    )
    return ExitCode.ERROR


def print_error(error: AuditregError) -> None:
    """An error in three labelled lines on standard error, or one of JSON where the log is."""
    from auditreg.cli import log_setup

    if log_setup.is_json():
        log_setup.write_line("error", what=error.what, state=error.state, do=error.hint)
        return
    for label, text in (("error", error.what), ("state", error.state), ("do", error.hint)):
        if text:
            click.echo(f"{label:<9} {_line(text)}", err=True)


def _line(text: str) -> str:
    return _inert(text).replace("\n", "\n          ")


def _inert(text: str) -> str:
    """A text without passwords and without what acts on a terminal."""
    from auditreg.cli.redaction import redacted
    from auditreg.formats.escape import escape_control

    return escape_control(redacted(text), keep="\n")


def _is_unicode(argument: str) -> bool:
    """Whether an argument was text; what was not holds lone surrogates, as file names may."""
    return argument.isascii() or argument.encode(errors="replace").decode() == argument


def _debug() -> None:
    if os.environ.get(DEBUG) == "1":
        import traceback

        from auditreg.cli.redaction import redacted

        with contextlib.suppress(BrokenPipeError):
            click.echo(redacted(traceback.format_exc()), err=True)


def _of_system(error: OSError) -> AuditregError:
    place = f"{error.filename}: " if error.filename else ""
    return AuditregError(
        f"{place}{error.strerror or error}.",
        state="The command did not finish.",
        hint="Check that the place exists, can be written to and has space left.",
    )
