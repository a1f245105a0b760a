"""`auditreg frameworks`: list and show what supervisors ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit_table,
    format_option,
)
from auditreg.errors import UsageError
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config


@click.group(epilog=examples("auditreg frameworks list", "auditreg frameworks show osfi-e23-2027"))
def frameworks() -> None:
    """List and show what supervisors ask for."""


@frameworks.command("list", epilog=examples("auditreg frameworks list --format json"))
@config_option
@format_option()
def list_frameworks(config: Config, outputs: tuple[Output, ...]) -> None:
    """List the frameworks, and which of them reports print."""
    from auditreg.workflows.policy import PolicySet

    rows = [
        (
            framework.id,
            framework.title,
            framework.publisher,
            framework.edition,
            framework.status,
            len(framework.clauses),
            "draft" if framework.draft else "verified",
            "yes" if framework.id in config.frameworks.enabled else "no",
        )
        for framework in PolicySet.load(config).frameworks
    ]
    columns = ("framework", "title", "publisher", "edition", "status", "clauses", "text", "printed")
    emit_table(outputs, Table(columns, rows))


@frameworks.command("show", epilog=examples("auditreg frameworks show naic-model-bulletin"))
@click.argument("framework_id", metavar="ID")
@config_option
@format_option()
def show_framework(framework_id: str, config: Config, outputs: tuple[Output, ...]) -> None:
    """Show a framework's clauses with the rules and fields that bear on each."""
    from auditreg.config.check import near
    from auditreg.workflows.policy import PolicySet

    known = {framework.id: framework for framework in PolicySet.load(config).frameworks}
    if framework_id not in known:
        meant = near(framework_id, list(known))
        raise UsageError(
            f"There is no framework {framework_id!r}.",
            hint=f"Did you mean {meant}?" if meant else f"There are: {', '.join(known)}.",
        )
    rows = [
        (
            clause.ref,
            clause.title,
            clause.coverage.value,
            ", ".join(clause.rules),
            ", ".join(clause.fields),
            clause.verified.on if clause.verified else None,
            clause.note,
        )
        for clause in known[framework_id].clauses
    ]
    columns = ("clause", "title", "coverage", "rules", "fields", "verified", "note")
    emit_table(outputs, Table(columns, rows))
