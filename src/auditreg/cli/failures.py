"""How failures are told: what failed, what state things are in, what to do; and the exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click

from auditreg.errors import AuditregError, ExitCode, without_password

DEBUG = "AUDITREG_DEBUG"


def run(command: click.Command, program: str) -> NoReturn:
    """Run a command line and exit with its code; every failure ends here."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A log that knows only ASCII gets `?` for a letter it lacks, never a traceback.
            stream.reconfigure(errors="replace")
    sys.exit(int(_code(command, program)))


def _code(command: click.Command, program: str) -> int:
    try:
        code = command.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else ExitCode.OK
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.ERROR
    except AuditregError as error:
        _debug()
        tell(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nstopped   Nothing unfinished was kept.", err=True)
        return ExitCode.ERROR
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python would complain once more while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        _debug()
        tell(_of_system(error))
        return ExitCode.ERROR
    except Exception as error:  # noqa: BLE001 - the one place where nothing may escape
        _debug()
        name = type(error).__name__
        click.echo(
            f"bug       {name}: {_line(str(error))}\n"
            f"          This is a bug in auditreg. Please report it with the output of "
            f"{DEBUG}=1.",
            err=True,
        )
        return ExitCode.ERROR


def tell(error: AuditregError) -> None:
    """An error in three labelled lines on standard error."""
    for label, text in (("error", error.what), ("state", error.state), ("do", error.hint)):
        if text:
            click.echo(f"{label:<9} {_line(text)}", err=True)


def _line(text: str) -> str:
    from auditreg.formats.inert import inert

    return inert(without_password(text), keep="\n").replace("\n", "\n          ")


def _debug() -> None:
    if os.environ.get(DEBUG) == "1":
        import traceback

        with contextlib.suppress(BrokenPipeError):
            click.echo(without_password(traceback.format_exc()), err=True)


def _of_system(error: OSError) -> AuditregError:
    place = f"{error.filename}: " if error.filename else ""
    return AuditregError(
        f"{place}{error.strerror or error}.",
        state="The command did not finish.",
        hint="Check that the place exists, can be written to and has space left.",
    )
