"""One ledger, one report and one rendering of each kind for all tests of reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import small_ledger as ledgers
from recorded_ledger import Recorded
from small_check import RULES
from small_check import check as checked

from auditreg.frameworks.parse import parse_framework
from auditreg.report import build_report

FRAMEWORK = """
id = "made-up"
title = "A text for tests"
publisher = "Nobody"
edition = "2026"
status = "in force"
source = "tests"
[[clause]]
ref = "1"
title = "Owner"
coverage = "automated"
rules = ["owner-recorded"]
fields = ["owner"]
verified = { on = 2026-11-22, source = "tests" }
[[clause]]
ref = "2"
title = "Approval before use"
coverage = "partial"
rules = ["approval-precedes-live", "approver-recorded"]
verified = { on = 2026-11-22, source = "tests" }
"""


def make_report(*, recorded=False, kind=ledgers.Ledger, **options):
    connection = ledgers.build(kind=Recorded if recorded else kind, **options)
    config = ledgers.config()
    check = checked(connection)
    framework = parse_framework(FRAMEWORK, "made-up.toml", rules=set(RULES))
    report = build_report(connection, check, [framework], config, config.period("2026-Q3"))
    return connection, check, report


@pytest.fixture(scope="session")
def made():
    """(connection, check, report) of the plain ledger."""
    return make_report()


@pytest.fixture(scope="session")
def report(made):
    return made[2]


@pytest.fixture(scope="session")
def recorded():
    """(connection, check, report) of a ledger whose server recorded its changes."""
    return make_report(recorded=True)


@pytest.fixture(scope="session")
def hostile_report():
    """A report in which one model's name and description attack whoever shows them."""
    return make_report(hostile=True)[2]


@pytest.fixture(scope="session")
def pdf_files(report):
    """The PDF files, made once; skipped where Pango is missing, except under CI."""
    needs_pango()
    from auditreg.formats.report.pdf import PdfFormat

    press = PdfFormat(processes=2)
    return press, press.render(report)


def needs_pango():
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"WeasyPrint does not load: {error}")
        pytest.skip(f"PDF needs Pango, which does not load here: {error}")
