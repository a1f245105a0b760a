"""The report: everything one check found over one period, ready to be written in any format.

`build_report` asks the ledger's connection and nothing else; formats turn the result into bytes.
"""

from __future__ import annotations

from auditreg.report.build import build_report
from auditreg.report.model import Dossier, Identity, Report

__all__ = ["Dossier", "Identity", "Report", "build_report"]
