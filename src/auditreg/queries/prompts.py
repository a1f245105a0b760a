"""Prompts, which MLflow keeps as registered models: in the record, and judged by nobody."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.errors import NothingToAudit, UsageError
from auditreg.queries.reader import as_of

if TYPE_CHECKING:
    import duckdb

    from auditreg.queries.model_refs import Selection

NOT_JUDGED = "prompts are not judged"
LIST_THEM = "`auditreg inventory --kind prompt` lists them, `auditreg history` tells of each."


def refuse_prompts(
    connection: duckdb.DuckDBPyConnection,
    selection: Selection | None,
    at: datetime | None,
    state: str = "",
) -> None:
    """Refuse to judge prompts: those that are named, or a record that holds nothing else.

    Args:
        connection: a reader of the ledger.
        selection: what is asked about; None for everything.
        at: the moment it is asked about; None for now.
        state: what state things are in.

    Raises:
        NothingToAudit: there are only prompts.
        UsageError: prompts are named beside models.
    """
    if selection is None:
        _refuse_prompts_alone(connection, at, state)
    else:
        _refuse_named_prompts(connection, selection, state)


def _refuse_prompts_alone(
    connection: duckdb.DuckDBPyConnection, at: datetime | None, state: str
) -> None:
    row = connection.execute(
        f"""
        select count(distinct subject) filter (where is_prompt),
               count(distinct subject) filter (where not is_prompt)
        from (select subject, subject in (select model_subject from {as_of("prompt_models", at)})
                  as is_prompt
              from {as_of("registered_models", at)} where not deleted)
        """
    ).fetchone()
    prompts, models = row or (0, 0)
    if prompts and not models:
        number = f"{prompts:,} prompt{'' if prompts == 1 else 's'}"
        raise NothingToAudit(
            f"The ledger holds {number} and no model; {NOT_JUDGED}.", state=state, hint=LIST_THEM
        )


def _refuse_named_prompts(
    connection: duckdb.DuckDBPyConnection, selection: Selection, state: str
) -> None:
    named = connection.execute(
        "select subject, max_by(model, seq) from registered_models "
        "where list_contains(?::VARCHAR[], subject) "
        "and subject in (select model_subject from prompt_models) group by subject order by 2",
        [list(selection.owners)],
    ).fetchall()
    if not named:
        return
    names = ", ".join(dict.fromkeys(str(name) for _, name in named))
    what = f"{names} {'is a prompt' if len(named) == 1 else 'are prompts'}; {NOT_JUDGED}."
    if len(named) == len(selection.owners):
        raise NothingToAudit(what, state=state, hint=LIST_THEM)
    raise UsageError(what, state=state, hint=f"Leave it out. {LIST_THEM}")
