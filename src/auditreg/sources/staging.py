"""Turning what a registry holds into exact staging values, the same way for every source.

A value a staging column cannot hold is never bent into one that fits: it becomes NULL and is
counted in `IncompletenessLog`, and a row without its identity is left out and counted there too.
"""

# ruff: noqa: PLC0414 - declared in `auditreg.kinds`
from __future__ import annotations

import base64
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from auditreg.kinds.declaration import INT, REAL, TEXT
from auditreg.kinds.staging import EMPTY_IS_NULL as EMPTY_IS_NULL
from auditreg.kinds.staging import KEYS as KEYS
from auditreg.kinds.staging import STAGING, arrow_schema
from auditreg.kinds.staging import ZERO_IS_NULL as ZERO_IS_NULL
from auditreg.sources.interface import BYTES_MARK

if TYPE_CHECKING:
    import pyarrow as pa

INFINITE = 1.7976931348623157e308
"""What MLflow's SQL store writes for an infinite metric; read back as infinity."""

NEEDED: dict[str, tuple[str, ...]] = {"journal": ("operation",)}
"""Columns without which a row says nothing; it is kept, and counted as a doubt."""

_MIN, _MAX = -(2**63), 2**63 - 1


class IncompletenessLog:
    """Counts what could not be staged as it is, and says so in sentences."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[tuple[str, str]] = Counter()
        self._empty: Counter[tuple[str, str]] = Counter()
        self._doubles: Counter[str] = Counter()

    def value(self, table: str, column: str, count: int = 1) -> None:
        """Values of `table.column` that its type cannot hold, staged as NULL."""
        self._values[table, column] += count

    def row(self, table: str, column: str, count: int = 1) -> None:
        """Rows of `table` left out because `column`, part of their identity, is unusable."""
        self._rows[table, column] += count

    def empty(self, table: str, column: str, count: int = 1) -> None:
        """Rows of `table` without `column`, one of `NEEDED`, kept as they are."""
        self._empty[table, column] += count

    def double(self, table: str, count: int = 1) -> None:
        """Rows of `table` left out because another has the same identity."""
        self._doubles[table] += count

    def forget(self, table: str) -> None:
        """Begin a table anew: it is staged once more."""
        for counter in (self._values, self._rows, self._empty):
            for key in [key for key in counter if key[0] == table]:
                del counter[key]
        del self._doubles[table]

    def sentences(self) -> tuple[str, ...]:
        """One sentence per table and column concerned."""
        values = [
            f"{count} value(s) of {table}.{column} are not of type {STAGING[table][column]} "
            "and were read as missing"
            for (table, column), count in sorted(self._values.items())
        ]
        rows = [
            f"{count} row(s) of {table} were left out: {column} is missing or not of type "
            f"{STAGING[table][column]}"
            for (table, column), count in sorted(self._rows.items())
        ]
        rows += [
            f"{count} row(s) of {table} have no {column}"
            for (table, column), count in sorted(self._empty.items())
        ]
        rows += [
            f"{count} row(s) of {table} were left out: another row has the same {KEYS[table][-1]}"
            for table, count in sorted(self._doubles.items())
        ]
        return (*rows, *values)


def stage_bytes(raw: bytes) -> str:
    """Text as it is staged: itself, or `BYTES_MARK` + base64 where it is not plain Unicode."""
    if not raw.startswith(b"\x00$"):
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return BYTES_MARK + base64.b64encode(raw).decode("ascii")


def stage_text(text: str) -> str:
    """As `stage_bytes`, for text that may hold lone surrogates."""
    return stage_bytes(text.encode("utf-8", "surrogatepass"))


def clean_text(array: pa.Array) -> pa.Array:
    """A string array in which everything is valid Unicode, marked where it was not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        array.validate(full=True)
        valid = True
    except pa.ArrowInvalid:
        valid = False
    if valid and not pc.any(pc.starts_with(array, pattern="\x00$")).as_py():
        return array
    raw = array.cast(pa.binary()).to_pylist()
    return pa.array([None if v is None else stage_bytes(v) for v in raw], pa.string())


