"""Reading what somebody gives the ledger to keep: JSON Lines of records and of deployments.

A file is taken as a whole or not at all, so the first line that is not as documented ends it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

import msgspec
from msgspec import Struct, field

from auditreg.errors import UsageError
from auditreg.ledger.entries import epoch_ms

SECRET = "$secret"  # noqa: S105 - stands where a secret was
"""What a secret counts as in a fingerprint: the same whatever it is."""

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_DIGEST = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{64})")
_STATE = "Nothing was recorded."
_HINT = "The form of the lines: docs/imports.md; nothing of a file is recorded before all of it is right."

What = Literal[
    "stage",
    "alias",
    "tag",
    "approval",
    "deployment",
    "description",
    "registered",
    "deleted",
    "other",
]


class HistoryLine(Struct, forbid_unknown_fields=True):
    """One line of `import history`."""

    at: str
    model: str
    what: What
    system: str
    version: int | None = None
    workspace: str | None = None
    registry: str | None = None
    item: str | None = None
    before: str | int | None = None
    after: str | int | None = None
    actor: str | None = None
    reference: str | None = None
    note: str | None = None


class DeploymentLine(Struct, forbid_unknown_fields=True):
    """One line of `import deployments`."""

    system: str
    model: str
    from_: str = field(name="from")
    version: int | None = None
    digest: str | None = None
    registry: str | None = None
    workspace: str | None = None
    until: str | None = None
    environment: str | None = None
    reference: str | None = None


@dataclass(slots=True)
class ImportedRecord:
    """A line as it is recorded; times are UTC, whole milliseconds.

    `texts` are looked through for credentials; `key` is what `before` and `after` are values of.
    `identity` says which texts and further values make the subject of the entry; None for all.
    """

    kind: str
    at: datetime
    registry: str | None
    workspace: str | None
    model: str
    version: int | None
    key: str
    texts: dict[str, str | None]
    fixed: dict[str, Any]
    identity: tuple[str, ...] | None = None
    actor: str | None = None

    def values(self) -> dict[str, Any]:
        """Everything the line says, as plain values, secrets left out."""
        values = {
            "kind": self.kind,
            "at": epoch_ms(self.at),
            "registry": self.registry,
            "workspace": self.workspace,
            "model": self.model,
            "version": self.version,
            "actor": self.actor,
            **self.texts,
            **self.fixed,
        }
        return {
            name: SECRET if isinstance(value, str) and value.startswith("\x00") else value
            for name, value in values.items()
        }

    def fingerprint(self) -> str:
        """SHA-256 over everything the line says: the same line is recorded once."""
        return _digest(self.values())

    def subject(self) -> str:
        """Key of what the entry is about: the record itself, or the deployment."""
        values = self.values()
        if self.identity is not None:
            values = {name: values[name] for name in self.identity}
        return f"{self.kind[0]}-{_digest(values)[:16]}"


def parse_history(content: bytes, name: str) -> list[ImportedRecord]:
    """The records of a file of `import history`; `name` stands for it in errors.

    Raises:
        UsageError: a line is not as documented, or there is none.
    """
    return _parse(content, name, HistoryLine, _history)


def parse_deployments(content: bytes, name: str) -> list[ImportedRecord]:
    """The records of a file of `import deployments`; as `parse_history`."""
    return _parse(content, name, DeploymentLine, _deployment)


def _parse(
    content: bytes, name: str, form: type[Any], record: Callable[[Any], ImportedRecord]
) -> list[ImportedRecord]:
    decoder = msgspec.json.Decoder(form)
    records: list[ImportedRecord] = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            raw.decode()
            line = decoder.decode(raw)
            json.loads(raw, object_pairs_hook=_once)
            records.append(record(line))
        except UnicodeDecodeError:
            _refuse(name, number, "it is not UTF-8 text")
        except msgspec.ValidationError as error:
            _refuse(name, number, _explained(str(error), form))
        except msgspec.DecodeError as error:
            _refuse(name, number, f"it is not a JSON object: {error}")
        except ValueError as error:
            _refuse(name, number, str(error))
    if not records:
        raise UsageError(f"{name} holds no record.", state=_STATE, hint=_HINT)
    return records


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Raise ValueError if a key stands twice, of which a decoder takes the last without a word."""
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key `{key}` stands in it twice")


