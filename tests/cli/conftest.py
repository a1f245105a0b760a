"""Ledgers and settings that several tests of commands begin with, made once per run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auditreg.rules.parse import builtin_rules
from tests.sources.lying import VERSION, registry, standing_in


def auditreg(folder: Path, *arguments: str, code: int) -> str:
    """The standard output of the program in a folder."""
    command = [sys.executable, "-m", "auditreg", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def copied(folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger of a folder and what is beside it, in the current folder."""
    for file in folder.iterdir():
        shutil.copy(file, place)
    monkeypatch.chdir(place)
    return place / "audit.duckdb"


@pytest.fixture(scope="session")
def checked_once(kept_stores, extracted, testrun_uid) -> Path:
    """A folder with a ledger that was checked, and what the check showed: `text.out`, `json.out`."""

    def make(folder: Path) -> None:
        shutil.copytree(extracted.parent, folder, dirs_exist_ok=True)
        auditreg(folder, "check", "--format=text=text.out", "--format=json=json.out", code=1)

    return kept_stores.get("checked", make, [testrun_uid])


@pytest.fixture
def checked(checked_once, tmp_path, monkeypatch) -> Path:
    """A checked ledger of one's own in the current folder, and beside it what the check showed."""
    return copied(checked_once, tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def doubtful_once(kept_stores, extracted, testrun_uid) -> Path:
    """A folder with a ledger whose last reading is of a server that leaves a model out of its list."""

    def make(folder: Path) -> None:
        shutil.copytree(extracted.parent, folder, dirs_exist_ok=True)
        with standing_in(registry([], [VERSION])) as uri:
            shown = auditreg(folder, "extract", "--from", uri, "--allow-replacement", code=2)
        assert "INCOMPLETE" in shown

    return kept_stores.get("doubtful", make, [testrun_uid])


@pytest.fixture
def doubtful(doubtful_once, tmp_path, monkeypatch) -> Path:
    """An incompletely read ledger of one's own in the current folder."""
    return copied(doubtful_once, tmp_path, monkeypatch)


@pytest.fixture
def sealed(ledger: Path) -> Path:
    """A ledger in the current folder with settings sealed in it, and no settings file."""
    file = ledger.with_name("auditreg.toml")
    file.write_text('[calendar]\ntimezone = "Europe/Zurich"\n')
    auditreg(ledger.parent, "check", "--rule", "owner-recorded", code=1)
    file.unlink()
    return ledger


@pytest.fixture(scope="session")
def two_rules() -> str:
    """Settings under which only two rules run, for tests that are about what a check is part of."""
    kept = {"owner-recorded", "risk-rating-recorded"}
    others = [f'"{rule.id}"' for rule in builtin_rules() if rule.id not in kept]
    return f"[rules]\ndisabled = [{', '.join(others)}]\n"
