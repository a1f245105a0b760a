"""`auditreg.toml`: what a firm's names, people and calendar are.

Every setting has a default that works on a plain registry, so no file is needed. What the file
may hold is defined in `auditreg.config.settings`; days and quarters are in
`auditreg.config.calendar`.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from auditreg.config import calendar, sources
from auditreg.config.calendar import Period
from auditreg.config.check import check, explain
from auditreg.config.decisions import check_decisions, decision_texts
from auditreg.config.people import check_people, people_settings
from auditreg.config.settings import (
    ConfigFile,
    Conventions,
    FieldSettings,
    Person,
    SeverityName,
    SourceSettings,
    Tags,
    json_schema,
)
from auditreg.errors import ConfigError, redact_uri
from auditreg.fields import FIELDS, Field

if TYPE_CHECKING:
    from datetime import date, datetime

__all__ = [
    "ENVIRONMENT",
    "FILE_NAME",
    "Config",
    "FieldSettings",
    "Period",
    "Person",
    "SeverityName",
    "SourceSettings",
    "effective_settings",
    "json_schema",
    "load_config",
    "parse_config",
]

ENVIRONMENT = "AUDITREG_CONFIG"
FILE_NAME = "auditreg.toml"


class Config(ConfigFile, frozen=True, forbid_unknown_fields=True):
    """The settings in force. `Config()` is the defaults.

    `path` is the file they were read from, None for defaults; `text` is its text without
    passwords, as it is sealed in the ledger; `keys_set` holds the dotted keys it sets.
    `sealed_waivers` is the text of the waivers beside it, where both were read from a ledger.
    """

    path: Path | None = None
    text: str = ""
    keys_set: frozenset[str] = frozenset()
    sealed_waivers: str | None = None

    def origin(self, key: str) -> Literal["default", "file"]:
        """Whether the file sets a dotted key (`live.stages`), or something below it."""
        below = f"{key}."
        is_given = key in self.keys_set or any(name.startswith(below) for name in self.keys_set)
        return "file" if is_given else "default"

    def resolve(self, name: str) -> Path:
        """A path from the file, taken relative to the file's folder."""
        base = self.path.parent if self.path else Path()
        return base / Path(name).expanduser()

    @property
    def ledger_path(self) -> Path:
        """The ledger file."""
        return self.resolve(self.ledger.path)

    @property
    def key_file(self) -> Path | None:
        """The key for hashing secrets; None for the one beside the ledger."""
        return self.resolve(self.secrets.key_file) if self.secrets.key_file else None

    @property
    def registries(self) -> tuple[str, ...]:
        """Names of the registries that are configured; `default` where none is."""
        return tuple(source.name for source in self.source) or (SourceSettings().name,)

    def registry(self, name: str | None = None, *, uri: str | None = None) -> str:
        """The registry that is meant: the one named, the one at `uri`, or the only one.

        Raises:
            UsageError: several are configured, and nothing says which.
        """
        return sources.registry(self.source, name, uri)

    def governance_fields(self) -> tuple[Field, ...]:
        """Every governance field with the tags in force: built-in ones first, then your own.

        Tags that only a registry or a workspace uses stand behind the general ones.
        """
        fields = {field.id: _overridden(field, self.fields.get(field.id)) for field in FIELDS}
        for name, setting in self.fields.items():
            if name not in fields:
                fields[name] = _overridden(_new_field(name), setting)
        for _, conventions in sources.conventions(self.source):
            for name, setting in conventions.fields.items():
                definition = fields.get(name) or _overridden(_new_field(name), setting)
                further = _tags(setting)
                tags = dict.fromkeys((*definition.tags, *further))
                fields[name] = replace(definition, tags=tuple(tags))
        return tuple(fields.values())

    def moment(self, text: str | date | datetime) -> datetime:
        """The UTC moment of a date or date-time, in the configured zone."""
        return calendar.moment(text, self.calendar.timezone)

    def period(self, text: str) -> Period:
        """The period a text stands for, in the configured calendar."""
        return calendar.period(text, self.calendar.timezone, self.calendar.fiscal_year_start_month)

    def quarter_of(self, as_of: datetime) -> Period:
        """The fiscal quarter that contains `as_of`, in the configured calendar."""
        return calendar.quarter_of(
            as_of, self.calendar.timezone, self.calendar.fiscal_year_start_month
        )


def _new_field(name: str) -> Field:
    return Field(name, None, name.replace("_", " ").capitalize(), ())


