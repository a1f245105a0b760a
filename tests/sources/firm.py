"""A real server under `basic-auth` with people, roles and rights, and what it decides for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers.mlflow_server import ADMIN, MlflowServer, Refused

PASSWORD = "a-password-of-a-test"
V3 = "/api/3.0/mlflow/"
HOSTILE = "O'Hara\"; drop table users; -- \u202e\U0001f9ea"
MODELS = ("motor", "home", "naïve 'quoted'")
PROMPT = "greeting"
LEVELS = ("NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE")

DIRECT = {
    "reader": ("motor", "READ"),
    "editor": ("motor", "EDIT"),
    "manager": ("motor", "MANAGE"),
    "denied": ("motor", "DENY"),
    HOSTILE: (MODELS[2], "EDIT"),
}
"""Rights given to a user for one model."""

ROLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "all-editors": (("registered_model", "*", "EDIT"),),
    "motor-users": (("registered_model", "motor", "USE"), ("experiment", "*", "READ")),
    "stewards": (("workspace", "*", "MANAGE"),),
    "members": (("workspace", "*", "USE"),),
    "version-writers": (("registered_model_version", "*", "EDIT"),),
    "version-readers": (("registered_model_version", "*", "READ"),),
    "no-versions": (("registered_model_version", "*", "DENY"),),
    "never-home": (("registered_model", "home", "DENY"),),
    "prompters": (("prompt", "*", "MANAGE"),),
    "without anybody": (("registered_model", "*", "MANAGE"),),
}
MEMBERS = {
    "role-editor": ("all-editors",),
    "role-user": ("motor-users",),
    "steward": ("stewards", "never-home"),
    "member": ("members",),
    "version-writer": ("version-writers",),
    "editor-of-models-only": ("all-editors", "version-readers"),
    "kept-from-versions": ("all-editors", "no-versions"),
    "two-roles": ("motor-users", "all-editors", "never-home"),
    "prompter": ("prompters",),
    "nobody": (),
}
USERS = (*DIRECT, *MEMBERS)


def server(folder: Path, permission: str, **options: Any) -> MlflowServer:
    """A server with its registry and its users in `folder`."""
    return MlflowServer(
        folder, f"sqlite:///{folder / 'mlflow.db'}", app="basic-auth", permission=permission,
        **options,
    )  # fmt: skip


def fill(firm: MlflowServer, headers: dict[str, str] | None = None) -> None:
    """Models, a prompt, users, and what they may do."""
    call = {"user": ADMIN, "headers": headers}
    for model in MODELS:
        firm.call("POST", "registered-models/create", {"name": model}, **call)
        body = {"name": model, "source": "s3://bucket/model"}
        firm.call("POST", "model-versions/create", body, **call)
    tag = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    firm.call("POST", "registered-models/create", {"name": PROMPT, "tags": tag}, **call)
    body = {"name": PROMPT, "source": "dummy-source", "tags": tag}
    firm.call("POST", "model-versions/create", body, **call)
    for name in USERS:
        firm.add_user(name, PASSWORD)
    for name, (model, permission) in DIRECT.items():
        give(firm, name, model, permission, headers)
    for role, grants in ROLES.items():
        add_role(firm, role, grants, [u for u, own in MEMBERS.items() if role in own])


def add_role(
    firm: MlflowServer,
    role: str,
    grants: tuple[tuple[str, str, str], ...],
    members: list[str],
    workspace: str = "default",
) -> int:
    """A role with what it gives and who has it; its id."""
    body = {"name": role, "workspace": workspace, "description": f"{role} of the test"}
    made = firm.call("POST", f"{V3}roles/create", body, user=ADMIN)["role"]["id"]
    for kind, pattern, permission in grants:
        grant = {"resource_type": kind, "resource_pattern": pattern, "permission": permission}
        firm.call("POST", f"{V3}roles/permissions/add", {"role_id": made, **grant}, user=ADMIN)
    for name in members:
        firm.call("POST", f"{V3}roles/assign", {"role_id": made, "username": name}, user=ADMIN)
    return int(made)


def give(
    firm: MlflowServer,
    name: str,
    model: str,
    permission: str,
    headers: dict[str, str] | None = None,
) -> None:
    """Give a user a right for a model."""
    resource = {"username": name, "resource_type": "registered_model", "resource_id": model}
    body = {**resource, "permission": permission}
    firm.call("POST", f"{V3}users/permissions/grant", body, user=ADMIN, headers=headers)


def take(firm: MlflowServer, name: str, model: str) -> None:
    """Take a user's right for a model away."""
    body = {"username": name, "resource_type": "registered_model", "resource_id": model}
    firm.call("POST", f"{V3}users/permissions/revoke", body, user=ADMIN)


def decided(
    firm: MlflowServer, names: tuple[str, ...], items: tuple[str, ...], **headers: str
) -> Iterator[tuple[str, str, bool, bool]]:
    """(user, model, may read it, may write to its versions or aliases), by trying as that user."""
    for name in names:
        as_user = {"user": ADMIN if name == ADMIN[0] else (name, PASSWORD), "headers": headers}
        for item in items:
            of = {"name": item, "version": "1"}
            read = _allowed(
                firm, "GET", f"registered-models/get?name={_quoted(item)}", None, as_user
            )
            tag = {**of, "key": "by", "value": "test"}
            alias = {**of, "alias": "tried"}
            yield (
                name,
                item,
                read,
                _allowed(firm, "POST", "model-versions/set-tag", tag, as_user)
                or _allowed(firm, "POST", "registered-models/alias", alias, as_user),
            )


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _allowed(
    firm: MlflowServer, method: str, path: str, body: object, as_user: dict[str, Any]
) -> bool:
    try:
        firm.call(method, path, body, **as_user)
    except Refused as refused:
        if refused.status != 403:
            raise
        return False
    return True
