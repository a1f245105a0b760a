"""Users, roles and rights of MLflow's basic-auth in a database: the registry's, or one of their own.

A database that has roles keeps the older tables as they last were, and MLflow does not look at them
any more: neither does this module. Passwords are never selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.errors import SourceError
from auditreg.sources.database.dialect import UNCHANGED, DatabaseConnection, SqlDialect
from auditreg.sources.interface import INT, STAGING, TEXT, arrow_schema
from auditreg.sources.permissions import MEMBER, AccessReader, Rights, everyone, without_default
from auditreg.sources.staging import KEYS, IncompletenessLog, batches, clean_text

if TYPE_CHECKING:
    import pyarrow as pa

NO_USERS = "users and rights: this store keeps none, and no database of basic-auth was named"
NOT_GRANTED = (
    "users and rights: this database's user may not read the tables that hold them (the GRANTs: "
    "auditreg doctor --grants --from URI, as somebody who may)"
)
MAYBE_GRANTED = (
    "users and rights: this store keeps none that this database's user may read, and no database "
    "of basic-auth was named"
)

_ROLE_TABLES = ("roles", "role_permissions", "user_role_assignments")
_DIRECT = (
    # table, type of resource, column that names the resource
    ("registered_model_permissions", "registered_model", "name"),
    ("experiment_permissions", "experiment", "experiment_id"),
    ("scorer_permissions", "scorer", "scorer_name"),
    ("gateway_secret_permissions", "gateway_secret", "secret_id"),
    ("gateway_endpoint_permissions", "gateway_endpoint", "endpoint_id"),
    ("gateway_model_definition_permissions", "gateway_model_definition", "model_definition_id"),
)
_FOREIGN = ("user_groups", "group_memberships", "registered_model_group_permissions")
"""Tables that tell another plug-in's database, whose users and rights have other rules."""

_OWN_ROLE = "r.name like '!_!_user!_%!_!_' escape '!'"
"""MLflow keeps what a user is given directly in a role `__user_<id>__` of that user's own."""


def rights_of_store(registry: DatabaseConnection, access: AccessReader) -> Rights:
    """Users and rights from the database named for them, else from the registry's own.

    A database of their own is read a moment after the registry's snapshot began.

    Raises:
        SourceError: the database named cannot be read or holds no users.
    """
    if access.separate is not None and not registry.is_file(access.file):
        return access.separate()
    if keeps_users(registry):
        return stored_rights(registry, access.default)
    if access.separate is not None:
        raise _no_users(registry)
    return Rights(cannot_show=(_why_none(registry),))


def separate_rights(connect: Callable[[], DatabaseConnection], default: str | None) -> Rights:
    """Users and rights from a database that is opened for them.

    Raises:
        SourceError: it cannot be read or holds no users.
    """
    database = connect()
    try:
        if not keeps_users(database):
            raise _no_users(database)
        return stored_rights(database, default)
    finally:
        database.close()


def keeps_users(dialect: DatabaseConnection) -> bool:
    """Whether these are the tables of MLflow's basic-auth."""
    return (
        dialect.columns("users") >= {"id", "username", "is_admin"}
        and bool(dialect.columns("registered_model_permissions") or dialect.columns("roles"))
        and not any(dialect.columns(table) for table in _FOREIGN)
    )


def _why_none(registry: DatabaseConnection) -> str:
    if not registry.tells_hidden:
        return MAYBE_GRANTED
    hidden = registry.denied("users", frozenset({"id", "username", "is_admin"}))
    hidden |= registry.denied("roles", frozenset({"id", "name"}))
    return NOT_GRANTED if hidden else NO_USERS


def _no_users(dialect: DatabaseConnection) -> SourceError:
    return SourceError(
        f"{dialect.location} does not hold the users of MLflow's basic-auth.",
        state=UNCHANGED,
        hint="Give the `database_uri` of the server's basic_auth.ini. Other plug-ins keep users and "
        "rights in ways auditreg does not read: name no database then.",
    )


def stored_rights(dialect: DatabaseConnection, default: str | None) -> Rights:
    """The users, roles and rights in a database of basic-auth.

    Raises:
        SourceError: it cannot be read.
    """
    present = [table for table in _ROLE_TABLES if dialect.columns(table)]
    if present and len(present) < len(_ROLE_TABLES):
        missing = ", ".join(table for table in _ROLE_TABLES if table not in present)
        raise SourceError(
            f"{dialect.location} holds roles, but not all of their tables can be seen: {missing}.",
            state=UNCHANGED,
            hint="Allow auditreg's database user to read them.",
        )
    doubts = IncompletenessLog()
    parts = _parts(dialect, roles=bool(present))
    tables: dict[str, list[pa.RecordBatch]] = {}
    counts: dict[str, tuple[int | None, int]] = {}
    for table, selects in parts.items():
        tables[table], expected, read = [], 0, 0
        for part in selects:
            (number,) = dialect.numbers(f"select count(*) as n0 from {part.source}")
            expected += number
            for batch, rows in part.read(dialect, table, doubts):
                tables[table].append(batch)
                read += rows
        counts[table] = (expected, read)
    tables["permissions"] += batches(
        "permissions", [everyone(default, roles=bool(present))], doubts
    )
    problems = [
        f"{table}: the database counts {expected} rows, {read} were read"
        for table, (expected, read) in counts.items()
        if expected != read
    ]
    return Rights(tables, counts, (*doubts.sentences(), *problems), without_default(default))


