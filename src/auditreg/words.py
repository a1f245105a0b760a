"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def quantity(count: int, noun: str, plural: str | None = None) -> str:
    """`1 model`, `2,000 models`, `3 aliases`; `plural` where it is not made so."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun if count == 1 else plural or noun + ending}"


def a_few(names: Sequence[str], shown: int = 6) -> str:
    """`F-1, F-2 and 3 more`: a list short enough to be read."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def bytes_in_words(number: int) -> str:
    """`512 bytes`, `3.4 MiB`, `2 GiB`."""
    size, unit = float(number), ""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.1f}".removesuffix(".0") + f" {unit}"
