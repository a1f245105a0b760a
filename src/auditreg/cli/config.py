"""`auditreg config`: the settings in force, and what they may be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import Output, config_option, emit_table, format_option
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config


@click.group(
    epilog=examples("auditreg config show", "auditreg config schema > auditreg.toml.schema.json"),
)
def config() -> None:
    """Show the settings in force and where each comes from."""


@config.command(
    epilog=examples(
        "auditreg config show", "auditreg config show --config policies/auditreg.toml --format json"
    ),
)
@config_option
@format_option()
def show(config: Config, outputs: tuple[Output, ...]) -> None:
    """List every setting with its value and its origin.

    The origin is `default`, or the file that sets it. Passwords are not shown.
    """
    import msgspec

    from auditreg.config.settings import ConfigFile
    from auditreg.errors import redact_uri

    values = msgspec.to_builtins({n: getattr(config, n) for n in ConfigFile.__struct_fields__})
    values["review"]["cadence_days"] = config.review.cadences
    rows = []
    for key, value in _leaves(values):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        origin = str(config.path) if config.origin(key) == "file" else "default"
        rows.append((key, None if value is None else redact_uri(text), origin))
    emit_table(outputs, Table(("setting", "value", "origin"), rows))


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


@config.command(
    epilog=examples("auditreg config schema > auditreg.toml.schema.json"),
)
def schema() -> None:
    """Print the JSON Schema of auditreg.toml, for editors that complete and check it."""
    from auditreg.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
