"""`auditreg demo`: the whole tool in one command."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

NEEDED = ("mlflow.server", "sklearn")


def _missing() -> list[str]:
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.slow
def test_demo(tmp_path):
    if missing := _missing():
        pytest.skip(f"the demo needs {', '.join(missing)}")

    def auditreg(*arguments, cwd=tmp_path / "demo"):
        return subprocess.run(
            [sys.executable, "-m", "auditreg", *arguments],
            cwd=cwd, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = auditreg("demo", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report.pdf" in done.stdout
    assert (tmp_path / "demo/report/report.html").stat().st_size > 10_000
    assert (tmp_path / "demo/report/report.pdf").read_bytes().startswith(b"%PDF")

    checked = auditreg("check", "--format", "json")
    assert checked.returncode == 1
    result = json.loads(checked.stdout)
    assert [rule["id"] for rule in result["rules"] if rule["error"]] == []
    assert result["summary"]["status"]["fail"] > 0
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
