"""Who makes a change, and how that is known."""

from __future__ import annotations

import sys
from typing import Any, Dict, NamedTuple, Optional

from auditreg_capture import proxy
from auditreg_capture.runtime import acting
from auditreg_capture.runtime import current as current_process

# Where mlflow-oidc-auth puts its user into the WSGI environment; a header cannot reach these names.
_PLUGIN_CONTEXT = "mlflow_oidc_auth"
_PLUGIN_USER = "mlflow_oidc_auth.username"
_PLUGIN_ADMIN = "mlflow_oidc_auth.is_admin"


class Who(NamedTuple):
    """A user and how the user is known; `claimed` is a name nobody vouches for."""

    actor: Optional[str] = None
    actor_from: Optional[str] = None
    claimed: Optional[str] = None
    admin: bool = False


def current() -> Dict[str, Any]:
    """The journal's columns about the request that is being served, or about the program."""
    request = current_request()
    if request is None:
        who = _program()
        return {"actor": who.actor, "actor_from": who.actor_from, "claimed": None}
    who = of_request(request)
    return {
        "actor": who.actor,
        "actor_from": who.actor_from,
        "claimed": who.claimed,
        "path": request.path,
        "method": request.method,
        "client": proxy.client(request.environ),
    }


def current_request() -> Any:
    """Flask's request, if one is being served; flask is not imported for the question."""
    flask = sys.modules.get("flask")
    return flask.request if flask is not None and flask.has_request_context() else None


def of_request(request: Any) -> Who:
    """Who sent this request, by whatever on this server has proof of it."""
    header_user, header_proven = proxy.user(request.environ)
    authorization = _authorization_user(request)
    for who in (_plugin(request), _basic_auth(request)):
        if who.actor:
            other = header_user if header_user != who.actor else None
            return who._replace(claimed=other)
    if header_user and header_proven:
        return Who(header_user, "proxy", authorization if authorization != header_user else None)
    claimed = header_user or authorization
    return _program()._replace(claimed=claimed)


def _program() -> Who:
    user = acting.get()
    if user is None and current_process.actor is not None:
        user = current_process.actor()
    return Who(str(user), "program") if user else Who()


def _plugin(request: Any) -> Who:
    environ = request.environ
    context = environ.get(_PLUGIN_CONTEXT)
    if context is not None and not isinstance(context, str):
        return _named(getattr(context, "username", None), bool(getattr(context, "is_admin", False)))
    if environ.get(_PLUGIN_USER):
        return _named(environ[_PLUGIN_USER], bool(environ.get(_PLUGIN_ADMIN)))
    if environ.get("REMOTE_USER"):
        # By the WSGI specification, the user the server itself authenticated.
        return _named(environ["REMOTE_USER"], False)
    return Who()


def _named(user: Any, admin: bool) -> Who:
    return Who(str(user), "plugin", None, admin) if user else Who()


def _basic_auth(request: Any) -> Who:
    """The user MLflow authenticated, or another application that says so in the same place."""
    from flask import g

    known = getattr(g, "mlflow_authenticated_user", None)
    user = getattr(known, "username", known)
    auth = _mlflow_auth(request)
    if user:
        return Who(str(user), "basic-auth" if auth is not None else "plugin")
    if auth is None or auth.is_unprotected_route(request.path):
        return Who()
    # Older releases keep the user nowhere, but no request gets here whose password they did not check.
    function = getattr(auth.auth_config, "authorization_function", None)
    if function in (None, "mlflow.server.auth:authenticate_request_basic_auth"):
        user = getattr(request.authorization, "username", None)
    else:
        user = getattr(auth.authenticate_request(), "username", None)
    return Who(str(user), "basic-auth") if user else Who()


def _mlflow_auth(request: Any) -> Any:  # noqa: ARG001 (reads the application behind it)
    """MLflow's authentication, if the application really asks it before each request."""
    from flask import current_app

    auth = sys.modules.get("mlflow.server.auth")
    check = getattr(auth, "_before_request", None)
    registered = current_app.before_request_funcs.get(None, ())
    return auth if check is not None and check in registered else None


def _authorization_user(request: Any) -> Optional[str]:
    user = getattr(request.authorization, "username", None)
    return str(user) if user else None


def is_basic_auth_admin(user: str) -> bool:
    """Whether MLflow's own user store calls this user an administrator."""
    auth = sys.modules.get("mlflow.server.auth")
    return bool(auth is not None and auth.store.get_user(user).is_admin)
