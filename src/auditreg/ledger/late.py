"""Readings taken in late: a restored backup is older than what the ledger holds already.

Nothing is moved, since the log only grows: what has to stand in another place is said again there.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.ledger import entries, journal, schema
from auditreg.ledger.entries import Appender
from auditreg.sources.interface import Reading

if TYPE_CHECKING:
    import duckdb


def place_earlier(
    con: duckdb.DuckDBPyConnection,
    appender: Appender,
    reading: Reading,
    registry: str,
    observed_at: datetime,
    recorded_at: datetime,
) -> int:
    """Say of rows of the journal known from later readings that this older one showed them too.

    A reading that holds the journal says which; of one that does not, the server's times do.

    Returns:
        The entries appended: the same rows again, in their earlier place.
    """
    shown = reading.journal_ranges() if reading.journal else []
    con.execute("create or replace temp table journal_known (low BIGINT, high BIGINT)")
    schema.insert(con, "journal_known", shown)
    known = (
        "source = $name and exists (select 1 from journal_known where journal between low and high)"
        if reading.journal
        else "served_at <= $observed_at"
    )
    return appender.append(
        f"""
        with line as (
            select *, max(valid_at) over (partition by subject
                                          order by observed_at, journal, seq
                                          rows between unbounded preceding and current row)
                   as served_at
            from ledger.log
            where registry = $registry and journal is not null and kind <> 'capture'
        ),
        earlier as (
            select subject, journal from line
            where valid_at is not null and observed_at > $observed_at and {known}
        )
        select $base::BIGINT - 1 + row_number() over (order by l.journal, l.seq) as seq,
               $recorded_at::TIMESTAMP as recorded_at, source, kind, op, subject, registry,
               workspace, model, version, $observed_at::TIMESTAMP as observed_at, valid_at,
               created_at, changed_at, actor, grade, fingerprint, secrets, journal,
               replace(json_extract(entry, '$.body')::VARCHAR, '"journal":{{',
                       '"journal":{{"again":true,') as body
        from ledger.placed(null, null::TIMESTAMP) o
        join (select seq, recorded_at as first_at, source, version, actor, grade, journal, entry
              from ledger.log) l using (seq)
        join earlier using (subject, journal)
        where o.observed_at > $observed_at and o.op <> 'erased'
        order by l.journal, l.seq
        """,
        {
            "registry": registry,
            "observed_at": observed_at,
            "recorded_at": recorded_at,
            "base": entries.size(con),
            **({"name": journal.name_of(reading.journal)} if reading.journal else {}),
        },
    )


def reaffirm(
    con: duckdb.DuckDBPyConnection,
    appender: Appender,
    registry: str,
    observed: datetime,
    recorded_at: datetime,
    first_new: int,
) -> None:
    """Say again what the next later reading had seen.

    Where that reading found the state as it was before the late one, it wrote nothing then; with
    the late reading's different state in between, it has to stand there. `first_new` is the first
    entry of the late reading.
    """
    appender.append(
        """
        with next_reading as (
            select kind, min(observed_at) as observed_at
            from ledger.readings
            where registry = $registry and observed_at > $observed
            group by kind
        ),
        said as (
            select subject, kind,
                   max_by({'seq': seq, 'op': op, 'fingerprint': fingerprint,
                           'workspace': workspace, 'model': model},
                          (observed_at, place, seq)) as late
            from ledger.placed(null, null::TIMESTAMP)
            where registry = $registry and observed_at <= $observed
              and subject in (select subject from ledger.log where seq >= $first_new)
            group by subject, kind
        ),
        earlier as (
            select p.subject,
                   max_by({'seq': seq, 'op': op, 'fingerprint': fingerprint,
                           'workspace': workspace, 'model': model},
                          (p.observed_at, place, seq)) as known
            from ledger.placed(null, $recorded_at::TIMESTAMP - interval 1 millisecond) p
            join next_reading n on n.kind = p.kind and p.observed_at <= n.observed_at
            where subject in (select subject from said)
            group by p.subject
        ),
        silent as (
            select s.subject, s.kind, s.late.seq as late_seq, e.known.seq as known_seq,
                   n.observed_at
            from said s join next_reading n using (kind) left join earlier e using (subject)
            where not exists (
                select 1 from ledger.placed(null, null::TIMESTAMP) l
                where l.subject = s.subject and l.observed_at > $observed
                  and l.observed_at <= n.observed_at)
              and (coalesce(e.known.op, 'gone') <> s.late.op
                   or e.known.fingerprint is distinct from s.late.fingerprint
                   or e.known.workspace is distinct from s.late.workspace
                   or e.known.model is distinct from s.late.model)
              and (e.known.seq is not null
                   or s.late.op = 'put'
                  and s.kind in ('registered_model', 'registered_model_tag', 'model_version',
                                 'model_version_tag', 'alias'))
        )
        select $base::BIGINT - 1 + row_number() over (order by s.late_seq) as seq,
               $recorded_at::TIMESTAMP as recorded_at,
               case when p.grade = 'captured' then $source else coalesce(p.source, l.source) end
                   as source,
               l.kind, coalesce(p.op, 'gone') as op, l.subject, l.registry,
               coalesce(p.workspace, l.workspace) as workspace, coalesce(p.model, l.model) as model,
               coalesce(p.version, l.version) as version, s.observed_at,
               null::TIMESTAMP as valid_at, coalesce(p.created_at, l.created_at) as created_at,
               p.changed_at, null as actor, 'observed' as grade, p.fingerprint, p.secrets,
               null::BIGINT as journal,
               coalesce(ledger_body(p.entry), ledger_body(l.entry)) as body
        from silent s
        join ledger.log l on l.seq = s.late_seq
        left join ledger.log p on p.seq = s.known_seq
        """,
        {
            "registry": registry,
            "observed": observed,
            "recorded_at": recorded_at,
            "base": entries.size(con),
            "first_new": first_new,
            "source": "auditreg",
        },
    )
