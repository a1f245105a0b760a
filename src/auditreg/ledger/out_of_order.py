"""Readings taken in late: a restored backup is older than what the ledger holds already.

Nothing is moved, since the log only grows: what has to stand in another place is said again there.
"""

from __future__ import annotations

from auditreg.ledger import capture_journal, entries, schema
from auditreg.ledger.intake import Intake

_SHOWN = """
select subject, journal from ledger.log
where registry = $registry and source = $name and valid_at is not null
  and observed_at > $observed_at
  and exists (select 1 from journal_shown where journal between low and high)
"""
"""Rows of the journal that stand later in the log and are in the journal of this reading."""

_SEEN = """
select line.subject, line.journal
from line join (
    with written as (
        select subject, op, fingerprint, turn as rows from line
        union all
        select l.subject, coalesce(k.state.op, 'gone'), k.state.fingerprint, 0
        from (select distinct subject from line) l left join (
            select subject, max_by({'op': op, 'fingerprint': fingerprint},
                                   (observed_at, place, seq)) as state
            from ledger.placed(null, null::TIMESTAMP)
            where observed_at <= $observed_at group by subject) k using (subject)
    ),
    expected as (
        select subject, count(*) filter (where valid_at <= $observed_at) as rows
        from line group by subject
    )
    select e.subject,
           coalesce(min_by(w.rows, abs(w.rows - e.rows)) filter (
                        where w.rows <= e.rows
                          and case when i.subject is null then w.op = 'gone'
                                   else w.op = 'put' and same_state(w.fingerprint, i.fingerprint) end),
                    any_value(e.rows)) as rows
    from expected e join written w using (subject) left join incoming i using (subject)
    group by e.subject
) counted on counted.subject = line.subject and line.turn <= counted.rows
"""
"""Rows that stand later and came before what this reading saw: as many as their times say, unless
it saw what stood after more or fewer of them."""


def reposition_by_journal(intake: Intake) -> bool:
    """Append journal rows that later readings brought again, at the moment of this older reading, which
    has them too.
    """
    reading = intake.reading
    if not reading.journal:
        return False
    ranges = {"low": "BIGINT", "high": "BIGINT"}
    schema.fill_table(intake.con, "journal_shown", ranges, reading.journal_ranges())
    return _place(intake, _SHOWN, name=capture_journal.name_of(reading.journal))


def reposition_by_state(intake: Intake) -> bool:
    """The same for a reading without the journal, by what it saw: `incoming`."""
    return _place(intake, _SEEN)


def _place(intake: Intake, earlier: str, **parameters: object) -> bool:
    """Append the chosen rows again, at the moment of this reading; whether there were any."""
    written = intake.appender.append(
        f"""
        with line as (
            select o.subject, l.journal, o.op, o.fingerprint, o.valid_at,
                   row_number() over (partition by o.subject
                                      order by o.observed_at, o.place, o.seq) as turn
            from ledger.placed(null, null::TIMESTAMP) o
            join (select seq, journal from ledger.log where journal is not null) l using (seq)
            where o.registry = $registry and o.valid_at is not null
              and o.observed_at > $observed_at
        ),
        earlier as ({earlier})
        select $base::BIGINT - 1 + row_number() over (order by l.journal, l.seq) as seq,
               $recorded_at::TIMESTAMP as recorded_at, source, kind, op, subject, registry,
               workspace, model, version, $observed_at::TIMESTAMP as observed_at, valid_at,
               created_at, changed_at, actor, grade, fingerprint, secrets, journal,
               replace(json_extract(entry, '$.body')::VARCHAR, '"journal":{{',
                       '"journal":{{"again":true,') as body
        from ledger.placed(null, null::TIMESTAMP) o
        join (select seq, source, version, actor, grade, journal, entry
              from ledger.log where journal is not null) l using (seq)
        join earlier using (subject, journal)
        where o.observed_at > $observed_at and o.op <> 'erased'
        order by l.journal, l.seq
        """,
        {
            "registry": intake.registry,
            "observed_at": intake.observed,
            "recorded_at": intake.recorded_at,
            "base": entries.size(intake.con),
            **parameters,
        },
    )
    return written > 0


_RESTATED = """
with next_reading as (
    select kind, min(observed_at) as observed_at
    from ledger.readings()
    where registry = $registry and observed_at > $observed
    group by kind
),
stated as (
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
    where subject in (select subject from stated)
    group by p.subject
),
silent as (
    select s.subject, s.kind, s.late.seq as late_seq, e.known.seq as known_seq,
           n.observed_at
    from stated s join next_reading n using (kind) left join earlier e using (subject)
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
                         'model_version_tag', 'alias', 'principal', 'permission'))
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
"""
"""Entries that say again, for the moment of the next reading, what it had seen."""


def restate_next_reading(intake: Intake) -> None:
    """Say again what the next later reading had seen.

    Where that reading found the state as it was before the late one, it wrote nothing then; with
    the late reading's different state in between, it has to stand there.
    """
    intake.appender.append(
        _RESTATED,
        {
            "registry": intake.registry,
            "observed": intake.observed,
            "recorded_at": intake.recorded_at,
            "base": entries.size(intake.con),
            "first_new": intake.base,
            "source": "auditreg",
        },
    )
