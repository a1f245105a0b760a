"""One run of `auditreg demo`, kept for all processes and later runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg import demo
from auditreg.api import LedgerView
from auditreg.config import load_config
from tests.stores import ROOT, Stores, run

BLOCKED = Path(__file__).with_name("blocked.py")
COMMAND = "from auditreg.cli import main; main()"
FOLDER = "two quarters"
"""The blank: addresses are where that goes wrong."""
OUTPUT = "output.txt"
"""What the command printed, beside the folder it made."""


@pytest.fixture(scope="session")
def demo_files(kept_stores: Stores) -> demo.DemoFiles:
    """What `auditreg demo` makes, its report too. Do not write to it.

    It is made where neither MLflow, scikit-learn nor capture can be imported, and warnings are errors.
    """
    made_of = [*(ROOT / "src/auditreg").rglob("*"), *(ROOT / "templates").rglob("*")]
    causes = sorted(path for path in made_of if path.is_file() and path.suffix != ".pyc")

    def make(folder: Path) -> None:
        printed = run("-W", "error", BLOCKED, COMMAND, "demo", FOLDER, cwd=folder)
        (folder / OUTPUT).write_text(printed, encoding="utf-8")

    return demo.DemoFiles(kept_stores.get("demo", make, [*causes, BLOCKED]) / FOLDER)


@pytest.fixture(scope="session")
def ledger(demo_files: demo.DemoFiles) -> LedgerView:
    return LedgerView(demo_files.ledger, load_config(demo_files.config))
