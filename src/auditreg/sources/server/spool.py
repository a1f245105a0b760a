"""Rows put aside until their table is asked for: in memory while few, then in a temporary file.

A run arrives with its parameters, metrics and tags at once, and tables are asked for one after
the other. What is put aside is as Arrow writes it; the files have no name and end with the spool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from auditreg.sources.interface import arrow_schema
from auditreg.sources.staging import IncompletenessLog, batches

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 16 * 2**20
"""Bytes of a table that are kept in memory."""


class Spool:
    """Staged rows of several tables.

    Args:
        doubts: counts what could not be staged.
    """

    def __init__(self, doubts: IncompletenessLog) -> None:
        self._doubts = doubts
        self._files: dict[str, IO[bytes]] = {}
        self._writers: dict[str, Any] = {}

    def put(self, rows: Mapping[str, Iterable[dict[str, Any]]]) -> None:
        """Stage rows of several tables and put them aside.

        Raises:
            ValueError: a table of them was read already.
        """
        for table, table_rows in rows.items():
            for batch in batches(table, table_rows, self._doubts):
                self._writer(table).write_batch(batch)

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """What was put aside for a table, in that order; as often as it is asked for."""
        import pyarrow as pa

        if table not in self._files:
            return
        self._writers[table].close()
        file = self._files[table]
        file.seek(0)
        yield from pa.ipc.open_stream(file)

    def close(self) -> None:
        """Give the space back."""
        self._writers.clear()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _writer(self, table: str) -> Any:
        import pyarrow as pa

        if table not in self._writers:
            file: Any = SpooledTemporaryFile(IN_MEMORY, prefix="auditreg-")  # noqa: SIM115
            self._files[table] = file
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writers[table] = pa.ipc.new_stream(file, arrow_schema(table), options=options)
        return self._writers[table]
