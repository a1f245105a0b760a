"""Checks: rules run over whole populations, compared with them, judged by policy and waivers."""

from auditreg.audit.auditor import Auditor, configured, in_force, latest_complete
from auditreg.audit.cases import CaseOutcome, load_cases, run_cases
from auditreg.audit.custom import Limits
from auditreg.audit.prepare import Chosen, Moment, prepare
from auditreg.audit.registry import Case
from auditreg.audit.selection import choose

__all__ = [
    "Auditor",
    "Case",
    "CaseOutcome",
    "Chosen",
    "Limits",
    "Moment",
    "choose",
    "configured",
    "in_force",
    "latest_complete",
    "load_cases",
    "prepare",
    "run_cases",
]
