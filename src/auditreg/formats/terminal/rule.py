"""One rule for the eye: what it asks, why, what repairs a finding, and its SQL."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditreg.formats.escape import escape_control

if TYPE_CHECKING:
    from auditreg.models import RuleInfo


def rule_text(rule: RuleInfo, clauses: Sequence[str]) -> bytes:
    """A rule, and the clauses of frameworks it bears on."""
    parts = (
        ("rule", rule.id),
        ("title", rule.title),
        ("severity", rule.severity.value),
        ("scope", rule.scope.value.replace("_", " ")),
        ("repair", rule.repair.value),
        ("looks for", rule.looks_for),
        ("why", rule.rationale),
        ("do", rule.remediation),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in rule.params.items())),
        ("bears on", ", ".join(clauses)),
        ("SHA-256", rule.digest),
    )
    lines = [_paragraph(label, text) for label, text in parts if text]
    return "\n".join([*lines, "", escape_control(rule.sql.strip(), keep="\n"), ""]).encode()


def _paragraph(label: str, text: str) -> str:
    return textwrap.fill(
        escape_control(" ".join(text.split())),
        width=88,
        initial_indent=f"{label:<12}",
        subsequent_indent=" " * 12,
        break_long_words=False,
        break_on_hyphens=False,
    )
