"""Random stories of a registry that may be under capture, as lists of steps, and playing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.ledger.captured import CapturedRegistry
from tests.ledger.histories import BEGINNING, NAMES, OPERATIONS

Step = tuple[Any, ...]

_NAME = st.sampled_from(NAMES[:2])
_NUMBER = st.integers(1, 3)
_STAGE = st.sampled_from(["None", "Staging", "Production", "Archived"])
_KEY = st.sampled_from(["owner", "note"])
_VALUE = st.sampled_from([None, "x", "y"])

DOES = st.one_of(
    OPERATIONS,
    OPERATIONS,
    st.tuples(st.just("archive"), _NAME, _NUMBER, st.sampled_from(["Staging", "Production"])),
    st.tuples(st.just("copy"), _NAME, _NUMBER, _NAME),
    st.tuples(st.just("prompt"), _NAME),
)
"""What the server does, in one transaction each (`again`: in three)."""

TAMPERS = st.one_of(
    st.tuples(st.just("tag"), _NAME, st.none() | st.just(1), _KEY, _VALUE),
    st.tuples(st.just("stage"), _NAME, st.just(1), _STAGE),
    st.tuples(st.just("describe"), _NAME, st.none() | st.just(1), _VALUE),
    st.tuples(st.just("alias"), _NAME, st.none() | _NUMBER, st.sampled_from(["champion", "old"])),
)

TIMING = st.one_of(
    st.tuples(st.just("tick"), st.sampled_from([0, 1, 1000])),
    st.tuples(st.just("actor"), st.sampled_from(["alice", "bob", None])),
    st.tuples(st.just("server"), st.integers(0, 1)),
    st.tuples(st.just("roll_back"), st.integers(1, 3)),
)
HELD = st.one_of(
    st.tuples(st.just("hold"), DOES.filter(lambda step: step[0] != "again"), st.booleans()),
    st.tuples(st.just("release")),
)
TAMPERED = st.tuples(st.just("tamper"), TAMPERS, st.booleans())
SWITCHED = st.one_of(
    st.tuples(st.just("stop"), st.sampled_from(["stop", "off", "kill"])),
    st.tuples(st.just("capture")),
    st.tuples(st.just("capture")),
    st.tuples(st.just("drop")),
    st.tuples(st.just("miss"), DOES.filter(lambda step: step[0] != "again")),
)
PRUNED = st.tuples(st.just("prune"))
_SOME = st.lists(DOES, max_size=2)
LOOKS = {
    "sql": st.just(("look", {})),
    "rest": st.builds(
        lambda before, during: ("rest", before, {"shows_deleted": False, "during": during}),
        _SOME,
        _SOME,
    ),
    "incomplete": st.builds(
        lambda out: ("look", {"left_out": out}), st.lists(st.integers(0, 3), min_size=1, max_size=2)
    ),
    "backup": st.just(("look", {"restored": True})),
    "bare backup": st.just(("look", {"restored": True, "journal": False})),
}


def mixture(**parts: int) -> st.SearchStrategy[Step]:
    """Steps of several sorts, each as often as said: `one_of` would count the sorts' own sorts."""
    sorts = [name for name, number in parts.items() for _ in range(number)]
    return st.sampled_from(sorts).flatmap(_SORTS.__getitem__)


_SORTS = {
    "does": DOES,
    "timing": TIMING,
    "held": HELD,
    "tampered": TAMPERED,
    "switched": SWITCHED,
    "pruned": PRUNED,
}
DOING = mixture(does=9, timing=1)
CAPTURED = mixture(does=12, timing=2, held=3, tampered=4, pruned=1)
MIXED = mixture(does=12, timing=2, held=3, tampered=4, switched=4, pruned=1)


def stories(
    steps: st.SearchStrategy[Step], looks: Sequence[str], number: int, length: int
) -> st.SearchStrategy[list[Step]]:
    """What happens between `number` readings: up to `length` things each time."""
    between = st.lists(steps, min_size=length // 3, max_size=length)
    look = st.one_of(*(LOOKS[name] for name in looks))
    part = st.tuples(between, look)
    return st.lists(part, min_size=number, max_size=number).map(
        lambda parts: [*BEGINNING, *(step for between, look in parts for step in (*between, look))]
    )


def play(registry: CapturedRegistry, step: Step) -> None:
    """Let one step of a story happen where it can."""
    what, *rest = step
    if what in ("hold", "release", "capture", "stop", "drop", "prune", "roll_back"):
        getattr(registry, what)(*rest)
    elif what in ("tick", "actor"):
        setattr(registry, what, rest[0])
    elif what == "server":
        registry.server = rest[0] % len(registry.offsets)
    elif what == "miss":
        registry.release()
        registry.miss(rest[0])
    elif what == "tamper":
        # Without capture nobody can tell it from what the server does.
        if registry.capturing:
            registry.tamper(rest[0], moves=rest[1])
    elif what == "look":
        registry.look(**rest[0])
    elif what == "rest":
        started = registry.wait(max(registry.tick, 1))
        for before in rest[0]:
            registry.do(before)
        registry.look(started=started, journal=False, **rest[1])
    else:
        registry.do(step)


def played(
    steps: Sequence[Step], *, capture: bool, offsets: Sequence[int] = (0,)
) -> CapturedRegistry:
    """The registry after a story; with `capture` from its beginning."""
    registry = CapturedRegistry(offsets=offsets)
    if capture:
        registry.capture()
    for step in steps:
        play(registry, step)
    registry.release()
    registry.look()
    registry.wait()
    return registry
