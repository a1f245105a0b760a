"""Checks: rules run over whole populations, compared with them, judged by policy and waivers."""

from auditreg.audit.auditor import Auditor, latest_complete
from auditreg.audit.in_force import configured, in_force
from auditreg.audit.isolation import Limits
from auditreg.audit.snapshot import Moment, prepare_snapshot

__all__ = [
    "Auditor",
    "Limits",
    "Moment",
    "configured",
    "in_force",
    "latest_complete",
    "prepare_snapshot",
]
