"""The commands that repair an installation, by the kind of system."""

from __future__ import annotations

import platform
import sys

_PANGO = {
    "debian": "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "fedora": "dnf install pango",
    "suse": "zypper install libpango-1_0-0",
    "arch": "pacman -S pango",
    "alpine": "apk add pango harfbuzz-subset",
    "darwin": "brew install pango",
    "win32": "in an MSYS2 shell: pacman -S mingw-w64-ucrt-x86_64-pango",
}
_FONTS = {
    "debian": "apt-get install fontconfig fonts-dejavu-core",
    "fedora": "dnf install fontconfig dejavu-sans-fonts",
    "suse": "zypper install fontconfig dejavu-fonts",
    "arch": "pacman -S fontconfig ttf-dejavu",
    "alpine": "apk add fontconfig ttf-dejavu",
    "darwin": "brew install --cask font-dejavu",
}
_KNOWN_AS = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora", "opensuse": "suse"}


def pango() -> str:
    """Installs Pango and HarfBuzz, the libraries WeasyPrint lays out text with."""
    return _first(_PANGO, "install Pango 1.44 or newer and HarfBuzz")


def fonts() -> str:
    """Installs some fonts and what finds them."""
    return _first(_FONTS, "install any TrueType fonts and fontconfig")


def utf8() -> str:
    """Makes Python write UTF-8 to the terminal."""
    return "set PYTHONUTF8=1" if sys.platform == "win32" else "export PYTHONUTF8=1"


def reinstall(*distributions: str) -> str:
    """Puts the files of packages back as they were published."""
    return f"pip install --force-reinstall {' '.join(distributions)}"


def _first(commands: dict[str, str], otherwise: str) -> str:
    return next((commands[name] for name in _families() if name in commands), otherwise)


def _families() -> list[str]:
    """What this system is, and what it is like, the nearest first."""
    if sys.platform != "linux":
        return [sys.platform]
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return [_KNOWN_AS.get(name, name) for name in names]
