"""Users, roles and rights of a case, as rows of a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec


class CaseUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account of MLflow's basic-auth; `rights` maps a model's name to what was given for it."""

    admin: bool = False
    roles: tuple[str, ...] = ()
    rights: dict[str, str] = {}


class CaseRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role of the default workspace; `rights` maps a model's name, or `*`, to what it gives."""

    rights: dict[str, str] = {}


def write_permissions(
    state: Callable[..., None],
    users: Mapping[str, CaseUser],
    roles: Mapping[str, CaseRole],
    default: str | None,
) -> None:
    """Write the rows of `principals` and `permissions`; none where the case has no users.

    Args:
        state: writes a row of a state table: its name, and the columns by name.
        users: accounts by name.
        roles: roles by name.
        default: what everyone may do; None where it is not known.
    """
    if not users:
        return
    for name, user in users.items():
        state("principals", registry="default", kind="user", principal=name, admin=user.admin)
    for name in roles:
        state("principals", registry="default", workspace="default", kind="role", principal=name)
    for row in _permissions(users, roles, default):
        state("permissions", registry="default", **row)


def _permissions(
    users: Mapping[str, CaseUser], roles: Mapping[str, CaseRole], default: str | None
) -> Iterator[dict[str, Any]]:
    for name, user in users.items():
        for role in user.roles:
            yield _row("member", "user", name, "role", role, "MEMBER")
        for model, permission in user.rights.items():
            yield _row("direct", "user", name, "registered_model", model, permission)
    for name, given in roles.items():
        for model, permission in given.rights.items():
            yield _row("role", "role", name, "registered_model", model, permission)
    yield {**_row("floor", "everyone", "*", "*", "*", default), "workspace": None}


def _row(
    via: str, principal_kind: str, principal: str, kind: str, resource: str, permission: str | None
) -> dict[str, Any]:
    return {
        "workspace": "default",
        "via": via,
        "principal_kind": principal_kind,
        "principal": principal,
        "resource_type": kind,
        "resource": resource,
        "permission": permission,
    }
