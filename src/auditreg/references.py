"""What a name may mean that somebody writes for a model, a version or an alias.

Names of registered models may hold `/` and `@`, so only whoever knows the models can tell which of the
possible meanings is meant: the first whose model there is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

FORMS = "MODEL, MODEL/VERSION, MODEL@ALIAS, models:/MODEL/VERSION, models:/MODEL@ALIAS"
"""How names can be written."""

_SCHEME = "models:/"


@dataclass(frozen=True, slots=True)
class Reference:
    """A registered model, one of its versions, or the version that an alias points to.

    `version` is a number, `latest` or a stage, as in MLflow's `models:/` addresses. Without a version
    and an alias the whole model is meant.
    """

    model: str
    version: str | None = None
    alias: str | None = None


def possible_references(text: str) -> tuple[Reference, ...]:
    """The meanings of a name, most likely first; the first whose model exists is meant."""
    name = _without_scheme(text)
    references = [Reference(name)]
    model, slash, version = name.rpartition("/")
    if slash and model:
        references.append(Reference(model, version=version))
    model, sign, alias = name.rpartition("@")
    if sign and model:
        references.append(Reference(model, alias=alias))
    return tuple(references)


def resolve_reference(text: str, models: Collection[str]) -> Reference | None:
    """Which of the meanings is meant where these registered models exist; None where none is."""
    return next((ref for ref in possible_references(text) if ref.model in models), None)


def _without_scheme(text: str) -> str:
    """A name without `models:/`."""
    return text.removeprefix(_SCHEME).strip("/") if text.startswith(_SCHEME) else text


def logged_model_of(text: str) -> str | None:
    """The id of the logged model that `models:/m-…` names; None where the text names none."""
    name = _without_scheme(text)
    is_id = text.startswith(f"{_SCHEME}m-") and "/" not in name and "@" not in name
    return name if is_id else None
