"""Where the files that are not code are: templates, rules, frameworks, the demo.

All but the templates live inside the package. Those stand at the top of the checkout,
because they are for people to copy and change, and are put into the package when a wheel is built;
an editable install has only the checkout's. Everything found here is a folder on disk.
"""

from __future__ import annotations

import functools
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


def templates() -> Path:
    """The folder with a folder per report template: the wheel's, else the checkout's."""
    return _first_folder("templates", _PACKAGE / "templates", _CHECKOUT / "templates")


def rules() -> Path:
    """The folder of the built-in rules, one `<rule-id>.sql` each."""
    return _packaged("rules", "library")


def frameworks() -> Path:
    """The folder of the built-in frameworks, one `<framework-id>.toml` each."""
    return _packaged("frameworks", "library")


def recorded_demo() -> Path:
    """The folder with the recorded registry of the demo and the files of its firm."""
    return _packaged("demo", "recorded")


def _packaged(*parts: str) -> Path:
    return _first_folder("/".join(parts), _PACKAGE.joinpath(*parts))


def _first_folder(what: str, *candidates: Path) -> Path:
    for folder in candidates:
        if folder.is_dir():
            return folder
    tried = " or ".join(str(folder) for folder in candidates)
    message = (
        f"The installation is incomplete: {what} is not in {tried}. "
        "Install again: pip install --force-reinstall --no-deps auditreg"
    )
    raise FileNotFoundError(message)


@functools.cache
def tool_version() -> str:
    """The release of auditreg, as installed; read when asked for, since it costs start-up time."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("auditreg")
    except PackageNotFoundError:  # run from a folder that is not installed
        return "0+unknown"
