-- When each state began, and what is known of a moment. Nothing here is stored: intervals follow
-- from the readings around an entry, so a backup read later narrows them by itself.

-- view: ledger.readings
-- one row per reading and kind it covered completely
create view ledger.readings as
select seq, registry, started_at, observed_at, recorded_at,
       unnest(string_split(kinds, ',')) as kind
from extractions
where complete;

-- view: ledger.erased_states
-- states whose text was erased, as far as another entry still tells what they were about
create view ledger.erased_states as
with recursive told as (
    select erased_seq, observed_at, entry_recorded_at, same_subject
    from erasures where same_subject is not null
    union
    select t.erased_seq, t.observed_at, t.entry_recorded_at, e.same_subject
    from told t join erasures e on e.erased_seq = t.same_subject
)
select t.erased_seq as seq, l.registry, l.kind, l.subject, t.observed_at, l.created_at,
       t.entry_recorded_at as recorded_at
from told t join ledger.log l on l.seq = t.same_subject
where l.kind is not null;

-- macro: ledger.states
-- the entries of one kind (all kinds where wanted is NULL) without those that say again what the
-- one before them said: a reading made in between, but taken in later, makes such
create macro ledger.states(wanted, known_at) as table
select seq, registry, kind, subject, op, observed_at, valid_at, created_at, changed_at
from (
    select *, op = lag(op) over earlier
              and fingerprint is not distinct from lag(fingerprint) over earlier
              and (secrets is not distinct from lag(secrets) over earlier
                   or split_part(secrets, ':', 1)
                      is distinct from split_part(lag(secrets) over earlier, ':', 1)) as again
    from (
        select seq, registry, kind, subject, op, observed_at, valid_at, created_at, changed_at,
               fingerprint, secrets, recorded_at
        from ledger.log
        union all
        select seq, registry, kind, subject, 'erased', observed_at, null, created_at, null,
               null, null, recorded_at
        from ledger.erased_states
    )
    where (kind = wanted or wanted is null and kind in ({kinds}))
      and (known_at is null or recorded_at <= known_at)
    window earlier as (partition by subject order by observed_at, seq)
)
where again is distinct from true;

-- macro: ledger.timeline
-- every state of the subjects of one kind (all kinds where wanted is NULL), with the bounds of its beginning:
-- lo (not before) and hi (not after), and those of the states before and after it
create macro ledger.timeline(wanted, known_at) as table
with reading as (
    select registry, kind, max(started_at) as started_at, observed_at from ledger.readings
    where (wanted is null or kind = wanted) and (known_at is null or recorded_at <= known_at)
    group by registry, kind, observed_at
),
entry as (from ledger.states(wanted, known_at)),
bounded as (
    select entry.*, reading.started_at as previous_reading,
           coalesce(valid_at,
                    case when changed_at <= entry.observed_at
                          and (reading.started_at is null or changed_at >= reading.started_at)
                         then changed_at end) as own_time
    from entry asof left join reading
      on entry.registry = reading.registry and entry.kind = reading.kind
     and entry.observed_at > reading.observed_at
),
placed as (
    select *, coalesce(own_time, observed_at) as hi,
           coalesce(valid_at,
                    case when coalesce(previous_reading, created_at) is not null
                         then least(coalesce(own_time, observed_at),
                                    greatest(previous_reading, created_at)) end) as lo
    from bounded
)
select *, lag(hi) over neighbours as previous_hi, lag(seq) over neighbours as previous_seq,
       lead(lo) over neighbours as next_lo, lead(hi) over neighbours as next_hi,
       lead(seq) over neighbours as next_seq
from placed
window neighbours as (partition by subject order by observed_at, seq);

-- macro: ledger.candidates
-- the entries that hold, or may hold, at a moment, with how sure that is
create macro ledger.candidates(wanted, ts, known_at) as table
with last_reading as (
    select registry, max(observed_at) as last_at,
           bool_or(started_at <= ts and observed_at >= ts) as read_now
    from ledger.readings
    where kind = wanted and (known_at is null or recorded_at <= known_at)
    group by registry
),
chosen as (
    select t.*, hi <= ts as before
    from ledger.timeline(wanted, known_at) t
    where (hi <= ts and (next_hi is null or next_hi > ts))
       or (hi > ts and (lo is null or lo < ts or lo = ts and ts = created_at)
           and (previous_hi is null or previous_hi <= ts))
),
judged as (
    select seq, lo as not_before, hi as not_after,
           case
             when not before and previous_reading is null and previous_seq is null then 'unknown'
             when not before then 'uncertain'
             when next_seq is not null and (next_lo is null or next_lo < ts) then 'uncertain'
             when next_seq is null and valid_at is null
              and ts > greatest(last_at, observed_at) then 'not_seen_since'
             when own_time is not null or coalesce(read_now, false) or ts = observed_at
             then 'certain'
             else 'seen_same'
           end as certainty,
           case
             when not before and previous_seq is not null then 'after'
             when before and next_seq is not null and (next_lo is null or next_lo < ts)
             then 'before'
             else 'only'
           end as candidate
    from chosen left join last_reading using (registry)
)
select l.subject, l.registry, l.workspace, l.model, l.version, l.op, l.entry,
       j.seq, l.grade, j.certainty, j.candidate, j.not_before, j.not_after
from judged j join ledger.log l using (seq)
where l.entry is not null;
