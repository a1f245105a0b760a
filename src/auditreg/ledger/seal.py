"""Sealing what auditreg itself did: checks with their findings, waivers, reports.

A result is an entry only where it differs from the last one, so that a finding has a number and
knows since when it has been open. Nothing is overwritten: what it was stays in the log.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from auditreg.ledger import entries, state
from auditreg.ledger.entries import Appender, Event, epoch_ms, now_ms
from auditreg.ledger.merkle import Tree
from auditreg.ledger.policies import Policy, policy_events
from auditreg.ledger.schema import fill_table

if TYPE_CHECKING:
    import duckdb

FINDING_COLUMNS = {
    "key": "VARCHAR",
    "rule": "VARCHAR",
    "subject": "VARCHAR",
    "severity": "VARCHAR",
    "registry": "VARCHAR",
    "workspace": "VARCHAR",
    "model": "VARCHAR",
    "version": "BIGINT",
    "status": "VARCHAR",
    "reason": "VARCHAR",
    "grade": "VARCHAR",
    "fix": "VARCHAR",
    "repair": "VARCHAR",
    "evidence": "VARCHAR",
    "waiver": "VARCHAR",
    "since": "BIGINT",
    "condition_since": "BIGINT",
    "carried": "BOOLEAN",
    "why": "VARCHAR",
}
"""Columns of the relation of answers that are sealed as findings.

