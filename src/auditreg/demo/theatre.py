"""One performance of the calendar: folder, files, clock and MLflow set up, events in their order."""

from __future__ import annotations

import json
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

from auditreg.demo import DemoFiles
from auditreg.demo.calendar import CALENDAR, DEPLOYMENTS, FIRST, LAST
from auditreg.demo.clock import Ids, SimulatedClock, outside, repeatable_ids, simulated
from auditreg.demo.events import DemoReading
from auditreg.demo.firm import config_text, waivers_text
from auditreg.demo.sandbox import Workstation, environment, own_state, silence
from auditreg.demo.stage import DemoRegistry
from auditreg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

_DATABASE = "mlflow.db"
_DEPLOYMENTS = "deployments.jsonl"
_NEEDED = ("mlflow", "sklearn", "pandas", "auditreg_capture")


def perform(
    folder: Path,
    *,
    reading: Callable[[DemoFiles, datetime], None],
    progress: Callable[[str, int, int], None] | None,
) -> DemoFiles:
    """Play the whole calendar; see `auditreg.demo.play`."""
    _check_packages()
    files = _set_up(folder)
    clock = SimulatedClock(FIRST)
    workstation = Workstation()
    with ExitStack() as stack:
        stack.enter_context(environment(files.artifacts))
        with silence():
            _load()
        stack.enter_context(simulated(clock))
        stack.enter_context(repeatable_ids(Ids("Harbour & Vale")))
        stack.enter_context(own_state(files.store_uri, workstation))
        with silence():
            registry = DemoRegistry(files.folder / _DATABASE, files.artifacts, clock, workstation)
        for number, event in enumerate(CALENDAR, 1):
            # MLflow's chatter only: what the caller says during a reading is not ours to drop.
            with silence():
                happened = registry.play(event)
            if isinstance(event, DemoReading):
                reading(files, clock.now)
            if progress is not None:
                progress(f"{event.at[:10]} {happened}", number, len(CALENDAR))
    strangers = outside(files.folder / _DATABASE, FIRST, LAST)
    if strangers:
        raise RuntimeError(f"MLflow took the time from another clock: {'; '.join(strangers[:5])}")
    return files


def _load() -> None:
    """Import what the play needs, before the patches that look for modules that are there."""
    import mlflow.data.pandas_dataset
    import mlflow.sklearn
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def _check_packages() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The demo trains real models and needs {' and '.join(missing)}.",
            state="Nothing was written.",
            hint="pip install 'auditreg[demo]'",
        )


def _set_up(folder: Path) -> DemoFiles:
    """The folder with the two files the firm writes by hand, and nothing else yet."""
    root = folder.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            f"{folder} is not an empty folder.",
            state="Nothing was written.",
            hint="Name a folder that does not exist yet.",
        )
    files = DemoFiles(
        folder=root,
        store_uri=f"sqlite:///{(root / _DATABASE).as_posix()}",
        artifacts=root / "artifacts",
        config=root / "auditreg.toml",
        waivers=root / "waivers.toml",
        deployments=root / _DEPLOYMENTS,
    )
    files.artifacts.mkdir(parents=True)
    files.config.write_text(config_text(), encoding="utf-8", newline="\n")
    files.waivers.write_text(waivers_text(), encoding="utf-8", newline="\n")
    lines = [json.dumps({"system": "rating-engine", **one}) + "\n" for one in DEPLOYMENTS]
    files.deployments.write_text("".join(lines), encoding="utf-8", newline="\n")
    return files
