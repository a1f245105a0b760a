"""Checks: rules run over whole populations, compared with them, judged by policy and waivers."""

from auditreg.audit.auditor import Auditor, configured, in_force, latest_complete
from auditreg.audit.isolation import Limits
from auditreg.audit.snapshot import Moment, prepare_snapshot
from auditreg.audit.testing.cases import CaseOutcome, load_cases, run_cases
from auditreg.audit.testing.registry import Case

__all__ = [
    "Auditor",
    "Case",
    "CaseOutcome",
    "Limits",
    "Moment",
    "configured",
    "in_force",
    "latest_complete",
    "load_cases",
    "prepare_snapshot",
    "run_cases",
]
