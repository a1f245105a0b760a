"""`auditreg waivers`: the findings that are accepted, under repair or answered."""

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
    tell_next,
)
from auditreg.formats.interface import Table
from auditreg.words import WAIVER_JUDGED, WAIVER_STATUS, quantity

if TYPE_CHECKING:
    from auditreg.config import Config


@click.command(epilog=examples("auditreg waivers", "auditreg waivers --format csv=waivers.csv"))
@config_option
@ledger_option
@format_option()
def waivers(config: Config, ledger: Path | None, outputs: tuple[Output, ...]) -> None:
    """List the findings that are accepted, under repair or answered.

    Shows whether each waiver holds. Waivers stand in `waivers.toml` beside the settings. They are
    judged against the ledger: what is expired, unused, over-broad or self-approved covers nothing; a
    repair that is overdue still names the findings it covers, which stay open. What happened is
    answered: as repaired, or as rejected.
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
                waiver.rule,
                waiver.scope,
                waiver.status,
                waiver.judged,
                waiver.covers,
                waiver.approver or waiver.owner or waiver.answered_by,
                waiver.expires or waiver.due,
                waiver.answered_on,
                waiver.ticket,
                waiver.reason,
            )
            for waiver in result.waivers
        ]
    columns = (
        *("rule", "scope", "status", "judged", "covers", "by", "until", "answered_on", "ticket"),
        "reason",
    )
    words = {"judged": WAIVER_JUDGED, "status": WAIVER_STATUS}
    emit_table(outputs, Table(columns, rows, words))
    bad = sum(waiver.is_bad for waiver in result.waivers)
    mend = f"mend {quantity(bad, 'waiver')} in waivers.toml, then " if bad else ""
    tell_next(outputs, f"{mend}auditreg check")
