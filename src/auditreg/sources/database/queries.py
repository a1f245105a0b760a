"""Where each staging column stands in MLflow's tables, and the queries that read it.

The tables are asked which columns they have: a store of an older or newer MLflow is read as far
as it goes, and what it cannot show is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from auditreg.sources.database.dialect import SqlDialect, listed, printable
from auditreg.sources.interface import DELETED, INT, JOURNAL, REAL, STAGING, TEXT
from auditreg.sources.part import Part
from auditreg.sources.staging import KEYS

MODEL_VERSIONS = "mlflow.modelVersions"
"""The tag in which a logged model names the versions that were registered from it."""

ALL_RUNS = "select count(*) as n0 from runs"
"""The query for how many runs there are."""

_MODEL = {"workspace": "workspace", "model": "name"}
_RUN_CHILD = {"run_id": "run_uuid", "key": "key"}


@dataclass(frozen=True)
class Spec:
    """How one staging table is read.

    `columns` maps a staging column to a column of `base`, where the two names differ. `joins`
    are further tables: alias to (table, condition). `elsewhere` maps a staging column to (alias,
    column) in a joined table. `only` is a fixed condition. `linked` names the link set and the
    column of `base` that must be in it.
    """

    base: str
    columns: dict[str, str] = field(default_factory=dict)
    joins: dict[str, tuple[str, str]] = field(default_factory=dict)
    elsewhere: dict[str, tuple[str, str]] = field(default_factory=dict)
    only: str = ""
    linked: tuple[str, str] | None = None


SPECS: dict[str, Spec] = {
    "registered_models": Spec("registered_models", {"model": "name"}),
    "registered_model_tags": Spec("registered_model_tags", _MODEL),
    "model_versions": Spec("model_versions", {"model": "name", "stage": "current_stage"}),
    "model_version_tags": Spec("model_version_tags", _MODEL),
    "aliases": Spec("registered_model_aliases", _MODEL),
    "experiments": Spec("experiments", linked=("experiments", "experiment_id")),
    "runs": Spec("runs", {"run_id": "run_uuid"}, linked=("runs", "run_uuid")),
    "run_params": Spec("params", _RUN_CHILD, linked=("runs", "run_uuid")),
    "run_metrics": Spec("latest_metrics", _RUN_CHILD, linked=("runs", "run_uuid")),
    "run_tags": Spec("tags", _RUN_CHILD, linked=("runs", "run_uuid")),
    "run_datasets": Spec(
        "inputs",
        {"run_id": "destination_id"},
        joins={
            "d": ("datasets", "d.dataset_uuid = b.source_id"),
            "c": ("input_tags", "c.input_uuid = b.input_uuid and c.name = 'mlflow.data.context'"),
        },
        elsewhere={
            "name": ("d", "name"),
            "digest": ("d", "digest"),
            "source_type": ("d", "dataset_source_type"),
            "source": ("d", "dataset_source"),
            "schema": ("d", "dataset_schema"),
            "profile": ("d", "dataset_profile"),
            "context": ("c", "value"),
        },
        only="b.destination_type = 'RUN' and b.source_type = 'DATASET'",
        linked=("runs", "destination_id"),
    ),
    "logged_models": Spec(
        "logged_models",
        {
            "creation_time": "creation_timestamp_ms",
            "last_updated_time": "last_updated_timestamp_ms",
        },
        linked=("models", "model_id"),
    ),
    "logged_model_params": Spec(
        "logged_model_params",
        {"key": "param_key", "value": "param_value"},
        linked=("models", "model_id"),
    ),
    "logged_model_metrics": Spec(
        "logged_model_metrics",
        {
            "key": "metric_name",
            "value": "metric_value",
            "timestamp": "metric_timestamp_ms",
            "step": "metric_step",
        },
        linked=("models", "model_id"),
    ),
    "logged_model_tags": Spec(
        "logged_model_tags",
        {"key": "tag_key", "value": "tag_value"},
        linked=("models", "model_id"),
    ),
    JOURNAL: Spec("auditreg_journal"),
}

RUN_CHILDREN = ("run_params", "run_metrics", "run_tags", "run_datasets")
"""What belongs to a run, and may be read for all runs at once."""

WHOLE_SHARE = 5
"""From one linked run in this many on, the rows of all runs are read: looking every linked run up
in an index costs more than reading everything once they are more than a small part.
"""

LOGGED_MODEL_STATUS = ("UNSPECIFIED", "PENDING", "READY", "FAILED")
"""MLflow keeps a logged model's status as a number: the index in this tuple."""


