"""SQLAlchemy's session events, through which capture sees every change of a registry row."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from auditreg_capture import bulk, journal, process, recording, settings
from auditreg_capture.rows import Key, RegistryTable, registry_tables
from auditreg_capture.runtime import current
from auditreg_capture.tracking import INFO, Transaction

_logger = logging.getLogger("auditreg_capture")
_classes: Dict[type, Optional[RegistryTable]] = {}


def attach() -> None:
    """Listen to every session of this process. Registry tables that are not those known are refused first."""
    registry_tables()
    for name, listener in _LISTENERS:
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def detach() -> None:
    """Listen no more."""
    for name, listener in _LISTENERS:
        if event.contains(Session, name, listener):
            event.remove(Session, name, listener)


def _table_of(row: Any) -> Optional[RegistryTable]:
    kind = type(row)
    if kind not in _classes:
        table = getattr(sa.inspect(row).mapper.local_table, "name", None)
        _classes[kind] = registry_tables().get(table) if isinstance(table, str) else None
    return _classes[kind]


def _transaction(session: Session) -> Transaction:
    transaction = session.info.get(INFO)
    if transaction is None:
        transaction = session.info[INFO] = Transaction()
    return cast("Transaction", transaction)


def _before_flush(session: Session, _context: Any, _instances: Any) -> None:
    touched = [
        (row, table, False)
        for row in session.dirty
        if (table := _table_of(row)) and session.is_modified(row, include_collections=False)
    ]
    touched += [(row, table, True) for row in session.deleted if (table := _table_of(row))]
    created = [(row, table) for row in session.new if (table := _table_of(row))]
    if touched or created:
        _guarded(session, len(touched) + len(created), lambda: _remember(session, touched, created))


def _remember(
    session: Session,
    touched: List[Tuple[Any, RegistryTable, bool]],
    created: List[Tuple[Any, RegistryTable]],
) -> None:
    transaction = _transaction(session)
    keys: Dict[str, List[Key]] = {}
    families: List[Tuple[RegistryTable, Key]] = []
    transaction.flushing, transaction.created = [], created
    for row, table, deleted in touched:
        key = _stored_key(row, table)
        keys.setdefault(table.name, []).append(key)
        transaction.flushing.append((row, table, key))
        if deleted or _renamed(row, table):
            families.append((table, key))
    connection = _connection(session)
    _hold(connection, transaction)
    transaction.read_before(connection, keys, families)


def _stored_key(row: Any, table: RegistryTable) -> Key:
    """The key the row has in the database, whatever the object says now."""
    state = sa.inspect(row)
    return _ordered(state.mapper, state.identity, table)


def _current_key(row: Any, table: RegistryTable) -> Key:
    mapper = sa.inspect(row).mapper
    return _ordered(mapper, mapper.primary_key_from_instance(row), table)


def _ordered(mapper: Any, values: Iterable[Any], table: RegistryTable) -> Key:
    """A key in capture's own order of columns, which mappers do not share."""
    names = (column.name for column in mapper.primary_key)
    held = dict(zip(names, values))  # noqa: B905 (Python 3.9)
    return tuple(held[column] for column in table.key)


def _renamed(row: Any, table: RegistryTable) -> bool:
    attributes = sa.inspect(row).attrs
    return any(attributes[column].history.has_changes() for column in table.key)


def _after_flush(session: Session, _context: Any) -> None:
    transaction: Optional[Transaction] = session.info.get(INFO)
    if transaction is None or not (transaction.flushing or transaction.created):
        return
    deleted = set(map(id, session.deleted))
    for row, table, key in transaction.flushing:
        if id(row) not in deleted:
            transaction.move_with_children(table, key, _current_key(row, table))
    for row, table in transaction.created:
        transaction.take_over((table.name, _current_key(row, table)), None)
    transaction.flushing, transaction.created = [], []


def _after_flush_postexec(session: Session, _context: Any) -> None:
    # Another listener changed rows while the session was already being committed.
    transaction: Optional[Transaction] = session.info.get(INFO)
    if transaction is not None and transaction.committing and transaction.rows:
        _write(session, transaction)