def _refuse(name: str, number: int, why: str) -> NoReturn:
    raise UsageError(f"{name}, line {number}: {why}.", state=_STATE, hint=_HINT)


def _explained(message: str, form: type[Any]) -> str:
    """A message of msgspec in words, with the keys there are where one is unknown."""
    what, _, where = message.partition(" - at `$.")
    if unknown := _UNKNOWN.fullmatch(what):
        keys = ", ".join(form.__struct_encode_fields__)
        return f"there is no key `{unknown['key']}`; keys: {keys}"
    what = what.replace("Object missing required field", "it lacks the key")
    what = what.replace("Expected `object`, got", "it is not a JSON object but")
    what = what[0].lower() + what[1:]
    return f"`{where.rstrip('`')}`: {what}" if where else what


def _history(line: HistoryLine) -> ImportedRecord:
    texts = _texts(line, "item", "before", "after", "actor", "system", "reference", "note")
    _required(line, "model", "system")
    _number(line.version)
    return ImportedRecord(
        kind="history_record",
        at=_moment(line.at, "at"),
        registry=line.registry,
        workspace=line.workspace,
        model=line.model,
        version=line.version,
        key=line.item or line.what,
        actor=texts.pop("actor"),
        texts=texts,
        fixed={"what": line.what},
    )


def _deployment(line: DeploymentLine) -> ImportedRecord:
    texts = _texts(line, "system", "environment", "reference")
    _required(line, "model", "system")
    _number(line.version)
    if line.version is None and line.digest is None:
        raise ValueError("it has neither `version` nor `digest`")
    begun = _moment(line.from_, "from")
    ended = None if line.until is None else _moment(line.until, "until")
    if ended is not None and ended <= begun:
        raise ValueError("`until` is not after `from`")
    return ImportedRecord(
        kind="deployment",
        at=begun,
        registry=line.registry,
        workspace=line.workspace,
        model=line.model,
        version=line.version,
        key="",
        texts=texts,
        fixed={
            "digest": _sha256(line.digest),
            "until_ms": None if ended is None else epoch_ms(ended),
        },
        identity=(
            *("kind", "at", "registry", "workspace", "model"),
            *("version", "digest", "system", "environment"),
        ),
    )


def _texts(line: HistoryLine | DeploymentLine, *names: str) -> dict[str, str | None]:
    """Return the named texts; raise ValueError if any text of the line holds U+0000."""
    for name in line.__struct_fields__:
        value = getattr(line, name)
        if isinstance(value, str) and "\x00" in value:
            raise ValueError(f"`{name.rstrip('_')}` holds the character U+0000")
    values: Mapping[str, Any] = {name: getattr(line, name) for name in names}
    return {name: None if value is None else str(value) for name, value in values.items()}


def _required(line: HistoryLine | DeploymentLine, *names: str) -> None:
    for name in names:
        if not getattr(line, name).strip():
            raise ValueError(f"`{name}` is empty")


def _number(version: int | None) -> None:
    if version is not None and not 1 <= version < 2**31:
        raise ValueError("`version` is not a version number")


def _sha256(digest: str | None) -> str | None:
    if digest is None:
        return None
    match = _DIGEST.fullmatch(digest.strip().lower())
    if not match:
        raise ValueError("`digest` is not a SHA-256: 64 hexadecimal digits")
    return match["hex"]


def _moment(text: str, key: str) -> datetime:
    """A moment in UTC, in the whole milliseconds that entries can hold."""
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"`{key}` is not a moment of ISO 8601: {text[:40]!r}") from error
    if given.tzinfo is None:
        raise ValueError(
            f"`{key}` names no time zone: write 2026-09-30T17:00:00Z or with an offset"
        )
    try:
        moment = given.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise ValueError(f"`{key}` is out of range") from error
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
