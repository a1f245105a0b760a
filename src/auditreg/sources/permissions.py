"""Who may do what: users, roles and rights of MLflow's basic-auth, as every source stages them.

They are kept in a database of their own (`database_uri` of `basic_auth.ini`), in the registry's, or
behind the server's administration requests: `database/permissions.py` and `server/permissions.py`
read them. Two schemes exist: rights given to a user for one resource, which decide alone, and in
newer releases roles, where everything given adds up. Passwords are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditreg.sources.interface import NOT_READ

if TYPE_CHECKING:
    import pyarrow as pa

RIGHTS = ("principals", "permissions")
"""The staging tables of users and rights."""

PERMISSIONS = ("NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE")
"""What a default permission can be, least first."""

NO_DEFAULT = (
    "what everybody may do without being granted it: default_permission of the server's "
    "basic_auth.ini (auth_default of the [[source]] says it to auditreg)"
)

MEMBER = {
    "resource_type": "role",
    "principal_kind": "user",
    "permission": "MEMBER",
    "via": "member",
}
"""What every row says that gives a user a role."""


@dataclass(frozen=True)
class Rights:
    """Principals and permissions as read; none where `shown` is False, and `cannot_show` why."""

    tables: Mapping[str, Sequence[pa.RecordBatch]] = field(default_factory=dict)
    counts: Mapping[str, tuple[int | None, int]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    cannot_show: tuple[str, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether the source shows users and rights at all."""
        return bool(self.tables)


RIGHTS_NOT_READ = Rights(cannot_show=(NOT_READ.format("users and rights"),))
"""Of a part of a registry they are not read: nobody is judged by them there."""


@dataclass(frozen=True)
class AccessReader:
    """How users and rights are found.

    `separate` reads a database of their own, where one is named; `file` is its path, where it is an
    SQLite file. `default` is the server's `default_permission`; None where it is not known.
    """

    separate: Callable[[], Rights] | None = None
    file: str | None = None
    default: str | None = None


def everyone(default: str | None, *, roles: bool) -> dict[str, str | None]:
    """What holds without a grant: in the scheme with roles nobody is given less than it."""
    return {
        "resource_type": "*",
        "resource": "*",
        "principal_kind": "everyone",
        "principal": "*",
        "permission": default,
        "via": "floor" if roles else "default",
    }


def without_default(default: str | None) -> tuple[str, ...]:
    """What cannot be shown where the default permission is not known."""
    return () if default else (NO_DEFAULT,)
