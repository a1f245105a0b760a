"""Addresses of databases, as MLflow takes them: read without SQLAlchemy, shown without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from auditreg.errors import SourceError
from auditreg.sources.database.dialect import UNCHANGED

_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^:/@?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<host>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_SHOWN = ("host", "port", "service", "schema", "unix_socket")
"""Parameters that say where a database is; all others stay out of a location."""


@dataclass(frozen=True)
class Address:
    """The parts of a database's address; all but `host` with percent-escapes resolved.

    `query` holds its parameters in their order.
    """

    scheme: str
    user: str
    password: str
    host: str
    database: str
    query: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, uri: str) -> Address:
        """Take an address apart.

        Raises:
            SourceError: the text is no address; the error does not repeat it, since it may hold a
                password.
        """
        match = _URI.fullmatch(uri)
        if match is None or "@" in match["host"]:
            raise SourceError(
                "The address of the database cannot be understood.",
                state=UNCHANGED,
                hint="It has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Characters "
                "like @ / : ? # and % in a password are written as %40 %2F %3A %3F %23 and %25.",
            )
        pairs = [part.partition("=") for part in (match["query"] or "").split("&") if part]
        return cls(
            scheme=match["scheme"].lower(),
            user=unquote(match["user"] or ""),
            password=unquote(match["password"] or ""),
            host=match["host"],
            database=unquote(match["database"] or ""),
            query=tuple((unquote(key), unquote(value)) for key, _, value in pairs),
        )

    def get(self, name: str) -> str | None:
        """A parameter; the last where it stands more than once."""
        return dict(self.query).get(name)

    def location(self, scheme: str) -> str:
        """Where the database is: no user, no password, no other parameter."""
        return scheme + "://" + self.host + "/" + _escaped(self.database) + self._parameters(_SHOWN)

    def uri(self, scheme: str, *, without: tuple[str, ...] = (), **defaults: str) -> str:
        """The address again, with another scheme and with parameters that it lacks.

        Args:
            scheme: its new scheme.
            without: parameters to leave out.
            defaults: parameters for which it has no value of its own.
        """
        login = _escaped(self.user) + (f":{_escaped(self.password)}" if self.password else "")
        missing = tuple(item for item in defaults.items() if self.get(item[0]) is None)
        full = Address("", "", "", "", "", self.query + missing)
        names = tuple(name for name, _ in full.query if name not in without)
        return (
            f"{scheme}://{login}{'@' if login else ''}{self.host}/{_escaped(self.database)}"
            f"{full._parameters(names)}"
        )

    def without_secrets(self, text: str) -> str:
        """A text with everything secret in this address replaced by `***`."""
        secrets = {self.password} | {
            value for name, value in self.query if re.search("(?i)pass|secret|token|key", name)
        }
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            for spelling in {secret, quote(secret), _escaped(secret)}:
                # A short password may be a part of a word; it is hidden where it stands alone.
                text = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", "***", text)
        return text

    def _parameters(self, names: tuple[str, ...]) -> str:
        shown = [f"{_escaped(k)}={_escaped(v)}" for k, v in self.query if k in names]
        return "?" + "&".join(shown) if shown else ""


def _escaped(text: str) -> str:
    return quote(text, safe="")
