"""The registries of `auditreg.toml`: which is meant, where it is, what it does in its own way."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from auditreg.config.settings import Conventions, SourceSettings
from auditreg.errors import ConfigError, UsageError, redact_uri

if TYPE_CHECKING:
    from pathlib import Path


def conventions(sources: Sequence[SourceSettings]) -> Iterator[tuple[str, Conventions]]:
    """What differs, and where: `pricing` is a registry, `pricing/claims` one of its workspaces.

    A registry's name holds no slash. What a registry sets comes before what its workspaces do.
    """
    for source in sources:
        yield source.name, source
        for workspace, conventions_here in source.workspace.items():
            yield f"{source.name}/{workspace}", conventions_here


def address(source: SourceSettings) -> str | None:
    """The URI of a registry, from the file or from the variable it names; None if neither.

    Raises:
        ConfigError: the variable is not set.
    """
    return _value(source.name, "uri", source.uri, source.uri_env)


def auth_address(source: SourceSettings) -> str | None:
    """The URI of its user database, as `address`."""
    return _value(source.name, "auth_uri", source.auth_uri, source.auth_uri_env)


def tracking_address(source: SourceSettings) -> str | None:
    """The URI of its tracking database, as `address`."""
    return _value(source.name, "tracking_uri", source.tracking_uri, source.tracking_uri_env)


def _value(registry: str, key: str, given: str | None, variable: str | None) -> str | None:
    if variable is None:
        if given and re.search(r"[:=]\*\*\*(?:[@&]|$)", given):
            raise ConfigError(
                f"{key} of the source {registry} has no password: a ledger does not keep it.",
                state=f"Nothing was read of {registry}.",
                hint="Name the settings file with --config, or put the URI into an environment "
                f"variable that {key}_env names.",
            )
        return given
    if value := os.environ.get(variable):
        return value
    raise ConfigError(
        f"{key}_env of the source {registry} names the environment variable {variable}, "
        "which is not set.",
        state=f"Nothing was read of {registry}.",
        hint=f"Set {variable} to the URI" + (", or give --from URI." if key == "uri" else "."),
    )


def exposed(sources: Sequence[SourceSettings]) -> tuple[str, ...]:
    """One warning for each password that stands in the settings file."""
    return tuple(
        f"{key} of the source {source.name} holds a password: put the URI into an environment "
        f"variable and name it in {key}_env"
        for source in sources
        for key, uri in (
            ("uri", source.uri),
            ("tracking_uri", source.tracking_uri),
            ("auth_uri", source.auth_uri),
        )
        if uri and redact_uri(uri) != uri
    )


def named(sources: Sequence[SourceSettings], name: str) -> SourceSettings:
    """The source of a name.

    Raises:
        UsageError: there is none; with the nearest one.
    """
    from auditreg.config.check import near

    for source in sources:
        if source.name == name:
            return source
    known = [source.name for source in sources]
    meant = near(name, known)
    raise UsageError(
        f"There is no source {name!r}.",
        state="Nothing was read.",
        hint=(f"Did you mean {meant}? " if meant else "")
        + (f"Sources: {', '.join(known)}." if known else "auditreg.toml has no [[source]]."),
    )


def registry(sources: Sequence[SourceSettings], name: str | None, uri: str | None) -> str:
    """See `Config.registry`. A name that is not configured is taken as it is."""
    if name is not None:
        return name
    if len(sources) <= 1:
        return sources[0].name if sources else SourceSettings().name
    at = [
        source.name
        for source in sources
        if uri and uri in (source.uri, _environment(source.uri_env))
    ]
    if len(at) == 1:
        return at[0]
    raise UsageError(
        f"{len(sources)} registries are configured, and nothing says which one is meant.",
        state="Nothing was read.",
        hint="Name it: --registry "
        + " or --registry ".join(source.name for source in sources)
        + ".",
    )


def _environment(variable: str | None) -> str | None:
    return os.environ.get(variable) if variable else None


def refuse_registry(data: Mapping[str, Any], path: Path) -> None:
    """Say how a `[registry]` table of old is written now.

    Raises:
        ConfigError: the file has one.
    """
    table = data.get("registry")
    if table is None:
        return
    lines = ["[[source]]"]
    if isinstance(table, dict):
        lines += [
            f"{key} = {json.dumps(redact_uri(table[key]), ensure_ascii=False)}"
            for key in ("name", "uri", "uri_env")
            if isinstance(table.get(key), str)
        ]
    raise ConfigError(
        f"{path}: [registry] is now [[source]], of which there may be several.",
        state="No settings were loaded.",
        hint="Replace the table with:\n" + "\n".join(lines),
    )
