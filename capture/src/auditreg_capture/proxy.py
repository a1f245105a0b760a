"""Whether a header that names a user comes from a proxy that may name one."""

from __future__ import annotations

import ipaddress
import os
import sys
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

from auditreg_capture import settings

_FORWARDED = "HTTP_X_FORWARDED_FOR"
_LOOPBACK = "127.0.0.1,::1"


@lru_cache(maxsize=1)
def _proxies() -> settings.Proxies:
    return settings.proxies()


def user(environ: Dict[str, Any]) -> Tuple[Optional[str], bool]:
    """The user the configured header names, and whether it comes from a configured address."""
    configured = _proxies()
    if configured.header is None:
        return None, False
    value = environ.get("HTTP_" + configured.header.upper().replace("-", "_"), "").strip()
    if not value:
        return None, False
    # Two headers arrive joined by a comma, also one that a client spelt with an underscore to slip past
    # the proxy. Which of them the proxy set cannot be told.
    proven = (
        "," not in value and configured.trusts(_peer(environ)) and not _may_be_rewritten(environ)
    )
    return _utf8(value), proven


def client(environ: Dict[str, Any]) -> Optional[str]:
    """The address the request came from; behind a configured proxy, the one the proxy names."""
    configured = _proxies()
    peer = _peer(environ)
    if configured.header and configured.trusts(peer) and not _may_be_rewritten(environ):
        for address in reversed(_forwarded(environ)):
            if not configured.trusts(address):
                return address
    return peer


def _peer(environ: Dict[str, Any]) -> Optional[str]:
    return environ.get("REMOTE_ADDR") or None


def _may_be_rewritten(environ: Dict[str, Any]) -> bool:
    """Whether the server may have put a header's address in place of the peer's.

    uvicorn does so for peers it was told to believe (by default the machine itself, with
    FORWARDED_ALLOW_IPS=* everybody). An address that the header did not hold was not rewritten.
    """
    addresses = _forwarded(environ)
    peer = _peer(environ)
    if not addresses or peer is None or _never_rewrites(environ):
        return False
    allowed = _allowed()
    if "*" in allowed:
        return addresses[0] == peer
    chosen = next((a for a in reversed(addresses) if not _within(a, allowed)), addresses[0])
    return chosen == peer


def _never_rewrites(environ: Dict[str, Any]) -> bool:
    return (
        str(environ.get("SERVER_SOFTWARE", "")).startswith("gunicorn")
        or "--no-proxy-headers" in sys.argv
    )


def _allowed() -> List[str]:
    """Whose X-Forwarded-For uvicorn believes: its option, its variable, or its default."""
    given = os.environ.get("FORWARDED_ALLOW_IPS", _LOOPBACK)
    for at, argument in enumerate(sys.argv):
        if argument.startswith("--forwarded-allow-ips="):
            given = argument.split("=", 1)[1]
        elif argument == "--forwarded-allow-ips" and at + 1 < len(sys.argv):
            given = sys.argv[at + 1]
    return [part.strip() for part in given.split(",") if part.strip()]


def _within(address: str, allowed: List[str]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address in allowed
    for name in allowed:
        try:
            if ip in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return False


def _forwarded(environ: Dict[str, Any]) -> List[str]:
    return [
        _without_port(part.strip())
        for part in environ.get(_FORWARDED, "").split(",")
        if part.strip()
    ]


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].split("]", 1)[0]
    return address.rsplit(":", 1)[0] if address.count(":") == 1 else address


def _utf8(value: str) -> str:
    """Header text as the proxy meant it: WSGI hands the bytes over as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value
