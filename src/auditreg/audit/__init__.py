"""Checks: rules run over whole populations, compared with them, judged by policy and waivers."""

from auditreg.audit.auditor import Auditor, configured, in_force, latest_complete
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
