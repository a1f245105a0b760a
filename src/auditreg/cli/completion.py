"""`auditreg completion`: the script that completes commands in a shell."""

from __future__ import annotations

import click

from auditreg.cli.examples import examples
from auditreg.errors import UsageError


@click.command(
    epilog=examples(
        'eval "$(auditreg completion bash)"     in ~/.bashrc',
        'eval "$(auditreg completion zsh)"      in ~/.zshrc',
        "auditreg completion fish > ~/.config/fish/completions/auditreg.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands in your shell."""
    from click.shell_completion import get_completion_class

    from auditreg.cli import PROGRAM, cli

    script = get_completion_class(shell)
    if script is None:  # click always has the three above
        raise UsageError(f"click completes nothing in {shell}.")
    click.echo(script(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