def _tags(setting: Tags | FieldSettings) -> Tags:
    return setting.tags if isinstance(setting, FieldSettings) else setting


def _overridden(definition: Field, setting: Tags | FieldSettings | None) -> Field:
    if setting is None:
        return definition
    if isinstance(setting, FieldSettings):
        return replace(definition, title=setting.title or definition.title, tags=setting.tags)
    return replace(definition, tags=setting)


def load_config(path: Path | None = None) -> Config:
    """Read the settings.

    The first of these counts: `path`, the file named by `AUDITREG_CONFIG`, `auditreg.toml` in
    the current folder, the defaults.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds something that is not allowed.
    """
    named = path or (Path(value) if (value := os.environ.get(ENVIRONMENT)) else None)
    if named is None:
        if not Path(FILE_NAME).exists():
            return Config()
        named = Path(FILE_NAME)
    try:
        text = named.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"{named} cannot be read: {reason}.",
            state="No settings were loaded.",
            hint=f"Check --config and {ENVIRONMENT}, or leave both out to use the defaults.",
        ) from error
    return parse_config(text, named)


def parse_config(text: str, path: Path) -> Config:
    """Read settings from a text; `path` is named in errors and paths are relative to it.

    Raises:
        ConfigError: as `load_config`.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not TOML: {error}.",
            state="No settings were loaded.",
            hint="Text goes in quotes, lists in [brackets], dates as 2026-09-30.",
        ) from error
    sources.refuse_registry(data, path)
    try:
        read = msgspec.convert(data, ConfigFile)
    except msgspec.ValidationError as error:
        raise explain(error, path, data) from error
    check(read, path)
    check_people(read, path)
    check_decisions(read.decisions, path)
    parts = {name: getattr(read, name) for name in ConfigFile.__struct_fields__}
    return Config(**parts, path=path, text=redact_uri(text), keys_set=frozenset(_keys(data)))


def _keys(data: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in data.items():
        key = f"{prefix}{name}"
        keys += _keys(value, f"{key}.") if isinstance(value, dict) and value else [key]
    return keys


def effective_settings(config: Config) -> dict[str, object]:
    """The settings as plain JSON values, under the names that the ledger seals them by.

    `timezone`, `fiscal_year_start_month`, `policy_effective` (ISO text or None),
    `cadence_<rating>`, `live.stages`, `live.aliases`, `<rule-id>.<param>`, the lists `people`,
    `bodies` and `authorities`, `fields.<id>.of`; `fields`: tags by id for the governance fields the file sets;
    `decisions`: what the firm's own texts stand for, by text; and `conventions`: what differs in a
    registry (`pricing`) or one of its workspaces (`pricing/claims`), under the same names.
    Nothing secret is among them.
    """
    effective = config.policy.effective
    settings: dict[str, object] = {
        "timezone": config.calendar.timezone,
        "fiscal_year_start_month": config.calendar.fiscal_year_start_month,
        "policy_effective": effective.isoformat() if effective else None,
        "live.stages": list(config.live.stages),
        "live.aliases": list(config.live.aliases),
    }
    for rating, days in sorted(config.review.cadences.items()):
        settings[f"cadence_{rating}"] = days
    for rule, params in sorted(config.rules.params.items()):
        for name, value in sorted(params.items()):
            settings[f"{rule}.{name}"] = value
    settings |= people_settings(config)
    settings["fields"] = {name: list(_tags(setting)) for name, setting in config.fields.items()}
    for name, setting in sorted(config.fields.items()):
        if isinstance(setting, FieldSettings) and setting.of:
            settings[f"fields.{name}.of"] = setting.of
    differing = {
        place: _differing(setting) for place, setting in sources.conventions(config.source)
    }
    if texts := decision_texts(config.decisions):
        settings["decisions"] = texts
    if conventions := {place: values for place, values in differing.items() if values}:
        settings["conventions"] = conventions
    return settings


def _differing(conventions: Conventions) -> dict[str, object]:
    """What a registry or a workspace sets, under the names of the general settings."""
    values: dict[str, object] = {
        f"live.{name}": list(given)
        for name, given in (
            ("stages", conventions.live.stages),
            ("aliases", conventions.live.aliases),
        )
        if given is not None
    }
    values |= {
        f"cadence_{rating.lower()}": n for rating, n in conventions.review.cadence_days.items()
    }
    if conventions.fields:
        values["fields"] = {
            name: list(_tags(setting)) for name, setting in conventions.fields.items()
        }
    return values
