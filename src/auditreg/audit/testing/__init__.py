"""What authors of rules test them with: a registry written down as a case, and its results."""

from auditreg.audit.testing.cases import CaseOutcome, empty_ledger, load_cases, run_cases
from auditreg.audit.testing.registry import Case, build

__all__ = ["Case", "CaseOutcome", "build", "empty_ledger", "load_cases", "run_cases"]
