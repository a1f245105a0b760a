"""This process and the journals it writes to: creation, self-test, start, stop, changes missed."""

from __future__ import annotations

import atexit
import json
import logging
import os
import platform
import socket
import threading
import uuid
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Set, Tuple

import sqlalchemy as sa

from auditreg_capture import journal, settings, tables
from auditreg_capture.errors import CaptureError
from auditreg_capture.runtime import current
from auditreg_capture.version import VERSION

_logger = logging.getLogger("auditreg_capture")
_lock = threading.RLock()
_NAMED_LOCKS = ("mysql", "mariadb")
# Any number that nobody else locks: the first 60 bits of the table's name.
_ADVISORY = int.from_bytes(tables.NAME.encode()[:8], "big") >> 4


class Journal:
    """One journal this process writes to."""

    def __init__(self, identity: str) -> None:
        self.id = identity
        self.pid = os.getpid()
        self.missed = 0
        self.error = ""


_journals: "weakref.WeakKeyDictionary[Any, Journal]" = weakref.WeakKeyDictionary()
_started: Set[Tuple[int, str]] = set()


def ready(engine: Any) -> Journal:
    """The journal in this engine's database, prepared on its first use in this process."""
    held = _journals.get(engine)
    if held is not None and held.pid == os.getpid():
        return held
    with _lock:
        held = _journals.get(engine)
        if held is None or held.pid != os.getpid():
            held = _journals[engine] = _open(engine)
        return held


def _open(engine: Any) -> Journal:
    create_table(engine)
    try:
        self_test(engine)
        with _alone(engine) as connection:
            opened = Journal(_journal_id(connection))
            if (opened.pid, opened.id) not in _started:
                _insert(connection, "start", description())
    except sa.exc.DBAPIError as error:
        raise CaptureError(
            f"auditreg-capture cannot write to its table {tables.NAME}: {reason(error)}. The server's database "
            f"user needs the rights to select from it and to insert into it; `auditreg-capture ddl --dialect "
            f"{engine.dialect.name}` prints the statements. AUDITREG_CAPTURE=off starts without capture."
        ) from error
    if opened.pid not in {pid for pid, _ in _started}:
        atexit.register(stop)
        _at_end_of_child()
    _started.add((opened.pid, opened.id))
    return opened


def create_table(engine: Any) -> None:
    """Have the journal's table there, with every column."""
    if not sa.inspect(engine).has_table(tables.NAME):
        try:
            with _alone(engine) as connection:
                tables.journal.create(connection, checkfirst=True)
        except sa.exc.DBAPIError as error:
            # Another worker may have been first.
            if not sa.inspect(engine).has_table(tables.NAME):
                raise CaptureError(
                    f"auditreg-capture cannot create its table {tables.NAME}: {reason(error)}. Let a database "
                    f"administrator run what `auditreg-capture ddl --dialect {engine.dialect.name}` prints (it "
                    "creates the table and grants select and insert), then start the server again. "
                    "AUDITREG_CAPTURE=off starts without capture."
                ) from error
    check_columns(engine)


def check_columns(engine: Any) -> None:
    """Refuse a table that lacks a column."""
    present = {column["name"] for column in sa.inspect(engine).get_columns(tables.NAME)}
    if missing := [column for column in tables.COLUMNS if column not in present]:
        raise CaptureError(
            f"The table {tables.NAME} lacks the column(s) {', '.join(missing)}. Compare it with what "
            f"`auditreg-capture ddl --dialect {engine.dialect.name}` prints, add what is missing, and start "
            "the server again. AUDITREG_CAPTURE=off starts without capture."
        )


def self_test(engine: Any) -> None:
    """Insert a row, read it back, undo it."""
    probe = journal.row("start", after_row=journal.encode({"self-test": "\u00e9 \U0001f600"}))
    with engine.connect() as connection:
        _patient(connection)
        trial = (
            connection.begin() if not connection.in_transaction() else connection.get_transaction()
        )
        try:
            journal.insert(connection, [probe])
            columns = [tables.journal.c[name] for name in probe]
            rows = connection.execute(
                sa.select(*columns)
                .where(tables.journal.c.request == probe["request"])
                .where(tables.journal.c.process == probe["process"])
            ).fetchall()
        finally:
            trial.rollback()
    if [dict(zip(probe, row)) for row in rows] != [probe]:  # noqa: B905 (Python 3.9)
        raise CaptureError(
            f"The self-test of auditreg-capture failed: a row written to {tables.NAME} read back differently. "
            f"Compare the table with what `auditreg-capture ddl --dialect {engine.dialect.name}` prints. "
            "AUDITREG_CAPTURE=off starts without capture."
        )


