"""One run of the recorded demo, kept for all processes and later runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg import demo, resources
from auditreg.api import LedgerView
from auditreg.config import load_config
from tests.stores import ROOT, Stores, run

BLOCKED = Path(__file__).with_name("blocked.py")
RUN = "import auditreg.demo, pathlib; auditreg.demo.run(pathlib.Path(sys.argv[1]))"


@pytest.fixture(scope="session")
def demo_files(kept_stores: Stores) -> demo.DemoFiles:
    """The demo's files, without the report. Do not write to them.

    They are made where neither MLflow, scikit-learn nor capture can be imported, and warnings are errors.
    """
    package = sorted((ROOT / "src/auditreg").rglob("*"))
    causes = [path for path in package if path.suffix in {".py", ".sql", ".toml", ".jsonl"}]

    def make(folder: Path) -> None:
        # The blank: addresses are where that goes wrong.
        run("-W", "error", BLOCKED, RUN, folder / "two quarters", cwd=folder)

    archive = resources.recorded_demo() / "recording.tar.xz"
    folder = kept_stores.get("demo", make, [*causes, archive, BLOCKED])
    return demo.DemoFiles(folder / "two quarters")


@pytest.fixture(scope="session")
def ledger(demo_files: demo.DemoFiles) -> LedgerView:
    return LedgerView(demo_files.ledger, load_config(demo_files.config))
