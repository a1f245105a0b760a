"""Credentials that people logged as parameters and tags: found, and kept only as a keyed hash.

The key lies outside the ledger, readable by its owner alone. Whoever has the ledger but not the
key can neither read a secret nor confirm a guess; whoever has both can confirm one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import LedgerError
from auditreg.files import write_whole
from auditreg.kinds.staging import columns_with_credentials
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

SECRET_MARK = "\x00$secret:"  # noqa: S105 - a mark, no secret
"""Prefix of a staged value that was replaced; key id, colon and hash follow."""

KEY_PATTERN = (
    r"(?i)(pass(word|wd|phrase)|(^|[^a-z])pwd([^a-z]|$)|secret|credential|api[-_.]?key"
    r"|access[-_.]?key|private[-_.]?key|auth[-_.]?token|access[-_.]?token"
    r"|(^|[^a-z])token$|connection[-_.]?string|(^|[^a-z])sas[-_.]?(token|url))"
)
"""Names of parameters and tags that hold credentials."""

_DATABASE = r"\b(?:postgres|postgresql|mysql|mariadb|mssql|oracle)(?:\+[a-z0-9_]+)?://"
"""Addresses of databases: SQLAlchemy takes a password with a slash in it as it stands."""

VALUE_PATTERN = (
    r"(-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bglpat-[A-Za-z0-9_-]{20}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@"
    r"|(?i:" + _DATABASE + r")[^\s/:@]*:[^\s@]+@"
    r"|(?i:[?&][^=&\s]*(password|passwd|token|secret|sig|signature"
    r"|(secret|access|account|api|private)[-_]?key)=)[^&\s]{8})"
)
"""Values that are credentials whatever their name."""

_IN_TEXT = (
    (r"(?i)(" + _DATABASE + r"[^\s/@:]*):[^\s@\"']*@", r"\1:***@"),
    (r"(://[^\s/@:]*):[^\s/]*@", r"\1:***@"),
    (r"(?i)([?&][^=&\s]*(?:password|passwd|token|secret|sig|signature|key)=)[^&\s\"']+", r"\1***"),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY(?s:.*?)(?:-----END|$)", "***"),
    (r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bsk-[A-Za-z0-9_-]{20,}", "***"),
    (r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\bglpat-[A-Za-z0-9_-]{20}", "***"),
    (r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", "***"),
)
"""Credentials inside longer texts, and what stands in their place."""

_HARMLESS = r"^\s*(|[-+]?[0-9.]{1,5}|true|false|none|null|yes|no)\s*$"
"""Values too plain to be a credential: `max_tokens = 512`, `use_password = true`."""

_SUSPECT = (
    "(value is not null and ((regexp_matches(key, $names) and not regexp_matches(value, $plain)) "
    "or regexp_matches(value, $values)))"
)

STAGED = tuple(table for table, _ in columns_with_credentials("value"))
"""Staging tables whose values are looked through."""

TEXTS = {
    table: tuple(column.name for _, column in columns)
    for table, columns in itertools.groupby(
        columns_with_credentials("inside"), lambda place: place[0]
    )
}
"""Staged texts and addresses that may hold a credential somewhere inside."""

IMAGED = ("registered_model_tags", "model_version_tags")
IMAGE_TEXTS = {
    "registered_models": TEXTS["registered_models"],
    "model_versions": TEXTS["model_versions"],
    "notes": ("info", "path", "claimed"),
}
"""The same for what the server's journal tells."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of the hashes and its public id."""

    id: str
    secret: bytes

    def mark(self, value: str) -> str:
        """The staged replacement for a secret value."""
        digest = hmac.new(self.secret, value.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{SECRET_MARK}{self.id}:{digest.hexdigest()}"

    def hash(self, text: str) -> str:
        """Keyed hash of a text, hexadecimal."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def load_key(path: Path) -> Key:
    """The key in a file, made at first need with mode 0600.

    Raises:
        LedgerError: the file cannot be read or made, or holds no key.
    """
    try:
        make_key(path)
        secret = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError) as error:
        raise LedgerError(
            f"The key for hashing secrets, {path}, cannot be used: {error}.",
            state="Nothing was read or written.",
            hint="Restore the file, or move it away to have a new key made.",
        ) from error
    if len(secret) < 16:
        raise LedgerError(
            f"The key for hashing secrets, {path}, is too short.",
            state="Nothing was read or written.",
            hint="Restore the file, or move it away to have a new key made.",
        )
    return Key(hashlib.sha256(b"auditreg key id" + secret).hexdigest()[:12], secret)


def make_key(path: Path) -> bool:
    """Make a key where there is none; whether it was made here.

    It is there as a whole or not at all; whoever else makes one first wins.

    Raises:
        OSError: it cannot be made.
    """
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = base64.b64encode(secrets.token_bytes(32)) + b"\n"
    try:
        write_whole(path, secret, mode=0o600, new=True)
    except FileExistsError:
        return False
    return True


def name_pattern(extra: tuple[str, ...]) -> str:
    """The pattern of names that hold credentials, with those of the settings."""
    return "|".join((KEY_PATTERN, *(f"({pattern})" for pattern in extra)))


def mask(
    con: duckdb.DuckDBPyConnection,
    key: Key,
    extra: tuple[str, ...] = (),
    *,
    staged: Sequence[str] = STAGED,
    texts: Mapping[str, Sequence[str]] = TEXTS,
    prefix: str = "stage_",
) -> int:
    """Replace the secrets in staging tables by marks; the number replaced.

    Args:
        con: the connection that holds the staging tables.
        key: makes the hashes.
        extra: further regular expressions for names, from the settings.
        staged: tables whose `value` is looked through, by its `key`.
        texts: table to columns that may hold a credential somewhere inside.
        prefix: what the tables' names begin with.

    Raises:
        LedgerError: one of `extra` is not a regular expression.
    """
    import duckdb

    arguments = {
        "names": name_pattern(extra),
        "plain": _HARMLESS,
        "values": VALUE_PATTERN,
    }
    looked_for = " union all ".join(
        f"select distinct '{table}' as place, value from {prefix}{table} where {_SUSPECT}"
        for table in staged
    )
    # The patterns are tried on no row too: a wrong one is refused whatever the registry holds.
    tried = f"select '' as place, value from (select '' as key, '' as value) where {_SUSPECT}"
    try:
        suspects = con.execute(looked_for or tried, arguments).fetchall()
    except duckdb.InvalidInputException as error:
        raise LedgerError(
            f"A pattern under [secrets] is not a regular expression: {error}",
            state="The ledger was not changed.",
            hint="Correct `patterns` in auditreg.toml.",
        ) from error
    replaced = _replace_values(con, key, suspects, arguments, prefix) if suspects else 0
    return replaced + _clean_texts(con, texts, prefix)


def _replace_values(
    con: duckdb.DuckDBPyConnection,
    key: Key,
    suspects: Sequence[tuple[str, str]],
    arguments: Mapping[str, str],
    prefix: str,
) -> int:
    """Replace the values found, as (table, value), by their marks; the number replaced."""
    import pyarrow as pa

    replaced = 0
    values = {value for _, value in suspects}
    marks = pa.table({"plain": list(values), "mark": [key.mark(value) for value in values]})
    con.register("secret_marks", marks)
    for table in sorted({place for place, _ in suspects}):
        replaced += con.execute(
            f"update {prefix}{table} set value = mark from secret_marks "
            f"where value = plain and {_SUSPECT}",
            arguments,
        ).fetchall()[0][0]
    con.unregister("secret_marks")
    return replaced


def _clean_texts(
    con: duckdb.DuckDBPyConnection, texts: Mapping[str, Sequence[str]], prefix: str
) -> int:
    """Replace credentials inside texts and addresses, before anything is made of them."""
    if not texts:
        return 0
    cleaned, any_pattern = "{0}", "|".join(f"({pattern})" for pattern, _ in _IN_TEXT)
    for pattern, shown in _IN_TEXT:
        cleaned = f"regexp_replace({cleaned}, {_template(pattern)}, {_template(shown)}, 'g')"
    every_text = " union all ".join(
        f"select '{table}' as place, '{column}' as name, {column} as text from {prefix}{table}"
        for table, columns in texts.items()
        for column in columns
    )
    looked_for = (
        f"select distinct place, name from ({every_text}) where regexp_matches(text, $patterns)"
    )
    number = 0
    for table, column in con.execute(looked_for, {"patterns": any_pattern}).fetchall():
        number += con.execute(
            f"update {prefix}{table} set {column} = {cleaned.format(column)} "
            f"where regexp_matches({column}, $patterns)",
            {"patterns": any_pattern},
        ).fetchall()[0][0]
    return number


def _template(text: str) -> str:
    """The text as an SQL string inside a template that `str.format` fills."""
    return quoted(text).replace("{", "{{").replace("}", "}}")
