"""What really happened in a registry, kept by the one who did it: the reference for as-of answers.

An event is one call, with the caller's clock before and after it. Calls follow each other, so at
any moment at most one was under way; at such a moment the state before it and the state after it
are both true.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """One call that succeeded.

    `started` and `ended` are the caller's clock, `moment` the time MLflow's answer names, all in
    milliseconds. `model` is the name at that time; `made` is given by creating calls only.
    """

    do: str
    started: int
    ended: int
    model: str
    version: int | None = None
    moment: int | None = None
    made: int | None = None
    given: dict[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """A registry: each model and version under its model's creation time, names being reused."""

    names: dict[str, int] = field(default_factory=dict)
    models: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        """Do what the call did."""
        _DO[event.do](self, event)

    def of(self, event: Event) -> tuple[int, int]:
        """The key of the version a call is about."""
        assert event.version is not None
        return self.names[event.model], event.version

    def version(self, event: Event) -> dict[str, Any]:
        """The version a call is about."""
        return self.versions[self.of(event)]


def _create_model(state: State, event: Event) -> None:
    assert event.made is not None
    assert event.made not in state.models, "two models of one millisecond"
    state.names[event.model] = event.made
    state.models[event.made] = {
        "name": event.model,
        "description": event.given.get("description"),
        "tags": {},
        "aliases": {},
    }


def _rename_model(state: State, event: Event) -> None:
    made = state.names.pop(event.model)
    state.names[event.given["to"]] = made
    state.models[made]["name"] = event.given["to"]


def _delete_model(state: State, event: Event) -> None:
    made = state.names.pop(event.model)
    del state.models[made]
    for key in [key for key in state.versions if key[0] == made]:
        del state.versions[key]


def _create_version(state: State, event: Event) -> None:
    state.versions[state.of(event)] = {
        "stage": "None",
        "description": event.given.get("description"),
        "deleted": False,
        "created": event.made,
        "tags": {},
    }


def _transition(state: State, event: Event) -> None:
    stage, (made, number) = event.given["stage"], state.of(event)
    if event.given["archive"]:
        for (other, version), held in state.versions.items():
            if other == made and version != number and held["stage"] == stage:
                held["stage"] = "Archived"
    state.version(event)["stage"] = stage


def _delete_version(state: State, event: Event) -> None:
    made, number = state.of(event)
    state.version(event).update(deleted=True, stage="Deleted_Internal", description=None)
    aliases = state.models[made]["aliases"]
    for alias in [alias for alias, held in aliases.items() if held == number]:
        del aliases[alias]


_DO: dict[str, Callable[[State, Event], object]] = {
    "create model": _create_model,
    "rename model": _rename_model,
    "delete model": _delete_model,
    "describe model": lambda s, e: s.models[s.names[e.model]].update(e.given),
    "tag model": lambda s, e: s.models[s.names[e.model]]["tags"].update(e.given),
    "untag model": lambda s, e: s.models[s.names[e.model]]["tags"].pop(e.given["key"]),
    "set alias": lambda s, e: s.models[s.names[e.model]]["aliases"].update(
        {e.given["alias"]: e.version}
    ),
    "delete alias": lambda s, e: s.models[s.names[e.model]]["aliases"].pop(e.given["alias"]),
    "create version": _create_version,
    "describe version": lambda s, e: s.version(e).update(e.given),
    "transition": _transition,
    "delete version": _delete_version,
    "tag version": lambda s, e: s.version(e)["tags"].update(e.given),
    "untag version": lambda s, e: s.version(e)["tags"].pop(e.given["key"]),
}


@dataclass
class Truth:
    """All that happened, in order."""

    events: list[Event] = field(default_factory=list)

    @property
    def began(self) -> int:
        """When the first call began."""
        return self.events[0].started

    @property
    def ended(self) -> int:
        """When the last call was over."""
        return self.events[-1].ended

    def at(self, moment: int) -> list[State]:
        """The state at a moment; two where a call was under way, and either may have held."""
        state = State()
        for event in self.events:
            if event.ended >= moment:
                if event.started > moment:
                    return [state]
                after = copy.deepcopy(state)
                after.apply(event)
                return [state, after]
            state.apply(event)
        return [state]

    def save(self, path: Path) -> None:
        """Write it as compressed JSON Lines; the same events give the same bytes."""
        lines = "".join(json.dumps(asdict(event), sort_keys=True) + "\n" for event in self.events)
        path.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Read it back."""
        lines: Iterable[str] = gzip.decompress(path.read_bytes()).decode().splitlines()
        return cls([Event(**json.loads(line)) for line in lines])
