"""The Python API: a ledger's answers as pandas DataFrames.

`auditreg.open` is this module's `open`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from auditreg.config import Config

Moment = str | date | datetime | None


def open(  # noqa: A001 - read as `auditreg.open`
    path: str | os.PathLike[str] | None = None, *, config: str | os.PathLike[str] | None = None
) -> LedgerView:
    """Open a ledger for reading.

    Args:
        path: the ledger file; the one the settings name when None.
        config: an auditreg.toml; when None, found as the command line finds it, or else the
            settings sealed in the ledger.

    Raises:
        LedgerError: there is no ledger, or the file is none.
        ConfigError: the settings are wrong.
    """
    from auditreg.config import load_config
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.policy import settings_for

    settings = load_config(Path(config) if config is not None else None)
    ledger = Ledger(path if path is not None else settings.ledger_path)
    with ledger.reader():
        pass  # a missing or foreign file is told here, not at the first question
    return LedgerView(ledger.path, settings_for(ledger, settings))


class LedgerView:
    """A ledger that answers with DataFrames. The file is open only while it answers."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config

    def __repr__(self) -> str:
        return f"auditreg.open({str(self.path)!r})"

    def inventory(self, as_of: Moment = None) -> pd.DataFrame:
        """One row per version with its governance fields.

        Args:
            as_of: a past moment; a date means the end of that day in the configured time zone.
        """
        order = "order by registry, workspace, model, version"
        if as_of is None:
            return self.query(f"from inventory {order}")
        return self.query(f"from inventory_as_of(as_of()) {order}", as_of=as_of)

    def changes(
        self,
        since: Moment = None,
        until: Moment = None,
        kind: str | Sequence[str] = (),
        actor: str | None = None,
        *,
        uncaptured: bool = False,
    ) -> pd.DataFrame:
        """Who changed what and when, as far as it is on record.

        Of a span of time, what the first reading found is listed if MLflow's own times date it so.

        Args:
            since: what cannot have happened since then is left out; a date means its beginning.
            until: what cannot have happened before then is left out; a date means its end.
            kind: a kind of change or several, as for `auditreg changes`.
            actor: a person or account, in any spelling the settings know.
            uncaptured: only changes that are not in the server's record.
        """
        import pandas as pd

        from auditreg.queries.changes import ChangeFilter, change_rows

        filters = ChangeFilter(
            since=self._moment(since, begins=True),
            until=self._moment(until),
            kinds=(kind,) if isinstance(kind, str) else tuple(kind),
            actor=actor,
            uncaptured=uncaptured,
        )
        with self._reader() as connection:
            columns, rows = change_rows(connection, filters)
        return pd.DataFrame(rows, columns=list(columns))

    def live(self, model: str | None = None, at: Moment = None) -> pd.DataFrame:
        """Which versions were live, since when, put there and approved by whom, and how sure.

        One row per version that was or may have been live, and one per model that had none.

        Args:
            model: MODEL, MODEL/VERSION, MODEL@ALIAS or a `models:/` URI; every model when None.
            at: a past moment; a date means the end of that day in the configured time zone.
        """
        import pandas as pd

        from auditreg.queries.live_versions import COLUMNS, live_answers, live_rows
        from auditreg.queries.model_refs import resolve

        moment = self._moment(at)
        with self._reader() as connection:
            selection = None if model is None else resolve(connection, model, moment)
            rows = live_rows(live_answers(connection, moment, selection))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def history(self, model: str) -> pd.DataFrame:
        """Everything on record about a model or version, oldest first.

        Args:
            model: MODEL, MODEL/VERSION, MODEL@ALIAS or a `models:/` URI; deleted and former
                names count too.
        """
        import pandas as pd

        from auditreg.queries.history import COLUMNS, history_rows
        from auditreg.queries.model_refs import resolve

        with self._reader() as connection:
            rows = history_rows(connection, resolve(connection, model))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def query(self, sql: str, as_of: Moment = None) -> pd.DataFrame:
        """The rows of a SELECT. `as_of()` in it is the given moment."""
        with self._reader(any_sql=True) as connection:
            if as_of is not None:
                connection.execute("set variable as_of = ?::timestamp", [self.config.moment(as_of)])
            frame: Any = connection.sql(sql).df()
        return frame

    def check(
        self,
        *selection: str,
        as_of: Moment = None,
        rules: tuple[str, ...] = (),
        everything: bool = False,
    ) -> pd.DataFrame:
        """Judge by the rules in force; seals nothing.

        Args:
            selection: models and versions, written as for `auditreg check`; all when empty.
            as_of: a past moment.
            rules: ids of the rules to run; all when empty.
            everything: every answer of every rule, instead of the findings only.
        """
        import pandas as pd

        from auditreg.formats.check_json import FindingV1, finding_v1
        from auditreg.formats.findings import shown_findings
        from auditreg.ledger.store import Ledger
        from auditreg.workflows.check import CheckOptions, run_check
        from auditreg.workflows.policy import PolicySet

        options = CheckOptions(
            as_of=None if as_of is None else self.config.moment(as_of),
            selection=selection,
            only=tuple(rules),
            seal=False,
            everything=everything,
        )
        result = run_check(Ledger(self.path), PolicySet.load(self.config), options).result
        columns = FindingV1.__struct_fields__
        rows = [
            [getattr(finding, name) for name in columns]
            for finding in map(finding_v1, shown_findings(result, everything=everything))
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def _moment(self, given: Moment, *, begins: bool = False) -> datetime | None:
        from auditreg.queries.model_refs import start_of

        if given is None:
            return None
        return start_of(self.config, given) if begins else self.config.moment(given)

    def _reader(
        self, *, any_sql: bool = False
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        from auditreg.ledger.store import Ledger

        return Ledger(self.path).reader(any_sql=any_sql)
