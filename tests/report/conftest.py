"""Ledgers of one firm, made once for all processes; their reports, made once for each."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from auditreg.config import load_config
from auditreg.config.settings import AppliedFramework
from auditreg.frameworks.parse import Framework, parse_framework
from auditreg.ledger.store import Ledger
from auditreg.models import CheckResult, RuleInfo
from auditreg.report import Report, build_report
from auditreg.workflows.check import CheckOptions, open_check
from auditreg.workflows.policy import PolicySet
from tests.report.firm import Story, make_ledger

if TYPE_CHECKING:
    import duckdb

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
fields = ["owner", "overlays"]
verified = { on = 2026-11-22, how = "primary", source = "the text of tests" }
[[clause]]
ref = "2"
title = "Approval before use"
coverage = "partial"
rules = ["approval-precedes-live", "approver-recorded"]
supports = ["approver-not-promoter"]
verified = { on = 2026-11-23, how = "quoted", source = "tests of others" }
[[clause]]
ref = "3"
title = "Owner of every model"
coverage = "automated"
fields = ["owner"]
population = "registered models"
verified = { on = 2026-11-22, how = "primary", source = "the text of tests" }
[[clause]]
ref = "4"
title = "Owner where the risk is not negligible"
coverage = "automated"
fields = ["owner"]
unless_negligible = true
verified = { on = 2026-11-22, how = "primary", source = "the text of tests" }
"""
DRAFT = """
id = "hearsay"
title = "A text nobody saw"
publisher = "Nobody"
edition = "2026"
status = "proposed"
source = "tests"
[[clause]]
ref = "9"
title = "What they say it says"
coverage = "none"
verified = { on = 2026-11-22, how = "secondary", source = "a paraphrase" }
"""
SAID = AppliedFramework(
    id="made-up",
    applies="by analogy",
    reason="Firms like ours follow it.",
    by="Asha Verma",
    since=date(2026, 1, 5),
    negligible=("Low",),
)


def applied(text: str, rules: Iterable[RuleInfo]) -> tuple[Framework, AppliedFramework]:
    """A framework of the tests, and what the firm says of it."""
    name = re.search('id = "(.*)"', text)[1]
    framework = parse_framework(text, f"{name}.toml", rules={rule.id for rule in rules})
    return framework, SAID


class Made(NamedTuple):
    """A ledger that is open for reading, the result of its check with every answer, the report."""

    connection: duckdb.DuckDBPyConnection
    check: CheckResult
    report: Report


@contextmanager
def reported(folder: Path, only: tuple[str, ...] = ()) -> Iterator[Made]:
    """The report on a folder's ledger as it stood at the end of the period, by some or all rules."""
    ledger, config = Ledger(folder / "audit.duckdb"), load_config(folder / "auditreg.toml")
    policy, span = PolicySet.load(config), config.period("2026-Q3")
    options = CheckOptions(as_of=span.end_utc, period=span, seal=False, only=only)
    with open_check(ledger, policy, options) as (connection, check):
        report = build_report(
            connection,
            check,
            [applied(text, policy.rules) for text in (FRAMEWORK, DRAFT)],
            config,
            span,
        )
        check = replace(check, every=tuple(check.every))
    with ledger.reader() as connection:
        yield Made(connection, check, report)


def reported_anew(connection, made: Made, period: str, folder: Path) -> Report:
    """The report on another period or ledger of the plain firm; its rules are not run again."""
    config = load_config(folder / "auditreg.toml")
    span = config.period(period)
    return build_report(connection, replace(made.check, as_of=span.end_utc), [], config, span)


@pytest.fixture(scope="session")
def ledgers(kept_stores, testrun_uid):
    """The folder of a story's ledger; every run makes it anew, since that is what is tested."""

    def folder(name: str, story: Story) -> Path:
        return kept_stores.get(f"firm-{name}", lambda f: make_ledger(f, story), [testrun_uid])

    return folder


@pytest.fixture(scope="session")
def plain_ledger(ledgers):
    """The ledger of three readings, no server of which recorded anything. Do not write to it."""
    return ledgers("plain", Story())


@pytest.fixture
def own_ledger(plain_ledger, tmp_path):
    """A copy of the plain ledger in a folder of one's own."""
    return Path(shutil.copytree(plain_ledger, tmp_path / "firm"))


@pytest.fixture(scope="session")
def made(plain_ledger):
    """The plain ledger and its report."""
    with reported(plain_ledger) as made:
        yield made


@pytest.fixture(scope="session")
def report(made):
    return made.report


@pytest.fixture(scope="session")
def recorded(ledgers):
    """A ledger whose server recorded its changes from August on, with imported records."""
    with reported(ledgers("captured", Story(captured=True))) as made:
        yield made


@pytest.fixture(scope="session")
def hostile_report(ledgers):
    """A report in which names, people and imported records attack whoever shows them."""
    with reported(ledgers("hostile", Story(captured=True, hostile=True))) as made:
        yield made.report


@pytest.fixture(scope="session")
def read_once(ledgers):
    """A firm that was read only once, two months after the period, and its report."""
    rules = ("approval-precedes-live", "owner-recorded")
    with reported(ledgers("once", Story(once=True)), rules) as made:
        yield made


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
