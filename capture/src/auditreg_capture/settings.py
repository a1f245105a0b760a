"""What the environment says about capture."""

from __future__ import annotations

import ipaddress
import os
from typing import List, NamedTuple, Optional, Tuple, Union

from auditreg_capture.errors import CaptureError

STRICT = "strict"
BEST_EFFORT = "best-effort"
OFF = "off"
MODES = (STRICT, BEST_EFFORT, OFF)

MODE_VARIABLE = "AUDITREG_CAPTURE"
HEADER_VARIABLE = "AUDITREG_CAPTURE_USER_HEADER"
PROXIES_VARIABLE = "AUDITREG_CAPTURE_PROXIES"
READERS_VARIABLE = "AUDITREG_CAPTURE_READERS"

UNIX_SOCKET = "unix"

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Proxies(NamedTuple):
    """Whose user header is believed: the header, and the addresses it may come from."""

    header: Optional[str] = None
    networks: Tuple[Network, ...] = ()
    unix: bool = False

    def trusts(self, address: Optional[str]) -> bool:
        """Whether a peer with this address may name the user; None is a Unix socket's peer."""
        if not address:
            return self.unix
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None)
        return any((mapped or peer) in network for network in self.networks)


def mode(value: Optional[str] = None) -> str:
    """How capture behaves: `strict`, `best-effort` or `off`."""
    chosen = os.environ.get(MODE_VARIABLE, "") if value is None else value
    chosen = chosen.strip().lower() or STRICT
    if chosen not in MODES:
        raise CaptureError(
            f"{MODE_VARIABLE} is {chosen!r}. It must be one of {', '.join(MODES)}, or unset for {STRICT}."
        )
    return chosen


def proxies() -> Proxies:
    """The configured header and the addresses it is believed from."""
    header = os.environ.get(HEADER_VARIABLE, "").strip()
    names = _names(PROXIES_VARIABLE)
    if not header and not names:
        return Proxies()
    if not header or not names:
        given, missing = (
            (HEADER_VARIABLE, PROXIES_VARIABLE) if header else (PROXIES_VARIABLE, HEADER_VARIABLE)
        )
        raise CaptureError(
            f"{given} is set and {missing} is not. A user header is believed only from named addresses: "
            f"set both, for example {HEADER_VARIABLE}=X-Forwarded-User and {PROXIES_VARIABLE}=10.0.0.5."
        )
    networks: List[Network] = []
    for name in names:
        if name.lower() == UNIX_SOCKET:
            continue
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError as error:
            raise CaptureError(
                f"{PROXIES_VARIABLE} holds {name!r}, which is neither an address, nor a network such as "
                f"10.0.0.0/24, nor the word {UNIX_SOCKET}."
            ) from error
    return Proxies(header, tuple(networks), any(name.lower() == UNIX_SOCKET for name in names))


def readers() -> Tuple[str, ...]:
    """Who may read the journal over HTTP where the application knows no administrators."""
    return tuple(_names(READERS_VARIABLE))


def _names(variable: str) -> List[str]:
    return [part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()]
