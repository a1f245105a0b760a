"""Taking in what somebody gives the ledger to keep: foreign records, and what ran where.

All of it is asserted: the log proves what was given and when, not that it is true. A line that is
on record already, or was erased, adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditreg.ledger import entries
from auditreg.ledger.entries import Appender, Event, now_ms
from auditreg.ledger.import_parse import ImportedRecord
from auditreg.ledger.schema import fill_table
from auditreg.ledger.seal import close
from auditreg.ledger.secrets import SECRET_MARK, Key, mask

if TYPE_CHECKING:
    import duckdb

_STAGED = {"place": "BIGINT", "name": "VARCHAR"}
_ABOUT = {
    "place": "BIGINT",
    "registry": "VARCHAR",
    "workspace": "VARCHAR",
    "model": "VARCHAR",
    "happened": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: lines added and known before, and the names no reading showed.

    `unknown_versions` are written `model/version`; a model is unknown where the workspace named, which
    is known, never had it. `unresolved` counts lines that were added and are about no model, `unplaced` those
    of them whose names are known. `to_come` counts lines dated after the import, `masked` values that
    look like credentials; moments are UTC.
    """

    lines: int
    added: int
    known: int
    masked: int
    unknown_workspaces: tuple[str, ...]
    unknown_models: tuple[str, ...]
    unknown_versions: tuple[str, ...]
    unresolved: int
    unplaced: int
    to_come: int
    contradicting: tuple[str, ...]
    systems: tuple[str, ...]
    first: datetime
    last: datetime


def record(
    con: duckdb.DuckDBPyConnection,
    records: Sequence[ImportedRecord],
    *,
    file: str,
    content: bytes,
    registry: str,
    key: Key,
    secret_patterns: tuple[str, ...] = (),
) -> Imported:
    """Append the records of one file, on a writable connection to the ledger.

    Args:
        con: from `Ledger.writer`.
        records: from `parse_history` or `parse_deployments`, not empty.
        file: the file's name, which every entry keeps.
        content: its bytes, whose hash is sealed.
        registry: the configured registry, for lines that name none.
        key: makes the hashes of secrets.
        secret_patterns: further patterns of names that hold credentials.
    """
    entries.prepare(con)
    for record in records:
        record.registry = record.registry or registry
    masked = _mask(con, records, key, secret_patterns)
    new = _unseen(con, records, key)
    about, unknown = _resolve(con, records)
    unresolved = [n for n in new if n not in about]
    unknown_versions = _unknown_versions(con, records, about)
    recorded_at = now_ms()
    base = entries.size(con)
    if new:
        appender = Appender(con)
        appender.append_events([_event(records[n], about.get(n), file) for n in new], recorded_at)
        body = {
            "what": records[0].kind,
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "lines": len(records),
            "added": len(new),
            "known": len(records) - len(new),
        }
        close(con, appender, "import", body, entries.load_tree(con), recorded_at, base)
    moments = sorted(record.at for record in records)
    return Imported(
        lines=len(records),
        added=len(new),
        known=len(records) - len(new),
        masked=masked,
        unknown_workspaces=tuple(sorted(set(unknown.workspaces.values()))),
        unknown_models=tuple(sorted(set(unknown.models.values()))),
        unknown_versions=unknown_versions,
        unresolved=len(unresolved),
        unplaced=sum(1 for n in unresolved if n not in unknown),
        to_come=sum(record.at > recorded_at for record in records),
        contradicting=_contradicting(con, base),
        systems=tuple(sorted({record.texts["system"] or "" for record in records})),
        first=moments[0],
        last=moments[-1],
    )


def _contradicting(con: duckdb.DuckDBPyConnection, since: int) -> tuple[str, ...]:
    """What one system refused and approved at one moment, by a record from `since` on: `model/version`."""
    rows = con.execute(
        """
        select distinct model || coalesce('/' || version::VARCHAR, '')
        from (
            select seq, registry, workspace, model, version, valid_at,
                   json_extract_string(entry, '$.body.system') as system,
                   decision_of(json_extract_string(entry, '$.body.after')) as decided
            from ledger.log
            where kind = 'history_record' and json_extract_string(entry, '$.body.what') = 'approval'
        )
        group by registry, workspace, model, version, valid_at, system
        having max(seq) >= ? and bool_or(decided = 'rejected')
           and bool_or(decided is distinct from 'rejected')
        order by 1
        """,
        [since],
    ).fetchall()
    return tuple(name for (name,) in rows)


def _event(record: ImportedRecord, about: tuple[str, str] | None, file: str) -> Event:
    body: dict[str, Any] = {name: _shown(text) for name, text in record.texts.items()}
    body |= {**record.fixed, "file": file}
    if record.kind == "history_record":
        subject = None if about is None else about[0]
        version = "" if record.version is None else f"/{record.version}"
        body["about"] = subject and f"{subject}{version}"
    return Event(
        kind=record.kind,
        op="event" if record.kind == "history_record" else "put",
        subject=record.subject(),
        registry=record.registry,
        workspace=record.workspace or (about[1] if about else None),
        model=record.model,
        version=record.version,
        valid_at=record.at,
        actor=record.actor,
        grade="asserted",
        fingerprint=record.fingerprint(),
        body=body,
    )


def _shown(text: str | None) -> object:
    """A text for the body; a secret as its keyed hash."""
    if text is None or not text.startswith(SECRET_MARK):
        return text
    key, _, digest = text.removeprefix(SECRET_MARK).partition(":")
    return {"$secret": {"key": key, "hmac": digest}}


