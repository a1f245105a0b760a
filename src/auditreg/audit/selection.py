"""What `check MODEL[/VERSION|@ALIAS]…` names, as subjects of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditreg.audit.snapshot import Selection
from auditreg.errors import UsageError
from auditreg.queries.model_refs import FORMS

if TYPE_CHECKING:
    import duckdb

"""The ways to name what is checked."""


def choose(connection: duckdb.DuckDBPyConnection, selection: Sequence[str]) -> Selection | None:
    """The subjects a selection names, over the state prepared on a connection; None for all.

    Model names may hold `@`, so a text that is itself a model's name is that model. Several
    workspaces may hold a model of the same name; all of them are meant.

    Raises:
        UsageError: nothing has that name; the message names the nearest.
    """
    if not selection:
        return None
    models: dict[str, None] = {}
    versions: dict[str, None] = {}
    for text in selection:
        named, single = _resolve(connection, text)
        models.update(dict.fromkeys(named))
        versions.update(dict.fromkeys(single))
    return Selection(tuple(models), tuple(versions))


def _resolve(
    connection: duckdb.DuckDBPyConnection, text: str
) -> tuple[Sequence[str], Sequence[str]]:
    name = text.removeprefix("models:/").strip("/") if text.startswith("models:/") else text
    if found := _models(connection, name):
        return found, ()
    if text.startswith("models:/") and (found := _logged(connection, name)):
        return (), found
    model, slash, version = name.rpartition("/")
    if slash and (owners := _models(connection, model)):
        return (), _version(connection, owners, model, version)
    model, at, alias = name.rpartition("@")
    if at and (owners := _models(connection, model)):
        return (), _alias(connection, owners, model, alias)
    raise _unknown(connection, model if (slash or at) and model else name, text)


def _models(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    return _column(
        connection,
        "select distinct subject from registered_models "
        "where model = ? and not deleted order by subject",
        [name],
    )


def _logged(connection: duckdb.DuckDBPyConnection, model_id: str) -> list[str]:
    return _column(
        connection,
        "select distinct subject from model_versions "
        "where logged_model_id = ? and not deleted order by subject",
        [model_id],
    )


def _version(
    connection: duckdb.DuckDBPyConnection, owners: list[str], model: str, version: str
) -> list[str]:
    """A number, `latest`, or a stage, as in `models:/` URIs."""
    rows = connection.execute(
        "select subject, model_subject, version, bool_and(deleted), max(stage) from model_versions "
        "where list_contains(?::VARCHAR[], model_subject) group by all order by version, subject",
        [owners],
    ).fetchall()
    kept = [row for row in rows if not row[3]]
    if version.isdigit():
        found = [row[0] for row in kept if row[2] == int(version)]
        if not found and any(row[2] == int(version) for row in rows):
            raise _error(
                f"Version {version} of {model} is deleted.",
                "Deleted versions are listed by `auditreg history`.",
            )
    elif version.lower() == "latest":
        newest = {row[1]: row[0] for row in kept}
        found = list(newest.values())
    else:
        found = [row[0] for row in kept if (row[4] or "").lower() == version.lower()]
    if not found:
        last = f"its versions go up to {kept[-1][2]}" if kept else "it has no versions"
        raise _error(f"{model} has no version {version!r}.", f"In the ledger {last}.")
    return found


def _alias(
    connection: duckdb.DuckDBPyConnection, owners: list[str], model: str, alias: str
) -> list[str]:
    rows = connection.execute(
        "select distinct subject, alias from aliases "
        "where list_contains(?::VARCHAR[], model_subject) order by alias, subject",
        [owners],
    ).fetchall()
    found = [subject for subject, name in rows if name.lower() == alias.lower()]
    if not found:
        known = ", ".join(dict.fromkeys(name for _, name in rows))
        raise _error(
            f"{model} has no alias {alias!r}.",
            f"It has: {known}." if known else "It has no aliases.",
        )
    return found


def _unknown(connection: duckdb.DuckDBPyConnection, name: str, text: str) -> UsageError:
    near = _column(
        connection,
        "select model from (select distinct model from registered_models where not deleted) "
        "where jaro_winkler_similarity(lower(model), lower(?)) > 0.75 "
        "order by jaro_winkler_similarity(lower(model), lower(?)) desc, model limit 3",
        [name, name],
    )
    hint = f"Did you mean {', '.join(near)}?" if near else f"Names can be written as {FORMS}."
    return _error(f"The ledger holds no registered model for {text!r}.", hint)


def _error(what: str, hint: str) -> UsageError:
    return UsageError(what, state="Nothing was checked.", hint=hint)


def _column(connection: duckdb.DuckDBPyConnection, sql: str, values: list[object]) -> list[str]:
    return [str(value) for (value,) in connection.execute(sql, values).fetchall()]
