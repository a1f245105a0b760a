"""What is wrong with an `auditreg.toml`, in words: the key, what is allowed, the likely slip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from auditreg.config import calendar
from auditreg.config.settings import ConfigFile, FieldSettings, SourceSettings, Tags
from auditreg.errors import ConfigError, UsageError
from auditreg.fields import FIELD_IDS

if TYPE_CHECKING:
    from pathlib import Path

STATE = "No settings were loaded."
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def near(word: str, known: tuple[str, ...] | list[str]) -> str | None:
    """The known word that `word` was most likely meant to be, if one is close."""
    import difflib

    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.75)
    return folded[close[0]] if close else None


def explain(error: msgspec.ValidationError, path: Path, data: object) -> ConfigError:
    """The error of a file that does not fit the types, for people; `data` is what it holds."""
    message, _, where = str(error).partition(" - at `")
    where = where.removesuffix("`")
    found = _PATH_PART.findall(where.removeprefix("$"))
    parts = _written([name or index for name, index in found], data)
    if match := _UNKNOWN.fullmatch(message):
        return _unknown_key(match["key"], parts, path)
    key = _dotted(parts)
    at = f" at {key}" if key else ""
    hint = (
        _allowed_values(message, parts) or "See `auditreg config schema` for what each key takes."
    )
    return ConfigError(f"{path}{at}: {_plain(message)}.", state=STATE, hint=hint)


def allowed_keys(parts: list[str]) -> tuple[str, ...]:
    """The keys a table of the file may hold; empty where any name is allowed."""
    kind = _kind(parts)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return kind.__struct_encode_fields__
    return ()


def _written(parts: list[str], data: object) -> list[str]:
    """The place with the keys that the file has where msgspec, of a free key, says `...`."""
    kind: object = ConfigFile
    written = []
    for part in parts:
        key = part
        if part == "..." and isinstance(data, dict):
            key = _wrong_key(data, get_args(kind)[1])
        data = data.get(key) if isinstance(data, dict) else _item(data, key)
        kind = _below(kind, key)
        written.append(key)
    return written


def _wrong_key(data: Mapping[str, object], kind: Any) -> str:
    """The first key whose value is not what its type takes: that is the one msgspec means."""
    for key, value in data.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return key
    return "..."


def _item(data: object, index: str) -> object:
    """An item of a list; None where there is none."""
    if isinstance(data, list) and index.isdecimal() and int(index) < len(data):
        return data[int(index)]
    return None


def _kind(parts: list[str]) -> object:
    """The type of what stands at a place of the file."""
    kind: object = ConfigFile
    for part in parts:
        kind = _below(kind, part)
    return kind


def _below(kind: object, part: str) -> object:
    if isinstance(kind, type) and issubclass(kind, Struct):
        types = {info.encode_name: info.type for info in msgspec.structs.fields(kind)}
        return _bare(types.get(part))
    if get_origin(kind) in (tuple, dict):
        return _bare(get_args(kind)[0 if get_origin(kind) is tuple else 1])
    return None


def _bare(kind: object) -> object:
    """The type inside `Annotated[...]`; of `Tags | FieldSettings`, the table."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    members = [m for m in get_args(kind) if isinstance(m, type) and issubclass(m, Struct)]
    return members[0] if members and get_origin(kind) not in (tuple, dict) else kind


def _unknown_key(key: str, parts: list[str], path: Path) -> ConfigError:
    allowed = allowed_keys(parts)
    meant = near(key, allowed)
    table = _dotted(parts)
    return ConfigError(
        f"{path}: there is no setting {_dotted([*parts, key])}.",
        state=STATE,
        hint=(f"Did you mean {meant}? " if meant else "")
        + (f"[{table}] takes: " if table else "The file takes: ")
        + ", ".join(allowed)
        + ".",
    )


def _dotted(parts: list[str]) -> str:
    """`people[0].roles`; an unknown dictionary key (`...`) is written `*`."""
    text = ""
    for part in parts:
        if part.isdecimal():
            text += f"[{part}]"
        else:
            text += ("." if text else "") + ("*" if part == "..." else part)
    return text


