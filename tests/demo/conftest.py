"""One play of the demo for the whole session, with what every reading saw."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.demo.playing import Played, play


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory during the play, empty before it."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory, elsewhere: Path) -> Played:
    before = Path.cwd()
    os.chdir(elsewhere)
    try:
        # A blank in the path: URIs of stores and artifacts are where that goes wrong.
        return play(tmp_path_factory.mktemp("first") / "two quarters")
    finally:
        os.chdir(before)