def clean_metric(value: pa.Array, is_nan: pa.Array | None) -> pa.Array:
    """Metric values as IEEE numbers: MLflow stores NaN beside a flag and infinity as a limit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    extremes = pc.min_max(value).as_py()
    if extremes["max"] is not None and max(extremes["max"], -extremes["min"]) >= INFINITE:
        for limit, infinite in ((INFINITE, float("inf")), (-INFINITE, float("-inf"))):
            value = pc.if_else(pc.fill_null(pc.equal(value, limit), False), infinite, value)
    if is_nan is not None and pc.any(is_nan).as_py():
        value = pc.if_else(pc.fill_null(is_nan, False), pa.scalar(float("nan")), value)
    return value


def metric(value: object) -> object:
    """One metric value as `clean_metric` would stage it."""
    if isinstance(value, (int, float)) and abs(value) >= INFINITE:
        return float("inf") if value > 0 else float("-inf")
    return value


def integer(value: object) -> int | None:
    """An integer of 64 bits, also one written as text (JSON's int64).

    Raises:
        TypeError: it is something else.
        ValueError: it is text but no integer, or beyond 64 bits.
    """
    if value is None:
        return None
    if isinstance(value, (bool, float)) or not isinstance(value, (int, str)):
        raise TypeError(f"not an integer: {value!r}")
    number = int(value)
    if not _MIN <= number <= _MAX:
        raise ValueError("beyond 64 bits")
    return number


def batches(
    table: str, rows: Iterable[dict[str, Any]], doubts: IncompletenessLog, size: int = 8192
) -> Iterator[pa.RecordBatch]:
    """Record batches of the table's schema from dictionaries; missing keys are NULL."""
    columns: dict[str, list[Any]] = {name: [] for name in STAGING[table]}
    count = 0
    for row in rows:
        staged = _row(table, row, doubts)
        if staged is None:
            continue
        for name, value in staged.items():
            columns[name].append(value)
        count += 1
        if count == size:
            yield _record_batch(table, columns)
            columns = {name: [] for name in columns}
            count = 0
    if count:
        yield _record_batch(table, columns)


def _record_batch(table: str, columns: dict[str, list[Any]]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = arrow_schema(table)
    arrays = [arrow_array(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def arrow_array(values: Sequence[Any], data_type: pa.DataType) -> pa.Array:
    """Texts, integers, floats or booleans as an array of Arrow; None is NULL.

    `pyarrow.array` would do, and would load pandas: a quarter of the time of a small extraction.

    Args:
        values: what the array holds.
        data_type: string, int64, float64 or bool.

    Raises:
        OverflowError: an integer has more than 64 bits, or the texts more than 2 GiB.
    """
    import pyarrow as pa

    filled = [value is not None for value in values]
    buffers = [None if all(filled) else _bits(filled)]
    if pa.types.is_string(data_type):
        texts = [b"" if value is None else value.encode() for value in values]
        ends = array("i", accumulate(map(len, texts), initial=0))
        buffers += [pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    elif pa.types.is_boolean(data_type):
        buffers.append(_bits(values))
    else:
        code = "q" if pa.types.is_integer(data_type) else "d"
        numbers = (0 if value is None else value for value in values)
        buffers.append(pa.py_buffer(array(code, numbers)))
    return pa.Array.from_buffers(data_type, len(values), buffers)


def _bits(flags: Sequence[object]) -> pa.Buffer:
    """A bit per flag, in Arrow's order: the first is the lowest of the first byte."""
    import pyarrow as pa

    number = int("".join("1" if flag else "0" for flag in reversed(flags)) or "0", 2)
    return pa.py_buffer(number.to_bytes((len(flags) + 7) // 8, "little"))


def _row(table: str, row: dict[str, Any], doubts: IncompletenessLog) -> dict[str, Any] | None:
    keys = KEYS.get(table, ())
    staged: dict[str, Any] = {}
    for name, kind in STAGING[table].items():
        try:
            value = _value(kind, row.get(name))
        except (ValueError, TypeError, OverflowError):
            value = None
            if name not in keys:
                doubts.value(table, name)
        if value == "" and name in EMPTY_IS_NULL.get(table, ()):
            value = None
        if value == 0 and name in ZERO_IS_NULL.get(table, ()):
            value = None
        if value is None and name in keys:
            doubts.row(table, name)
            return None
        if value is None and name in NEEDED.get(table, ()):
            doubts.empty(table, name)
        staged[name] = value
    return staged


def _value(kind: str, value: object) -> object:
    if value is None:
        return None
    if kind == TEXT:
        return stage_text(value if isinstance(value, str) else str(value))
    if kind == INT:
        return integer(value)
    if kind == REAL:
        if isinstance(value, bool):
            raise ValueError("not a number")
        # JSON has no words for these; protobuf writes them as text.
        if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
            raise ValueError("not a number")
        return metric(float(value))  # type: ignore[arg-type]
    return bool(value)