def _do_orm_execute(state: Any) -> None:
    if state.is_select or not (state.is_update or state.is_delete or state.is_insert):
        return
    table = registry_tables().get(getattr(getattr(state.statement, "table", None), "name", ""))
    if table is None:
        return
    session = state.session
    if session.autoflush:
        # What waits is written first, so that the rows found are those the statement finds.
        session.flush()

    def remember() -> None:
        transaction = _transaction(session)
        connection = _connection(session)
        _hold(connection, transaction)
        bulk.remember(connection, transaction, table, state)

    _guarded(session, 1, remember)


def _before_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    transaction: Optional[Transaction] = session.info.get(INFO)
    if transaction is None:
        return
    transaction.committing = True
    if transaction.rows or transaction.gone:
        _write(session, transaction)
    if transaction.lost:
        process.missed(_connection(session).engine, transaction.lost, transaction.lost_error)
        transaction.lost = 0


def _write(session: Session, transaction: Transaction) -> None:
    connection = _connection(session)
    touched = len(transaction.rows) + len(transaction.gone)

    def write() -> None:
        recording.write(connection, transaction)

    if current.mode == settings.BEST_EFFORT:
        reported = transaction.reported
        try:
            with connection.begin_nested():
                write()
        except Exception as error:  # noqa: BLE001 (best effort)
            _give_back(transaction, keep=reported)
            _lose(transaction, touched, error)
    else:
        write()
    transaction.clear()


def _guarded(session: Session, count: int, work: Callable[[], None]) -> None:
    """Do the work; under best effort a failure costs the journal its rows, not the request its success."""
    if current.mode != settings.BEST_EFFORT:
        work()
        return
    transaction = _transaction(session)
    if transaction.lost:
        transaction.lost += count
        return
    try:
        connection = _connection(session)
        if connection.dialect.name == "sqlite":
            # A failed statement undoes only itself here, and a savepoint outside a transaction
            # would end it.
            work()
        else:
            with connection.begin_nested():
                work()
    except Exception as error:  # noqa: BLE001 (best effort)
        _lose(transaction, count, error)


def _lose(transaction: Transaction, count: int, error: Exception) -> None:
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        raise error
    _logger.warning(
        "auditreg-capture could not journal %d change(s): %s", count, process.reason(error)
    )
    transaction.lost += count
    transaction.lost_error = type(error).__name__
    transaction.clear()


def _hold(connection: Any, transaction: Transaction) -> None:
    """Have the journal ready, and on SQLite the one write lock, before anything is read."""
    process.ready(connection.engine)
    transaction.engine = connection.engine
    if not transaction.locked and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(journal.TAKE_WRITE_LOCK)
        transaction.locked = True


def _connection(session: Session) -> Any:
    return session.connection(
        bind_arguments={"clause": registry_tables()["registered_models"].table}
    )


def _after_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(INFO, None)


def _after_transaction_create(session: Session, transaction: Any) -> None:
    if transaction.nested and (held := session.info.get(INFO)) is not None:
        held.savepoints[transaction] = held.snapshot()


def _after_soft_rollback(session: Session, previous: Any) -> None:
    held: Optional[Transaction] = session.info.get(INFO)
    if held is None:
        return
    boundary = previous
    while boundary is not None and not boundary.nested and boundary.parent is not None:
        boundary = boundary.parent
    if boundary is not None and boundary.nested:
        if boundary in held.savepoints:
            held.restore(held.savepoints[boundary])
        else:
            held.clear()
        return
    _give_back(held)
    session.info.pop(INFO, None)


def _give_back(transaction: Transaction, keep: int = 0) -> None:
    """Count again the missed changes that a rolled-back row had reported."""
    if transaction.reported > keep:
        process.missed(transaction.engine, transaction.reported - keep, "")
        transaction.reported = keep


_LISTENERS = (
    ("before_flush", _before_flush),
    ("after_flush", _after_flush),
    ("after_flush_postexec", _after_flush_postexec),
    ("do_orm_execute", _do_orm_execute),
    ("before_commit", _before_commit),
    ("after_commit", _after_commit),
    ("after_transaction_create", _after_transaction_create),
    ("after_soft_rollback", _after_soft_rollback),
)
