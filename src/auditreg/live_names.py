"""The names by which versions count as live, where no version does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NothingLive:
    """Why no version was judged: the names that count as live, and what the registry has instead.

    `found` holds the commonest stages, aliases and tags of versions: kind, name, number of versions.
    """

    stages: tuple[str, ...]
    aliases: tuple[str, ...]
    found: tuple[tuple[Literal["stage", "alias", "tag"], str, int], ...]

    @property
    def counting(self) -> str:
        """The names that count as live, in words."""
        return "; ".join(
            f"{what} {', '.join(names) or 'none'}"
            for what, names in (("stages", self.stages), ("aliases", self.aliases))
        )

    @property
    def having(self) -> str:
        """What the registry has, in words."""
        parts = []
        for kind, plural in (("stage", "stages"), ("alias", "aliases"), ("tag", "tags")):
            names = [f"{name} ({number:,})" for of, name, number in self.found if of == kind]
            parts.append(f"{plural} {', '.join(names) or 'none'}")
        return "; ".join(parts)

    @property
    def to_set(self) -> str:
        """The setting of auditreg.toml by which what is there would count."""
        aliases = [name for kind, name, _ in self.found if kind == "alias"]
        stages = [n for kind, n, _ in self.found if kind == "stage" and n not in _UNUSED_STAGES]
        lists = [
            f"{what} = [{', '.join(json.dumps(name, ensure_ascii=False) for name in names)}]"
            for what, names in (("aliases", aliases), ("stages", stages))
            if names
        ]
        if not lists:
            return "give the versions in use an alias, and name it in auditreg.toml: [live] aliases"
        return f"auditreg.toml: [live] {' and '.join(lists)}, of these the names that mean in use"


_UNUSED_STAGES = ("None", "Archived", "Deleted_Internal")
