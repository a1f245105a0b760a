"""Capture in a program that writes to the registry's database itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Optional

from auditreg_capture.runtime import acting, current


def install(
    actor: Optional[Callable[[], Optional[str]]] = None, mode: Optional[str] = None
) -> None:
    """Journal every change this process makes to a model registry through MLflow.

    Args:
        actor: Says who acts, asked at each change. `acting_as` comes before it.
        mode: `strict`, `best-effort` or `off`; the environment's AUDITREG_CAPTURE if not given.

    Called again it only changes the actor and the mode.
    """
    from auditreg_capture import listeners, settings

    chosen = settings.mode(mode)
    settings.proxies()
    current.actor = actor
    current.mode = chosen
    if chosen == settings.OFF:
        listeners.detach()
    else:
        listeners.attach()


def uninstall() -> None:
    """Stop journalling in this process."""
    from auditreg_capture import listeners, process

    listeners.detach()
    process.forget()
    current.actor = None


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Changes made inside are those of this user, as far as the program itself may say so."""
    token = acting.set(user)
    try:
        yield
    finally:
        acting.reset(token)
