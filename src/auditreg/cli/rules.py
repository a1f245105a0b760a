"""`auditreg rules`: list, show and test the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit_table,
    format_option,
    show,
)
from auditreg.errors import ExitCode
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import Table
from auditreg.words import REPAIR

if TYPE_CHECKING:
    from auditreg.config import Config


@click.group(epilog=examples("auditreg rules list", "auditreg rules show owner-recorded"))
def rules() -> None:
    """List, show and test the rules."""


@rules.command(
    "list", epilog=examples("auditreg rules list", "auditreg rules list --format markdown")
)
@config_option
@format_option()
def list_rules(config: Config, outputs: tuple[Output, ...]) -> None:
    """List the rules with the severity and parameters in force."""
    from auditreg.workflows.policy import PolicySet

    policy_set = PolicySet.load(config)
    enabled = {rule.id: rule for rule in policy_set.enabled}
    rows = [
        (
            rule.id,
            enabled.get(rule.id, rule).severity.value,
            rule.scope.value,
            rule.repair.value,
            rule.title,
            "own" if rule.custom else "built in",
            "on" if rule.id in enabled else "off",
        )
        for rule in policy_set.rules
    ]
    columns = ("rule", "severity", "scope", "repair", "title", "origin", "runs")
    emit_table(outputs, Table(columns, rows, {**IN_WORDS, "repair": REPAIR}))


@rules.command(
    "show", epilog=examples("auditreg rules show owner-recorded", "auditreg rules show ID --sql")
)
@click.argument("rule_id", metavar="ID")
@click.option("--sql", "only_sql", is_flag=True, help="Only the SELECT, to run in any DuckDB.")
@config_option
def show_rule(rule_id: str, only_sql: bool, config: Config) -> None:
    """Show what a rule asks, why, what repairs a finding, and its SQL."""
    from auditreg.formats.terminal.rule import rule_text
    from auditreg.rules.parse import select_rules
    from auditreg.workflows.policy import PolicySet, every_framework

    policy_set = PolicySet.load(config)
    rule = select_rules(policy_set.rules, [rule_id])[0]
    if only_sql:
        click.echo(rule.sql.strip())
        return
    clauses = [
        f"{framework.id} {clause.ref}"
        for framework in every_framework(config, policy_set.rules)
        for clause in framework.clauses
        if rule.id in clause.rules and not framework.draft
    ]
    show(rule_text(rule, clauses))


@rules.command("test", epilog=examples("auditreg rules test rules/my-rule.sql"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--cases",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The cases.  [default: cases/<rule-id>.toml beside the rule]",
)
@config_option
def test_rule(file: Path, cases: Path | None, config: Config) -> None:
    """Run a rule on its cases.

    A case file holds small registries and the answers expected of the rule, see `docs/rules`. They are
    judged by the settings of auditreg.toml, where there is one: fields of your own, names that count as live.

    Exit codes: 0 every case passes; 1 a case fails; 2 the rule or the cases cannot be read.
    """
    from auditreg.audit.testing import load_cases, run_cases
    from auditreg.config import effective_settings
    from auditreg.rules.parse import read_rule
    from auditreg.words import quantity

    rule = read_rule(file)
    where = cases or file.parent / "cases" / f"{rule.id}.toml"
    outcomes = run_cases(rule, load_cases(where), settings=effective_settings(config))
    failed = 0
    for outcome in outcomes:
        failed += not outcome.passed
        click.echo(f"{'ok' if outcome.passed else 'FAILED':<8} {escape_control(outcome.case.name)}")
        for line in outcome.problems:
            click.echo(f"         {escape_control(line)}")
    click.echo(f"{quantity(len(outcomes), 'case')}, {failed:,} failed")
    code = ExitCode.FINDINGS if failed else ExitCode.OK
    click.get_current_context().exit(int(code))
