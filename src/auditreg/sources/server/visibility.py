"""What a tracking server says of the user it takes us for.

MLflow's `basic-auth` leaves models a user may not read out of every list without a word. Who
is an administrator is shown everything; of others it is known only what they were refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from auditreg.errors import SourceError
from auditreg.sources.server.client import API_V3, Server
from auditreg.sources.server.strict_json import dicts_in

HIDDEN = (
    "models this user may not read: the server leaves them out of its answers without saying so"
)
UNKNOWN = (
    "models this user may not read, if the server has any: it does not say what rights the user has"
)
_NONE = frozenset({"NO_PERMISSIONS", "DENY"})


@dataclass(frozen=True)
class Visibility:
    """What the user may see.

    `administrator` is None where the server does not say. `refused` are registered models whose
    reading was taken from the user by name.
    """

    administrator: bool | None = None
    refused: tuple[str, ...] = ()

    def cannot_show(self) -> tuple[str, ...]:
        """What may be hidden."""
        if self.administrator:
            return ()
        return (UNKNOWN,) if self.administrator is None else (HIDDEN,)


def visibility(server: Server) -> Visibility:
    """Ask the server; two requests at most, and none of their answers is an error."""
    user_rights = _answer(server, "/users/current/permissions", {}, API_V3)
    if isinstance(user_rights.get("is_admin"), bool):
        refused = [
            str(right.get("resource_pattern"))
            for right in dicts_in(user_rights.get("permissions"))
            if right.get("resource_type") == "registered_model" and right.get("permission") in _NONE
        ]
        return _visible(user_rights["is_admin"], refused)
    user = _user(server)
    if user is None:
        return Visibility()
    # Before there were roles, a user's own permissions came with the user.
    account = _answer(server, "/users/get", {"username": user}).get("user")
    if not isinstance(account, dict) or not isinstance(account.get("is_admin"), bool):
        return Visibility()
    refused = [
        str(right.get("name"))
        for right in dicts_in(account.get("registered_model_permissions"))
        if right.get("permission") in _NONE
    ]
    return _visible(account["is_admin"], refused)


def _visible(administrator: bool, refused: list[str]) -> Visibility:
    # MLflow does not look at an administrator's own permissions.
    return Visibility(administrator, () if administrator else tuple(sorted(set(refused))))


def _answer(server: Server, path: str, query: dict[str, str], *api: str) -> dict[str, Any]:
    try:
        return server.get(path, query, None, *api)
    except SourceError:
        return {}


def _user(server: Server) -> str | None:
    """The name MLflow's client logs in with."""
    from mlflow.utils.credentials import read_mlflow_creds

    named = urlsplit(server.uri).username
    return unquote(named) if named else read_mlflow_creds().username
