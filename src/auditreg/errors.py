"""Every error auditreg raises on purpose, and the exit code each one ends in.

    AuditregError            2   base: what failed, what state things are in, what to do
    ├── UsageError           2   the command or a file given to it cannot be used as it is
    ├── ConfigError          2   auditreg.toml, waivers.toml, a framework or template is wrong
    ├── SourceError          2   the registry cannot be read, or not completely
    ├── LedgerError          2   the ledger file cannot be opened, read or replaced
    ├── RuleError            2   a rule cannot be read or is refused
    ├── RenderError          2   a report cannot be made or written
    ├── NothingToAudit       3   there is no registered model to judge
    └── VerificationError    4   the record does not verify

The command line turns them into three lines on standard error and the exit code; nothing below
it prints or exits.
"""

from __future__ import annotations

import enum
import errno
import re

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What the system answers where a file system has no locks."""


class ExitCode(enum.IntEnum):
    """What a command's exit status means; see the table in README.md."""

    OK = 0
    """Nothing open at or above the chosen severity."""
    FINDINGS = 1
    """Open findings, or a stale ledger for `auditreg status`."""
    ERROR = 2
    """A usage or operational error, an incomplete extraction, or a rule that could not be run."""
    NOTHING = 3
    """Nothing to audit."""
    NOT_VERIFIED = 4
    """Something does not verify."""


_PRECEDENCE = (
    ExitCode.NOT_VERIFIED,
    ExitCode.ERROR,
    ExitCode.NOTHING,
    ExitCode.FINDINGS,
    ExitCode.OK,
)


def worst(*codes: ExitCode) -> ExitCode:
    """The code that is reported where several hold: 4, 2, 3, 1, 0 in that order."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.OK)


class AuditregError(Exception):
    """Base of all errors meant for people.

    Args:
        what: what failed, one sentence.
        state: what state things are in now ("The ledger was not changed.").
        hint: what to do next; may hold a command.
    """

    exit_code = ExitCode.ERROR

    def __init__(self, what: str, *, state: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.state = state
        self.hint = hint

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.state, self.hint) if part)


class UsageError(AuditregError):
    """The command, or a file given to it, cannot be used as it is."""


class ConfigError(AuditregError):
    """auditreg.toml, waivers.toml, a framework or a template is wrong."""


class SourceError(AuditregError):
    """The registry cannot be read, or not completely."""


class LedgerError(AuditregError):
    """The ledger file cannot be opened, read or replaced."""


class RuleError(AuditregError):
    """A rule cannot be read, or is refused before it runs."""


class RenderError(AuditregError):
    """A report cannot be made or written."""


class NothingToAudit(AuditregError):
    """There is no registered model to judge."""

    exit_code = ExitCode.NOTHING


class VerificationError(AuditregError):
    """The record does not verify."""

    exit_code = ExitCode.NOT_VERIFIED


def first_line(error: object) -> str:
    """The first line of an error's text: further ones of DuckDB show the statement."""
    return str(error).strip().partition("\n")[0]


_TEXT = re.compile(r"""\S+?(?=\s|$|["'](?:[\s,;:.)\]}#]|$))""")
"""What may be one address: no blank is in it, and no quote that ends it."""

_PASSWORD = re.compile(
    r"(?<![\w+.-])(?P<before>(?:(?i:postgres|mysql|maria)[\w+.-]*://[^/:]*:|"
    r"[\w+.-]+://[^/:]*:(?!\d+/)))"  # the port of a server whose path holds an @ is no password
    r"(?P<password>(?:(?!://).)*|.*)@"  # of several addresses, each has its own
)
_QUERY_SECRET = re.compile(
    r"(?i)([?&][\w.-]*(?:password|passwd|token|secret|signature|sig|key)=)[^&]+"
)


def redact_uri(text: str) -> str:
    """The text with the password of every URI in it replaced by `***`."""
    return _TEXT.sub(lambda match: _redacted(match[0]), text)


def _redacted(text: str) -> str:
    logins, at, rest = text.rpartition("@")
    hidden = _PASSWORD.sub(r"\g<before>***@", logins + at)
    return _QUERY_SECRET.sub(r"\1***", hidden + rest)


def password_of(uri: str) -> str | None:
    """The password in an address; None where it has none."""
    match = _PASSWORD.match(uri)
    return match["password"] if match else None
