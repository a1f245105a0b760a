"""An environment like the one the tests run in, that packages can be put into and left out of."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

CAPTURE = Path(__file__).parents[2] / "capture"


def overlay(
    folder: Path, without: Collection[str] = ("auditreg_capture",), base: str = sys.executable
) -> str:
    """Make an environment whose packages are links to those of another one; its interpreter.

    It takes a second and no space. What is installed into it stays in it, since its
    `site-packages` is a folder of its own; nothing that is there may be upgraded or removed,
    since that would follow the links.

    Args:
        without: beginnings of file names that are left out, underscores for dashes.
        base: the interpreter of the environment that is copied.
    """
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    target = site_packages(folder)
    for entry in site_packages(Path(base).parents[1]).iterdir():
        # An editable install leaves `_name.pth`, `__editable__.name.pth` or `_editable_impl_name.pth`.
        name = re.sub(r"[-.]+", "_", entry.name.lower()).lstrip("_")
        name = re.sub("^editable_+(impl_)?", "", name)
        if not name.startswith(tuple(without)) and not (target / entry.name).exists():
            (target / entry.name).symlink_to(entry.resolve())
    return str(folder / "bin" / "python")


def site_packages(prefix: Path) -> Path:
    """The folder of an environment that packages are installed into."""
    (found,) = prefix.glob("lib/python3.*/site-packages")
    return found


def pip(python: str, *arguments: str) -> str:
    """Run our pip for an environment, which need not have one; what it printed.

    Without an index: nothing may come from outside.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    command += arguments
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def capture_wheel(folder: Path) -> Path:
    """Build the wheel of auditreg-capture."""
    pip(
        sys.executable, "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(folder), str(CAPTURE),
    )  # fmt: skip
    (wheel,) = folder.glob("auditreg_capture-*.whl")
    return wheel
