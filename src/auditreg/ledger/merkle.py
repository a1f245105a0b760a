"""The Merkle tree over the log, as in RFC 6962 section 2.1.

A leaf is `SHA-256(0x00 || entry)`, an inner node `SHA-256(0x01 || left || right)`. A tree of n
leaves is kept as its frontier: the roots of the complete subtrees that n's binary digits name,
largest first. Appending a leaf touches only that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


@dataclass(slots=True)
class Tree:
    """A growing tree: its size, and the (height, hash) of its complete subtrees."""

    size: int = 0
    frontier: list[tuple[int, bytes]] = field(default_factory=list)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves, in the order of the log."""
        sha256, frontier = hashlib.sha256, self.frontier
        for leaf in leaves:
            height, node = 0, leaf
            while frontier and frontier[-1][0] == height:
                node = sha256(b"\x01" + frontier.pop()[1] + node).digest()
                height += 1
            frontier.append((height, node))
            self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.frontier:
            return EMPTY_ROOT
        node = self.frontier[-1][1]
        for _, left in reversed(self.frontier[:-1]):
            node = hashlib.sha256(b"\x01" + left + node).digest()
        return node
