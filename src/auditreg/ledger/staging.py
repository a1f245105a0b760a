"""A reading's rows on their way into the log: in tables of a scratch database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.errors import AuditregError
from auditreg.ledger import entries
from auditreg.sources.interface import STAGING, Reading, arrow_schema
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class StagedReading:
    """Where the staging tables of a reading are: the database, and which of them hold any row."""

    database: str
    filled: frozenset[str]


def stage(con: duckdb.DuckDBPyConnection, reading: Reading, report: Progress) -> StagedReading:
    """Read every staging table into a table `stage_<name>` of a scratch database.

    The scratch database is a file beside the draft of the ledger: compressed, and let go of by
    DuckDB when memory is short, which temporary tables are not.
    """
    import duckdb
    import pyarrow as pa

    entries.prepare(con)
    scratch = _attach_scratch(con)
    temporary = "temp " if scratch == "temp" else ""
    filled = set()
    for place, table in enumerate(STAGING):
        report(f"reading {table.replace('_', ' ')}", place, len(STAGING))
        columns = arrow_schema(table)
        failed: list[AuditregError] = []
        batches = _keeping_errors(reading.table(table), failed)
        incoming: pa.RecordBatchReader = pa.RecordBatchReader.from_batches(columns, batches)
        con.register("incoming_rows", incoming)
        try:
            [(rows,)] = con.execute(
                f"create or replace {temporary}table {scratch}.stage_{table} as from incoming_rows"
            ).fetchall()
        except duckdb.Error as error:
            if failed:
                raise failed[0] from error
            raise
        con.unregister("incoming_rows")
        if rows:
            filled.add(table)
    return StagedReading(scratch, frozenset(filled))


def known_artifacts(
    con: duckdb.DuckDBPyConnection, registry: str
) -> list[tuple[str, str, int, str]]:
    """What the ledger knows of model files that were read, for `Reading.known_artifacts`.

    Of a name that several models had one after the other, only the last one's version counts.
    """
    return con.execute(
        """
        select workspace, model, version, marker
        from (
            select workspace, model, version, marker, state from model_artifacts
            where registry = ?
            qualify row_number() over (partition by workspace, model, version order by seq desc) = 1
        )
        where state = 'read' and marker is not null
        """,
        [registry],
    ).fetchall()


def _keeping_errors(
    batches: Iterable[pa.RecordBatch], failed: list[AuditregError]
) -> Iterator[pa.RecordBatch]:
    """The batches; keeps the error of a source, of which DuckDB passes on only the text."""
    try:
        yield from batches
    except AuditregError as error:
        failed.append(error)
        raise


def _attach_scratch(con: duckdb.DuckDBPyConnection) -> str:
    """Attach the file for staging tables; the name of the database they go into.

    The ledger's writer removes the file together with its draft; where there is no draft, temporary
    tables have to do.
    """
    [(place,)] = con.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    if not str(place).endswith(".draft"):
        return "temp"
    con.execute(f"attach {quoted(f'{place}.scratch')} as scratch (recovery_mode 'no_wal_writes')")
    con.execute("set search_path = 'audit,scratch'")
    return "scratch"


def drop_compared(con: duckdb.DuckDBPyConnection) -> None:
    """Let go of what was only compared, before the derived tables are built."""
    for table in ("incoming", "changed", "known", "vanished", "run_child", "batch"):
        con.execute(f"drop table if exists temp.{table}")


def drop_scratch(con: duckdb.DuckDBPyConnection, staged: StagedReading) -> None:
    """Let go of what was staged and compared."""
    if staged.database == "scratch":
        con.execute("set search_path = 'audit'")
        con.execute("detach scratch")
    else:
        for table in STAGING:
            con.execute(f"drop table if exists temp.stage_{table}")
    for table in (
        "incoming",
        "changed",
        "known",
        "vanished",
        "run_child",
        "numbered",
        "batch",
        "held",
    ):
        con.execute(f"drop table if exists temp.{table}")
