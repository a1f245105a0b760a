"""Resolves the names people write (MODEL, MODEL/VERSION, MODEL@ALIAS) to subjects of a ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from auditreg.config.calendar import day_start
from auditreg.errors import UsageError
from auditreg.queries.reader import as_of
from auditreg.references import FORMS, possible_references

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Config

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_NUMBER = 17
"""Digits of a version number that always fit into a BIGINT."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Whole models and single versions that names stand for, as subjects of the ledger.

    `names` are the models' names as they were written. In a check, a version named here counts as
    live, because a CI gate checks it before it goes live.
    """

    names: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def owners(self) -> tuple[str, ...]:
        """The models, and those that the versions belong to."""
        parents = (version.partition("/")[0] for version in self.versions)
        return tuple(dict.fromkeys((*self.models, *parents)))

    def covers(self, subject: str) -> bool:
        """Whether a model, a version, a tag or an alias is selected, or belongs to what is."""
        owner = subject.partition(":")[0]
        return owner.partition("/")[0] in self.models or owner in self.versions


def select(connection: duckdb.DuckDBPyConnection, texts: Sequence[str]) -> Selection | None:
    """What is to be checked, among what is there now; None for everything.

    The state may be one that is prepared on the connection, with tables that hide the ledger's.

    Raises:
        UsageError: nothing that is there has that name; the message names the nearest.
    """
    resolver = _Present(connection)
    return _together([resolver.resolve(text) for text in texts]) if texts else None


def resolve(
    connection: duckdb.DuckDBPyConnection, texts: str | Sequence[str], at: datetime | None = None
) -> Selection:
    """What texts name over the whole record, deleted and former names included.

    Args:
        connection: a reader of the ledger.
        texts: one name or several.
        at: the moment for which aliases, stages and `latest` are read; None for now.

    Raises:
        UsageError: nothing ever had that name; the message names the nearest.
    """
    resolver = _Recorded(connection, at)
    listed = [texts] if isinstance(texts, str) else texts
    return _together([resolver.resolve(text) for text in listed])


def _together(selections: Sequence[Selection]) -> Selection:
    def union(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for part in parts for value in part))

    return Selection(
        union(part.names for part in selections),
        union(part.models for part in selections),
        union(part.versions for part in selections),
    )


class _Recorded:
    """Resolves names over everything that is or was on record.

    Model names may hold `@` and `/`, so a text that is itself a model's name is that model. Several
    models may have the same name, in other workspaces or at other times: all of them are meant.
    """

    models = "select subject, model from ledger.log where kind = 'registered_model'"
    logged_models = "select subject, logged_model_id from version_logged_models"
    state = "Nothing was looked up."

    def __init__(self, connection: duckdb.DuckDBPyConnection, at: datetime | None = None) -> None:
        self._connection = connection
        self._at = at

    def resolve(self, text: str) -> Selection:
        """The subjects a text names."""
        references = possible_references(text)
        whole = references[0].model
        if models := self._models(whole):
            return Selection((whole,), models=models)
        if text != whole and (versions := self._of_logged_model(whole)):
            return Selection((whole,), versions=versions)
        for reference in references[1:]:
            if models := self._models(reference.model):
                versions = (
                    self._version(models, reference.model, reference.version)
                    if reference.version is not None
                    else self._alias(models, reference.model, reference.alias or "")
                )
                return Selection((reference.model,), versions=versions)
        raise self._unknown(references[-1].model, text)

    def _models(self, name: str) -> tuple[str, ...]:
        return self._column(
            f"select distinct subject from ({self.models}) where model = ? order by subject", [name]
        )

    def _of_logged_model(self, model_id: str) -> tuple[str, ...]:
        return self._column(
            f"select distinct subject from ({self.logged_models}) where logged_model_id = ? "
            "order by subject",
            [model_id],
        )

    def _version(self, models: tuple[str, ...], model: str, version: str) -> tuple[str, ...]:
        """A number, `latest`, or a stage, as in `models:/` URIs."""
        owned = "list_contains(?::VARCHAR[], model_subject)"
        then = as_of("model_versions", self._at)
        if version.isdecimal():
            versions = self._numbered(models, version)
        elif version.lower() == "latest":
            versions = self._column(
                f"select max_by(subject, version) from {then} where {owned} and not deleted "
                "group by model_subject order by model_subject",
                [list(models)],
            )
        else:
            versions = self._column(
                f"select distinct subject from {then} "
                f"where {owned} and not deleted and lower(stage) = lower(?) order by subject",
                [list(models), version],
            )
        if not versions:
            raise self._no_version(models, model, version)
        return versions

    def _numbered(self, models: tuple[str, ...], number: str) -> tuple[str, ...]:
        """The versions of a number, of any time."""
        return self._column(
            "select distinct subject from model_versions "
            "where list_contains(?::VARCHAR[], model_subject) and version = ? order by subject",
            [list(models), int(number) if len(number) <= _LONGEST_NUMBER else -1],
        )

    def _no_version(self, models: tuple[str, ...], model: str, version: str) -> UsageError:
        last = self._column(
            "select max(version)::VARCHAR from model_versions "
            "where list_contains(?::VARCHAR[], model_subject) having max(version) > 0",
            [list(models)],
        )
        hint = f"Its versions go up to {last[0]}." if last else "It has no versions."
        return self._error(f"{model} has no version {version!r}.", hint)

    def _alias(self, models: tuple[str, ...], model: str, alias: str) -> tuple[str, ...]:
        rows = self._connection.execute(
            f"select distinct subject, alias from {as_of('aliases', self._at)} "
            "where list_contains(?::VARCHAR[], model_subject) order by alias, subject",
            [list(models)],
        ).fetchall()
        versions = tuple(subject for subject, name in rows if name.lower() == alias.lower())
        if not versions:
            known = ", ".join(dict.fromkeys(name for _, name in rows))
            raise self._error(
                f"{model} has no alias {alias!r}{self._when()}.",
                f"It has: {known}." if known else "It has no aliases.",
            )
        return versions

    def _when(self) -> str:
        return " now" if self._at is None else " then"

    def _unknown(self, name: str, text: str) -> UsageError:
        near = self._column(
            f"select model from (select distinct model from ({self.models}) where model is not null) "
            "where jaro_winkler_similarity(lower(model), lower(?)) > 0.75 "
            "order by jaro_winkler_similarity(lower(model), lower(?)) desc, model limit 3",
            [name, name],
        )
        hint = f"Did you mean {', '.join(near)}?" if near else f"Names can be written as {FORMS}."
        return self._error(f"The ledger holds no registered model for {text!r}.", hint)

    def _error(self, what: str, hint: str) -> UsageError:
        return UsageError(what, state=self.state, hint=hint)

    def _column(self, sql: str, values: Sequence[object]) -> tuple[str, ...]:
        rows = self._connection.execute(sql, list(values)).fetchall()
        return tuple(str(value) for (value,) in rows)


class _Present(_Recorded):
    """Resolves names among what is there, as the state tables of the connection have it."""

    models = "select subject, model from registered_models where not deleted"
    logged_models = "select subject, logged_model_id from model_versions where not deleted"
    state = "Nothing was checked."

    def _numbered(self, models: tuple[str, ...], number: str) -> tuple[str, ...]:
        """The versions of a number that are there."""
        versions = super()._numbered(models, number)
        return self._column(
            "select distinct subject from model_versions "
            "where list_contains(?::VARCHAR[], subject) and not deleted order by subject",
            [list(versions)],
        )

    def _no_version(self, models: tuple[str, ...], model: str, version: str) -> UsageError:
        if version.isdecimal() and super()._numbered(models, version):
            return self._error(
                f"Version {version} of {model} is deleted.",
                "Deleted versions are listed by `auditreg history`.",
            )
        return super()._no_version(models, model, version)

    def _when(self) -> str:
        return ""


def start_of(config: Config, given: str | date | datetime) -> datetime:
    """The UTC moment from which something is meant: a date means the beginning of that day."""
    text = given.strip() if isinstance(given, str) else given
    if isinstance(text, str) and _DATE.fullmatch(text):
        config.moment(text)  # says what is wrong with a date that is none
        text = date.fromisoformat(text)
    if isinstance(text, date) and not isinstance(text, datetime):
        return day_start(text, config.calendar.timezone)
    return config.moment(text)
