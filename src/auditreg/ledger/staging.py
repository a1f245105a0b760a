"""A reading's rows on their way into the log: in tables of a scratch database."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.errors import AuditregError
from auditreg.ledger import entries
from auditreg.sources.interface import (
    BOOL,
    INT,
    REAL,
    STAGING,
    TEXT,
    Progress,
    Reading,
    arrow_schema,
)
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_TYPES = {TEXT: "VARCHAR", INT: "BIGINT", REAL: "DOUBLE", BOOL: "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class StagedReading:
    """Where the staging tables of a reading are, which of them hold any row, and how many all hold."""

    database: str
    filled: frozenset[str]
    rows: int


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
    con.execute("; ".join(_empty_tables(f"create or replace {temporary}table {scratch}.")))
    filled, total = set(), 0
    for place, table in enumerate(STAGING):
        report(f"reading {table.replace('_', ' ')}", place, len(STAGING))
        failed: list[AuditregError] = []
        batches = _keeping_errors(reading.table(table), failed)
        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            continue
        incoming: pa.RecordBatchReader = pa.RecordBatchReader.from_batches(
            arrow_schema(table), itertools.chain((first,), batches)
        )
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
        total += rows
        if rows:
            filled.add(table)
    return StagedReading(scratch, frozenset(filled), total)


def _empty_tables(create: str) -> Iterator[str]:
    """The statements that make every staging table without rows."""
    for table, columns in STAGING.items():
        listed = ", ".join(f"{quoted_name(name)} {_TYPES[kind]}" for name, kind in columns.items())
        yield f"{create}stage_{table} ({listed})"


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
    """Drop the tables used only for comparing, before the derived tables are built."""
    _drop(con, "incoming", "changed", "known", "vanished", "run_child", "batch")


def drop_scratch(con: duckdb.DuckDBPyConnection, staged: StagedReading) -> None:
    """Let go of what was staged and compared."""
    if staged.database == "scratch":
        con.execute("set search_path = 'audit'")
        con.execute("detach scratch")
    else:
        _drop(con, *(f"stage_{table}" for table in STAGING))
    drop_compared(con)
    _drop(con, "numbered", "held")


def _drop(con: duckdb.DuckDBPyConnection, *tables: str) -> None:
    con.execute("; ".join(f"drop table if exists temp.{table}" for table in tables))
