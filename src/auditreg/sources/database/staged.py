"""What a query over MLflow's tables gave, as staging rows: cleaned, and counted where it does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditreg.sources.database.queries import real_columns
from auditreg.sources.interface import INT, STAGING, TEXT, arrow_schema
from auditreg.sources.staging import (
    EMPTY_IS_NULL,
    KEYS,
    NEEDED,
    ZERO_IS_NULL,
    IncompletenessLog,
    clean_metric,
    clean_text,
)

if TYPE_CHECKING:
    import pyarrow as pa


def staged(
    table: str, raw: pa.RecordBatch, doubts: IncompletenessLog
) -> tuple[pa.RecordBatch, int]:
    """A batch as staged, and how many of its rows were left out."""
    import pyarrow as pa

    left_out = 0
    if "misfits" in raw.schema.names:
        keep = _note_misfits(table, doubts, raw.column("misfits").to_pylist())
        if left_out := keep.count(False):
            raw = raw.filter(pa.array(keep))
    names = raw.schema.names
    is_nan = raw.column("is_nan").cast(pa.bool_()) if "is_nan" in names else None
    columns = []
    for name, kind in STAGING[table].items():
        column = raw.column(name)
        if kind == TEXT:
            column = clean_text(column)
            if name in EMPTY_IS_NULL.get(table, ()):
                column = _without_empty(column)
        elif name in real_columns(table):
            column = clean_metric(column, is_nan)
        elif kind == INT and name in ZERO_IS_NULL.get(table, ()):
            column = _without_empty(column)
        if name in NEEDED.get(table, ()) and column.null_count:
            doubts.empty(table, name, column.null_count)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(table)), left_out


def _note_misfits(table: str, doubts: IncompletenessLog, flags: list[int]) -> list[bool]:
    names = list(STAGING[table])
    keep = [True] * len(flags)
    for row, mask in enumerate(flags):
        if not mask:
            continue
        hit = [name for bit, name in enumerate(names) if mask >> bit & 1]
        key = next((name for name in hit if name in KEYS[table]), None)
        if key is not None:
            keep[row] = False
            doubts.row(table, key)
            continue
        for name in hit:
            doubts.value(table, name)
    return keep


def _without_empty(column: pa.Array) -> pa.Array:
    """The column with NULL in the place of a text without characters, or of the number 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # To compare with a value of Python, pyarrow would load pandas: a fifth of a small extraction.
    size = pc.binary_length(column) if pa.types.is_string(column.type) else column
    filled = size.cast(pa.bool_())
    if pc.all(filled).as_py():
        return column
    return pc.if_else(filled, column, pa.nulls(len(column), column.type))