@dataclass(frozen=True)
class Query:
    """A SELECT over MLflow's tables, and its columns' types in order.

    After the staging columns come `is_nan` (metrics) and, where not every value is plain,
    `misfits`: a bit per staging column whose value had to be dropped or, for a part of the row's
    identity, is missing.
    """

    select: str
    types: dict[str, str]


class Queries:
    """The queries for one snapshot.

    Args:
        dialect: the open database, or how SQL is written for one.
        runs: `linked` for the runs versions point to, `all` for every run.
        without: tables of the database that are taken as not being there.
        linked_ids: by link set, the ids that versions in another database point to; None where
            versions are in this one.
    """

    def __init__(
        self,
        dialect: SqlDialect,
        runs: str,
        without: frozenset[str] = frozenset(),
        linked_ids: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._dialect = dialect
        self._all_runs = runs == "all"
        self._without = without
        self._linked_ids = linked_ids
        self._links: dict[str, str] = {}
        self._part: Part | None = None

    def restrict(self, part: Part) -> None:
        """Find from now on only the rows of a part of the registry."""
        self._part = part
        self._all_runs = False

    def has(self, base: str) -> bool:
        """Whether the database has a table, by its own name."""
        return bool(self._columns(base))

    def shown(self, table: str) -> bool:
        """Whether the database has the table this staging table is read from."""
        spec = SPECS[table]
        return bool(self._columns(spec.base)) and not (
            table == "run_datasets" and not self._columns("datasets")
        )

    def rows(self, table: str, *, plain: bool, only: str = "", all_runs: bool = False) -> Query:
        """The query for a staging table's rows, those of the journal in ascending id.

        Args:
            table: the staging table.
            plain: every stored value is known to be of its staging type (`survey`), so that none
                has to be looked at again.
            only: a condition on rows of the table, alias `b`.
            all_runs: of all runs, for the reader to pick the linked ones (`may_read_all_runs`).
        """
        dialect, spec = self._dialect, SPECS[table]
        parts, misfits, types = [], [], {}
        for bit, (name, kind) in enumerate(STAGING[table].items()):
            expression = self._column(table, name)
            as_staged = dialect.plain if plain else dialect.value
            parts.append(f'{as_staged(expression, kind)} as "{name}"')
            types[name] = kind
            wrong = [dialect.misfit(expression, kind)]
            if name in KEYS[table]:
                wrong.append(f"{expression} is null")
            if any(wrong):
                either = " or ".join(filter(None, wrong))
                misfits.append(f"case when {either} then {1 << bit} else 0 end")
        if table == "run_metrics":
            flag = "b.is_nan" if "is_nan" in self._columns(spec.base) else "0"
            parts.append(f"case when {flag} then 1 else 0 end as is_nan")
            types["is_nan"] = INT
        if not plain:
            parts.append(f"{' + '.join(misfits) or '0'} as misfits")
            types["misfits"] = INT
        order = " order by b.id" if table == JOURNAL else ""
        return Query(
            f"select {', '.join(parts)} from {self._from(table, only, all_runs)}{order}", types
        )

    def survey(self, table: str, only: str = "", *, all_runs: bool = False) -> str:
        """The query for three numbers: how many rows `rows` will find, how many are not plain, and
        the length of the longest.

        One scan without handing anything over costs a third of looking at each value on the way.
        Typed columns need no such check, and their batches are cut by size in bytes, so the length
        is 0.
        """
        dialect = self._dialect
        sure = dialect.never_null(SPECS[table].base)
        checks = [
            f"{self._column(table, name)} is not null"
            for name in KEYS[table]
            if SPECS[table].columns.get(name, name) not in sure or name in SPECS[table].elsewhere
        ]
        lengths = []
        if not dialect.typed:
            texts = [n for n, kind in STAGING[table].items() if kind == TEXT]
            checks += [
                dialect.is_plain(self._column(table, name), kind)
                for name, kind in STAGING[table].items()
            ]
            lengths = [
                f"coalesce(length({self._column(table, name)}), 0)"
                for name in texts
                if name not in KEYS[table]
            ]
        doubtful = f"sum(case when {' and '.join(checks)} then 0 else 1 end)" if checks else "0"
        longest = f"max({' + '.join(lengths) or '0'})"
        numbers = f"count(*) as n0, {doubtful} as n1, {longest} as n2"
        return f"select {numbers} from {self._from(table, only, all_runs)}"

    def may_read_all_runs(self, table: str) -> bool:
        """Whether a table belongs to runs, of which only the linked ones are read."""
        return table in RUN_CHILDREN and not self._all_runs

    def count(self, table: str) -> str:
        """The query for how many rows `rows` will find."""
        return f"select count(*) as n0 from {self._from(table)}"

    def within(self, column: str, name: str) -> str:
        """SQL that is true where a column holds an id of a link set.

        The sets are `runs`, `models` and `experiments`.
        """
        if name not in self._links:
            select, among = _LINKS[name]
            also = (self._linked_ids or {}).get(name, ())
            self._links[name] = self._dialect.keep(f"auditreg_{name}", select(self), among, also)
        return f"{column} in ({self._links[name]})"

    def missing_runs(self) -> str:
        """The query for how many runs that versions name as theirs are no longer there."""
        return (
            f"select count(*) as n0 from ({self.named_runs()}) named "
            "where not exists (select 1 from runs r where r.run_uuid = named.t)"
        )

    def named_runs(self) -> str:
        """The query for the runs that versions name as theirs, as text `t`."""
        return (
            "select distinct v.run_id as t from model_versions v "
            f"where v.run_id <> '' and {self._followed('v')}"
        )

    def linked_by_versions(self, name: str) -> str:
        """The query for the ids, as text `t`, of a link set that versions themselves point to."""
        parts = self._runs_of_versions() if name == "runs" else [self._models_of_versions()]
        return f"select linked.id as t from ({' union '.join(parts)}) linked"

    def named_and_present(self) -> str:
        """The query for two numbers, each 0 or 1: whether versions name runs or logged models, and
        whether one of those that they name is there.
        """
        model = f"{self._begins('v.source', 'models:/m-')}"
        run = f"{self._begins('v.source', 'runs:/')}"
        rest = self._dialect.before_slash("substr(v.source, 7)")
        present = []
        if self._columns("runs"):
            present += [f"v.run_id <> '' and {self._exists('runs', 'run_uuid', 'v.run_id')}"]
            present += [f"{run} and {self._exists('runs', 'run_uuid', rest)}"]
        if self._columns("logged_models"):
            held = self._exists("logged_models", "model_id", "substr(v.source, 9)")
            present += [f"{model} and {held}"]
        conditions = [f"v.run_id <> '' or {run} or {model}", *present]
        tests = [
            f"exists (select 1 from model_versions v where {self.live('v')} and ({condition}))"
            for condition in conditions
        ]
        any_present = " or ".join(tests[1:]) or "1 = 0"
        return (
            f"select case when {tests[0]} then 1 else 0 end as n0, "
            f"case when {any_present} then 1 else 0 end as n1"
        )

    def _exists(self, table: str, column: str, value: str) -> str:
        return f"exists (select 1 from {table} x where x.{column} = {value})"

    def unlinked_runs(self) -> str:
        """The query for how many runs `rows` leaves out."""
        return f"select ({ALL_RUNS}) - ({self.count('runs')}) as n0"

    def live_versions(self) -> str:
        """The query for how many versions are not deleted."""
        return f"select count(*) as n0 from model_versions v where {self.live('v')}"

    def tombstones(self) -> str:
        """The query for how many deleted versions have left a row."""
        gone = f"not ({self.live('v')})"
        return f"select count(*) as n0 from model_versions v where {self._all_of(gone, 'v')}"

    def gaps(self) -> str:
        """The query for how many version numbers below a model's highest no row has."""
        version = self._dialect.value("v.version", INT)
        workspace = "v.workspace, " if "workspace" in self._columns("model_versions") else ""
        return (
            "select sum(missing) as n0 from (select case when max(number) > count(number) "
            f"then max(number) - count(number) else 0 end as missing from (select {workspace}v.name, "
            f"{version} as number from model_versions v where {self._all_of('', 'v')}) v "
            f"group by {workspace}v.name) numbered"
        )

    def _columns(self, table: str) -> frozenset[str]:
        return frozenset() if table in self._without else self._dialect.columns(table)

    def _from(self, table: str, only: str = "", all_runs: bool = False) -> str:
        spec = SPECS[table]
        source = f"{spec.base} b"
        for alias, (joined, condition) in spec.joins.items():
            if self._columns(joined):
                source += f" {'' if alias == 'd' else 'left '}join {joined} {alias} on {condition}"
        conditions = [condition for condition in (spec.only, only) if condition]
        if self._part is not None and spec.columns.get("model") == "name":
            conditions.append(self.named("b", self._part.models))
        unbound = (self._all_runs and spec.linked and spec.linked[0] == "runs") or all_runs
        if spec.linked and not unbound:
            conditions.append(self.within(f"b.{spec.linked[1]}", spec.linked[0]))
        return source + (f" where {' and '.join(conditions)}" if conditions else "")

    def _column(self, table: str, name: str) -> str:
        """SQL for one staging column as stored; `null` where the database has none."""
        dialect, spec = self._dialect, SPECS[table]
        alias, column = spec.elsewhere.get(name, ("b", spec.columns.get(name, name)))
        holder = spec.base if alias == "b" else spec.joins[alias][0]
        known = column in self._columns(holder)
        expression = f'{alias}."{column}"' if known else "null"
        if name == "workspace" and table != JOURNAL:
            return f"coalesce({expression}, 'default')"
        if (table, name) == ("runs", "name") and self._columns("tags"):
            # MLflow itself falls back to this tag for runs older than the column.
            tag = "select n.value from tags n where n.run_uuid = b.run_uuid"
            return f"coalesce(nullif({expression}, ''), ({tag} and n.key = 'mlflow.runName'))"
        if not known:
            return "null"
        if (table, name) == ("logged_models", "status"):
            words = " ".join(f"when {i} then '{w}'" for i, w in enumerate(LOGGED_MODEL_STATUS))
            return f"case {expression} {words} else {dialect.value(expression, TEXT)} end"
        return expression

    def live(self, alias: str) -> str:
        """SQL that is true of versions that are not deleted."""
        return f"coalesce({alias}.current_stage, '') <> '{DELETED}'"

    def among(self, column: str, texts: Sequence[str]) -> str:
        """SQL that is true where a column holds one of these texts, letter by letter.

        An index serves only a comparison in the column's own collation, which may know no case.
        """
        known = listed(printable(texts))
        exact = self._dialect.exact(column)
        also = "" if exact == column else f" and {exact} in ({known})"
        return f"{column} in ({known}){also}"

    def named(self, alias: str, models: Sequence[str]) -> str:
        """SQL that is true of rows of these registered models."""
        return self.among(f"{alias}.name", models)

    def _followed(self, alias: str) -> str:
        """SQL that is true of versions whose runs and logged models are read."""
        if self._part is None:
            return self.live(alias)
        numbers: dict[str, list[int]] = {}
        for model, number in sorted(self._part.versions):
            numbers.setdefault(model, []).append(number)
        versions = [
            f"({self.named(alias, [model])} and {alias}.version in ({', '.join(map(str, chosen))}))"
            for model, chosen in numbers.items()
        ]
        return f"{self.live(alias)} and ({' or '.join(versions) or '1 = 0'})"

    def _all_of(self, condition: str, alias: str) -> str:
        """A condition on rows of the registry's tables, of those that are read."""
        part = "" if self._part is None else self.named(alias, self._part.models)
        return " and ".join(filter(None, (condition, part))) or "1 = 1"

    def _begins(self, column: str, prefix: str) -> str:
        """SQL that is true where a text begins so; LIKE folds case in some databases."""
        return f"{self._dialect.exact(f'substr({column}, 1, {len(prefix)})')} = '{prefix}'"

    def _models(self) -> str:
        """Logged models that versions come from: source `models:/m-…`, or by their own tag."""
        parts = [] if self._linked_ids is not None else [self._models_of_versions()]
        if self._part is not None:
            parts += self._models_of_runs()
        elif self._columns("logged_model_tags"):
            # Whether a version of that name is there is not asked here: JSON is another language
            # in every database. The ledger's view version_logged_models matches them exactly.
            parts.append(
                f"select {self._dialect.exact('g.model_id')} as id from logged_model_tags g "
                f"where g.tag_key = '{MODEL_VERSIONS}' and g.tag_value <> ''"
            )
        return " union ".join(parts) or _NONE

    def _models_of_runs(self) -> list[str]:
        """Logged models that the versions of a part came from, of which only their runs tell."""
        if not (self._columns("inputs") and self._columns("logged_model_tags")):
            return []
        known = (self._linked_ids or {}).get("runs")
        runs = (
            " union ".join(self._runs_of_versions()) if known is None else listed(printable(known))
        )
        select = (
            f"select {self._dialect.exact('g.model_id')} as id from inputs o "
            "join logged_model_tags g on g.model_id = o.destination_id "
            f"where o.source_type = 'RUN_OUTPUT' and o.source_id in ({runs}) "
            "and o.destination_type = 'MODEL_OUTPUT' "
            f"and g.tag_key = '{MODEL_VERSIONS}' and g.tag_value <> ''"
        )
        return [select]

    def _models_of_versions(self) -> str:
        model_id = "substr(v.source, 9)"
        return (
            f"select {self._dialect.exact(model_id)} as id from model_versions v "
            f"where {self._begins('v.source', 'models:/m-')} "
            f"and {model_id} not like '%/%' and {model_id} not like '%@%' and {self._followed('v')}"
        )

    def _runs(self) -> str:
        """Runs that versions point to, by any of the ways MLflow has for it."""
        parts = [] if self._linked_ids is not None else self._runs_of_versions()
        if self._columns("logged_models"):
            parts.append(
                f"select {self._dialect.exact('l.source_run_id')} as id from logged_models l "
                f"where l.source_run_id <> '' and {self.within('l.model_id', 'models')}"
            )
        return " union ".join(parts) or _NONE

    def _runs_of_versions(self) -> list[str]:
        dialect = self._dialect
        rest = dialect.before_slash("substr(v.source, 7)")
        parts = [
            (
                f"select {dialect.exact('v.run_id')} as id from model_versions v "
                f"where v.run_id <> '' and {self._followed('v')}"
            ),
            (
                f"select {dialect.exact(rest)} as id from model_versions v "
                f"where {self._begins('v.source', 'runs:/')} and {self._followed('v')}"
            ),
        ]
        if self._columns("model_version_tags"):
            same = "v.name = t.name and v.version = t.version"
            if "workspace" in self._columns("model_version_tags"):
                same += " and v.workspace = t.workspace"
            parts.append(
                f"select {dialect.exact('t.value')} as id from model_version_tags t where "
                f"{self._all_of(dialect.is_run_id('t.value'), 't')} and exists (select 1 "
                f"from model_versions v where {same} and {self._followed('v')})"
            )
        return parts

    def _experiments(self) -> str:
        chosen = "" if self._all_runs else f" where {self.within('r.run_uuid', 'runs')}"
        return f"select distinct r.experiment_id as id from runs r{chosen}"


_NONE = "select r.run_uuid as id from runs r where 1 = 0"
"""A query without rows: no table says which ids these are."""

_LINKS: dict[str, tuple[Callable[[Queries], str], tuple[str, str] | None]] = {
    "runs": (Queries._runs, ("runs", "run_uuid")),
    "models": (Queries._models, ("logged_models", "model_id")),
    "experiments": (Queries._experiments, None),
}
"""Link sets: how their ids are found, and the column they are ids of where they may be of none."""


def real_columns(table: str) -> tuple[str, ...]:
    """The staging table's columns that hold metric values."""
    return tuple(name for name, kind in STAGING[table].items() if kind == REAL)
