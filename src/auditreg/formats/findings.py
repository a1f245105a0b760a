"""The findings of a check as columns and rows, for the table formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditreg.formats.interface import CheckView, Table, TableFormat
from auditreg.formats.sorting import shown_findings

if TYPE_CHECKING:
    from auditreg.models import CheckResult

COLUMNS = (
    "id",
    "severity",
    "rule",
    "model",
    "version",
    "status",
    "reason",
    "grade",
    "since",
    "repair",
    "fix",
    "key",
)


class FindingsTable:
    """Shows findings, one per row, in a table format."""

    def __init__(self, table: TableFormat) -> None:
        self._table = table

    def render(self, result: CheckResult, view: CheckView) -> bytes:
        """See `CheckFormat.render`."""
        rows = [
            (
                answer.id,
                answer.rule.severity.value,
                answer.rule.id,
                answer.subject.model,
                answer.subject.version,
                answer.status.value,
                answer.reason,
                answer.grade.value,
                answer.since,
                answer.rule.repair.value,
                answer.fix,
                answer.key,
            )
            for answer in shown_findings(result, everything=view.everything)
        ]
        return self._table.render(Table(COLUMNS, rows), view.surface)
