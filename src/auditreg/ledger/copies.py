"""Copies of a ledger for auditors, which hold as tables what a ledger shows as views.

DuckDB before 1.3 looks up what is behind a view in the current catalog, which may be another ledger;
some tools read tables alone. A ledger that is written to has no such tables: `schema.renew`.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from auditreg.ledger import schema
from auditreg.ledger.draft import finish, open_draft, out_of_space
from auditreg.ledger.planning import is_small, plan_plainly


def hold_tables(copy: Path) -> None:
    """Put tables in the place of the views of `definitions.HELD`.

    Raises:
        LedgerError: memory or disk space ran out.
    """
    import duckdb

    try:
        with contextlib.closing(open_draft(copy, new=False)) as con:
            if is_small(con):
                plan_plainly(con)
            schema.hold_tables(con)
            finish(con)
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.FatalException) as error:
        raise out_of_space(error) from error
    finally:
        shutil.rmtree(f"{copy}.tmp", ignore_errors=True)
