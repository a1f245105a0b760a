"""Rule files: a `/* TOML */` header, then exactly one SELECT.

The built-in rules lie beside this module in `library/`; a firm's own are read from folders. A
file that is not a rule is an error with its name and the key that is wrong, never skipped.
"""

from __future__ import annotations

import difflib
import enum
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from auditreg.errors import RuleError, UsageError
from auditreg.models import Extent, Repair, RuleInfo, Scope, Severity
from auditreg.rules import validate

REQUIRED = (
    "title",
    "severity",
    "scope",
    "repair",
    "looks_for",
    "rationale",
    "remediation",
)
"""Keys every header has."""

OPTIONAL = ("finding", "severity_by_rating", "covered_by", "reads", "params", "aliases")
"""Keys a header may have: what is wrong where the rule finds something (the title if left out), severities
by the model's risk rating where they differ, the rule whose finding is the cause of what this one finds,
how much of the record it reads if more than the model as it is, `[params]` (name = default) and former ids."""

_Word = TypeVar("_Word", bound=enum.StrEnum)

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEADER = re.compile(r"\s*/\*(?P<header>.*?)\*/\s*(?P<sql>.*)", re.DOTALL)
_PARAM = re.compile(r"[a-z][a-z0-9_]*")
_HINT = "`auditreg rules show owner-recorded` prints a rule that can be copied."


def parse_rule(text: str, name: str, *, custom: bool = False, trusted: bool = False) -> RuleInfo:
    """Read one rule.

    Args:
        text: the whole file.
        name: the file's name, with or without `.sql`; the rule's id.
        custom: whether it is a firm's own; those run in a child process.
        trusted: whether its SQL was checked before; true for the built-in rules only, whose check
            is among the tests.

    Raises:
        RuleError: the header or the SQL is not a rule's.
    """
    rule_id = name.removesuffix(".sql")
    if not _ID.fullmatch(rule_id):
        raise _error(name, "the file's name is the rule's id: lower-case words joined by hyphens")
    match = _HEADER.match(text)
    if match is None:
        raise _error(name, "it has to begin with a header /* ... */")
    header = _header(match["header"], name)
    params = header.get("params", {})
    sql = match["sql"].strip()
    if not trusted:
        before = text[: match.start("sql")].count("\n")
        validate.check_sql(sql, name, lines_before=before)
    return RuleInfo(
        id=rule_id,
        title=_text(header, "title", name),
        finding=_text(header, "finding" if "finding" in header else "title", name),
        covered_by=_text(header, "covered_by", name) if "covered_by" in header else None,
        severity=_choice(header, "severity", Severity, name),
        severity_by_rating=_by_rating(header.get("severity_by_rating", {}), name),
        scope=_choice(header, "scope", Scope, name),
        reads=_choice(header, "reads", Extent, name) if "reads" in header else Extent.MODEL,
        repair=_choice(header, "repair", Repair, name),
        looks_for=_text(header, "looks_for", name),
        rationale=_text(header, "rationale", name),
        remediation=_text(header, "remediation", name),
        sql=sql.rstrip(";").rstrip(),
        text=text,
        params=_params(params, name),
        aliases=_aliases(header.get("aliases", []), name),
        custom=custom,
    )


def builtin_rules() -> tuple[RuleInfo, ...]:
    """The rules that come with auditreg, by id."""
    library = resources.files(__package__).joinpath("library")
    files = sorted((f for f in library.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(parse_rule(f.read_text(encoding="utf-8"), f.name, trusted=True) for f in files)


def read_rule(path: Path, *, custom: bool = True) -> RuleInfo:
    """Read one rule file.

    Raises:
        RuleError: the file cannot be read or is not a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _error(str(path), f"it cannot be read: {reason}") from error
    return parse_rule(text, path.name, custom=custom)


def load_rules(folders: Iterable[Path] = ()) -> tuple[RuleInfo, ...]:
    """The built-in rules and those of a firm's own folders (every `*.sql`, not in subfolders).

    Raises:
        RuleError: a folder is missing, a file is not a rule, or an id or alias is used twice.
    """
    rules = list(builtin_rules())
    for folder in folders:
        if not folder.is_dir():
            raise RuleError(
                f"There is no rule folder {folder}.",
                state="No rule was run.",
                hint="Check `packs` under [rules] in auditreg.toml; paths are relative to it.",
            )
        rules += [read_rule(path) for path in sorted(folder.glob("*.sql"))]
    owner: dict[str, RuleInfo] = {}
    for rule in rules:
        for used in (rule.id, *rule.aliases):
            if used in owner:
                raise _error(f"{rule.id}.sql", f"the id or alias {used!r} is already taken")
            owner[used] = rule
    for rule in rules:
        if rule.covered_by is not None and rule.covered_by not in owner:
            raise _error(
                f"{rule.id}.sql", f"'covered_by' names {rule.covered_by!r}, which is no rule"
            )
    return tuple(rules)


def select_rules(rules: Sequence[RuleInfo], names: Iterable[str]) -> tuple[RuleInfo, ...]:
    """The rules of the given ids or aliases, in the rules' own order.

    Raises:
        UsageError: no rule has that id; the message names the nearest.
    """
    by_name = {name: rule for rule in rules for name in (rule.id, *rule.aliases)}
    chosen = set()
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, list(by_name), n=3)
            raise UsageError(
                f"There is no rule {name!r}.",
                state="Nothing was checked.",
                hint=f"Did you mean {', '.join(near)}?" if near else "See `auditreg rules list`.",
            )
        chosen.add(by_name[name].id)
    return tuple(rule for rule in rules if rule.id in chosen)


def _header(text: str, name: str) -> dict[str, object]:
    try:
        header = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error(name, f"its header is not TOML: {error}") from error
    except RecursionError as error:
        raise _error(name, "its header nests too deeply") from error
    for key in header:
        if key not in (*REQUIRED, *OPTIONAL):
            near = difflib.get_close_matches(key, [*REQUIRED, *OPTIONAL], n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise _error(name, f"its header has an unknown key {key!r}{meant}")
    for key in REQUIRED:
        if key not in header:
            raise _error(name, f"its header lacks the key {key!r}")
    return header


def _text(header: dict[str, object], key: str, name: str) -> str:
    """One paragraph; line breaks in the file are for its reader only."""
    value = header[key]
    if not isinstance(value, str) or not value.strip():
        raise _error(name, f"{key!r} has to be a text")
    return " ".join(value.split())


def _by_rating(value: object, name: str) -> dict[str, Severity]:
    if not isinstance(value, dict):
        raise _error(name, "'severity_by_rating' has to be a table of ratings and severities")
    return {rating.strip().lower(): _choice(value, rating, Severity, name) for rating in value}


def _choice(header: dict[str, object], key: str, kind: type[_Word], name: str) -> _Word:
    try:
        return kind(str(header[key]))
    except ValueError as error:
        allowed = ", ".join(kind)
        raise _error(name, f"{key!r} is {header[key]!r}; allowed: {allowed}") from error


def _params(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _error(name, "'params' has to be a table of names and defaults")
    for param, default in value.items():
        if not _PARAM.fullmatch(param) or not isinstance(default, str | int | float | bool):
            raise _error(name, f"the parameter {param!r} has to be a plain name and a plain value")
    return dict(value)


def _aliases(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(alias, str) and _ID.fullmatch(alias) for alias in value
    ):
        raise _error(name, "'aliases' has to be a list of former ids")
    return tuple(value)


def _error(name: str, problem: str) -> RuleError:
    return RuleError(f"Rule file {name}: {problem}.", state="No rule was run.", hint=_HINT)