def _plain(message: str) -> str:
    """The sentence of msgspec with TOML's words for types."""
    words = {"`array`": "a list", "`object`": "a table", "`str`": "text", "`int`": "a whole number"}
    words |= {"`array | null`": "a list", "`object | array`": "a table", "`str | null`": "text"}
    words |= {"`bool`": "true or false", "`float`": "a number", "`date`": "a date"}
    for word, plain in words.items():
        message = message.replace(word, plain)
    if missing := _MISSING.fullmatch(message):
        return f"the key {missing['key']} is missing"
    if "RFC3339" in message:
        return "Expected a date such as 2026-09-30"
    return message


def _allowed_values(message: str, parts: list[str]) -> str:
    if "Invalid enum value" not in message:
        return ""
    kind = _kind(parts)
    if get_origin(kind) is Union or isinstance(kind, UnionType):
        kind = next((option for option in get_args(kind) if get_origin(option) is Literal), None)
    values = [str(value) for value in get_args(kind)]
    return f"It takes {', '.join(values[:-1])} and {values[-1]}."


def check(config: ConfigFile, path: Path) -> None:
    """What types cannot say.

    Raises:
        ConfigError: with the key and what is allowed.
    """
    _check_sources(config.source, path)
    _check_calendar(config, path)
    _check_fields(config.fields, f"{path} at fields")
    _check_frameworks(config, path)
    for index, pattern in enumerate(config.secrets.patterns):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"{path} at secrets.patterns[{index}]: {pattern!r} is not a regular "
                f"expression: {error}.",
                state=STATE,
            ) from error


def _check_sources(sources: tuple[SourceSettings, ...], path: Path) -> None:
    seen: dict[str, int] = {}
    for index, source in enumerate(sources):
        at = f"{path} at source[{index}]"
        if source.name in seen:
            raise ConfigError(
                f"{at}: the name {source.name!r} is also that of source[{seen[source.name]}].",
                state=STATE,
                hint="Each registry has a name of its own; it is how the ledger tells them apart.",
            )
        seen[source.name] = index
        _check_address(source, at)
        choice = source.workspaces
        if choice.only and choice.except_:
            raise ConfigError(
                f"{at}.workspaces: only and except are both set.",
                state=STATE,
                hint="Name the workspaces that are read, or those that are not.",
            )
        _check_fields(source.fields, f"{at}.fields")
        for name, conventions in source.workspace.items():
            _check_fields(conventions.fields, f"{at}.workspace.{name}.fields")
            if name in choice.except_ or (choice.only and name not in choice.only):
                raise ConfigError(
                    f"{at}.workspace.{name}: this workspace is not read.",
                    state=STATE,
                    hint="Correct workspaces, or take the table out.",
                )


def _check_address(source: SourceSettings, at: str) -> None:
    for key, uri, variable in (
        ("uri", source.uri, source.uri_env),
        ("tracking_uri", source.tracking_uri, source.tracking_uri_env),
        ("auth_uri", source.auth_uri, source.auth_uri_env),
    ):
        if uri is not None and variable is not None:
            raise ConfigError(
                f"{at}: {key} and {key}_env are both set.",
                state=STATE,
                hint=f"Keep {key}_env where the URI holds a password, {key} where it does not.",
            )


def _check_calendar(config: ConfigFile, path: Path) -> None:
    try:
        calendar.zone(config.calendar.timezone)
    except UsageError as error:
        raise ConfigError(
            f"{path} at calendar.timezone: {error.what}", state=STATE, hint=error.hint
        ) from error


def _check_fields(fields: Mapping[str, Tags | FieldSettings], at: str) -> None:
    for name, setting in fields.items():
        if name in FIELD_IDS or isinstance(setting, FieldSettings):
            continue
        # A list under a new id defines a field; one under a misspelt id would silently do the
        # same and leave the field that was meant without its tags.
        if meant := near(name, FIELD_IDS):
            raise ConfigError(
                f"{at}.{name}: there is no built-in field of that name.",
                state=STATE,
                hint=f"Did you mean {meant}? To define a field of your own, write a table: "
                f'[fields.{name}] with title = "…" and tags = […].',
            )


def _check_frameworks(config: ConfigFile, path: Path) -> None:
    seen: set[str] = set()
    for index, applied in enumerate(config.frameworks.applied):
        if applied.id in seen:
            raise ConfigError(
                f"{path} at frameworks.applied[{index}]: {applied.id!r} is named twice.",
                state=STATE,
                hint="Say once whether a framework applies.",
            )
        seen.add(applied.id)
