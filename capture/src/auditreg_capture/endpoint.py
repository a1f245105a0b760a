"""The journal over HTTP, for readers who cannot reach the database.

The rule is added to MLflow's own Flask application at its first request: a store is built only while a
request is served, and then Flask takes no more rules.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from auditreg_capture import settings

PATH = "/api/2.0/auditreg/journal"
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
# More than a reader that asks for what it lacks ever needs, and fewer than a database takes.
MAX_RANGES = 400
_BIGGEST = 2**63 - 1

_logger = logging.getLogger("auditreg_capture")
_lock = threading.Lock()


class _State:
    offered = False
    added = False


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Question(NamedTuple):
    """What a reader asks for: ids from one on, of these ranges if any, at most so many."""

    start: int
    ranges: List[Tuple[int, int]]
    limit: int


def offer() -> None:
    """Add the rule when the server's application serves its first request."""
    if _State.offered or "mlflow.server" not in sys.modules:
        return
    from flask import appcontext_pushed

    try:
        appcontext_pushed.connect(_add_rule)
    except RuntimeError:
        # Flask before 2.3 without the package blinker has no signals.
        _logger.info(
            "auditreg-capture: this Flask has no signals, so the journal is not read over HTTP."
        )
    _State.offered = True


def _add_rule(sender: Any, **_: Any) -> None:
    app: Any = getattr(sys.modules.get("mlflow.server"), "app", None)
    if app is None or sender is not app:
        return
    from flask import appcontext_pushed

    with _lock:
        if not _State.added:
            _State.added = True
            try:
                from mlflow.server.handlers import _add_static_prefix

                # Up to 3.10 MLflow's API stands without the prefix, later behind it, and a proxy may
                # take the prefix off: wherever the API is found, the journal is.
                for path in sorted({PATH, _add_static_prefix(PATH)}):
                    app.add_url_rule(path, f"auditreg_journal {path}", serve, methods=["GET"])
            except Exception as error:  # noqa: BLE001 (a server without this address still serves all others)
                _logger.warning("auditreg-capture cannot offer %s on this server: %s", PATH, error)
    appcontext_pushed.disconnect(_add_rule)


def serve() -> Any:
    """Answer a reader."""
    from flask import Response, request

    try:
        allow(request)
        engine = _engine()
        if request.args.get("ids"):
            body, status = present(engine), 200
        else:
            body, status = page(engine, question(request.args)), 200
    except Refused as refusal:
        body, status = {"error_code": refusal.code, "message": str(refusal)}, refusal.status
    return Response(json.dumps(body), status=status, mimetype="application/json")


def allow(request: Any) -> None:
    """Only administrators and those named in the environment read the journal."""
    from auditreg_capture import actor

    readers = settings.readers()
    if "*" in readers:
        return
    who = actor.of_request(request)
    if who.actor is None or who.actor_from == "program":
        raise Refused(
            403,
            "PERMISSION_DENIED",
            "This server does not know who asks, so the journal is closed. Read it from the database, or let "
            f"the administrator set {settings.READERS_VARIABLE}=* to open it to everybody who reaches the server.",
        )
    admin = who.admin or (who.actor_from == "basic-auth" and actor.is_basic_auth_admin(who.actor))
    if not admin and who.actor not in readers:
        raise Refused(
            403,
            "PERMISSION_DENIED",
            f"The journal is for administrators of this server and the users in {settings.READERS_VARIABLE}.",
        )


def question(arguments: Any) -> Question:
    """The request's parameters: `from`, `to`, `range` (repeated: `a-b`, `a-`) and `limit`."""
    ranges = [_range(text) for text in arguments.getlist("range")]
    if len(ranges) > MAX_RANGES:
        raise Refused(
            400, "INVALID_PARAMETER_VALUE", f"At most {MAX_RANGES} ranges in one request."
        )
    start, end = _number(arguments, "from", 0), _number(arguments, "to", _BIGGEST)
    if end != _BIGGEST:
        ranges = [(a, min(b, end)) for a, b in ranges or [(0, end)]]
    return Question(
        start, ranges, max(1, min(_number(arguments, "limit", DEFAULT_LIMIT), MAX_LIMIT))
    )


def _number(arguments: Any, name: str, default: int) -> int:
    text = arguments.get(name)
    return default if text in (None, "") else _id(name, text)


def _range(text: str) -> Tuple[int, int]:
    first, dash, last = text.partition("-")
    if not dash:
        raise Refused(
            400, "INVALID_PARAMETER_VALUE", f"range is {text!r}; it must be like 5-9 or 5-."
        )
    return _id("range", first), _id("range", last) if last else _BIGGEST


def _id(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _BIGGEST):
        raise Refused(
            400, "INVALID_PARAMETER_VALUE", f"{name} is {text!r}; it must be a whole number."
        )
    return int(text)


def _engine() -> Any:
    from mlflow.server.handlers import _get_model_registry_store

    engine = getattr(_get_model_registry_store(), "engine", None)
    if engine is None:
        raise Refused(
            404, "RESOURCE_DOES_NOT_EXIST", "This server's model registry is not in a database."
        )
    return engine


def present(engine: Any) -> Dict[str, Any]:
    """The ids of all rows, as ranges."""
    import sqlalchemy as sa

    from auditreg_capture import journal, process, tables

    _must_be_there(engine)
    table = tables.journal
    ranges: List[List[int]] = []
    with engine.connect() as connection:
        for (number,) in connection.execute(sa.select(table.c.id).order_by(table.c.id)):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        identity = process.journal_id(connection)
    last = ranges[-1][1] if ranges else None
    return {"journal": identity, "ranges": ranges, "last": last, "now": journal.now()}


def _must_be_there(engine: Any) -> None:
    import sqlalchemy as sa

    from auditreg_capture import tables

    if not sa.inspect(engine).has_table(tables.NAME):
        raise Refused(
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "There is no journal: this server never ran with capture.",
        )


def page(engine: Any, query: Question) -> Dict[str, Any]:
    """One page of the journal, in the order of its ids."""
    import sqlalchemy as sa

    from auditreg_capture import journal, process, tables

    table = tables.journal
    _must_be_there(engine)
    statement = sa.select(*table.columns).where(table.c.id >= query.start)
    if query.ranges:
        statement = statement.where(sa.or_(*(table.c.id.between(a, b) for a, b in query.ranges)))
    with engine.connect() as connection:
        listed = connection.execute(
            statement.order_by(table.c.id).limit(query.limit + 1)
        ).fetchall()
        last: Optional[int] = connection.execute(sa.select(sa.func.max(table.c.id))).scalar()
        identity = process.journal_id(connection)
    rows = [dict(zip(tables.COLUMNS, row)) for row in listed]  # noqa: B905 (Python 3.9)
    more = rows[query.limit]["id"] if len(rows) > query.limit else None
    return {
        "journal": identity,
        "rows": rows[: query.limit],
        "next": more,
        "last": last,
        "now": journal.now(),
    }
