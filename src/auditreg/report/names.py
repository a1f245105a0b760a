"""Names that tell a deleted model from the one that has its name now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from auditreg.models import Finding
from auditreg.queries.reader import Row
from auditreg.report.findings import model_key


def of_former_models(models: Iterable[Row]) -> dict[str, str]:
    """The deleted models whose name another has by now, by subject: `motor (deleted)`.

    Args:
        models: rows with subject, registry, workspace, model and deleted.
    """
    rows = list(models)
    taken = {_place(row) for row in rows if not row["deleted"]}
    return {
        row["subject"]: f"{row['model']} (deleted)"
        for row in rows
        if row["deleted"] and _place(row) in taken
    }


def told_apart(findings: Iterable[Finding], former: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings, of which those about a deleted model say so."""

    def named(finding: Finding) -> Finding:
        name = former.get(model_key(finding))
        if name is None:
            return finding
        subject = replace(finding.subject, model=name)
        label = rf"(?<![\w/.-]){re.escape(finding.subject.label)}(?![\w/-])"
        reason = re.sub(label, lambda _: subject.label, finding.reason)
        return replace(finding, subject=subject, reason=reason)

    return tuple(map(named, findings))


def _place(row: Row) -> tuple[object, ...]:
    return row["registry"], row["workspace"], row["model"]