`since` is given where the finding was open before, in milliseconds; else it begins now. `why`, where it
is not open, says why.
"""

SLICE = 1_000
"""Answers given to DuckDB as one text: decoding takes twenty kilobytes of memory for each."""


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What is sealed of a check beside its findings."""

    as_of: datetime
    period: tuple[date, date]
    policy: str
    selection: tuple[str, ...]
    rules: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Closing:
    """That a finding is not open any more, by its key, and why.

    `status` is `closed`, or `undecided` where the readings no longer tell. `kept` says that it was
    closed before, and when and why stays as it was.
    """

    key: str
    why: str
    reason: str
    status: str = "closed"
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sealing a check did: numbers of new, reopened and closed findings."""

    opened: int
    changed: int
    closed: int


def seal_check(
    con: duckdb.DuckDBPyConnection,
    record: CheckRecord,
    answers: Iterable[Mapping[str, object]],
    *,
    closings: Sequence[Closing] = (),
    waivers: Sequence[Mapping[str, Any]] = (),
    whole: bool = True,
    policies: Sequence[Policy] = (),
) -> Sealed:
    """Seal a check on a writable connection to the ledger.

    Args:
        con: from `Ledger.writer`.
        record: the check itself.
        answers: rows with `FINDING_COLUMNS`: what is open, waived, answered, older than the policy
            or in error.
        closings: the findings that were among the answers of earlier checks and are not any more.
        waivers: the waivers as judged, with the columns of the table `waivers`.
        whole: whether these are all waivers, so that another one is no longer in the file.
        policies: the governing texts in force.
    """
    entries.prepare(con)
    recorded_at = now_ms()
    base = entries.size(con)
    appender = Appender(con)
    appender.append_events(policy_events(con, policies), recorded_at)
    _stage_answers(con, answers)
    _stage_closings(con, closings)
    _compare(con, record)
    count = _append_findings(con, appender, record, recorded_at)
    appender.append_events(_waiver_events(con, waivers, whole=whole), recorded_at)
    tree = entries.load_tree(con)
    body = {
        "as_of": epoch_ms(record.as_of),
        "period_first": record.period[0].isoformat(),
        "period_last": record.period[1].isoformat(),
        "policy": record.policy,
        "selection": json.dumps(record.selection),
        "rules": json.dumps(record.rules),
        "summary": json.dumps(record.summary),
    }
    close(con, appender, "check", body, tree, recorded_at, base)
    return count


def seal_report(
    con: duckdb.DuckDBPyConnection,
    *,
    period: tuple[date, date],
    as_of: datetime,
    template: str,
    draft: bool,
    files: Mapping[str, str],
    policy: str,
) -> None:
    """Seal that a report was made: of what, and the SHA-256 of each of its files."""
    entries.prepare(con)
    recorded_at = now_ms()
    base = entries.size(con)
    body = {
        "period_first": period[0].isoformat(),
        "period_last": period[1].isoformat(),
        "as_of": epoch_ms(as_of),
        "template": template,
        "draft": draft,
        "files": json.dumps(dict(sorted(files.items()))),
        "policy": policy,
    }
    close(con, Appender(con), "report", body, entries.load_tree(con), recorded_at, base)


def close(
    con: duckdb.DuckDBPyConnection,
    appender: Appender,
    kind: str,
    body: Mapping[str, Any],
    tree: Tree,
    recorded_at: datetime,
    base: int,
) -> None:
    """Append the closing event with the root over all before it, and refresh the tables."""
    from auditreg.resources import tool_version

    sealed = {
        **body,
        "tool_version": tool_version(),
        "tree_size": tree.size,
        "root": tree.root().hex(),
    }
    appender.append_events([Event(kind=kind, subject=kind, body=sealed)], recorded_at)
    entries.grow_tree(con, tree)
    entries.save_tree(con, tree)
    state.refresh(con, base)


def _stage_answers(con: duckdb.DuckDBPyConnection, answers: Iterable[Mapping[str, object]]) -> None:
    """Put the answers into the table `answer`, without Arrow, which would load numpy and pandas."""
    columns = ", ".join(f"{name} {kind}" for name, kind in FINDING_COLUMNS.items())
    con.execute(f"create or replace temp table answer ({columns})")
    waiting = iter(answers)
    while rows := list(itertools.islice(waiting, SLICE)):
        con.execute(
            "insert into answer by name select unnest(from_json(?, ?), recursive := true)",
            [json.dumps(rows), json.dumps([FINDING_COLUMNS])],
        )


def _stage_closings(con: duckdb.DuckDBPyConnection, closings: Sequence[Closing]) -> None:
    """Put what is not open any more into the table `closing`."""
    columns = dict.fromkeys(("key", "why", "reason", "status"), "VARCHAR") | {"kept": "BOOLEAN"}
    rows = [(c.key, c.why, c.reason, c.status, c.kept) for c in closings]
    fill_table(con, "closing", columns, rows)


def _compare(con: duckdb.DuckDBPyConnection, record: CheckRecord) -> None:
    """Write new, changed and closed findings into the table `finding_change`."""
    con.execute(
        """
        create or replace temp table finding_change as
        with erased as ( -- a finding keeps its number when its last entry was erased
            select subject, max(json_extract(entry, '$.body.number')::BIGINT) as number
            from ledger.log
            where kind = 'finding'
              and subject in (select subject from ledger.erased_states() where kind = 'finding')
            group by subject
        ),
        seen as (
            select subject, min(observed_at) as first_at from ledger.log
            where kind = 'finding' group by subject
        ),
        numbered as (
            select a.* exclude (since, condition_since, carried),
                   make_timestamp(a.since * 1000) as given_since,
                   make_timestamp(a.condition_since * 1000) as condition_since,
                   coalesce(a.carried, false) as carried,
                   coalesce(f.number, e.number) as known_number, f.since as known_since,
                   f.status as known_status, f.closed_at as known_closed_at, f.closed_why as known_why,
                   coalesce(f.first_reported, s.first_at) as known_first
            from answer a left join findings f using (key)
            left join erased e on e.subject = 'f-' || a.key
            left join seen s on s.subject = 'f-' || a.key
            where f.key is null or f.status <> a.status or f.reason is distinct from a.reason
               or f.severity is distinct from a.severity or f.grade is distinct from a.grade
               or f.fix is distinct from a.fix or f.repair is distinct from a.repair
               or f.evidence is distinct from a.evidence or f.waiver is distinct from a.waiver
               or f.carried is distinct from coalesce(a.carried, false)
               or f.condition_since is distinct from make_timestamp(a.condition_since * 1000)
               or f.closed_why is distinct from a.why
        ),
        fresh as (
            select key, row_number() over (
                       order by case severity when 'critical' then 0 when 'high' then 1
                                when 'medium' then 2 else 3 end, rule, model, version, subject)
                   + (select coalesce(max(number), 0)
                      from (select number from findings union all select number from erased))
                   as new_number
            from numbered where known_number is null
        )
        select coalesce(n.known_number, fresh.new_number) as number, n.key, n.rule, n.subject,
               n.severity, n.registry, n.workspace, n.model, n.version, n.status, n.reason, n.grade,
               n.fix, n.repair, n.evidence, n.waiver,
               coalesce(n.given_since, case when n.known_status <> 'closed' then n.known_since end,
                        $as_of::TIMESTAMP) as since,
               coalesce(n.known_first, $as_of::TIMESTAMP) as first_reported, n.condition_since,
               n.carried, n.why as closed_why,
               case when n.why is null then null when n.known_why = n.why then n.known_closed_at
                    else $as_of::TIMESTAMP end as closed_at,
               n.known_status is null as is_new, false as is_closed
        from numbered n left join fresh using (key)
        union all
        select f.number, f.key, f.rule, f.subject, f.severity, f.registry, f.workspace, f.model,
               f.version, c.status, case when c.kept then f.reason else c.reason end, f.grade, null, f.repair, f.evidence,
               case when c.kept then f.waiver end, coalesce(f.since, f.first_reported),
               f.first_reported, f.condition_since, f.carried,
               case when c.kept then f.closed_why else c.why end,
               case when c.kept then f.closed_at else $as_of::TIMESTAMP end, false, true
        from findings f join closing c using (key)
        where f.status <> 'closed' and f.status <> c.status and f.key not in (select key from answer)
        """,
        {"as_of": record.as_of},
    )


def _append_findings(
    con: duckdb.DuckDBPyConnection, appender: Appender, record: CheckRecord, recorded_at: datetime
) -> Sealed:
    appender.append(
        """
        select $base::BIGINT - 1 + row_number() over (order by number) as seq,
               $recorded_at::TIMESTAMP as recorded_at, 'auditreg' as source, 'finding' as kind,
               'put' as op, 'f-' || key as subject, registry, workspace, model, version,
               $as_of::TIMESTAMP as observed_at, null::TIMESTAMP as valid_at,
               null::TIMESTAMP as created_at, null::TIMESTAMP as changed_at, null as actor,
               'observed' as grade, null as fingerprint, null as secrets,
               null::BIGINT as journal,
               '{"number":' || number || ',"key":' || encoded(key) || ',"rule":' || encoded(rule)
               || ',"subject":' || encoded(subject) || ',"severity":' || encoded(severity)
               || ',"status":' || encoded(status) || ',"reason":' || encoded(reason)
               || ',"grade":' || encoded(grade) || ',"since":' || epoch_ms(since)
               || ',"fix":' || encoded(fix) || ',"repair":' || encoded(repair)
               || ',"evidence":' || encoded(evidence) || ',"waiver":' || encoded(waiver)
               || ',"first_reported":' || epoch_ms(first_reported)
               || ',"condition_since":' || coalesce(epoch_ms(condition_since)::VARCHAR, 'null')
               || ',"carried":' || carried
               || ',"closed_at":' || coalesce(epoch_ms(closed_at)::VARCHAR, 'null')
               || ',"closed_why":' || encoded(closed_why) || '}'
               as body
        from finding_change
        """,
        {"base": entries.size(con), "recorded_at": recorded_at, "as_of": record.as_of},
    )
    [row] = con.execute(
        "select count(*) filter (where is_new), count(*) filter (where not is_new and not "
        "is_closed), count(*) filter (where is_closed) from finding_change"
    ).fetchall()
    return Sealed(*row)


def _waiver_events(
    con: duckdb.DuckDBPyConnection, waivers: Sequence[Mapping[str, Any]], *, whole: bool
) -> list[Event]:
    """Waivers that are new or judged differently, and those that are no longer in the file."""
    known = dict(
        con.execute(
            "select subject, max_by(fingerprint, seq) from ledger.log where kind = 'waiver' "
            "group by subject having max_by(op, seq) = 'put'"
        ).fetchall()
    )
    events: list[Event] = []
    current: set[str] = set()
    for waiver in waivers:
        identity = json.dumps([waiver["rule"], waiver["scope"]], sort_keys=True)
        subject = "w-" + hashlib.sha256(identity.encode()).hexdigest()[:16]
        while subject in current:
            subject = "w-" + hashlib.sha256(subject.encode()).hexdigest()[:16]
        current.add(subject)
        body = {name: _plain(value) for name, value in sorted(waiver.items())}
        fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if known.get(subject) != fingerprint:
            events.append(
                Event(
                    kind="waiver",
                    op="put",
                    subject=subject,
                    body=body,
                    fingerprint=fingerprint,
                    grade="asserted",
                )
            )
    if whole:
        events += [
            Event(kind="waiver", op="gone", subject=subject, body={}, grade="asserted")
            for subject in sorted(known.keys() - current)
        ]
    return events


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
