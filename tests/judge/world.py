"""What happened to an estate, from the events that its player kept; nothing of auditreg is used.

`World.of` replays the events up to a moment. All moments are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.truth import Event

LIVE_STAGES = ("Production",)
LIVE_ALIASES = ("champion", "production", "prod", "live", "current")
"""What the firm calls live; `[live]` in auditreg.toml has these unless it says otherwise."""


@dataclass
class Tagged:
    """Something with tags, and every value they had."""

    written: list[tuple[int, str, str | None]] = field(default_factory=list)

    def tags(self, at: int) -> dict[str, str]:
        """The tags as they stood at a moment."""
        found: dict[str, str] = {}
        for when, key, value in self.written:
            if when > at:
                break
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        return found


@dataclass
class Run:
    """A training run."""

    user: str
    start: int
    tags: dict[str, str]
    end: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    datasets: list[dict[str, str]] = field(default_factory=list)
    deleted: int | None = None


@dataclass
class Model(Tagged):
    """A registered model; another one of the same name is another model."""

    name: str = ""
    made: int = 0
    description: str | None = None
    deleted: int | None = None
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def there(self) -> list[Version]:
        """The versions that are not deleted."""
        return [version for version in self.versions.values() if version.deleted is None]


@dataclass(frozen=True)
class Span:
    """A time in which a version was live without a break; `end` is None while it still is."""

    version: Version
    start: int
    end: int | None

    def meets(self, start: int, end: int) -> bool:
        """Whether it has a moment in common with [start, end)."""
        return self.start < end and (self.end is None or self.end > start)


@dataclass(eq=False)
class Version(Tagged):
    """A version of a model."""

    model: Model = field(default_factory=Model)
    number: int = 0
    made: int = 0
    updated: int = 0
    run: Run | None = None
    description: str | None = None
    deleted: int | None = None
    deleted_live: bool = False
    stages: list[tuple[int, str]] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    aliased: list[tuple[int, str]] = field(default_factory=list)
    opened: int | None = None
    spans: list[Span] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """The stage it is in."""
        return self.stages[-1][1] if self.stages else "None"

    @property
    def by_stage(self) -> bool:
        """Whether it is in a live stage."""
        return self.deleted is None and self.stage in LIVE_STAGES

    @property
    def by_alias(self) -> bool:
        """Whether it bears a live alias."""
        return self.deleted is None and any(alias in LIVE_ALIASES for alias in self.aliases)

    @property
    def live(self) -> bool:
        """Whether it is live."""
        return self.by_stage or self.by_alias

    @property
    def lives(self) -> list[Span]:
        """The times it was live, the present one too."""
        now = [] if self.opened is None else [Span(self, self.opened, None)]
        return [*self.spans, *now]

    def look(self, at: int) -> None:
        """Note whether it has become live or has ceased to be."""
        if self.live and self.opened is None:
            self.opened = at
        elif not self.live and self.opened is not None:
            self.spans.append(Span(self, self.opened, at))
            self.opened = None

    def delete(self, at: int) -> None:
        """Let it be deleted."""
        self.deleted_live = self.live
        self.deleted = at
        self.look(at)


@dataclass
class World:
    """All models that ever were, those that are gone too."""

    now: int = 0
    named: dict[str, Model] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event], until: int) -> World:
        """What is so at a moment, and all that was before."""
        world = cls(until)
        for event in events:
            if event.started > until:
                break
            getattr(world, "_" + event.do.replace(" ", "_"))(event, event.started, event.given)
        return world

    def forget(self, readings: Sequence[int], until: int) -> None:
        """Forget what nobody could read: what was overwritten, and who ceased to be live, between two readings.

        Forgotten too is what was written, and who went live, after a moment; stages and deletions are not.
        """

        def read(start: int, end: int | None) -> bool:
            return any(start <= at and (end is None or at < end) for at in readings)

        for thing in [*self.models, *self.versions]:
            later: dict[str, int] = {}
            kept = []
            gone = thing.deleted if isinstance(thing, Model) else thing.model.deleted
            for at, key, value in reversed(thing.written):
                if read(at, later.get(key, gone)):
                    kept.append((at, key, value))
                later[key] = at
            thing.written = [one for one in kept[::-1] if one[0] <= until]
        for version in self.versions:
            spans: list[Span] = []
            for span in version.lives:
                if spans and not read(spans[-1].end or 0, span.start):
                    spans[-1] = Span(version, spans[-1].start, span.end)
                else:
                    spans.append(span)
            spans = [span for span in spans if read(span.start, span.end)]
            # As it was at the moment: what came after it is not so yet.
            spans = [
                Span(
                    version, span.start, None if span.end is None or span.end > until else span.end
                )
                for span in spans
                if span.start <= until
            ]
            version.opened = next((span.start for span in spans if span.end is None), None)
            version.spans = [span for span in spans if span.end is not None]
            ends: list[int | None] = [at for at, _ in version.stages[1:]]
            stages = zip(version.stages, [*ends, None], strict=False)
            version.stages = [one for one, end in stages if end is None or read(one[0], end)]

    @property
    def versions(self) -> list[Version]:
        """All versions that ever were."""
        return [version for model in self.models for version in model.versions.values()]

    def _about(self, event: Event) -> Version:
        assert event.version is not None
        return self.named[event.model].versions[event.version]

    def _create_model(self, event: Event, at: int, given: dict[str, Any]) -> None:
        model = Model(name=event.model, made=at, description=given.get("description"))
        self.named[event.model] = model
        self.models.append(model)

    def _delete_model(self, event: Event, at: int, given: dict[str, Any]) -> None:
        model = self.named.pop(event.model)
        model.deleted = at
        for version in model.there():
            version.delete(at)

    def _tag_model(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self.named[event.model].written += [(at, key, value) for key, value in given.items()]

    def _create_version(self, event: Event, at: int, given: dict[str, Any]) -> None:
        assert event.version is not None
        model = self.named[event.model]
        run = self.runs[given["run"]] if given["run"] else None
        model.versions[event.version] = Version(
            model=model, number=event.version, made=at, updated=at, run=run,
            description=given.get("description"),
        )  # fmt: skip

    def _describe_version(self, event: Event, at: int, given: dict[str, Any]) -> None:
        version = self._about(event)
        version.description, version.updated = given["description"], at

    def _tag_version(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self._about(event).written += [(at, key, value) for key, value in given.items()]

    def _untag_version(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self._about(event).written.append((at, given["key"], None))

    def _transition(self, event: Event, at: int, given: dict[str, Any]) -> None:
        moved = self._about(event)
        if given["archive"]:
            for other in moved.model.there():
                if other is not moved and other.stage == given["stage"]:
                    other.stages.append((at, "Archived"))
                    other.updated = at
                    other.look(at)
        moved.stages.append((at, given["stage"]))
        moved.updated = at
        moved.look(at)

    def _set_alias(self, event: Event, at: int, given: dict[str, Any]) -> None:
        alias, moved = given["alias"], self._about(event)
        self._drop(moved.model, alias, at)
        moved.aliases.add(alias)
        moved.aliased.append((at, alias))
        moved.model.aliases[alias] = moved.number
        moved.look(at)

    def _delete_alias(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self._drop(self.named[event.model], given["alias"], at)

    def _drop(self, model: Model, alias: str, at: int) -> None:
        number = model.aliases.pop(alias, None)
        if number is not None:
            held = model.versions[number]
            held.aliases.discard(alias)
            held.look(at)

    def _delete_version(self, event: Event, at: int, given: dict[str, Any]) -> None:
        version = self._about(event)
        version.delete(at)
        for alias in [alias for alias, n in version.model.aliases.items() if n == version.number]:
            del version.model.aliases[alias]

    def _create_run(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self.runs[given["run"]] = Run(given["user"], given["start"], given["tags"])

    def _log_run(self, event: Event, at: int, given: dict[str, Any]) -> None:
        run = self.runs[given["run"]]
        run.params.update(given["params"])
        run.metrics.update(given["metrics"])

    def _log_data(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self.runs[given["run"]].datasets += given["datasets"]

    def _end_run(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self.runs[given["run"]].end = given["end"]

    def _delete_run(self, event: Event, at: int, given: dict[str, Any]) -> None:
        self.runs[given["run"]].deleted = at
