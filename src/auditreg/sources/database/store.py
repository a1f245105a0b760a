"""One of MLflow's databases, open in a snapshot: what it holds, and what of it may be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from auditreg.errors import SourceError
from auditreg.sources.addresses import counted
from auditreg.sources.database.dialect import UNCHANGED, DatabaseConnection
from auditreg.sources.database.grants import ESSENTIAL, SCHEMA_VERSION, readable_kinds, withheld
from auditreg.sources.database.permissions import keeps_users
from auditreg.sources.database.queries import SPECS, Queries
from auditreg.sources.database.schema_versions import of_mlflow, unknown
from auditreg.sources.interface import JOURNAL, READS

TRACKED_KINDS = ("experiment", "run", "logged_model")
"""The kinds of MLflow's tracking store, which may be in a database of its own."""

TRACKED_TABLES = tuple(table for kind in TRACKED_KINDS for table in READS[kind])
REGISTRY_TABLES = tuple(table for table in SPECS if table not in TRACKED_TABLES)

ELSEWHERE = (
    "runs, logged models and experiments: none of those that versions name is in this database, so "
    "they were not read. Where they are, tracking_uri of the [[source]] or --tracking-from says; "
    "name this database itself where they were removed for good"
)

_ESSENTIAL_TRACKING = ("runs", "experiments")
_EXPERIMENTS_AND_RUNS = (
    "select (select count(*) from experiments) as n0, (select count(*) from runs) as n1"
)


class Store:
    """A database with some of MLflow's tables, in one snapshot.

    Args:
        database: the open database.
        runs: `linked` or `all`; see `Source.read`.
        tables: the staging tables that are read from it.
        linked_ids: the ids that versions in another database point to; see `Queries`.

    Raises:
        SourceError: a table that is needed is missing, or may not be read.
    """

    def __init__(
        self,
        database: DatabaseConnection,
        runs: str,
        tables: Sequence[str] = tuple(SPECS),
        linked_ids: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.database = database
        self._revisions = _revisions(database)
        self.schema_version = of_mlflow(self._revisions)
        specs = [SPECS[table] for table in tables]
        bases = {spec.base for spec in specs}
        bases |= {joined for spec in specs for joined, _ in spec.joins.values()}
        self.withheld = withheld(database, self.schema_version, frozenset(bases))
        for table in ESSENTIAL if linked_ids is None else _ESSENTIAL_TRACKING:
            if not database.columns(table):
                raise _without_table(database, table)
        self._hidden = frozenset(table.table for table in self.withheld)
        self.queries = Queries(database, runs, self._hidden, linked_ids)
        self._tables = frozenset(tables)
        kinds = {kind for kind, read in READS.items() if read[0] in self._tables}
        self.kinds = readable_kinds(self.queries, self._hidden) & kinds
        has_versions_and_runs = linked_ids is None and "runs" in self._tables
        self.runs_elsewhere = has_versions_and_runs and self._has_none_of_the_named()
        if self.runs_elsewhere:
            self.kinds -= frozenset(TRACKED_KINDS)

    def shows(self, table: str) -> bool:
        """Whether a staging table is read from this database."""
        if table not in self._tables:
            return False
        kind = next(kind for kind, tables in READS.items() if table in tables)
        return kind in self.kinds and self.queries.shown(table)

    def count_runs(self, run_ids: Collection[str]) -> int:
        """How many of these runs are here."""
        none = "select r.run_uuid as id from runs r where 1 = 0"
        ids = self.database.keep("auditreg_named", none, ("runs", "run_uuid"), tuple(run_ids))
        select = f"select count(*) as n0 from runs r where r.run_uuid in ({ids})"
        return self.database.numbers(select)[0]

    def contents(self) -> str:
        """See `Reading.contents`."""
        store = f"an MLflow store (schema {self.schema_version or 'unknown'})"
        if not all(self.database.columns(table) for table in _ESSENTIAL_TRACKING):
            return store
        experiments, runs = self.database.numbers(_EXPERIMENTS_AND_RUNS, 2)
        return f"{store} with {counted(experiments, 'experiment')} and {counted(runs, 'run')}"

    def cannot_show(self) -> Iterator[str]:
        """What is not read from this database, in words."""
        yield from unknown(self._revisions)
        if self.runs_elsewhere:
            yield ELSEWHERE
        missing = []
        for table in SPECS:
            if table == JOURNAL or table not in self._tables or self.shows(table):
                continue
            if self.runs_elsewhere and table in TRACKED_TABLES:
                continue
            if self.queries.shown(table) or SPECS[table].base in self._hidden:
                what = table.replace("_", " ")
                yield f"{what}: this user may not read all of it and what belongs to it"
            else:
                missing.append(_plural(table))
        if missing:
            version = self.schema_version or "unknown"
            yield f"{', '.join(dict.fromkeys(missing))}: this MLflow (schema {version}) has no tables for them"

    def _has_none_of_the_named(self) -> bool:
        """Whether versions name runs or logged models, and not a single one of them is here.

        What is removed for good one by one leaves others; a database that has none of them is
        rather that of the registry alone, or versions were registered from another store.
        """
        if self._hidden & {"runs", "logged_models"}:
            return False
        named, present = self.database.numbers(self.queries.named_and_present(), 2)
        return bool(named) and not present


def _plural(table: str) -> str:
    """What the rows of a staging table are, for people; what belongs to logged models is of them."""
    if table.startswith("logged_model"):
        return "logged models"
    return {"run_datasets": "data sets of runs"}.get(table, table.replace("_", " "))


def linked_ids(registry: DatabaseConnection, queries: Queries) -> dict[str, list[str]]:
    """The ids, by link set, that versions in a registry of its own point to."""
    return {name: registry.texts(queries.linked_by_versions(name)) for name in ("runs", "models")}


def unread_schemas(registry: DatabaseConnection, tracking: DatabaseConnection) -> Iterator[str]:
    """Schemas of the registry's database whose MLflow tables nobody looked at, in words."""
    schema = registry.schema()
    same_database = _without_options(tracking) == _without_options(registry)
    for other in registry.other_schemas():
        if not (same_database and other == tracking.schema()):
            yield (
                f"what MLflow's tables in the schema {other} hold: those in the schema {schema} were "
                f"read (add `?schema={other}` to the address for the others)"
            )


def _without_options(database: DatabaseConnection) -> str:
    return database.location.partition("?")[0]


def _revisions(database: DatabaseConnection) -> list[str]:
    """What `alembic_version` holds, of MLflow and of whoever else keeps tables there."""
    if "version_num" not in database.columns("alembic_version"):
        return []
    return database.texts(SCHEMA_VERSION)


def _without_table(database: DatabaseConnection, table: str) -> SourceError:
    if keeps_users(database):
        return SourceError(
            f"{database.location} holds the users and rights of MLflow's basic-auth, and no "
            "registry.",
            state=UNCHANGED,
            hint="Give the database of MLflow's backend store to --from, and this one to "
            "--auth-from (auth_uri of the [[source]]).",
        )
    return SourceError(
        f"{database.location} is a database without MLflow's table {table}.",
        state=UNCHANGED,
        hint=database.whereabouts(table)
        or "Give the database of MLflow's backend store (`mlflow server "
        "--backend-store-uri`), not another application's.",
    )
