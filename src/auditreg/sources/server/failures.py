"""Why a connection to a tracking server failed, and what to do, from the words of the transport."""

from __future__ import annotations

from urllib.parse import urlsplit


def explain(reason: str, timeout: float) -> tuple[str, str]:
    """What went wrong and what to do, for a failure in the words of the transport.

    Args:
        reason: those words, in one line and without passwords.
        timeout: seconds one answer was waited for.
    """
    lowered = reason.lower()
    if "certificate" in lowered:
        return (
            "its TLS certificate is not accepted",
            "Set MLFLOW_TRACKING_SERVER_CERT_PATH to the file of your CA.",
        )
    if "sslerror" in lowered or "[ssl:" in lowered:
        return (
            f"no TLS connection could be made: {reason[:300]}",
            "Check whether the address should begin with http:// or https://.",
        )
    if "refused" in lowered:
        return "the connection was refused", "Start the server, or check the port."
    if "name or service" in lowered or "resolve" in lowered or "nodename" in lowered:
        return "its name is not known", "Check the host's name."
    if "timed out" in lowered or "timeout" in lowered:
        return (
            f"no answer within {timeout:g} s",
            "Try again, or set MLFLOW_HTTP_REQUEST_TIMEOUT to more seconds.",
        )
    if "incomplete" in lowered or "broken" in lowered or "aborted" in lowered:
        return "the connection was cut in the middle of an answer", "Check the network."
    return reason[:300], "Check the address and the network."


def timed_out(error: BaseException) -> bool:
    """Whether no answer came in time."""
    lowered = str(error).lower()
    return "timed out" in lowered or "timeout" in lowered


def proxy_note(uri: str) -> str:
    """A sentence where requests to the address go through a proxy."""
    from urllib.request import getproxies, proxy_bypass

    proxied = bool(getproxies()) and not proxy_bypass(urlsplit(uri).hostname or "")
    return " A proxy is configured." if proxied else ""
