"""Appending to the log: entries are put together in SQL, whole sets at a time.

The text of an entry is a header, which is exactly the projected columns in their order, and then
nonce and body. Verification rebuilds the header from the columns; the bytes of the text are what
the leaf hashes, so nobody ever has to canonicalise anything.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditreg.ledger.definitions import ingest_sql
from auditreg.ledger.merkle import Tree
from auditreg.ledger.schema import fill_table, insert, statements

if TYPE_CHECKING:
    import duckdb

_TEXT = "text"
_WORD = "word"  # a word of auditreg's or a hash: nothing in it needs escaping
_TIME = "time"
_INT = "int"

HEADER: tuple[tuple[str, str], ...] = (
    ("recorded_at", _TIME),
    ("source", _WORD),
    ("kind", _WORD),
    ("op", _WORD),
    ("subject", _TEXT),
    ("registry", _TEXT),
    ("workspace", _TEXT),
    ("model", _TEXT),
    ("version", _INT),
    ("observed_at", _TIME),
    ("valid_at", _TIME),
    ("created_at", _TIME),
    ("changed_at", _TIME),
    ("actor", _TEXT),
    ("grade", _WORD),
    ("fingerprint", _WORD),
    ("secrets", _TEXT),
    ("journal", _INT),
)
"""Columns of `ledger.log` that are projected out of the entry, in its order."""

COLUMNS = ", ".join(name for name, _ in HEADER)


def header_sql(alias: str = "") -> str:
    """SQL text of an entry's beginning, up to and including `"nonce":`, from its columns."""
    prefix = f"{alias}." if alias else ""
    encode = {
        _TEXT: "encoded({0})",
        _WORD: "coalesce('\"' || {0} || '\"', 'null')",
        _TIME: "coalesce(epoch_ms({0})::VARCHAR, 'null')",
        _INT: "coalesce({0}::VARCHAR, 'null')",
    }
    parts = [
        f"""'{"{" if n == 0 else ","}"{name}":', {encode[kind].format(prefix + name)}"""
        for n, (name, kind) in enumerate(HEADER)
    ]
    # One call: a chain of || copies the growing text at every step.
    return f"concat({', '.join(parts)}, ',\"nonce\":')"


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros that write values as JSON on a connection."""
    con.execute("; ".join(s for s in statements(ingest_sql()) if "temp macro" in s))


def now_ms() -> datetime:
    """The clock, in whole milliseconds: what entries can hold."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def epoch_ms(moment: datetime) -> int:
    """A UTC moment as whole milliseconds since 1970."""
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def silent(_phase: str, _done: int, _total: int | None) -> None:
    """Report no progress."""


def number(con: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> int:
    """Return the single number a query yields; NULL counts as 0."""
    [(value, *_)] = con.execute(query, parameters).fetchall()
    return int(value or 0)


def size(con: duckdb.DuckDBPyConnection) -> int:
    """Number of entries in the log."""
    return number(con, "select max(seq) + 1 from ledger.log")


class Appender:
    """Appends relations of new entries; one nonce secret per appender, never kept.

    The nonce of entry n is `SHA-256(secret || n)`: nobody who lacks the discarded secret can
    confirm a guess about an erased entry.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.secret = secrets.token_hex(32)

    def append(self, relation: str, parameters: Mapping[str, object] | None = None) -> int:
        """Append a relation with `seq`, the header's columns and `body`; the rows written."""
        return number(
            self.con,
            f"""
            insert into ledger.log
            select seq, entry, unhex(sha256(chr(0) || entry)), {COLUMNS}
            from (
                select n.*, concat({header_sql()}, '"',
                                   left(sha256($nonce_secret || ':' || seq), 32),
                                   '","body":', body, '}}') as entry
                from ({relation}) n
            )
            """,
            {"nonce_secret": self.secret, **(parameters or {})},
        )

    def append_events(self, events: Sequence[Event], recorded_at: datetime) -> int:
        """Append auditreg's own events, in their order; the rows written."""
        if not events:
            return 0
        rows = [(place, *event.row()) for place, event in enumerate(events)]
        fill_table(self.con, "new_event", _EVENT_COLUMNS, rows)
        return self.append(
            """
            select $base::BIGINT + place as seq, $recorded_at::TIMESTAMP as recorded_at,
                   'auditreg' as source, kind, op, subject, registry, workspace, model, version,
                   observed_at, valid_at, null::TIMESTAMP as created_at,
                   null::TIMESTAMP as changed_at, actor, grade, fingerprint,
                   null as secrets, null::BIGINT as journal, body
            from new_event
            """,
            {"base": size(self.con), "recorded_at": recorded_at},
        )


_EVENT_COLUMNS = dict.fromkeys(
    (
        "place",
        "kind",
        "op",
        "subject",
        "registry",
        "workspace",
        "model",
        "version",
        "observed_at",
        "valid_at",
        "actor",
        "grade",
        "fingerprint",
        "body",
    ),
    "VARCHAR",
) | {"place": "BIGINT", "version": "BIGINT", "observed_at": "TIMESTAMP", "valid_at": "TIMESTAMP"}
"""A place, and the parts of `Event.row` in their order."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry about auditreg's own doing, or about what somebody gave it to keep."""

    kind: str
    subject: str
    body: Mapping[str, Any]
    op: str = "event"
    registry: str | None = None
    workspace: str | None = None
    model: str | None = None
    version: int | None = None
    observed_at: datetime | None = None
    valid_at: datetime | None = None
    actor: str | None = None
    grade: str = "observed"
    fingerprint: str | None = None

    def row(self) -> tuple[object, ...]:
        """The event as a row of the temporary table it is appended from, after its place."""
        return (
            self.kind,
            self.op,
            self.subject,
            self.registry,
            self.workspace,
            self.model,
            self.version,
            self.observed_at,
            self.valid_at,
            self.actor,
            self.grade,
            self.fingerprint,
            json.dumps(self.body, ensure_ascii=True, allow_nan=False, separators=(",", ":")),
        )


def load_tree(con: duckdb.DuckDBPyConnection) -> Tree:
    """The tree as far as `ledger.frontier` has it, grown by the leaves appended since."""
    rows = con.execute(
        "select size, height, hash from ledger.frontier order by height desc"
    ).fetchall()
    tree = Tree(rows[0][0] if rows else 0, [(height, node) for _, height, node in rows])
    grow_tree(con, tree)
    return tree


def grow_tree(con: duckdb.DuckDBPyConnection, tree: Tree) -> None:
    """Append the leaves of the log that the tree lacks."""
    query = con.execute("select leaf from ledger.log where seq >= ? order by seq", [tree.size])
    while rows := query.fetchmany(100_000):
        tree.extend(leaf for (leaf,) in rows)


def save_tree(con: duckdb.DuckDBPyConnection, tree: Tree) -> None:
    """Keep the tree's frontier for the next append."""
    con.execute("delete from ledger.frontier")
    insert(con, "ledger.frontier", [(tree.size, height, node) for height, node in tree.frontier])
