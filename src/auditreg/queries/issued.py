"""Which issued report a file is of, by the hash that was sealed when the report was issued."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from auditreg.errors import VerificationError
from auditreg.words import quantity

if TYPE_CHECKING:
    import duckdb


class IssuedFile(NamedTuple):
    """A file of an issued report; `seq` is the entry that seals it, `recorded_at` UTC."""

    name: str
    first_day: date
    last_day: date
    recorded_at: datetime
    seq: int
    sha256: str


def issued_file(con: duckdb.DuckDBPyConnection, file: str, sha256: str) -> IssuedFile:
    """The first issued file of that hash; `file` is what errors call it.

    Raises:
        VerificationError: no issued report has such a file.
    """
    rows = con.execute(
        "select period_first, period_last, recorded_at, seq, files from reports order by seq"
    ).fetchall()
    for first, last, recorded_at, seq, files in rows:
        for name, sealed in json.loads(files).items():
            if sealed == sha256:
                return IssuedFile(name, first, last, recorded_at, seq, sha256)
    compared = quantity(len(rows), "issued report")
    raise VerificationError(
        f"{file} is no file of a report that was issued: SHA-256 {sha256}.",
        state=f"{compared} {'was' if len(rows) == 1 else 'were'} compared.",
        hint="Drafts are not sealed; `auditreg report --issue` issues a report.",
    )
