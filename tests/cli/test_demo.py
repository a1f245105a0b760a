"""`auditreg demo`: the whole tool in one command, where nothing else is installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.demo.conftest import BLOCKED

COMMAND = "from auditreg.cli import main; main()"


@pytest.mark.integration
def test_demo(tmp_path):
    def auditreg(*arguments, cwd=tmp_path / "demo"):
        return subprocess.run(
            [sys.executable, BLOCKED, COMMAND, *arguments],
            cwd=cwd, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = auditreg("demo", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report.pdf" in done.stdout
    assert (tmp_path / "demo/report/report.html").stat().st_size > 10_000
    assert (tmp_path / "demo/report/report.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "demo/report/dossiers").glob("*.pdf"))) == 11

    checked = auditreg("check", "--format", "json")
    assert checked.returncode == 1
    result = json.loads(checked.stdout)
    assert [rule["id"] for rule in result["rules"] if rule["error"]] == []
    counts = result["summary"]["status"]
    assert f"findings   {counts['fail'] + counts['not_evidenced']} open: all" in done.stdout
    # Six months of readings: what is live now and what was live then differ.
    then, now = (
        auditreg("inventory", "--live", "--format", "json", *more).stdout
        for more in (["--as-of", "2026-06-30"], [])
    )
    assert json.loads(then)
    assert then != now
    assert auditreg("verify").returncode == 0

    again = auditreg("demo", "demo", cwd=tmp_path)
    assert again.returncode == 2
    assert "is not an empty folder" in again.stderr
