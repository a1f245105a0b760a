"""The recorded registry: an archive of MLflow's database at each reading, and of its model files.

MLflow stores where model files are as absolute addresses. The recording has one of its own in their
place, which is replaced by that of the folder it is unpacked into.
"""

from __future__ import annotations

import lzma
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from auditreg import resources
from auditreg.errors import AuditregError

ARCHIVE = "recording.tar.xz"
"""The name of the archive in `resources.recorded_demo()`."""

DATABASE = "mlflow.db"
"""The name of the database in the folder that is unpacked into."""

ARTIFACTS = "artifacts"
"""The folder of the model files, in the archive and where it is unpacked."""

PLACE = "file:///harbour-and-vale/artifacts"
"""The address of the model files in the recording."""

_MEMBER = "readings/%Y%m%dT%H%M%SZ.db"


def member_of(moment: datetime) -> str:
    """The name in the archive of the database as it was at a moment."""
    return moment.astimezone(UTC).strftime(_MEMBER)


def unpack(folder: Path) -> Iterator[datetime]:
    """Lay the registry out in `folder`, reading by reading.

    Gives the moment of each reading, oldest first, while the database stands as it stood then. All
    model files are there before the first: MLflow keeps those of deleted versions too.

    Raises:
        AuditregError: the archive is damaged.
    """
    archive = resources.recorded_demo() / ARCHIVE
    address = (folder / ARTIFACTS).absolute().as_uri()
    try:
        for name, content in members(archive):
            if name.startswith(f"{ARTIFACTS}/"):
                _write(folder / name, with_address(name, content, PLACE, address))
            else:
                _write(folder / DATABASE, content)
                move(folder / DATABASE, PLACE, address)
                yield datetime.strptime(name, _MEMBER).replace(tzinfo=UTC)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise AuditregError(
            f"{archive} is damaged: {error}.",
            state=f"{folder} holds what could be unpacked of it.",
            hint="Install again: pip install --force-reinstall --no-deps auditreg",
        ) from error


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The names and contents of a recording, in its order."""
    with tarfile.open(archive, "r:xz") as files:
        for member in files:
            if (file := files.extractfile(member)) is not None:
                yield member.name, file.read()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def with_address(name: str, content: bytes, old: str, new: str) -> bytes:
    """The content of a model file with another address; only MLmodel holds one."""
    if not name.endswith("/MLmodel"):
        return content
    return content.replace(old.encode("ascii"), new.encode("ascii"))


def move(database: Path, old: str, new: str) -> None:
    """Replace an address in every text of an SQLite database.

    Addresses are percent-encoded, so they are the same inside of JSON.
    """
    with closing(sqlite3.connect(database)) as store:
        store.execute("pragma synchronous = off")  # a crash loses a copy
        columns = store.execute(
            "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c "
            "where t.type = 'table' and (c.type like '%CHAR%' or c.type like '%TEXT%')"
        ).fetchall()
        for table, column in columns:
            # Table and column names come from the database's catalogue.
            store.execute(
                f'update "{table}" set "{column}" = replace("{column}", ?, ?) '  # noqa: S608
                f'where instr("{column}", ?)',
                (old, new, old),
            )
        store.commit()
