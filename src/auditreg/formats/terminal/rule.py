"""One rule for the eye: what it asks, why, what repairs a finding, and its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditreg.formats.escape import escape_control
from auditreg.formats.terminal.text import paragraph

if TYPE_CHECKING:
    from auditreg.models import RuleInfo


def rule_text(rule: RuleInfo, clauses: Sequence[str]) -> bytes:
    """A rule, and the clauses of frameworks it bears on."""
    parts = (
        ("rule", rule.id),
        ("title", rule.title),
        ("finding", rule.finding if rule.finding != rule.title else ""),
        ("severity", rule.severity_words),
        ("scope", rule.scope.value.replace("_", " ")),
        ("repair", rule.repair.value),
        ("reads", rule.reads.words),
        ("looks for", rule.looks_for),
        ("why", rule.rationale),
        ("do", rule.remediation),
        ("cause", f"a finding of {rule.covered_by}" if rule.covered_by else ""),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in rule.params.items())),
        ("bears on", ", ".join(clauses)),
        ("SHA-256", rule.digest),
    )
    lines = [paragraph(label, " ".join(text.split()), 11, 88) for label, text in parts if text]
    sql = escape_control(rule.sql.strip(), keep="\n")
    return f"{''.join(lines)}\n{sql}\n".encode()
