"""A program that takes readings of a changing registry into a ledger until it is killed.

`python killed.py LEDGER COUNT`: COUNT is where its registry goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from auditreg.ledger.store import Ledger
from tests.ledger.reading import START, Registry


def main(path: Path, count: int) -> None:
    """Read, for ever; says when it has begun and after every reading."""
    ledger = Ledger(path)
    print("ready", flush=True)
    while True:
        count += 1
        registry = Registry(START)
        registry.create("motor", **{f"t{n}": str(n) for n in range(200)})
        for number in range(1, 4):
            registry.version("motor", note=f"{count}")
            registry.alias("motor", "champion", number)
        registry.clock = START + count * 1_000_000
        ledger.ingest(registry.read(), registry="default", policies=())
        print(count, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
