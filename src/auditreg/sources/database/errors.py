"""What a database server answered instead of rows, as an error that says what to do.

Servers answer in the language they are set to; their codes come first, words only where a
connection was never made and there is no code.
"""

from __future__ import annotations

import re

from auditreg.errors import SourceError, redact_uri
from auditreg.sources.database.dialect import UNCHANGED, UNRECORDED
from auditreg.sources.database.url import Address

_LOST = (
    "Nothing of this reading is kept: run it again. If it ends like this each time, look for a limit "
    "on idle or long connections in the database's settings or in a proxy before it."
)
_TLS = (
    "Ask what the server expects: sslmode=require or verify-full with sslrootcert=FILE behind the "
    "`?` of the address, or sslmode=disable where it offers no TLS."
)
_POSTGRESQL = {
    "28P01": "Check user and password; %, @, / and : in a password are written as %25, %40, %2F, %3A.",
    "28000": "pg_hba.conf of the server does not let this user in from here: ask who runs it.",
    "3D000": "Check the name of the database behind the last `/` of the address.",
    "57014": "The server ends queries that take so long. Set no limit for this reading: add "
    "`?options=-cstatement_timeout%3D0` to the address.",
    "25P03": "The server ends idle transactions. Add "
    "`?options=-cidle_in_transaction_session_timeout%3D0` to the address for this reading.",
    "40001": "A hot standby breaks off readings that hold back its replay. Set hot_standby_feedback = "
    "on or raise max_standby_streaming_delay there, or read when less is written.",
    "53300": "The server has no connection left: try again later, or raise max_connections.",
    "57P03": "The server is starting or stopping: try again in a minute.",
    "42P01": "The database changed while it was read, or it is not MLflow's.",
}
_WORDS = (
    (r"password authentication failed|no password supplied", "28P01"),
    (r"no pg_hba\.conf entry|role .* does not exist|is not permitted to log in", "28000"),
    (r"database .* does not exist", "3D000"),
    (r"too many (clients|connections)|remaining connection slots", "53300"),
    (r"starting up|shutting down|not yet accepting", "57P03"),
)
_MYSQL = {
    1045: "Check user and password, and from which hosts the user may log in; %, @, / and : in a "
    "password are written as %25, %40, %2F, %3A.",
    1698: "This user logs in another way than with a password: give auditreg one of its own.",
    1049: "Check the name of the database behind the last `/` of the address.",
    1044: "The user has no rights in this database: see `auditreg doctor --grants --dialect mysql`.",
    1040: "The server has no connection left: try again later, or raise max_connections.",
    1203: "This user has all the connections it may have: try again later.",
    1969: "The server ends queries that take so long: set max_statement_time = 0 for this user.",
    3024: "The server ends queries that take so long: set max_execution_time = 0 for this user.",
    1267: "Tables of this database have different collations: `ALTER TABLE … CONVERT TO` one, or read "
    "a copy of it.",
    1271: "Tables of this database have different collations: `ALTER TABLE … CONVERT TO` one, or read "
    "a copy of it.",
}
NO_TABLE, NO_COLUMN, TABLE_DENIED, COLUMN_DENIED = 1146, 1054, 1142, 1143
"""MySQL's numbers for what is not there and for what may not be read."""

_GONE = (2006, 2013, 2055, 1053, 1927, 4031, 0)


def postgresql(address: Address, location: str, error: BaseException) -> SourceError:
    """What libpq or PostgreSQL said, explained.

    Args:
        address: what was connected to; nothing secret in it is repeated.
        location: how the database is called in the message.
        error: the driver's error; its `sqlstate` is used where it has one.
    """
    text = _without_secrets(address, str(error))
    code = str(getattr(error, "sqlstate", None) or _code(text) or "")
    connecting = "Failed to connect" in str(error)
    reason = re.sub(r"^[A-Z_]+: |\[libpq\] |Failed to \w+(?: \w+)*: |(?:ERROR|FATAL): +", "", text)
    reason = re.sub(r" ?(?:Query was: .*|LINE \d+: .*|SQLSTATE: \w+\.?)$", "", reason).strip(" .")
    if code == "42501" or "permission denied" in reason:
        return _not_allowed(location, reason)
    if code in _POSTGRESQL:
        hint = _POSTGRESQL[code]
    elif re.search("SSL|TLS|certificate", reason):
        hint = _TLS
    elif connecting:
        hint = "Check host and port, that the server runs, and that a firewall lets you through."
    elif re.search("closed|terminat|connection|reset|57P0", reason + code):
        hint = _LOST
    elif code.startswith("22"):
        hint = (
            "A value is not of the kind MLflow writes there: look at it, or read a repaired copy."
        )
    else:
        hint = "Nothing is known of this error here; the server's log may say more."
    return _failed(location, reason, hint, connecting=connecting)


def mysql(address: Address, location: str, error: BaseException) -> SourceError:
    """What MySQL, MariaDB or its driver said, explained; arguments as of `postgresql`.

    SQLAlchemy's errors carry the driver's as `orig`.
    """
    original = getattr(error, "orig", None) or error
    arguments = getattr(original, "args", ())
    number = error_number(error)
    text = str(arguments[-1]) if arguments else str(original)
    reason = _without_secrets(address, text).strip(" .") or type(original).__name__
    connecting = number in (2002, 2003, 2005, 1045, 1698, 1049, 1044, 1040, 1203, 2026)
    if number in (TABLE_DENIED, COLUMN_DENIED):
        return _not_allowed(location, reason)
    if re.search("SSL|TLS|certificate", reason):
        hint = (
            "Ask what the server expects: ssl_ca=FILE, ssl_verify_cert=true behind the `?` of the "
        )
        hint += "address; PyMySQL takes ssl_ca, ssl_cert, ssl_key."
    elif isinstance(number, int) and number in _MYSQL:
        hint = _MYSQL[number]
    elif number in _GONE and not connecting:
        hint = _LOST
    elif connecting:
        hint = "Check host and port, that the server runs, and that a firewall lets you through."
    else:
        hint = "Nothing is known of this error here; the server's log may say more."
    return _failed(location, reason, hint, connecting=connecting)


def error_number(error: BaseException) -> object:
    """The number MySQL gave an error, whichever driver passed it on; None where it has none."""
    original = getattr(error, "orig", None) or error
    arguments = getattr(original, "args", ())
    return getattr(original, "errno", None) or (arguments[0] if arguments else None)


def _code(text: str) -> str | None:
    return next((code for words, code in _WORDS if re.search(words, text)), None)


def _without_secrets(address: Address, text: str) -> str:
    hidden = redact_uri(address.without_secrets(text))
    return re.sub(r"\s+", " ", hidden).strip()


def _failed(location: str, reason: str, hint: str, *, connecting: bool) -> SourceError:
    return SourceError(
        f"The database {location} could not be {'reached' if connecting else 'read'}: {reason}.",
        state=UNCHANGED if connecting else UNRECORDED,
        hint=hint,
    )


def _not_allowed(location: str, reason: str) -> SourceError:
    if "row-level security" in reason:
        hint = (
            "Some rows would be hidden from this user. Give auditreg a role with BYPASSRLS, or an "
            "address whose rows nobody hides."
        )
    else:
        hint = "The rights that are needed: `auditreg doctor --grants --from URI`."
    return SourceError(
        f"The database {location} does not let this user read it: {reason}.",
        state=UNRECORDED,
        hint=hint,
    )