def selects(spelling: SqlDialect) -> list[str]:
    """The queries of `stored_rights`, as a database with these tables is asked them."""
    roles = all(spelling.columns(table) for table in _ROLE_TABLES)
    return [
        f"select {', '.join(part.columns.values())} from {part.source}"
        for parts in _parts(spelling, roles=roles).values()
        for part in parts
    ]


def _parts(spelling: SqlDialect, *, roles: bool) -> dict[str, list[_Part]]:
    """What each staging table is made of.

    `grants.py` finds the columns to be granted here: every table has an alias of one letter, and
    within a query no two have the same.
    """
    if roles:
        return {"principals": [_users(), _roles()], "permissions": [*_granted(), *_members()]}
    return {"principals": [_users()], "permissions": [*_direct(spelling)]}


@dataclass(frozen=True)
class _Part:
    """Some rows of a staging table: `columns` from `source`, `fixed` the same for all of them."""

    source: str
    columns: dict[str, str]
    fixed: dict[str, str]

    def read(
        self, dialect: DatabaseConnection, table: str, doubts: IncompletenessLog
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Batches as staged, each with the number of rows it was made of."""
        import pyarrow as pa
        import pyarrow.compute as pc

        parts, types = [], {}
        for name, column in self.columns.items():
            types[name] = INT if name == "admin" else TEXT
            # Every database has its own idea of a boolean; NULL is no administrator.
            value = f"case when {column} then 1 else 0 end"
            parts.append(f'{value if name == "admin" else dialect.value(column, TEXT)} as "{name}"')
        schema = arrow_schema(table)
        for raw in dialect.stream(f"select {', '.join(parts)} from {self.source}", types, 8192):
            columns = []
            for name in STAGING[table]:
                if name == "admin" and name in types:
                    columns.append(pc.equal(raw.column(name), 1))
                elif name in types:
                    columns.append(clean_text(raw.column(name)))
                else:
                    kind = schema.field(name).type
                    columns.append(
                        pa.array([self.fixed.get(name)] * raw.num_rows).cast(kind)
                        if self.fixed.get(name) is not None
                        else pa.nulls(raw.num_rows, kind)
                    )
            batch = pa.RecordBatch.from_arrays(columns, schema=schema)
            for key in KEYS[table]:
                if missing := batch.column(key).null_count:
                    doubts.row(table, key, missing)
                    batch = batch.filter(pc.is_valid(batch.column(key)))
            yield batch, raw.num_rows


def _users() -> _Part:
    return _Part("users u", {"principal": "u.username", "admin": "u.is_admin"}, {"kind": "user"})


def _roles() -> _Part:
    columns = {"workspace": "r.workspace", "principal": "r.name", "description": "r.description"}
    return _Part(f"roles r where not ({_OWN_ROLE})", columns, {"kind": "role"})


def _direct(spelling: SqlDialect) -> Iterator[_Part]:
    """Rights given to users, in a database without roles."""
    for table, kind, column in _DIRECT:
        known = spelling.columns(table)
        if not {column, "user_id", "permission"} <= known:
            continue
        columns = {"resource": f"p.{column}", "principal": "u.username"}
        fixed = {"resource_type": kind, "principal_kind": "user", "via": "direct"}
        if "workspace" in known:
            columns["workspace"] = "p.workspace"
        else:
            fixed["workspace"] = "default"
        source = f"{table} p join users u on u.id = p.user_id"
        yield _Part(source, {**columns, "permission": "p.permission"}, fixed)
    if {"workspace", "user_id", "permission"} <= spelling.columns("workspace_permissions"):
        yield _Part(
            "workspace_permissions p join users u on u.id = p.user_id",
            {"workspace": "p.workspace", "principal": "u.username", "permission": "p.permission"},
            {
                "resource_type": "workspace",
                "resource": "*",
                "principal_kind": "user",
                "via": "workspace",
            },
        )


def _granted() -> Iterator[_Part]:
    """Rights given to roles, and those in a user's own role as given to the user."""
    columns = {
        "workspace": "r.workspace",
        "resource_type": "p.resource_type",
        "resource": "p.resource_pattern",
        "permission": "p.permission",
    }
    source = "role_permissions p join roles r on r.id = p.role_id"
    yield _Part(
        f"{source} where not ({_OWN_ROLE})",
        {**columns, "principal": "r.name"},
        {"principal_kind": "role", "via": "role"},
    )
    yield _Part(
        f"{source} join user_role_assignments a on a.role_id = r.id "
        f"join users u on u.id = a.user_id where {_OWN_ROLE}",
        {**columns, "principal": "u.username"},
        {"principal_kind": "user", "via": "direct"},
    )


def _members() -> Iterator[_Part]:
    """Who has which role."""
    yield _Part(
        "user_role_assignments a join roles r on r.id = a.role_id join users u on u.id = a.user_id "
        f"where not ({_OWN_ROLE})",
        {"workspace": "r.workspace", "resource": "r.name", "principal": "u.username"},
        MEMBER,
    )
