"""Which workspaces of a registry are taken in; the others leave no row, only their number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditreg.errors import SourceError
from auditreg.ledger import entries
from auditreg.sources.interface import STAGING

if TYPE_CHECKING:
    import duckdb

    from auditreg.sources.interface import Completeness

EVERY = "all"
"""What `asked` says where every workspace is read."""


@dataclass(frozen=True, slots=True)
class Workspaces:
    """The workspaces to read: `only` these, or all except `excluded`; both empty means all."""

    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As it stands in the account of a reading."""
        if self.only:
            return f"only {', '.join(sorted(self.only))}"
        return f"all but {', '.join(sorted(self.excluded))}" if self.excluded else EVERY


def leave_out(
    con: duckdb.DuckDBPyConnection, registry: str, chosen: Workspaces, completeness: Completeness
) -> Completeness:
    """Drop the staged rows of other workspaces; the account of the reading with their number.

    A run or logged model belongs to the workspace of its experiment. Rows of the server's journal
    that are left out do not count as sealed, so that nobody prunes them.

    Raises:
        SourceError: the registry was read before with another choice. A workspace that comes or goes
            with the settings would look as if its models had.
    """
    _refuse_change(con, registry, chosen)
    if str(chosen) == EVERY:
        return completeness
    con.execute("create or replace temp table left_out_workspace (workspace VARCHAR)")
    every = " union ".join(
        f"select workspace from stage_{table}"
        for table, columns in STAGING.items()
        if "workspace" in columns
    )
    con.execute(
        f"insert into left_out_workspace select workspace from ({every}) where workspace is not null "
        "and (len($only::VARCHAR[]) > 0 and not list_contains($only::VARCHAR[], workspace) "
        "     or list_contains($excluded::VARCHAR[], workspace))",
        {"only": list(chosen.only), "excluded": list(chosen.excluded)},
    )
    models, versions = (
        entries.number(
            con, f"select count(*) from {table} semi join left_out_workspace using (workspace)"
        )
        for table in ("stage_registered_models", "stage_model_versions")
    )
    _drop(con)
    con.execute("drop table left_out_workspace")
    left = {
        "models in workspaces that are not read": models,
        "versions in workspaces that are not read": versions,
    }
    return replace(
        completeness,
        left_out={**completeness.left_out, **{what: n for what, n in left.items() if n}},
        options={**completeness.options, "workspaces": str(chosen)},
    )


def _refuse_change(con: duckdb.DuckDBPyConnection, registry: str, chosen: Workspaces) -> None:
    row = con.execute(
        "select coalesce(json_extract_string(asked, '$.workspaces'), ?) from extractions "
        "where registry = ? order by seq desc limit 1",
        [EVERY, registry],
    ).fetchone()
    if row and row[0] != str(chosen):
        raise SourceError(
            f"The registry {registry} was read with workspaces: {row[0]}; now it is {chosen}.",
            state="The ledger was not changed.",
            hint="Keep the choice of a registry as it is: what is not read looks unchanged, and what "
            "is read for the first time looks new. Read other workspaces as a [[source]] with a "
            "name of its own.",
        )


def _drop(con: duckdb.DuckDBPyConnection) -> None:
    """Children before what they belong to."""
    for experiment_of, item in (("runs", "run_id"), ("logged_models", "model_id")):
        gone = (
            f"select {item} from stage_{experiment_of} where experiment_id in "
            "(select experiment_id from stage_experiments where workspace in "
            "(from left_out_workspace))"
        )
        children = [
            name
            for name, columns in STAGING.items()
            if item in columns
            and "workspace" not in columns
            and name != experiment_of
            and name.startswith(experiment_of.rstrip("s"))
        ]
        for table in (*children, experiment_of):
            con.execute(f"delete from stage_{table} where {item} in ({gone})")
    for table, columns in STAGING.items():
        if "workspace" in columns:
            con.execute(f"delete from stage_{table} where workspace in (from left_out_workspace)")
