"""Which runs, logged models and experiments the versions of a registry lead to, as SQL.

Of a registry that is read in part, only what the versions that are named lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from auditreg.sources.database.dialect import SqlDialect, listed, printable
from auditreg.sources.interface import DELETED
from auditreg.sources.part import MODEL_VERSIONS, Part


class Links:
    """Finds the ids of what versions lead to.

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

    def within(self, column: str, name: str) -> str:
        """SQL that is true where a column holds an id of a link set.

        The sets are `runs`, `models` and `experiments`.
        """
        if name not in self._links:
            select, among = _LINKS[name]
            also = (self._linked_ids or {}).get(name, ())
            self._links[name] = self._dialect.keep(f"auditreg_{name}", select(self), among, also)
        return f"{column} in ({self._links[name]})"

    def named_runs(self) -> str:
        """The query for the runs that versions name as theirs, as text `t`."""
        return (
            "select distinct v.run_id as t from model_versions v "
            f"where v.run_id <> '' and {self._selected('v')}"
        )

    def linked_by_versions(self, name: str) -> str:
        """The query for the ids, as text `t`, of a link set that versions themselves point to."""
        parts = self._runs_of_versions() if name == "runs" else [self._models_of_versions()]
        return f"select linked.id as t from ({' union '.join(parts)}) linked"

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

    def _selected(self, alias: str) -> str:
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

    def where(self, alias: str, condition: str = "") -> str:
        """WHERE for rows of the registry's tables: those that are read, and meet a condition."""
        part = "" if self._part is None else self.named(alias, self._part.models)
        conditions = " and ".join(filter(None, (condition, part)))
        return f" where {conditions}" if conditions else ""

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
            parts.append(f"{self._tagged_models()} where {_NAMES_VERSIONS}")
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
            f"{self._tagged_models()} join inputs o on o.destination_id = g.model_id "
            f"where o.source_type = 'RUN_OUTPUT' and o.source_id in ({runs}) "
            f"and o.destination_type = 'MODEL_OUTPUT' and {_NAMES_VERSIONS}"
        )
        return [select]

    def _tagged_models(self) -> str:
        return f"select {self._dialect.exact('g.model_id')} as id from logged_model_tags g"

    def _models_of_versions(self) -> str:
        model_id = "substr(v.source, 9)"
        return (
            f"select {self._dialect.exact(model_id)} as id from model_versions v "
            f"where {self._begins('v.source', 'models:/m-')} "
            f"and {model_id} not like '%/%' and {model_id} not like '%@%' and {self._selected('v')}"
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
                f"where v.run_id <> '' and {self._selected('v')}"
            ),
            (
                f"select {dialect.exact(rest)} as id from model_versions v "
                f"where {self._begins('v.source', 'runs:/')} and {self._selected('v')}"
            ),
        ]
        if self._columns("model_version_tags"):
            same = "v.name = t.name and v.version = t.version"
            if "workspace" in self._columns("model_version_tags"):
                same += " and v.workspace = t.workspace"
            parts.append(
                f"select {dialect.exact('t.value')} as id from model_version_tags t"
                f"{self.where('t', dialect.is_run_id('t.value'))} and exists (select 1 "
                f"from model_versions v where {same} and {self._selected('v')})"
            )
        return parts

    def _experiments(self) -> str:
        chosen = "" if self._all_runs else f" where {self.within('r.run_uuid', 'runs')}"
        return f"select distinct r.experiment_id as id from runs r{chosen}"

    def _columns(self, table: str) -> frozenset[str]:
        return frozenset() if table in self._without else self._dialect.columns(table)


_NAMES_VERSIONS = f"g.tag_key = '{MODEL_VERSIONS}' and g.tag_value <> ''"
"""True of the tag in which a logged model names its versions."""

_NONE = "select r.run_uuid as id from runs r where 1 = 0"
"""A query without rows: no table says which ids these are."""

_LINKS: dict[str, tuple[Callable[[Links], str], tuple[str, str] | None]] = {
    "runs": (Links._runs, ("runs", "run_uuid")),
    "models": (Links._models, ("logged_models", "model_id")),
    "experiments": (Links._experiments, None),
}
"""Link sets: how their ids are found, and the column they are ids of where they may be of none."""
