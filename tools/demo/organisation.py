"""Who acts in the demo, and the names the firm gives to what is live.

Harbour & Vale is invented, and so is everybody who works there.
"""

from __future__ import annotations

import tomllib
from typing import Any

from auditreg import resources
from tools.demo.events import Event

CHAMPION = "champion"
"""The alias the rating engine loads."""

CHALLENGER = "challenger"
"""The alias of the version that is scored in parallel, without effect on a price."""

LIVE_STAGE = "Production"
"""The registry stage that means: this version sets prices."""


def _people() -> dict[str, dict[str, Any]]:
    file = resources.recorded_demo() / "auditreg.toml"
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        spelling: person
        for person in settings["people"]
        for spelling in (person["name"], *person["accounts"])
    }


PEOPLE = _people()
"""Everybody of auditreg.toml, by each of their spellings."""

_HABITS = {
    "CreateModel": "hashworth",
    "TagModel": "hashworth",
    "Rename": "gpike",
    "DeleteModel": "dokafor",
    "DeleteVersion": "mkowalczyk",
    "DeleteRun": "tellwood",
    "Prompt": "mkowalczyk",
    "Challenge": "mkowalczyk",
    "MoveToStage": "pshah",
    "RollBack": "svc-rating-deploy",
}
"""Who does what, where an event does not say."""


def account_of(event: Event) -> str:
    """The account an event is done with: as the event names it, or by habit."""
    name = str(getattr(event, "account", "") or getattr(event, "by", ""))
    if name in PEOPLE:
        return str(PEOPLE[name]["id"])
    return name or _HABITS.get(type(event).__name__, "mlflow")
