"""Help, start-up and the documents made from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from auditreg.cli import COMMANDS, cli

ROOT = Path(__file__).parents[2]


def walk(command: click.Command, path: tuple[str, ...] = ()):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


EVERY = list(walk(cli))
REFERENCE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
IDS = [" ".join(path) or "auditreg" for path, _ in EVERY]


@pytest.mark.parametrize(("path", "command"), EVERY, ids=IDS)
def test_help_explains_every_option_has_an_example_and_is_in_the_reference(path, command):
    shown = CliRunner().invoke(cli, [*path, "--help"], prog_name="auditreg")
    assert shown.exit_code == 0
    assert command.help
    name = f"auditreg {' '.join(path)}".rstrip()
    assert name in shown.output.partition("Examples:")[2]
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []
    assert not path or f"### {name}\n" in REFERENCE


# Those that need no ledger: they read the package, the settings or nothing.
WITHOUT_LEDGER = {
    "demo", "config schema", "config show", "completion", "rules list", "rules show", "rules test",
    "frameworks list", "frameworks show",
}  # fmt: skip
# Those whose result is one story, a file or a verdict, and no table.
NO_TABLE = {"doctor", "extract", "run", "report", "publish", "verify"}


def test_ledger_and_format_are_options_of_every_command_they_mean_something_to():
    for path, command in EVERY:
        if isinstance(command, click.Group) and not command.invoke_without_command:
            continue
        name = " ".join(path)
        options = {text: p for p in command.params for text in p.opts}
        assert ("--ledger" in options) is (name not in WITHOUT_LEDGER), name
        if "--format" in options and name not in NO_TABLE:
            formats = " ".join((options["--format"].help or "").split())
            assert "table" in formats, name
            assert "json, csv, markdown" in formats or "json, table, csv, markdown" in formats, name


def test_the_list_of_commands_says_what_their_help_says():
    context = click.Context(cli)
    for commands in COMMANDS.values():
        for name, line in commands.items():
            assert cli.get_command(context, name).help.partition("\n")[0] == line


def test_help_is_grouped():
    shown = CliRunner().invoke(cli, ["--help"]).output
    places = [shown.index(f"{group}:\n") for group in COMMANDS]
    assert places == sorted(places)


def test_help_loads_neither_a_command_nor_what_it_needs():
    program = (
        "import sys\n"
        "sys.argv = ['auditreg', '--help']\n"
        "from auditreg.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit: pass\n"
        "heavy = {'duckdb', 'mlflow', 'pandas', 'rich', 'msgspec', 'pyarrow', 'weasyprint'}\n"
        "ours = {m for m in sys.modules if m.startswith('auditreg.cli.')}\n"
        "print(heavy & set(sys.modules), ours - {'auditreg.cli.examples', 'auditreg.cli.errors'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set() set()"


@pytest.mark.parametrize(
    ("arguments", "ends", "without"),
    [
        ("check", 1, {"mlflow", "pandas", "pyarrow", "weasyprint"}),
        ("extract --from sqlite:///{}", 0, {"mlflow", "pandas", "sqlalchemy", "weasyprint"}),
    ],
)
def test_a_command_does_not_load_what_takes_longer_than_its_work(
    ledger, small_registry, arguments, ends, without
):
    program = (
        "import sys\n"
        f"sys.argv = ['auditreg', *{arguments.format(small_registry).split(' ')}]\n"
        "from auditreg.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end: print(end.code)\n"
        f"print({without} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-2:] == [str(ends), "set()"]


def test_version():
    import auditreg

    assert CliRunner().invoke(cli, ["--version"]).output == f"auditreg {auditreg.__version__}\n"
    assert auditreg.__version__[0].isdigit()


def test_a_misspelt_command_names_the_nearest():
    shown = CliRunner().invoke(cli, ["inventry"])
    assert shown.exit_code == 2
    assert "Did you mean 'inventory'?" in shown.output


def test_completion():
    for shell in ("bash", "zsh", "fish"):
        shown = CliRunner().invoke(cli, ["completion", shell])
        assert shown.exit_code == 0
        assert "_AUDITREG_COMPLETE" in shown.output


def test_completion_completes_commands_and_formats():
    def completed(words: str, number: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "auditreg"],
            env={
                "_PYTHON__M_AUDITREG_COMPLETE": "bash_complete",
                "_AUDITREG_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(number),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert "inventory" in completed("auditreg inv", 1)
    assert completed("auditreg inventory --format c", 3) == ["csv"]


def test_generated_documents_are_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_completion_reads_no_ledger_and_writes_nothing(sealed):
    import os

    done = subprocess.run(
        [sys.executable, "-m", "auditreg"],
        env={**os.environ, "_PYTHON__M_AUDITREG_COMPLETE": "bash_complete",
             "_AUDITREG_COMPLETE": "bash_complete",
             "COMP_WORDS": "auditreg check --format j", "COMP_CWORD": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "json" in done.stdout
    assert done.stderr == ""
