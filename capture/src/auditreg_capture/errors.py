"""What capture raises."""

from __future__ import annotations


class CaptureError(Exception):
    """Capture cannot do its work; the text says what to do."""
