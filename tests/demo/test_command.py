"""`auditreg demo`: the whole tool in one command, where nothing else is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from auditreg.demo import DemoFiles
from tests.demo.conftest import BLOCKED, COMMAND, OUTPUT


def auditreg(demo_files: DemoFiles, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the demo's folder, whose ledger it only reads."""
    return subprocess.run(
        [sys.executable, BLOCKED, COMMAND, *arguments],
        cwd=demo_files.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_makes_the_report_and_a_file_per_model(demo_files):
    printed = (demo_files.folder.parent / OUTPUT).read_text(encoding="utf-8")
    assert "report.pdf" in printed
    report = demo_files.folder / "report"
    assert (report / "report.html").stat().st_size > 10_000
    assert (report / "report.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((report / "dossiers").glob("*.pdf"))) == 11


def test_its_findings_are_those_of_a_check(demo_files, tmp_path):
    ledger = shutil.copy(demo_files.ledger, tmp_path)  # a check seals its result
    printed = (demo_files.folder.parent / OUTPUT).read_text(encoding="utf-8")
    checked = auditreg(demo_files, "check", "--format", "json", "--ledger", ledger)
    assert checked.returncode == 1
    result = json.loads(checked.stdout)
    assert [rule["id"] for rule in result["rules"] if rule["error"]] == []
    counts = result["summary"]["status"]
    assert f"findings   {counts['fail'] + counts['not_evidenced']} open: all" in printed


def test_what_is_live_now_and_what_was_live_then_differ(demo_files):
    then, now = (
        auditreg(demo_files, "inventory", "--live", "--format", "json", *more).stdout
        for more in (["--as-of", "2026-06-30"], [])
    )
    assert json.loads(then)
    assert then != now


def test_its_ledger_verifies(demo_files):
    assert auditreg(demo_files, "verify").returncode == 0


def test_a_folder_that_holds_something_is_left_alone(demo_files):
    again = auditreg(demo_files, "demo", str(demo_files.folder))
    assert again.returncode == 2
    assert "is not an empty folder" in again.stderr
