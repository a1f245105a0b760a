"""A firm's own texts of decisions and results: what is refused, in words, and what is sealed."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import msgspec

from auditreg.config.check import STATE
from auditreg.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from auditreg.config.settings import DecisionSettings


def check_decisions(decisions: DecisionSettings, path: Path) -> None:
    """What types cannot say of the texts.

    Raises:
        ConfigError: with the place and what is allowed.
    """
    places: dict[str, tuple[str, str]] = {}
    for outcome, texts in msgspec.structs.asdict(decisions).items():
        for index, text in enumerate(texts):
            at = f"decisions.{outcome}[{index}]"
            plain = plain_text(text)
            if not plain:
                raise ConfigError(
                    f"{path} at {at}: {text!r} holds no letter and no digit.",
                    state=STATE,
                    hint="Write the whole text as it stands in records.",
                )
            other, place = places.setdefault(plain, (outcome, at))
            if other != outcome:
                raise ConfigError(
                    f"{path} at {at}: the text {text!r} also stands at {place}.",
                    state=STATE,
                    hint="Case, accents and punctuation do not matter; a text has one meaning.",
                )


def decision_texts(decisions: DecisionSettings) -> dict[str, str]:
    """What each text stands for, by the text as the macro `plain_text` gives it."""
    return {
        plain_text(text): outcome
        for outcome, texts in msgspec.structs.asdict(decisions).items()
        for text in texts
    }


def plain_text(text: str) -> str:
    """Letters, digits and question marks in lower case, without accents, as the macro `plain_text`."""
    parts = unicodedata.normalize("NFD", text.lower())
    bare = "".join(c for c in parts if not unicodedata.category(c).startswith("M"))
    kept = (c if c == "?" or unicodedata.category(c)[0] in "LN" else " " for c in bare)
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))
