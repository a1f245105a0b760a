"""What is named on the command line: `NAME`, `NAME/VERSION`, `NAME@ALIAS`, `models:/…`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditreg.errors import UsageError


@dataclass(frozen=True, slots=True)
class Selected:
    """One model, one of its versions, or whatever an alias points to."""

    model: str
    version: int | None = None
    alias: str | None = None

    def matches_row(self, row: Mapping[str, object]) -> bool:
        """Whether a row with `model`, `version` and, for an alias, `aliases` is meant."""
        if row.get("model") != self.model:
            return False
        if self.alias is not None:
            listed = str(row.get("aliases") or "").split(",")
            return self.alias in {name.strip() for name in listed}
        return self.version is None or row.get("version") == self.version


def parse_selection(texts: Sequence[str]) -> tuple[Selected, ...]:
    """Read selections.

    Raises:
        UsageError: a text is none.
    """
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> Selected:
    name = text.removeprefix("models:/")
    if name.startswith(("m-", "/")) and text != name:
        raise UsageError(
            f"{text!r} is no registered model.",
            hint="Name a registered model: NAME, NAME/VERSION, NAME@ALIAS or models:/NAME/VERSION.",
        )
    if "@" in name:
        model, _, alias = name.rpartition("@")
        if model and alias:
            return Selected(model, alias=alias)
    elif "/" in name:
        # MLflow allows no slash in a name, so the last part is the version.
        model, _, version = name.rpartition("/")
        if model and version.isascii() and version.isdecimal():
            return Selected(model, int(version))
    elif name:
        return Selected(name)
    raise UsageError(
        f"{text!r} names no model.",
        hint="Name a registered model: NAME, NAME/VERSION, NAME@ALIAS or models:/NAME/VERSION.",
    )
