"""Who changed what in an MLflow model registry, written into its database in the same transaction.

A server needs no code: installed beside MLflow, capture starts with the store. A program that writes to
the database itself calls `install()` and says who acts with `acting_as()`.
"""

from __future__ import annotations

from auditreg_capture.errors import CaptureError
from auditreg_capture.program import acting_as, install, uninstall
from auditreg_capture.version import VERSION as __version__  # noqa: N811 (the name every package has)

__all__ = ["CaptureError", "__version__", "acting_as", "install", "uninstall"]
