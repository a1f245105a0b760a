"""Why model files could not be read: nothing is there, nobody can look, or the program is wrong.

A store that is down and a program that is wrong look alike from outside: both raise. Only what a
store's client raises on purpose counts as an outage; everything else makes a reading incomplete.
"""

from __future__ import annotations

import re

from auditreg.errors import redact_uri

_MISTAKES = (AssertionError, AttributeError, ImportError, MemoryError, NameError, TypeError)
"""What is raised where a program is wrong, also by classes that a package derives from these."""


class Unreadable(Exception):
    """The file is there and cannot be understood; the message says why in one line."""


class NoModelFiles(Exception):
    """There is nothing to read at the location; the text says what is missing."""


class Unreachable(Exception):
    """The location cannot be looked at from this machine; the text says why."""


class Outage(Unreachable):
    """The store does not answer or refuses; its words differ from one version to the next."""


class ProgramError(Exception):
    """A program is wrong, ours or that of a store's client: this is no outage of the store."""


def is_outage(error: Exception) -> bool:
    """Whether a store, its network or its settings are to blame, and not a program.

    The clients of stores raise classes of their own, which nobody can list without importing them
    all, besides errors of the operating system and of values that do not parse. What else Python
    itself raises (an index, a key) is a mistake.
    """
    if isinstance(error, _MISTAKES):
        return False
    return isinstance(error, (OSError, ValueError, EOFError)) or (
        type(error).__module__ != "builtins"
    )


def in_one_line(error: BaseException) -> str:
    """An error's name and text, without passwords and what differs each time, in one short line."""
    text = redact_uri(" ".join(str(error).split()))
    text = re.sub(r"\b0x[0-9a-fA-F]+", "0x…", text)[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
