"""The Merkle tree, against the definition of RFC 6962 section 2.1 written down again."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from auditreg.ledger.merkle import EMPTY_ROOT, Tree
from tests.ledger.conftest import leaf_hash

CT_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
"""The inputs of Certificate Transparency's own tests."""

CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Roots over the first 1, 2, … 8 of them."""


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962: split at the largest power of two below the number."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


def numbered(number: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(number)]


def test_the_vectors_of_certificate_transparency():
    leaves = [leaf_hash(bytes.fromhex(text)) for text in CT_LEAVES]
    for size, expected in enumerate(CT_ROOTS, 1):
        tree = Tree()
        tree.extend(leaves[:size])
        assert tree.root().hex() == expected == defined(leaves[:size]).hex()


def test_the_root_is_the_definitions_for_every_size():
    tree = Tree()
    assert tree.root() == EMPTY_ROOT == defined([])
    leaves = numbered(130)
    for size, leaf in enumerate(leaves, 1):
        tree.extend([leaf])
        assert tree.size == size
        assert tree.root() == defined(leaves[:size])
        assert [height for height, _ in tree.frontier] == [
            bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1
        ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_growing_piece_by_piece_is_growing_at_once(pieces: list[int]):
    leaves = numbered(sum(pieces))
    grown, rest = Tree(), iter(leaves)
    for piece in pieces:
        grown.extend([next(rest) for _ in range(piece)])
        grown = Tree(grown.size, list(grown.frontier))
    assert (grown.size, grown.root()) == (len(leaves), defined(leaves))


@given(st.integers(1, 60), st.data())
def test_any_other_leaf_gives_another_root(size: int, data: st.DataObject):
    leaves = numbered(size)
    place = data.draw(st.integers(0, size - 1))
    changed = [*leaves[:place], leaf_hash(b"other"), *leaves[place + 1 :]]
    first, second = Tree(), Tree()
    first.extend(leaves)
    second.extend(changed)
    assert first.root() != second.root()
