"""What of a registry can change, as `changes` and its filters name it: follows from the declared kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditreg.kinds.declaration import HEADER, Kind
from auditreg.kinds.registry import KINDS

EXISTENCE = "op"
"""The member of an entry that tells whether a row appeared or disappeared."""


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """One thing of a kind of rows that can change: a column, or whether a row is there.

    `path` is where an entry has it. `identity` says that it is part of what the row is called by.
    """

    kind: str
    name: str
    path: str
    identity: bool = False


def _items(kind: Kind) -> Iterator[ChangeItem]:
    if kind.existence:
        yield ChangeItem(kind.name, kind.existence, f"$.{EXISTENCE}", identity=True)
    for column in kind.table.columns:
        if column.item:
            header = column.place == HEADER
            path = f"$.{column.name}" if header else f"$.body.{column.name}"
            yield ChangeItem(kind.name, column.item, path, identity=header)


ITEMS: tuple[ChangeItem, ...] = tuple(item for kind in KINDS for item in _items(kind))
"""Everything that can change, in the order of declaration."""


def _filters() -> Mapping[str, tuple[tuple[str, str | None], ...]]:
    filters: dict[str, list[tuple[str, str | None]]] = {}

    def add(name: str, kind: str, item: str | None) -> None:
        filters.setdefault(name.replace(" ", "-"), []).append((kind, item))

    for kind in KINDS:
        if kind.filter:
            add(kind.filter, kind.name, None)
            continue
        for item in _items(kind):
            add(item.name, kind.name, item.name)
            if kind.existence and item.identity and item.name != kind.existence:
                add(kind.existence, kind.name, item.name)
    return {name: tuple(items) for name, items in filters.items()}


FILTERS: Mapping[str, tuple[tuple[str, str | None], ...]] = _filters()
"""What changes can be chosen by, to the (kind, item) they are of; no item stands for all of a kind."""
