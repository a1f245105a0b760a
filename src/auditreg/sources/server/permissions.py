"""Users, roles and rights of MLflow's basic-auth, as a server tells its administrators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from auditreg.sources.permissions import (
    MEMBER,
    RIGHTS,
    AccessReader,
    Rights,
    everyone,
    without_default,
)
from auditreg.sources.server.client import API, NotAllowed, NotThere, Refused, Server
from auditreg.sources.server.strict_json import dict_in
from auditreg.sources.staging import IncompletenessLog, batches

NO_USERS_SERVED = (
    "users and rights: this server lists none (no basic-auth, or a release before roles), and no "
    "database of basic-auth was named"
)
NO_ADMINISTRATOR = "users and rights: the server shows them to an administrator only"

_PASSES = 4
_OWN_ROLE_NAME = re.compile(r"__user_.*__", re.DOTALL)


def rights_of_server(server: Server, access: AccessReader) -> Rights:
    """Users and rights from the database named for them, else from the server's own requests.

    Raises:
        SourceError: the database named, or the server, cannot be read.
    """
    if access.separate is not None:
        return access.separate()
    return served_rights(server, access.default)


def served_rights(server: Server, default: str | None) -> Rights:
    """What a server with roles tells its administrators, read until two answers agree.

    Raises:
        SourceError: the server cannot be reached, or is broken.
    """
    try:
        me = server.get_if_known("/users/current", {}, api=API).get("user")
        if not dict_in(me).get("is_admin"):
            return Rights(cannot_show=(NO_ADMINISTRATOR,))
        last = _ask(server)
        for _ in range(_PASSES - 1):
            before, last = last, _ask(server)
            if before == last:
                break
        else:
            return _of_answers(last, default, ("users and rights changed while they were read",))
    except (NotThere, Refused):
        return Rights(cannot_show=(NO_USERS_SERVED,))
    except NotAllowed:
        return Rights(cannot_show=(NO_ADMINISTRATOR,))
    return _of_answers(last, default, ())


_Answers = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _ask(server: Server) -> _Answers:
    """Users with their roles, and all roles: those nobody has, too."""
    users = server.listed("/users/list", server.get("/users/list", {}), "users")
    roles = server.listed("/roles/list", server.get_if_known("/roles/list", {}), "roles")
    of_users = [role for user in users for role in server.listed("/users/list", user, "roles")]
    for role in (*roles, *of_users):
        server.listed("/roles/list", role, "permissions")
    return users, roles


def _of_answers(answers: _Answers, default: str | None, doubts: tuple[str, ...]) -> Rights:
    users, roles = answers
    staging = IncompletenessLog()
    principals = [
        {"kind": "user", "principal": user.get("username"), "admin": user.get("is_admin")}
        for user in users
    ]
    principals += [
        {
            "kind": "role",
            "workspace": role.get("workspace"),
            "principal": role.get("name"),
            "description": role.get("description"),
        }
        for role in roles
        if not _is_own(role)
    ]
    permissions: list[dict[str, Any]] = []
    for role in roles:
        if not _is_own(role):
            permissions += _given(role, "role", role.get("name"))
    for user in users:
        for role in user.get("roles") or []:
            if _is_own(role):
                permissions += _given(role, "direct", user.get("username"))
            else:
                named = {"resource": role.get("name"), "principal": user.get("username")}
                permissions.append({**MEMBER, **named, "workspace": role.get("workspace")})
    rows = {"principals": principals, "permissions": [*permissions, everyone(default, roles=True)]}
    tables = {table: [*batches(table, staged, staging)] for table, staged in rows.items()}
    return Rights(
        tables,
        {table: (len(rows[table]), sum(b.num_rows for b in tables[table])) for table in RIGHTS},
        (*staging.sentences(), *doubts),
        without_default(default),
    )


def _is_own(role: Mapping[str, Any]) -> bool:
    return bool(_OWN_ROLE_NAME.fullmatch(str(role.get("name"))))


def _given(role: Mapping[str, Any], via: str, principal: object) -> Iterator[dict[str, Any]]:
    for grant in role.get("permissions") or []:
        yield {
            "workspace": role.get("workspace"),
            "resource_type": grant.get("resource_type"),
            "resource": grant.get("resource_pattern"),
            "principal_kind": "user" if via == "direct" else "role",
            "principal": principal,
            "permission": grant.get("permission"),
            "via": via,
        }
