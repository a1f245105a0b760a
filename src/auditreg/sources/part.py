"""The part of a registry that is read where only some models are asked about.

A model is read whole, with all its versions, tags and aliases: whether one is the only live one, or
which tags its sisters have, is asked of each. Runs, logged models and files are read of the versions
that are named alone.
"""

from __future__ import annotations

import abc
import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.config.check import near
from auditreg.errors import UsageError
from auditreg.references import (
    FORMS,
    Reference,
    logged_model_of,
    possible_references,
    resolve_reference,
)

if TYPE_CHECKING:
    import pyarrow as pa

MODEL_VERSIONS = "mlflow.modelVersions"
"""The tag in which a logged model names the versions that were registered from it."""

_NOTHING_READ = "Nothing was recorded or checked."


@dataclass(frozen=True, slots=True)
class Part:
    """Models by name, in whatever workspace, and those of their versions that are looked into.

    `versions` are (model, number): their runs, logged models and files are read.
    """

    models: tuple[str, ...]
    versions: frozenset[tuple[str, int]]


class Lookup(abc.ABC):
    """What has to be asked of a registry to tell what names mean in it."""

    location: str

    @abc.abstractmethod
    def present(self, models: Sequence[str]) -> set[str]:
        """Those of the names that registered models have."""

    @abc.abstractmethod
    def every_model(self) -> list[str]:
        """The names of registered models, to say which one may have been meant."""

    @abc.abstractmethod
    def registered_from(self, logged_model: str) -> list[tuple[str, int]]:
        """The versions, as (model, number), that were registered from a logged model."""

    @abc.abstractmethod
    def versions(self, models: Sequence[str]) -> Iterable[tuple[str, int, str]]:
        """Model, number and stage of the models' versions that are not deleted."""

    @abc.abstractmethod
    def aliases(self, models: Sequence[str]) -> Iterable[tuple[str, str, int]]:
        """Model, alias and number of the models' aliases."""


def resolve_part(texts: Sequence[str], lookup: Lookup) -> Part:
    """The part of a registry that is to be read for names as people write them.

    Raises:
        UsageError: no registered model has such a name; the message tells the nearest.
    """
    names = [reference.model for text in texts for reference in possible_references(text)]
    present = lookup.present(tuple(dict.fromkeys(names)))
    references: list[Reference] = []
    for text in texts:
        if reference := resolve_reference(text, present):
            references.append(reference)
            continue
        logged_model = logged_model_of(text)
        versions = lookup.registered_from(logged_model) if logged_model else []
        if not versions:
            raise _unknown(text, lookup)
        references += [Reference(model, version=str(number)) for model, number in versions]
    models = tuple(dict.fromkeys(reference.model for reference in references))
    return Part(models, frozenset(_selected_versions(references, models, lookup)))


def _selected_versions(
    references: Sequence[Reference], models: Sequence[str], lookup: Lookup
) -> Iterator[tuple[str, int]]:
    """The versions that references mean; those that nobody knows are told when they are judged."""
    versions = list(lookup.versions(models))
    aliases = list(lookup.aliases(models)) if any(ref.alias for ref in references) else []
    latest: dict[str, int] = {}
    for model, number, _ in versions:
        latest[model] = max(number, latest.get(model, 0))
    for reference in references:
        wanted = (reference.version or "").lower()
        for model, number, stage in versions:
            if model == reference.model and reference.alias is None and (
                not wanted
                or wanted in (str(number), stage.lower())
                or (wanted == "latest" and number == latest[model])
            ):  # fmt: skip
                yield model, number
        for model, alias, number in aliases:
            if model == reference.model and alias.lower() == (reference.alias or "").lower():
                yield model, number


def in_part(versions: Iterable[pa.RecordBatch], part: Part | None) -> Iterator[pa.RecordBatch]:
    """The rows of `model_versions` whose files are read."""
    import pyarrow as pa

    for batch in versions:
        if part is None:
            yield batch
            continue
        keys = zip(
            batch.column("model").to_pylist(), batch.column("version").to_pylist(), strict=True
        )
        yield batch.filter(pa.array([key in part.versions for key in keys], pa.bool_()))


def versions_of_tag(value: str | None) -> Iterator[tuple[str, int]]:
    """The versions that a logged model's tag `mlflow.modelVersions` names, as (model, number)."""
    try:
        listed = json.loads(value or "[]")
    except (ValueError, RecursionError):
        return
    for entry in listed if isinstance(listed, list) else ():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            yield str(entry["name"]), int(str(entry["version"]))


def _unknown(text: str, lookup: Lookup) -> UsageError:
    known = lookup.every_model()
    close = [near(reference.model, known) for reference in reversed(possible_references(text))]
    nearest = next(filter(None, close), None)
    return UsageError(
        f"{lookup.location} has no registered model for {text!r}.",
        state=_NOTHING_READ,
        hint=f"Did you mean {nearest}?" if nearest else f"Names can be written as {FORMS}.",
    )
