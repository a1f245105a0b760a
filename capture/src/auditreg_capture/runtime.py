"""What this process is and was told: its identity in journal rows, its mode, and who acts in it."""

from __future__ import annotations

import os
import uuid
from contextvars import ContextVar
from typing import Callable, Optional, Tuple

from auditreg_capture import settings

acting: "ContextVar[Optional[str]]" = ContextVar("auditreg_capture_acting", default=None)


class Current:
    """What this process was told when capture was installed."""

    mode: str = settings.STRICT
    actor: Optional[Callable[[], Optional[str]]] = None


current = Current()
_identity: Tuple[int, str] = (0, "")


def identity() -> str:
    """This process's name in journal rows; a forked child gets its own."""
    global _identity  # noqa: PLW0603 (one per process, renewed after a fork)
    pid = os.getpid()
    if _identity[0] != pid:
        _identity = (pid, str(uuid.uuid4()))
    return _identity[1]