def journal_id(connection: Any) -> Optional[str]:
    """The journal's identity, which its first row holds."""
    table = tables.journal
    body = connection.execute(
        sa.select(table.c.after_row)
        .where(table.c.operation == "journal")
        .order_by(table.c.id)
        .limit(1)
    ).scalar()
    return None if body is None else str(json.loads(body)["journal"])


def _journal_id(connection: Any) -> str:
    held = journal_id(connection)
    if held is None:
        _insert(connection, "journal", {"journal": uuid.uuid4().hex})
        held = journal_id(connection)
    return str(held)


def description() -> Dict[str, Any]:
    """What a start row says of this process."""
    import mlflow

    return {
        "capture": VERSION,
        "mlflow": mlflow.__version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "mode": current.mode,
        "sqlalchemy": sa.__version__,
    }


def note_off(engine: Any) -> None:
    """Leave a note that this process runs without capture, where there is a journal to hold it."""
    try:
        if sa.inspect(engine).has_table(tables.NAME):
            with engine.begin() as connection:
                _patient(connection)
                _insert(connection, "off", {**description(), "mode": settings.OFF})
    except Exception as error:  # noqa: BLE001 (switched off must never stop a server)
        _logger.warning("auditreg-capture is off and could not say so in the journal: %s", error)


def missed(engine: Any, count: int, error: str) -> None:
    """Count changes made without a journal row; the next rows written are followed by one with that number."""
    opened = _journals.get(engine)
    if opened is None:
        opened = _journals[engine] = Journal("")
        opened.pid = -1  # not opened: the next change tries again
    with _lock:
        opened.missed += count
        opened.error = error or opened.error


def take_missed(engine: Any) -> Tuple[int, str]:
    """The number of changes missed so far, which the caller writes down."""
    opened = _journals.get(engine)
    if opened is None or not opened.missed:
        return 0, ""
    with _lock:
        count, opened.missed = opened.missed, 0
        return count, opened.error


def stop() -> None:
    """Say in each journal that this process ends. Best effort: a killed process says nothing."""
    for engine, opened in list(_journals.items()):
        mine = (os.getpid(), opened.id)
        if opened.pid != os.getpid() or mine not in _started or not _still_there(engine):
            continue
        _started.discard(mine)
        try:
            with engine.begin() as connection:
                _insert(connection, "stop", {"how": "exit"})
        except Exception as error:  # noqa: BLE001 (the process ends either way)
            _logger.debug("auditreg-capture could not write its stop row: %s", error)


def forget() -> None:
    """Write the stop rows and prepare every journal anew when it is needed next."""
    stop()
    with _lock:
        _journals.clear()


def reason(error: Exception) -> str:
    """What the database said, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _insert(connection: Any, operation: str, body: Dict[str, Any]) -> None:
    journal.insert(connection, [journal.row(operation, after_row=journal.encode(body))])


def _patient(connection: Any) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA busy_timeout = 20000")


@contextmanager
def _alone(engine: Any) -> Iterator[Any]:
    """A transaction of one process at a time, so that a journal has one identity from its first moment on."""
    name = engine.dialect.name
    with engine.connect() as connection:
        try:
            with connection.begin():
                _patient(connection)
                if name == "postgresql":
                    connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY})"))
                elif name in _NAMED_LOCKS:
                    connection.execute(sa.text(f"SELECT GET_LOCK('{tables.NAME}', 20)"))
                elif name == "sqlite" and not connection.connection.dbapi_connection.in_transaction:
                    # Python's driver begins a transaction only for INSERT, UPDATE and DELETE, and the
                    # table may not be there yet.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
        finally:
            # Not before the commit: whoever has the lock next must see what was written.
            if name in _NAMED_LOCKS:
                connection.execute(sa.text(f"SELECT RELEASE_LOCK('{tables.NAME}')"))


def _still_there(engine: Any) -> bool:
    """Whether the database still exists: opening a deleted SQLite file would create it."""
    name = engine.url.database
    return engine.dialect.name != "sqlite" or not name or name == ":memory:" or Path(name).exists()


def _at_end_of_child() -> None:
    """Children of multiprocessing end without running what atexit holds."""
    import multiprocessing
    from multiprocessing.util import Finalize

    if multiprocessing.parent_process() is not None:
        Finalize(None, stop, exitpriority=1)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 (the parent's may have been held when it forked)
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
