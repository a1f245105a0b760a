"""Erasing the text of an entry while the log goes on verifying.

The leaf stays, so every root still holds; an `erased` entry says what was erased, when and why.
Its keyed hash keeps the same state from being taken in again by the next extraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditreg.errors import UsageError
from auditreg.ledger import entries, schema, state
from auditreg.ledger.entries import Appender, Event, now_ms
from auditreg.ledger.secrets import Key

if TYPE_CHECKING:
    import duckdb

_KEPT = ("extraction", "check", "report", "import", "erased", "policy")
"""Kinds that carry roots or the texts results follow from; without them nothing verifies."""


DELETED_AS_GONE = frozenset(
    {"registered_model", "model_version", "experiment", "run", "logged_model"}
)
"""Kinds of which `gone` says that somebody deleted the thing, not only that a value is another."""

STATE = {"subject": "VARCHAR", "fingerprint": "VARCHAR"}


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, and which other entries still hold the same text."""

    seq: int
    kind: str
    subject: str
    also_in: tuple[int, ...]


def erase(con: duckdb.DuckDBPyConnection, seq: int, reason: str, key: Key) -> Erased:
    """Erase one entry on a connection from `Ledger.writer(fresh=True)`.

    Raises:
        UsageError: there is no such entry, it is erased already, it may not be erased, or no
            reason is given.
    """
    entries.prepare(con)
    if not reason.strip():
        raise UsageError(
            "An erasure needs a reason.",
            state="Nothing was erased.",
            hint="Say why with --reason; the reason is kept for ever.",
        )
    row = _erasable(con, seq)
    kind, subject, fingerprint, leaf = row[:4]
    _copy_log(con, seq)
    con.execute("detach old")
    base = entries.size(con)
    Appender(con).append_events(
        [
            Event(
                kind="erased",
                subject=f"erased:{seq}",
                body={
                    "erased_seq": seq,
                    "leaf": leaf,
                    "reason": reason,
                    "value_hmac": key.hash(f"{subject}\n{fingerprint}"),
                    "key_id": key.id,
                    "observed_at": row[7],
                    "entry_recorded_at": row[8],
                    "same_subject": row[9],
                    "valid_at": row[10],
                    "journal": row[11],
                },
            )
        ],
        now_ms(),
    )
    entries.save_tree(con, entries.load_tree(con))
    state.rebuild(con)
    return Erased(seq, kind, subject, _also_in(con, base, [t for t in row[5:7] if t]))


def _erasable(con: duckdb.DuckDBPyConnection, seq: int) -> tuple[Any, ...]:
    """What the record of an erasure keeps of an entry, and the texts that are erased.

    Raises:
        UsageError: there is no such entry, it is erased already, or it may not be erased.
    """
    row = con.execute(
        "select kind, subject, fingerprint, lower(hex(leaf)), entry is null, "
        "json_extract_string(entry, '$.body.value'), "
        "json_extract_string(entry, '$.body.description'), epoch_ms(observed_at), "
        "epoch_ms(recorded_at), (select max(o.seq) from old.ledger.log o where "
        "o.subject = l.subject and o.seq <> l.seq and o.kind = l.kind), "
        "epoch_ms(valid_at), journal "
        "from old.ledger.log l where seq = ?",
        [seq],
    ).fetchone()
    if row is None or row[4]:
        raise UsageError(
            f"There is no entry {seq} in the log."
            if row is None
            else (f"Entry {seq} was erased before."),
            state="Nothing was erased.",
            hint="`auditreg query 'select seq, kind, model, entry from ledger.log'` lists entries.",
        )
    kind = row[0]
    if kind in _KEPT:
        raise UsageError(
            f"Entry {seq} is a {kind} entry; without it the log cannot be verified.",
            state="Nothing was erased.",
            hint="Only states of the registry, findings and waivers can be erased.",
        )
    return row


def _copy_log(con: duckdb.DuckDBPyConnection, seq: int) -> None:
    """Copy the old log, of one entry no more than its place and its leaf."""
    kept = ", ".join(
        f"case when seq <> $seq then {name} end as {name}"
        for name in ("entry", *(name for name, _ in entries.HEADER))
    )
    con.execute(
        f"insert into ledger.log select * replace ({kept}) from old.ledger.log order by seq",
        {"seq": seq},
    )


def _also_in(con: duckdb.DuckDBPyConnection, before: int, texts: list[str]) -> tuple[int, ...]:
    """Find entries that also hold an erased text of four characters or more."""
    entries_with_text: set[int] = set()
    for text in texts:
        if len(text) >= 4:
            rows = con.execute(
                "select seq from ledger.log where seq < ? and contains(entry, "
                "trim(to_json(?)::VARCHAR, '\"')) order by seq limit 50",
                [before, text],
            ).fetchall()
            entries_with_text.update(seq for (seq,) in rows)
    return tuple(sorted(entries_with_text))


def drop_erased(con: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Take out of `changed` the states whose erasure is on record: they are not taken in again.

    What was known instead is not the state any more, and goes into `vanished`.
    """
    schema.fill_table(con, "erased_subjects", STATE, erased_states(con, key, "changed"))
    gone_is_no_deletion = "', '".join(sorted(set(schema.REGISTRY_KINDS) - DELETED_AS_GONE))
    con.execute(
        "insert into vanished select k.subject, k.kind, k.seq from known k "
        "join changed c using (subject) join erased_subjects using (subject) "
        f"where k.op = 'put' and not c.same_content and k.kind in ('{gone_is_no_deletion}')"
    )
    con.execute("delete from changed where subject in (select subject from erased_subjects)")


def erased_states(con: duckdb.DuckDBPyConnection, key: Key, states: str) -> list[tuple[str, str]]:
    """Those of the states in a table, by subject and fingerprint, whose erasure is on record."""
    erased_hashes = {
        value for (value,) in con.execute("select value_hmac from erasures").fetchall()
    }
    if not erased_hashes:
        return []
    rows = con.execute(f"select distinct subject, fingerprint from {states}").fetchall()
    return [
        (subject, fingerprint)
        for subject, fingerprint in rows
        if any(
            key.hash(f"{subject}\n{before}") in erased_hashes for before in _earlier(fingerprint)
        )
    ]


def _earlier(fingerprint: str) -> Iterator[str]:
    """What the fingerprint of an entry of the same content may be.

    Before a column was declared it lacks its part; where a source did not show it, `?` stands there.
    """
    content, *parts = fingerprint.split(":")
    for number in range(len(parts) + 1):
        yield ":".join((content, *parts[:number]))
        yield content + ":?" * number
