"""The demo registry: a pricing team's two quarters, played against a real MLflow store.

Real models are trained on generated portfolios, logged, registered, approved (or not), promoted,
rolled back and deleted through MLflow's own client, on a simulated clock. Whoever plays it is
called at each reading moment and sees the registry as it stood then.

`calendar.py` is the story, `sins.py` what is wrong in it, `firm.py` the people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.demo.calendar import CALENDAR, FIRST, LAST, READINGS
from auditreg.demo.firm import PEOPLE, WAIVERS, FirmPerson, FirmWaiver
from auditreg.demo.sins import SINS, Sin

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

__all__ = [
    "CALENDAR",
    "FIRST",
    "LAST",
    "PEOPLE",
    "READINGS",
    "SINS",
    "WAIVERS",
    "DemoFiles",
    "FirmPerson",
    "FirmWaiver",
    "Sin",
    "play",
]


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo's files are."""

    folder: Path
    store_uri: str
    artifacts: Path
    config: Path
    waivers: Path
    deployments: Path


def play(
    folder: Path,
    *,
    reading: Callable[[DemoFiles, datetime], None],
    progress: Callable[[str, int, int], None] | None = None,
) -> DemoFiles:
    """Play the calendar into a new MLflow store below `folder`.

    Args:
        folder: new or empty; nothing is written anywhere else.
        reading: called with the files and the moment (UTC) at each of `READINGS`, while the
            simulated clock stands still there.
        progress: called after each event with what happened, its number and their count.

    Raises:
        UsageError: the folder is not empty, or scikit-learn or MLflow is not installed.
    """
    # Only here: everything above loads without mlflow, pandas and scikit-learn.
    from auditreg.demo.theatre import perform

    return perform(folder, reading=reading, progress=progress)
