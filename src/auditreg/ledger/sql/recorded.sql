-- When a server kept its journal, and the journal was read since: then a state that no row of it
-- changed is what it was. From the first start to the last reading, without the gaps.
with span as (
    select k.registry, s.first_at as begins, k.last_at + interval 1 microsecond as ends
    from (select registry, 'journal-' || left(journal, 12) as journal, max(started_at) as last_at
          from extractions where journal is not null group by registry, journal) k
    join (select registry, journal, min(server_time) as first_at from journal
          where operation = 'start' group by registry, journal) s using (registry, journal)
    where s.first_at <= k.last_at
),
gap as (
    select registry, gap_start, coalesce(gap_end, timestamp '9999-12-31') as gap_end
    from capture_gaps where reason <> 'clock went back'
    union all
    -- a server that is killed says nothing: between the last row of any that said no farewell and
    -- the start of the next one nothing is known, unless another one went on meanwhile
    select s.registry, max(c.last_seen_at), s.server_time
    from journal s join captures c
      on c.registry = s.registry and c.journal = s.journal and c.process <> s.process
     and c.started_at <= s.server_time
    where s.operation = 'start'
    group by s.registry, s.journal, s.server_time, s.id
    having max(c.last_seen_at) < s.server_time and bool_or(c.stopped_at is null)
),
point as (
    select registry, begins as at_moment from span union select registry, ends from span
    union select registry, gap_start from gap union select registry, gap_end from gap
),
piece as (
    select registry, at_moment as begins,
           lead(at_moment) over (partition by registry order by at_moment) as ends
    from point
)
select p.registry, p.begins, p.ends
from piece p
where exists (select 1 from span s
              where s.registry = p.registry and s.begins <= p.begins and s.ends >= p.ends)
  and not exists (select 1 from gap g
                  where g.registry = p.registry and g.gap_start <= p.begins
                    and g.gap_end >= p.ends)
order by p.registry, p.begins
