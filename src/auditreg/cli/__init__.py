"""The command line: the only place that prints or exits.

Every command stands in a module of its name and is imported when it is used, so that
`auditreg --help` does not load what only one of them needs.
"""

from __future__ import annotations

import importlib
import itertools

import click

from auditreg.cli.examples import examples

PROGRAM = "auditreg"

COMMANDS: dict[str, dict[str, str]] = {
    "Start": {
        "demo": "Play a realistic pricing registry: extract, check and report it.",
        "doctor": "Show what works here, what does not, and the command that repairs it.",
        "config": "Show the settings in force and where each comes from.",
        "completion": "Print the script that completes commands in your shell.",
    },
    "Record": {
        "extract": "Append what changed in a registry to the ledger.",
        "run": "Extract, check and publish, with one exit code, for a scheduler.",
        "import": "Take in records of other systems, and what ran where.",
        "status": "Say how fresh and how complete the ledger is.",
        "capture": "Show what the ledger holds of the server's own journal, and the gaps in it.",
    },
    "Judge": {
        "check": "Check models against the rules.",
        "rules": "List, show and test the rules.",
        "frameworks": "List and show what supervisors ask for.",
        "waivers": "List the findings that are accepted, under repair or answered.",
    },
    "Answer": {
        "live": "Say which version was live, who put it there, who approved it, and how sure that is.",
        "history": "Tell what happened to a model or version, oldest first: when, who, what, how known.",
        "inventory": "List every version with its governance fields, at any moment.",
        "changes": "List who changed what and when, as far as it is on record.",
        "query": "Run one SELECT on the ledger, read-only.",
        "questions": "List the questions auditors ask most, or answer one.",
    },
    "Report": {
        "report": "Write the report of a period, as HTML and PDF.",
        "reports": "List the reports that were issued.",
        "publish": "Put a dated, read-only copy of the ledger where auditors read it.",
    },
    "Verify": {
        "verify": "Recompute that nothing recorded was changed.",
        "control-totals": "Print SQL that counts a registry independently, or compare what it found.",
        "erase": "Remove the text of one entry and keep the proof.",
    },
}
"""Commands by group, each with its line in `auditreg --help`."""

_NAMES = tuple(name for commands in COMMANDS.values() for name in commands)


def _function(command: str) -> str:
    """The function of a command, and the module it stands in."""
    return "import_" if command == "import" else command.replace("-", "_")


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every command, in the order of the help."""
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in _NAMES:
            return None
        name = _function(cmd_name)
        command: click.Command = getattr(importlib.import_module(f"auditreg.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Commands by group, without importing any of them."""
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest command in the error."""
        _refuse_empty(args)
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from auditreg.config.check import near

            if args and (meant := near(args[0], _NAMES)):
                raise click.UsageError(f"{error.message} Did you mean '{meant}'?", ctx) from error
            raise


def _refuse_empty(args: list[str]) -> None:
    """Refuse an empty text: a variable that is not set would otherwise read as "not given".

    Raises:
        UsageError: an argument is empty.
    """
    for before, argument in itertools.pairwise(args):
        if not argument or (argument.startswith("--") and argument.endswith("=")):
            from auditreg.errors import UsageError

            raise UsageError(
                f"The argument after {argument or before} is empty.",
                state="Nothing was done.",
                hint="Leave the option out, or see whether a variable of the shell is not set.",
            )


def _version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if requested and not ctx.resilient_parsing:
        from auditreg import __version__

        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "auditreg demo                               see all of it on a made-up registry",
        "auditreg extract --from sqlite:///mlflow.db",
        "auditreg check",
        "auditreg report --period 2026-Q3",
    ),
)
@click.option(
    "--version",
    is_flag=True,
    callback=_version,
    expose_value=False,
    is_eager=True,
    help="Show the version and exit.",
)
def cli() -> None:
    """Audit and compliance reporting for MLflow model registries.

    auditreg writes down what an MLflow registry says, in a ledger that shows any later change;
    checks it with rules that are plain SQL; and writes the report. It never writes to MLflow.

    Exit codes: 0 nothing open; 1 open findings; 2 an error, no result is to be trusted;
    3 nothing to audit; 4 something does not verify.
    """


def main() -> None:
    """Run the command line and exit."""
    from auditreg.cli.errors import run

    run(cli, PROGRAM)
