"""Where each staging column stands in MLflow's tables, and the queries that read it.

The tables are asked which columns they have: a store of an older or newer MLflow is read as far
as it goes, and what it cannot show is said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from auditreg.sources.database.links import Links
from auditreg.sources.interface import INT, JOURNAL, REAL, STAGING, TEXT
from auditreg.sources.staging import KEYS

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


class Queries(Links):
    """The queries for one snapshot; see `Links` for its arguments."""

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

    def missing_runs(self) -> str:
        """The query for how many runs that versions name as theirs are no longer there."""
        return (
            f"select count(*) as n0 from ({self.named_runs()}) named "
            "where not exists (select 1 from runs r where r.run_uuid = named.t)"
        )

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
        return f"select count(*) as n0 from model_versions v{self.where('v', gone)}"

    def gaps(self) -> str:
        """The query for how many version numbers below a model's highest no row has."""
        version = self._dialect.value("v.version", INT)
        workspace = "v.workspace, " if "workspace" in self._columns("model_versions") else ""
        return (
            "select sum(missing) as n0 from (select case when max(number) > count(number) "
            f"then max(number) - count(number) else 0 end as missing from (select {workspace}v.name, "
            f"{version} as number from model_versions v{self.where('v')}) v "
            f"group by {workspace}v.name) numbered"
        )

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


def real_columns(table: str) -> tuple[str, ...]:
    """The staging table's columns that hold metric values."""
    return tuple(name for name, kind in STAGING[table].items() if kind == REAL)
