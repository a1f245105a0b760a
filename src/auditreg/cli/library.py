"""Commands about what results follow from: rules, frameworks, waivers."""

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
    ledger_option,
    open_ledger,
)
from auditreg.errors import ExitCode, UsageError
from auditreg.formats.escape import escape_control
from auditreg.formats.interface import Table

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

    governing = PolicySet.load(config)
    enabled = {rule.id: rule for rule in governing.enabled}
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
        for rule in governing.rules
    ]
    columns = ("rule", "severity", "scope", "repair", "title", "origin", "runs")
    emit_table(outputs, Table(columns, rows))


@rules.command(
    "show", epilog=examples("auditreg rules show owner-recorded", "auditreg rules show ID --sql")
)
@click.argument("rule_id", metavar="ID")
@click.option("--sql", "only_sql", is_flag=True, help="Only the SELECT, to run in any DuckDB.")
@config_option
def show_rule(rule_id: str, only_sql: bool, config: Config) -> None:
    """Show what a rule asks, why, what repairs a finding, and its SQL."""
    from auditreg.rules.parse import select_rules
    from auditreg.workflows.policy import PolicySet

    governing = PolicySet.load(config)
    rule = select_rules(governing.rules, [rule_id])[0]
    if only_sql:
        click.echo(rule.sql.strip())
        return
    answers = [
        f"{framework.id} {clause.ref}"
        for framework in governing.frameworks
        for clause in framework.clauses
        if rule.id in clause.rules and not framework.draft
    ]
    parts = [
        ("rule", rule.id),
        ("title", rule.title),
        ("severity", rule.severity.value),
        ("scope", rule.scope.value.replace("_", " ")),
        ("repair", rule.repair.value),
        ("looks for", rule.looks_for),
        ("why", rule.rationale),
        ("do", rule.remediation),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in rule.params.items())),
        ("bears on", ", ".join(answers)),
        ("SHA-256", rule.digest),
    ]
    for label, text in parts:
        if text:
            click.echo(_paragraph(label, text))
    click.echo(f"\n{escape_control(rule.sql.strip(), keep=chr(10))}")


def _paragraph(label: str, text: str) -> str:
    import textwrap

    return textwrap.fill(
        escape_control(" ".join(text.split())),
        width=88,
        initial_indent=f"{label:<12}",
        subsequent_indent=" " * 12,
        break_long_words=False,
        break_on_hyphens=False,
    )


@rules.command("test", epilog=examples("auditreg rules test rules/my-rule.sql"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--cases",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The cases.  [default: cases/<rule-id>.toml beside the rule]",
)
def test_rule(file: Path, cases: Path | None) -> None:
    """Run a rule on its cases.

    A case file holds small registries and the answers expected of the rule, see `docs/rules`.

    Exit codes: 0 every case passes; 1 a case fails; 2 the rule or the cases cannot be read.
    """
    from auditreg.audit.testing import load_cases, run_cases
    from auditreg.rules.parse import read_rule

    rule = read_rule(file)
    where = cases or file.parent / "cases" / f"{rule.id}.toml"
    outcomes = run_cases(rule, load_cases(where))
    failed = 0
    for outcome in outcomes:
        failed += not outcome.passed
        click.echo(f"{'ok' if outcome.passed else 'FAILED':<8} {escape_control(outcome.case.name)}")
        for line in outcome.problems:
            click.echo(f"         {escape_control(line)}")
    click.echo(f"{len(outcomes):,} cases, {failed:,} failed")
    code = ExitCode.FINDINGS if failed else ExitCode.OK
    click.get_current_context().exit(int(code))


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
            one.id,
            one.title,
            one.publisher,
            one.edition,
            one.status,
            len(one.clauses),
            "draft" if one.draft else "verified",
            "yes" if one.id in config.frameworks.enabled else "no",
        )
        for one in PolicySet.load(config).frameworks
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

    found = {one.id: one for one in PolicySet.load(config).frameworks}
    if framework_id not in found:
        meant = near(framework_id, list(found))
        raise UsageError(
            f"There is no framework {framework_id!r}.",
            hint=f"Did you mean {meant}?" if meant else f"There are: {', '.join(found)}.",
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
        for clause in found[framework_id].clauses
    ]
    columns = ("clause", "title", "coverage", "rules", "fields", "verified", "note")
    emit_table(outputs, Table(columns, rows))


@click.command(epilog=examples("auditreg waivers", "auditreg waivers --format csv=waivers.csv"))
@config_option
@ledger_option
@format_option()
def waivers(config: Config, ledger: Path | None, outputs: tuple[Output, ...]) -> None:
    """List the findings that are accepted or under repair.

    And whether each waiver holds. Waivers stand in `waivers.toml` beside the settings. They are judged against the ledger: what is
    expired, unused, over-broad, self-approved or overdue covers nothing.
    """
    from auditreg.workflows.check import CheckOptions, open_check
    from auditreg.workflows.policy import PolicySet

    with open_check(
        open_ledger(config, ledger), PolicySet.load(config), CheckOptions(seal=False)
    ) as (
        _,
        result,
    ):
        rows = [
            (
                one.rule,
                one.scope,
                one.status,
                one.judged,
                one.covers,
                one.approver or one.owner,
                one.expires or one.due,
                one.ticket,
                one.reason,
            )
            for one in result.waivers
        ]
    columns = ("rule", "scope", "status", "judged", "covers", "by", "until", "ticket", "reason")
    emit_table(outputs, Table(columns, rows))
