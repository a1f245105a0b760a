"""Keeps passwords out of what is shown and logged: those of addresses, and those of the environment."""

from __future__ import annotations

import logging
import os
from urllib.parse import unquote

from auditreg.errors import password_of, redact_uri

_SHORTEST = 4
"""A secret of fewer characters is hidden in URIs only: it would be found in any word."""
_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN")

_secrets: set[str] = set()


def redact(uri: str | None) -> None:
    """Keep the password of an address out of everything that is logged from now on."""
    if password := password_of(uri or ""):
        _secrets.update({password, unquote(password)})


def redacted(text: str) -> str:
    """The text without passwords: those of URIs, and those that are known."""
    hidden = redact_uri(text)
    known = _secrets | {os.environ.get(name, "") for name in _VARIABLES}
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            hidden = hidden.replace(secret, "***")
    return hidden


class Redaction(logging.Filter):
    """Takes passwords out of a record before a handler writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a record that cannot be formatted is still a record
            text = str(record.msg)
        record.msg, record.args = redacted(text), None
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        record.fields = {
            name: redacted(value) if isinstance(value, str) else value
            for name, value in (getattr(record, "fields", None) or {}).items()
        }
        return True
