"""Audit and compliance reporting for MLflow model registries.

    import auditreg

    book = auditreg.open("audit.duckdb")
    book.inventory(as_of="2026-09-30")
    book.check("motor-frequency/7")

Results are pandas DataFrames. The command line is `auditreg`; see `auditreg --help`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditreg.api import LedgerView as LedgerView
    from auditreg.api import open as open  # noqa: A004 - read as `auditreg.open`

    __version__: str

__all__ = ["LedgerView", "__version__", "open"]


def __getattr__(name: str) -> object:
    # Loaded when asked for: `auditreg --help` needs neither pandas nor the package's metadata.
    if name == "__version__":
        from auditreg.resources import tool_version

        return tool_version()
    if name in ("LedgerView", "open"):
        from auditreg import api

        return getattr(api, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
