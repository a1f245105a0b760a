"""What `live` and `history` name: models and versions of any time, deleted and renamed ones too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from auditreg.config.calendar import day_start
from auditreg.errors import UsageError

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Config

FORMS = "MODEL, MODEL/VERSION, MODEL@ALIAS, models:/MODEL/VERSION, models:/MODEL@ALIAS"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Models that bear or bore a name, and the versions asked for; all versions where None."""

    name: str
    models: tuple[str, ...]
    versions: tuple[str, ...] | None = None

    def covers(self, subject: str) -> bool:
        """Whether something (a model, a version, a tag, an alias) is among what was named."""
        owner = subject.partition(":")[0]
        if self.versions is not None:
            return owner in self.versions
        return owner.partition("/")[0] in self.models


def resolve(
    connection: duckdb.DuckDBPyConnection, text: str, at: datetime | None = None
) -> ModelRef:
    """The subjects a text names, over the whole record; aliases and stages as of a moment.

    Several models may have borne one name; all of them are meant.

    Raises:
        UsageError: nothing ever had that name; the message names the nearest.
    """
    name = text.removeprefix("models:/").strip("/") if text.startswith("models:/") else text
    if models := _bearers(connection, name):
        return ModelRef(name, models)
    if text.startswith("models:/") and (found := _of_logged_model(connection, name)):
        return ModelRef(name, tuple({subject.partition("/")[0] for subject in found}), found)
    model, slash, version = name.rpartition("/")
    if slash and (models := _bearers(connection, model)):
        return ModelRef(model, models, _version(connection, models, model, version, at))
    model, sign, alias = name.rpartition("@")
    if sign and (models := _bearers(connection, model)):
        return ModelRef(model, models, _alias(connection, models, model, alias, at))
    raise _unknown(connection, model or name, text)


def _bearers(connection: duckdb.DuckDBPyConnection, name: str) -> tuple[str, ...]:
    return _column(
        connection,
        "select distinct subject from ledger.log "
        "where kind = 'registered_model' and model = ? order by subject",
        [name],
    )


def _of_logged_model(connection: duckdb.DuckDBPyConnection, model_id: str) -> tuple[str, ...]:
    return _column(
        connection,
        "select distinct subject from version_logged_models where logged_model_id = ? order by subject",
        [model_id],
    )


def _version(
    connection: duckdb.DuckDBPyConnection,
    models: tuple[str, ...],
    model: str,
    version: str,
    at: datetime | None,
) -> tuple[str, ...]:
    """A number, `latest`, or a stage; a deleted version has a history too."""
    owned = "list_contains(?::VARCHAR[], model_subject)"
    if version.isdecimal():
        found = _column(
            connection,
            f"select distinct subject from model_versions where {owned} and version = ? "  # noqa: S608 - a condition of our own
            "order by subject",
            [list(models), int(version) if len(version) < 18 else -1],
        )
    elif version.lower() == "latest":
        found = _column(
            connection,
            f"select max_by(subject, version) from {_at('model_versions', at)} "  # noqa: S608 - as above
            f"where {owned} and not deleted group by model_subject",
            [list(models)],
        )
    else:
        found = _column(
            connection,
            f"select distinct subject from {_at('model_versions', at)} "  # noqa: S608 - as above
            f"where {owned} and not deleted and lower(stage) = lower(?) order by subject",
            [list(models), version],
        )
    if not found:
        last = _column(
            connection,
            f"select max(version)::VARCHAR from model_versions where {owned} having max(version) > 0",  # noqa: S608 - as above
            [list(models)],
        )
        hint = f"its versions go up to {last[0]}" if last else "it has no versions"
        raise _error(f"{model} has no version {version!r}.", f"In the ledger {hint}.")
    return found


def _alias(
    connection: duckdb.DuckDBPyConnection,
    models: tuple[str, ...],
    model: str,
    alias: str,
    at: datetime | None,
) -> tuple[str, ...]:
    rows = connection.execute(
        f"select distinct subject, alias from {_at('aliases', at)} "  # noqa: S608 - a relation of our own
        "where list_contains(?::VARCHAR[], model_subject) order by alias, subject",
        [list(models)],
    ).fetchall()
    found = tuple(subject for subject, name in rows if name.lower() == alias.lower())
    if not found:
        known = ", ".join(dict.fromkeys(name for _, name in rows))
        when = "then" if at else "now"
        raise _error(
            f"{model} has no alias {alias!r} {when}.",
            f"It has: {known}." if known else "It has no aliases.",
        )
    return found


def _at(relation: str, at: datetime | None) -> str:
    return relation if at is None else f"{relation}_as_of({literal(at)})"


def start_of(config: Config, given: str | date | datetime) -> datetime:
    """The UTC moment something is asked from: a date means the beginning of that day."""
    text = given.strip() if isinstance(given, str) else given
    if isinstance(text, str) and _DATE.fullmatch(text):
        config.moment(text)  # says what is wrong with a date that is none
        text = date.fromisoformat(text)
    if isinstance(text, date) and not isinstance(text, datetime):
        return day_start(text, config.calendar.timezone)
    return config.moment(text)


def literal(at: datetime) -> str:
    """A moment as SQL: macros take no parameters in every place."""
    return f"timestamp '{at:%Y-%m-%d %H:%M:%S.%f}'"


def _unknown(connection: duckdb.DuckDBPyConnection, name: str, text: str) -> UsageError:
    near = _column(
        connection,
        "select model from (select distinct model from ledger.log where kind = 'registered_model' "
        "and model is not null) where jaro_winkler_similarity(lower(model), lower(?)) > 0.75 "
        "order by jaro_winkler_similarity(lower(model), lower(?)) desc, model limit 3",
        [name, name],
    )
    hint = f"Did you mean {', '.join(near)}?" if near else f"Names can be written as {FORMS}."
    return _error(f"The ledger holds no registered model for {text!r}.", hint)


def _error(what: str, hint: str) -> UsageError:
    return UsageError(what, state="Nothing was looked up.", hint=hint)


def _column(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Iterable[object]
) -> tuple[str, ...]:
    return tuple(str(v) for (v,) in connection.execute(sql, list(values)).fetchall())