_VALUES = ("before", "after")


def _mask(
    con: duckdb.DuckDBPyConnection,
    records: Sequence[ImportedRecord],
    key: Key,
    extra: tuple[str, ...],
) -> int:
    """Put keyed hashes and asterisks where credentials stand; the number of places."""
    values: list[tuple[int, str, str, str]] = []
    texts: list[tuple[int, str, str]] = []
    for place, record in enumerate(records):
        for name, text in [*record.texts.items(), ("actor", record.actor)]:
            if text is None:
                continue
            if name in _VALUES:
                values.append((place, name, record.key, text))
            else:
                texts.append((place, name, text))
    fill_table(con, "stage_import_values", _STAGED | {"key": "VARCHAR", "value": "VARCHAR"}, values)
    fill_table(con, "stage_import_texts", _STAGED | {"text": "VARCHAR"}, texts)
    masked = mask(con, key, extra, staged=("import_values",), texts={"import_texts": ("text",)})
    if masked:
        for table, column in (("import_values", "value"), ("import_texts", "text")):
            query = f"select place, name, {column} from stage_{table}"
            for place, name, text in con.execute(query).fetchall():
                if name == "actor":
                    records[place].actor = text
                else:
                    records[place].texts[name] = text
    for table in ("import_values", "import_texts"):
        con.execute(f"drop table stage_{table}")
    return masked


def _unseen(
    con: duckdb.DuckDBPyConnection, records: Sequence[ImportedRecord], key: Key
) -> list[int]:
    """Places of the records that are not on record and were not erased."""
    known = {
        fingerprint
        for (fingerprint,) in con.execute(
            "select distinct fingerprint from ledger.log where kind = ?", [records[0].kind]
        ).fetchall()
    }
    erased = {mark for (mark,) in con.execute("select value_hmac from erasures").fetchall()}
    new: list[int] = []
    for place, record in enumerate(records):
        fingerprint = record.fingerprint()
        if fingerprint in known:
            continue
        known.add(fingerprint)
        if erased and key.hash(f"{record.subject()}\n{fingerprint}") in erased:
            continue
        new.append(place)
    return new


@dataclass(frozen=True, slots=True)
class _Unknown:
    """Places of records to the workspace, or else the model, that no reading showed."""

    workspaces: dict[int, str]
    models: dict[int, str]

    def __contains__(self, place: int) -> bool:
        return place in self.workspaces or place in self.models


def _resolve(
    con: duckdb.DuckDBPyConnection, records: Sequence[ImportedRecord]
) -> tuple[dict[int, tuple[str, str]], _Unknown]:
    """Which model each record is about: its subject and workspace, and the names unknown.

    The name must have been that model's at that moment, and be one model's only; seconds count,
    because other systems keep no finer times.
    """
    rows = [
        (place, str(record.registry), record.workspace, record.model, record.at)
        for place, record in enumerate(records)
    ]
    fill_table(con, "stage_about", _ABOUT, rows)
    con.execute(
        """
        create or replace temp table stage_named as
        select t.subject, l.registry, l.workspace, l.model,
               date_trunc('second', coalesce(t.lo, t.created_at, t.hi)) as begun,
               t.next_hi as ended
        from ledger.timeline('registered_model', null::TIMESTAMP) t join ledger.log l using (seq)
        where t.op = 'put' and l.model in (select model from stage_about)
        """
    )
    matches = con.execute(
        """
        select a.place, any_value(n.subject), any_value(n.workspace)
        from stage_about a join stage_named n
          on n.model = a.model and n.registry = a.registry
         and n.workspace = coalesce(a.workspace, n.workspace)
        where n.begun <= a.happened and (n.ended is null or a.happened < n.ended)
        group by a.place
        having count(distinct n.subject) = 1
        """
    ).fetchall()
    workspaces = con.execute(
        """
        select place, workspace from stage_about
        where workspace is not null and (registry, workspace) not in (
            select (registry, workspace) from ledger.log
            where kind = 'registered_model' and registry is not null and workspace is not null)
        """
    ).fetchall()
    models = con.execute(
        """
        select a.place, a.model || coalesce(' in ' || a.workspace, '') from stage_about a
        where not exists (select 1 from stage_named n
                          where n.model = a.model and n.registry = a.registry
                            and n.workspace = coalesce(a.workspace, n.workspace))
        """
    ).fetchall()
    con.execute("drop table stage_about")
    con.execute("drop table stage_named")
    nowhere = dict(workspaces)
    unknown = _Unknown(nowhere, {place: name for place, name in models if place not in nowhere})
    return {place: (subject, space) for place, subject, space in matches}, unknown


def _unknown_versions(
    con: duckdb.DuckDBPyConnection,
    records: Sequence[ImportedRecord],
    about: dict[int, tuple[str, str]],
) -> tuple[str, ...]:
    """Versions of known models that records name and no reading showed, as `model/version`."""
    named = {
        f"{about[place][0]}/{record.version}": f"{record.model}/{record.version}"
        for place, record in enumerate(records)
        if record.version is not None and place in about
    }
    if not named:
        return ()
    known = con.execute(
        "select distinct subject from ledger.log "
        "where kind = 'model_version' and list_contains(?::VARCHAR[], subject)",
        [list(named)],
    ).fetchall()
    return tuple(sorted(set(named.values()) - {named[subject] for (subject,) in known}))
