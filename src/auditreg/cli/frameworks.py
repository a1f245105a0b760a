"""`auditreg frameworks`: list and show what supervisors ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
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
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.config.settings import AppliedFramework
    from auditreg.frameworks.parse import Clause

_UNCHECKED = "unchecked"


@click.group(epilog=examples("auditreg frameworks list", "auditreg frameworks show osfi-e23-2027"))
def frameworks() -> None:
    """List and show what supervisors ask for."""


@frameworks.command("list", epilog=examples("auditreg frameworks list --format json"))
@config_option
@format_option()
def list_frameworks(config: Config, outputs: tuple[Output, ...]) -> None:
    """List the frameworks, how each was verified, and whether it applies.

    A framework with a clause that nobody checked, or that was seen only second-hand, is a draft:
    no issued report prints it. None applies unless the settings say so.
    """
    from auditreg.frameworks.parse import Coverage, How
    from auditreg.workflows.policy import every_framework, rules_in_force

    applied = _applied(config)
    rows = [
        (
            framework.id,
            framework.title,
            framework.publisher,
            framework.edition,
            framework.status,
            len(framework.clauses),
            _told(Coverage, [clause.coverage.value for clause in framework.clauses]),
            _told((*How, _UNCHECKED), [_how(clause) for clause in framework.clauses]),
            "draft" if framework.draft else "verified",
            applied[framework.id].applies if framework.id in applied else None,
        )
        for framework in every_framework(config, rules_in_force(config))
    ]
    columns = (
        *("framework", "title", "publisher", "edition", "status", "clauses", "coverage"),
        *("verified", "text", "applies"),
    )
    emit_table(outputs, Table(columns, rows))


@frameworks.command("show", epilog=examples("auditreg frameworks show naic-model-bulletin"))
@click.argument("framework_id", metavar="ID")
@config_option
@format_option()
def show_framework(framework_id: str, config: Config, outputs: tuple[Output, ...]) -> None:
    """Show a framework's clauses, what bears on each, and how each was verified.

    `rules` are evidence for the clause; `supports` are controls of the firm's own near it. `asked
    of` is what the presence of the fields is counted over.
    """
    from auditreg.config.check import near
    from auditreg.workflows.policy import every_framework, rules_in_force

    known = {one.id: one for one in every_framework(config, rules_in_force(config))}
    if framework_id not in known:
        meant = near(framework_id, list(known))
        raise UsageError(
            f"There is no framework {framework_id!r}.",
            hint=f"Did you mean {meant}?" if meant else f"There are: {', '.join(known)}.",
        )
    click.echo(_statement(_applied(config).get(framework_id)), err=True)
    rows = [
        (
            clause.ref,
            clause.title,
            clause.coverage.value,
            ", ".join(clause.rules),
            ", ".join(clause.supports),
            ", ".join(clause.fields),
            clause.counted if clause.fields else None,
            clause.native,
            clause.verified.on if clause.verified else None,
            clause.verified.how.value if clause.verified else None,
            clause.verified.source if clause.verified else None,
            clause.note,
        )
        for clause in known[framework_id].clauses
    ]
    columns = (
        *("clause", "title", "coverage", "rules", "supports", "fields", "asked of", "native"),
        *("verified", "how", "source", "note"),
    )
    emit_table(outputs, Table(columns, rows))


def _applied(config: Config) -> dict[str, AppliedFramework]:
    return {statement.id: statement for statement in config.frameworks.applied}


def _how(clause: Clause) -> str:
    return clause.verified.how.value if clause.verified else _UNCHECKED


def _told(kinds: Iterable[str], found: list[str]) -> str:
    """`automated 14, partial 9`: those that occur, in the order of `kinds`."""
    counts = Counter(found)
    return ", ".join(f"{kind} {counts[kind]}" for kind in kinds if counts[kind])


def _statement(statement: AppliedFramework | None) -> str:
    """Whether the framework applies, as the firm says it."""
    if statement is None:
        return "The settings do not say whether it applies; reports leave it out."
    return escape_control(
        f"Applies: {statement.applies}. {statement.reason} ({statement.by}, since {statement.since})"
    )
